"""The Sinkhorn divergence against linear programming, closed forms and an independent optimiser."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, linprog, minimize
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from neurojax.fitting.sinkhorn import sinkhorn_divergence, transport_cost

COST = jax.jit(transport_cost, static_argnames="iterations")
DIVERGENCE = jax.jit(sinkhorn_divergence, static_argnames="iterations")


N = 2000  # enough for every epsilon below; one number, so that one compilation serves many tests


def clouds(n, m, dims=3, seed=0):
    draw = np.random.default_rng(seed).normal
    return draw(size=(n, dims)), 0.7 * draw(size=(m, dims)) + 0.5


def by_dual(x, y, epsilon):
    """The maximum of the dual, by a quasi-Newton method over the second potential."""
    costs = 0.5 * cdist(x, y, "sqeuclidean")

    def first(g):
        return -epsilon * (logsumexp((g - costs) / epsilon, axis=1) - np.log(len(y)))

    def negative(g):
        f = first(g)
        plan = np.exp((f[:, None] + g - costs) / epsilon) / len(x) / len(y)
        return -f.mean() - g.mean(), plan.sum(axis=0) - 1 / len(y)

    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000}
    found = minimize(negative, np.zeros(len(y)), jac=True, method="L-BFGS-B", options=options)
    return -found.fun


def test_it_is_the_optimum_of_the_dual():
    x, y = clouds(12, 9)
    for epsilon in (0.3, 2.0):
        across, within = by_dual(x, y, epsilon), by_dual(x, x, epsilon) + by_dual(y, y, epsilon)
        found = COST(x, y, epsilon=epsilon, iterations=N)
        assert float(found) == pytest.approx(across, abs=1e-8)
        found = DIVERGENCE(x, y, epsilon=epsilon, iterations=N)
        assert float(found) == pytest.approx(across - 0.5 * within, abs=1e-8)


def test_small_epsilon_is_the_assignment():
    """OT <= OT_epsilon <= OT + epsilon log n: within 1e-3 log 12 of the best assignment."""
    x, y = clouds(12, 12, seed=2)
    costs = 0.5 * cdist(x, y, "sqeuclidean")
    exact = costs[linear_sum_assignment(costs)].mean()
    found = float(COST(x, y, epsilon=1e-3, iterations=N))
    assert exact - 1e-6 <= found <= exact + 1e-3 * np.log(12)
    assert float(DIVERGENCE(x, y, epsilon=1e-3, iterations=N)) == pytest.approx(exact, abs=1e-4)


def test_small_epsilon_is_the_linear_programme():
    """Between clouds of different sizes."""
    x, y = clouds(8, 6, seed=3)
    costs = 0.5 * cdist(x, y, "sqeuclidean")
    rows, columns = np.kron(np.eye(8), np.ones(6)), np.kron(np.ones(8), np.eye(6))
    marginals = np.concatenate([np.full(8, 1 / 8), np.full(6, 1 / 6)])
    exact = linprog(costs.ravel(), A_eq=np.concatenate([rows, columns]), b_eq=marginals).fun
    found = float(COST(x, y, epsilon=1e-3, iterations=N))
    assert exact - 1e-6 <= found <= exact + 1e-3 * np.log(8)


def test_two_points_each():
    """By symmetry P = (p, 1/2 - p) with p / (1/2 - p) = exp((far - near) / epsilon)."""
    near, far, epsilon = 0.5 * 0.1**2, 0.5 * (1 + 0.1**2), 0.4
    x, y = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 0.1], [1.0, 0.1]])
    share = 1 / (1 + np.exp((near - far) / epsilon))
    entropy = share * np.log(2 * share) + (1 - share) * np.log(2 * (1 - share))
    expected = share * near + (1 - share) * far + epsilon * entropy
    found = float(COST(x, y, epsilon=epsilon, iterations=50))
    assert found == pytest.approx(expected, abs=1e-12)
    # a shift of all points: the distance alone, whatever epsilon is
    assert float(DIVERGENCE(x, y, epsilon=epsilon, iterations=50)) == pytest.approx(near, abs=1e-12)


def test_limits_and_symmetry():
    x, y = clouds(12, 12, seed=4)
    options = {"epsilon": 0.5, "iterations": N}
    assert float(DIVERGENCE(x, x, **options)) == pytest.approx(0.0, abs=1e-9)
    one, other = DIVERGENCE(x, y, **options), DIVERGENCE(y, x, **options)
    assert float(one) == pytest.approx(float(other), abs=1e-10) and one > 0
    means = 0.5 * np.sum((x.mean(0) - y.mean(0)) ** 2)
    assert float(DIVERGENCE(x, y, epsilon=1e6, iterations=N)) == pytest.approx(means, rel=1e-5)


def test_gradient_is_that_of_finite_differences():
    x, y = clouds(12, 9, seed=5)
    value = lambda x, y: sinkhorn_divergence(x, y, epsilon=0.5, iterations=N)
    slopes = jax.jit(jax.grad(value, (0, 1)))(x, y)
    rng, h = np.random.default_rng(6), 1e-4
    along = [(rng.normal(size=x.shape), rng.normal(size=y.shape)) for _ in range(4)]
    for dx, dy in along:
        ends = [
            float(DIVERGENCE(x + s * h * dx, y + s * h * dy, epsilon=0.5, iterations=N))
            for s in (1, -1)
        ]
        found = np.sum(slopes[0] * dx) + np.sum(slopes[1] * dy)
        assert found == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-7)


def test_it_holds_in_float32(float32):
    """Long one-hot sequences, whose squared distances are whole numbers."""
    draw = np.random.default_rng(7)
    x, y = (np.eye(3, dtype=np.float32)[draw.integers(0, 3, (20, 30))] for _ in range(2))
    x, y = x.reshape(20, -1), y.reshape(20, -1)
    found = float(DIVERGENCE(jnp.asarray(x), jnp.asarray(y), epsilon=1.0, iterations=100))
    within = by_dual(x, x, 1.0) + by_dual(y, y, 1.0)
    assert found == pytest.approx(by_dual(x, y, 1.0) - 0.5 * within, abs=1e-4)


def test_refusals():
    x = jnp.zeros((3, 2))
    with pytest.raises(ValueError, match="epsilon must be positive"):
        sinkhorn_divergence(x, x, epsilon=0.0)
    with pytest.raises(ValueError, match="iterations must be at least 1"):
        transport_cost(x, x, iterations=0)
    with pytest.raises(ValueError, match="dims"):
        transport_cost(jnp.zeros((3, 3)), x)
