"""Rössler, Hénon, NARMA and delayed recall against integrators, closed forms and plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurojax.tasks.delayed_recall import DelayedRecall
from neurojax.tasks.henon import Henon
from neurojax.tasks.narma import NARMA
from neurojax.tasks.rossler import Rossler

KEY = jax.random.key(5)


def draw(task, count):
    return jax.tree.map(np.asarray, task.trials(KEY, count))


def test_rossler_is_that_of_scipy():
    start = np.array([1.0, -2.0, 0.5])
    slope = lambda t, s: (-s[1] - s[2], s[0] + 0.2 * s[1], 0.2 + s[2] * (s[0] - 5.7))
    times = 0.1 * np.arange(201)
    exact = solve_ivp(slope, (0, 20.0), start, "DOP853", times, rtol=1e-12, atol=1e-12).y.T
    errors = []
    for substeps in (4, 8):
        solved = Rossler(substeps=substeps).solve(start, 201)
        errors.append(np.abs(np.asarray(solved) - exact).max())
    assert errors[0] < 2e-4
    assert errors[0] / errors[1] > 10.0  # fourth order: about 16


def test_henon_fixed_points_and_exponents():
    task = Henon()
    for sign in (1.0, -1.0):
        x = (-0.7 + sign * np.sqrt(0.49 + 4 * 1.4)) / 2.8
        found = task.solve([x, 0.3 * x], 2)
        np.testing.assert_allclose(found, [[x, 0.3 * x]] * 2, rtol=1e-14)

    # the rate at which a tangent vector grows, by the map's own derivative
    def grow(carry, _):
        state, tangent = carry
        state, tangent = jax.jvp(lambda s: task.solve(s, 2)[1], (state,), (tangent,))
        size = jnp.linalg.norm(tangent)
        return (state, tangent / size), jnp.log(size)

    begin = (jnp.array([0.1, 0.1]), jnp.array([1.0, 0.0]))
    logs = jax.jit(lambda c: jax.lax.scan(grow, c, None, length=100_000)[1])(begin)
    assert float(logs[100:].mean()) == pytest.approx(0.419, abs=0.003)
    # areas shrink by b at every iterate
    slope = jax.jacfwd(lambda s: task.solve(s, 2)[1])(jnp.array([0.3, -0.2]))
    assert float(jnp.linalg.det(slope)) == pytest.approx(-0.3, rel=1e-12)


def test_chaotic_series_have_unit_moments_and_later_targets():
    for task, ahead in ((Rossler(length=20_000.0), 5), (Henon(length=20_000.0), 1)):
        trials = draw(task, 16)
        np.testing.assert_array_equal(trials.targets[:, :-ahead], trials.inputs[:, ahead:])
        np.testing.assert_allclose(trials.inputs.mean(axis=(0, 1)), 0.0, atol=0.1)
        np.testing.assert_allclose(trials.inputs.std(axis=(0, 1)), 1.0, atol=0.06)


def loop(u, n, alpha, beta, gamma, delta, f):
    y = np.zeros(len(u) + 1)
    for t in range(len(u)):
        total = sum(y[t - i] for i in range(n) if t - i >= 0)
        product = u[t - n + 1] * u[t] if t - n + 1 >= 0 else 0.0
        y[t + 1] = f(alpha * y[t] + beta * y[t] * total + gamma * product + delta)
    return y[1:]


@pytest.mark.parametrize(
    ("order", "coefficients", "f"),
    [
        (1, (0.3, 0.05, 1.5, 0.1), float),
        (10, (0.3, 0.05, 1.5, 0.1), float),
        (20, (0.3, 0.05, 1.5, 0.01), np.tanh),
        (30, (0.2, 0.04, 1.5, 0.001), float),
    ],
)
def test_narma_is_its_equation(order, coefficients, f):
    trial = jax.tree.map(np.asarray, NARMA(order, length=3000.0, washout=0).trial(KEY))
    expected = loop(trial.inputs[:, 0], order, *coefficients, f)
    np.testing.assert_allclose(trial.targets[:, 0], expected, rtol=1e-12)
    assert trial.inputs.min() >= 0.0 and trial.inputs.max() <= 0.5


def test_narma_is_drawn_anew_where_it_diverges():
    # of these long series one in thirty diverges (by a plain loop), of 64 about two
    trials = draw(NARMA(length=40_000.0), 64)
    assert np.abs(trials.targets).max() <= 2.0
    # a series within the bound by the plain loop, and one beyond it
    task = NARMA(washout=0)
    rng = np.random.default_rng(0)
    u = 0.5 * rng.uniform(size=(40, 4000))
    with np.errstate(over="ignore", invalid="ignore"):
        y = np.zeros((40, 4010))
        for t in range(10, 4009):
            y[:, t + 1] = (
                0.3 * y[:, t] + 0.05 * y[:, t] * y[:, t - 9 : t + 1].sum(axis=1) + 0.1
                + 1.5 * u[:, t - 10] * (u[:, t - 19] if t >= 19 else 0.0)
            )  # fmt: skip
    solved = np.asarray(jax.vmap(task.solve)(u[:, :3999]))
    finite = np.isfinite(y).all(axis=1)
    np.testing.assert_array_equal(np.isfinite(solved).all(axis=1), finite)
    np.testing.assert_allclose(solved[finite], y[finite, 11:], rtol=1e-9)


def test_narma_that_always_diverges_is_an_error():
    with pytest.raises(Exception, match="passed its bound in 64 draws"):
        jax.block_until_ready(NARMA(10, delta=1.0).trials(KEY, 2).targets)
    with pytest.raises(ValueError, match="no coefficients are published above 30"):
        NARMA(40, alpha=0.1)
    assert NARMA(40, alpha=0.1, beta=0.01, gamma=1.0, delta=0.0, saturated=True).order == 40
    for bad in (0, 2.5, True):
        with pytest.raises((ValueError, TypeError), match="order"):
            NARMA(bad)
    for bound in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="bound of NARMA must be"):
            NARMA(bound=bound)
    with pytest.raises(ValueError, match=r"length=55 ms of NARMA .* such as 60"):
        NARMA(length=55.0, dt=10.0)
    with pytest.raises(ValueError, match=r"\(time,\), got \(5, 1\); one channel is u"):
        NARMA().solve(np.ones((5, 1)))


def test_delayed_recall():
    task = DelayedRecall((0, 3, 7), length=2000.0)
    trials = draw(task, 4)
    u = trials.inputs[..., 0]
    assert np.all(trials.mask[:, :7] == 0) and np.all(trials.mask[:, 7:] == 1)
    for k, d in enumerate((0, 3, 7)):
        np.testing.assert_array_equal(trials.targets[:, d:, k], u[:, : 200 - d])
    assert np.abs(u).max() <= 1.0 and u.var() == pytest.approx(1 / 3, rel=0.1)
    outputs = np.random.default_rng(0).normal(size=trials.targets.shape) + trials.targets
    corr = lambda i, k: np.corrcoef(outputs[i, 7:, k], trials.targets[i, 7:, k])[0, 1] ** 2
    expected = [np.mean([corr(i, k) for k in range(3)]) for i in range(4)]
    np.testing.assert_allclose(task.score(trials, outputs), expected, rtol=1e-10)
    assert float(task.score(trials[0], 0.0 * outputs[0])) == 0.0
    assert DelayedRecall(4).delays == (1, 2, 3, 4)
    for bad in (0, (), (1, 1), (-1,), (0.5,), True):
        with pytest.raises((ValueError, TypeError), match="delays"):
            DelayedRecall(bad)
    with pytest.raises(ValueError, match="needs at least 12"):
        DelayedRecall(10, length=100.0)
