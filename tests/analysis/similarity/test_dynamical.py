"""Dynamical similarity: operators with known eigenvalues, and the optimum that scipy finds."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, minimize, minimize_scalar
from scipy.spatial.transform import Rotation

from neurojax.analysis import similarity

RNG = np.random.default_rng(4)


def orthogonal(n):
    return np.linalg.qr(RNG.normal(size=(n, n)))[0]


def spiral(*pairs):
    """A normal matrix with eigenvalues r exp(+-i w), one block each."""
    A = np.zeros((2 * len(pairs), 2 * len(pairs)))
    for k, (r, w) in enumerate(pairs):
        c, s = r * np.cos(w), r * np.sin(w)
        A[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[c, -s], [s, c]]
    return A


def course(A, start, steps=60):
    x = [start]
    for _ in range(steps - 1):
        x.append(A @ x[-1])
    return np.array(x)


def test_copies_under_rotation_are_zero():
    A, Q = RNG.normal(size=(4, 4)), orthogonal(4)
    distance = lambda B, **how: float(similarity.operator_distance(A, B, **how))
    for B in (Q @ A @ Q.T, A[::-1, ::-1]):
        assert distance(B) < 1e-12
        assert distance(B, angle=False) < 1e-11
    assert distance(5.0 * Q @ A @ Q.T) < 1e-12
    assert distance(-A) > 0.1


def test_optimum_of_scipy():
    """In the plane by the angle, in space by rotation vectors from many starts."""
    A, B = RNG.normal(size=(2, 2, 2))
    best = np.inf
    for flip in (np.eye(2), np.diag([1.0, -1.0])):

        def cost(angle, flip=flip):
            c, s = np.cos(angle), np.sin(angle)
            C = np.array([[c, -s], [s, c]]) @ flip
            return np.linalg.norm(A - C @ B @ C.T)

        for low in np.linspace(0, np.pi, 13)[:-1]:
            bounds = (low, low + np.pi / 12)
            found: Any = minimize_scalar(
                cost, bounds=bounds, method="bounded", options={"xatol": 1e-10}
            )
            best = min(best, found.fun)
    value = similarity.operator_distance(A, B, angle=False)
    assert float(value) == pytest.approx(best, abs=1e-7)

    A, B = RNG.normal(size=(2, 3, 3))  # a reflection is minus a rotation, which costs the same
    a, b = A / np.linalg.norm(A), B / np.linalg.norm(B)

    def overlap(vector):
        C = Rotation.from_rotvec(vector).as_matrix()
        return -np.sum(a * (C @ b @ C.T))

    best = min(minimize(overlap, start).fun for start in 2.0 * RNG.normal(size=(40, 3)))
    value = similarity.operator_distance(A, B)
    assert float(value) == pytest.approx(np.arccos(-best), abs=1e-6)


def test_normal_operators_by_their_eigenvalues():
    """No closer than the eigenvalues in the best pairing, and in their order."""
    first = spiral((0.9, 0.3), (0.7, 1.0))
    others = [
        spiral((0.9, 0.35), (0.7, 1.0)),
        spiral((0.9, 0.5), (0.75, 1.2)),
        spiral((0.9, 0.9), (0.8, 1.4)),
        spiral((0.9, 1.5), (0.9, 2.0)),
    ]
    bounds, values = [], []
    for other in others:
        Q = orthogonal(4)
        values.append(float(similarity.operator_distance(first, Q @ other @ Q.T, angle=False)))
        cost = np.abs(np.subtract.outer(np.linalg.eigvals(first), np.linalg.eigvals(other))) ** 2
        bounds.append(np.sqrt(cost[linear_sum_assignment(cost)].sum()))
    # pairs go to pairs here, so that the bound is reached
    np.testing.assert_allclose(values, bounds, atol=1e-10)
    assert (np.diff(values) > 0).all()


def test_operator_of_linear_dynamics():
    """Its eigenvalues are those of the system, seen through one unit, too; ridge as in numpy."""
    A = spiral((0.99, 0.4), (0.97, 1.1))
    x = course(A, np.array([1.0, 0.0, 0.5, 0.5]))
    wanted = np.sort_complex(np.linalg.eigvals(A))
    seen = {
        "all": (x @ RNG.normal(size=(4, 9)), 1),
        "one unit": (x[:, :1] + x[:, 2:3], 4),
        "trials": (np.stack([x[:20], x[30:50], 2.0 * x[5:25]]), 1),
    }
    for y, delays in seen.values():
        found = np.linalg.eigvals(similarity.delay_operator(y, delays, 4))
        np.testing.assert_allclose(np.sort_complex(found), wanted, atol=1e-9)
    noisy = RNG.normal(size=(50, 3))
    rows = np.concatenate([noisy[2:], noisy[:-2]], axis=1)
    np.testing.assert_array_equal(similarity.delay_embedding(noisy, 2, lag=2), rows)
    u = np.linalg.svd(rows, full_matrices=False)[0][:, :5]
    before, after = u[:-1], u[1:]
    expected = np.linalg.solve(before.T @ before + 0.3 * np.eye(5), before.T @ after).T
    found = similarity.delay_operator(noisy, 2, 5, lag=2, ridge=0.3)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-10)  # signs of u are free


def test_systems():
    """Other units and other starts of one system are near, other systems far."""
    A, B = spiral((1.0, 0.4), (1.0, 1.1)), spiral((1.0, 0.4), (1.0, 1.5))
    start = RNG.normal(size=4)
    x = course(A, start)
    far = lambda y, rank=4: float(similarity.dynamical_similarity(x, y, 3, rank))
    assert far(3.0 * x @ orthogonal(4)) < 1e-10
    assert far(x @ RNG.normal(size=(4, 10))) < 1e-10  # every linear map, where the rank is whole
    # another start: the same system, but modes of other sizes
    again, other = far(course(A, RNG.normal(size=4))), far(course(B, start))
    assert again < 0.2 * other


def test_derivative():
    A, B, D = RNG.normal(size=(3, 4, 4))
    distance = lambda s: similarity.operator_distance(A + s * D, jnp.asarray(B), angle=False)
    slope = (distance(1e-5) - distance(-1e-5)) / 2e-5
    assert float(jax.grad(distance)(0.0)) == pytest.approx(float(slope), rel=1e-6)


def test_bad_input():
    with pytest.raises(ValueError, match="square and of one size"):
        similarity.operator_distance(np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match="starts must be at least 1"):
        similarity.operator_distance(np.eye(2), np.eye(2), starts=0)
    with pytest.raises(ValueError, match="rank must be from 1 to 6"):
        similarity.delay_operator(np.ones((20, 3)), 2, 7)
    with pytest.raises(ValueError, match="need more than 20 steps"):
        similarity.delay_embedding(np.ones((20, 3)), 11, lag=2)
    with pytest.raises(ValueError, match="delays and lag"):
        similarity.delay_embedding(np.ones((20, 3)), 0)
