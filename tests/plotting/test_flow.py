"""The picture of trajectories and fixed points."""

import inspect

import numpy as np
import pytest

from neurojax.analysis.dynamics import FixedPoints
from neurojax.plotting import flow

POINTS = FixedPoints(
    {"x": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 2.0, 0.0]])},
    np.zeros(3),
    np.array([True, True, False]),
    np.array([[-1.0, -1.0, -1.0], [1.0, -1.0, -1.0], [0.0, -1.0, -1.0]], complex),
    np.array([True, False, False]),
    np.array([5, 3, 1]),
    0,
)
PATHS = np.random.default_rng(0).standard_normal((4, 30, 3)) * np.array([3.0, 2.0, 0.1])


def test_points_stand_where_the_plane_puts_them():
    ax = flow(PATHS, POINTS, plane=np.eye(3)[:2])
    assert len(ax.lines) == 4
    drawn = {c.get_label(): c.get_offsets().tolist() for c in ax.collections}
    assert drawn["stable"] == [[1.0, 0.0]] and drawn["slow"] == [[0.0, 2.0]]
    assert drawn["unstable"] == drawn["saddle, one direction"] == [[0.0, 0.0]]


def test_principal_components():
    ax = flow(PATHS)
    rows = PATHS.reshape(-1, 3) - PATHS.reshape(-1, 3).mean(axis=0)
    values = np.linalg.svd(rows, compute_uv=False)
    drawn = np.concatenate([line.get_xydata() for line in ax.lines])
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=0), values[:2], rtol=1e-10)


def test_refusals():
    with pytest.raises(ValueError, match="trajectories must have shape"):
        flow(np.zeros(3))
    for empty in (np.zeros((0, 3)), np.zeros((0, 5, 3)), np.zeros((2, 0, 3))):
        with pytest.raises(ValueError, match="one time at least, got"):
            flow(empty)
    gaps = PATHS.copy()
    gaps[0, 3] = np.nan
    with pytest.raises(ValueError, match=r"must be finite .*: leave it out, or give plane="):
        flow(gaps)
    assert len(flow(gaps, plane=np.eye(3)[:2]).lines) == 4
    for labels in (("x",), "xy", ("x", "y", "z")):
        with pytest.raises(ValueError, match="labels must be two, one for each axis"):
            inspect.unwrap(flow)(PATHS, labels=labels)
    with pytest.raises(ValueError, match="plane must have shape"):
        flow(PATHS, plane=np.eye(2))
    with pytest.raises(ValueError, match="points have 3 variables"):
        flow(PATHS[..., :2], POINTS)
