"""Pictures of trials and of psychometric curves show what they are given."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from neurojax import plotting, tasks

TRIALS = tasks.Trials(
    np.arange(8.0).reshape(2, 4, 1), np.ones((2, 4, 2)), [[0, 1, 1, 0], [1, 0, 0, 1]], dt=5.0,
    activity=np.ones((2, 4, 3)), activity_mask=np.zeros((2, 4, 3)),
)  # fmt: skip


def test_trial(tmp_path):
    outputs = np.arange(16.0).reshape(2, 4, 2)
    axes = plotting.trial(TRIALS, outputs, index=1)
    top, middle, bottom = axes
    assert [ax.get_ylabel() for ax in axes] == ["inputs", "outputs", "recorded unit"]
    np.testing.assert_array_equal(top.lines[0].get_xdata(), [0, 5, 10, 15, 20])
    np.testing.assert_array_equal(top.lines[0].get_ydata(), [4, 5, 6, 7, 7])
    assert len(middle.lines) == 4  # two targets, two outputs
    np.testing.assert_array_equal(middle.lines[3].get_ydata(), [9, 11, 13, 15, 15])
    shaded = middle.patches[0].get_extents()
    corners = middle.transData.inverted().transform(shaded.get_points())[:, 0]
    np.testing.assert_allclose(corners, [5.0, 15.0], atol=1e-6)
    assert bottom.get_xlabel() == "time (ms)"
    top.figure.savefig(tmp_path / "trial.png")


def test_trial_on_given_axes():
    given = Figure().subplots(2, 1)
    task = tasks.SineGeneration(frequencies=(2.0,))
    one = tasks.Trials(np.zeros((4, 1)), np.zeros((4, 1)), dt=task.dt)
    assert plotting.trial(one, axes=given) == list(given)
    alone = tasks.Trials(np.zeros((4, 0)), np.zeros((4, 1)), dt=10.0)
    assert len(plotting.trial(alone)) == 1
    with pytest.raises(ValueError, match="axes must be 2"):
        plotting.trial(one, axes=given[:1])
    with pytest.raises(IndexError, match="trial 2 of 2"):
        plotting.trial(TRIALS, index=2)
    with pytest.raises(ValueError, match="shaped like the targets"):
        plotting.trial(TRIALS, np.zeros((2, 4, 1)))


def test_psychometric(tmp_path):
    levels = np.repeat([-2.0, -1.0, 1.0, 2.0], 10)
    chosen = np.concatenate([np.arange(10) < k for k in (1, 3, 7, 9)])
    ax = plotting.psychometric(tasks.psychometric(levels, chosen), label="all")
    points, curve = (line for line in ax.lines if len(line.get_xdata()) > 2)
    np.testing.assert_allclose(points.get_xydata(), [[-2, 0.1], [-1, 0.3], [1, 0.7], [2, 0.9]])
    assert np.all(np.diff(curve.get_ydata()) > 0)
    ax.figure.savefig(tmp_path / "curve.png")
    flat = plotting.psychometric(tasks.psychometric([0.0, 1.0], [True, True]), ax=ax)
    assert flat is ax
