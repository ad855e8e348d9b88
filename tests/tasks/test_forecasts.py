"""Series against scipy's integrators."""

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurojax import tasks

KEY = jax.random.key(2)


def draw(task, count):
    """Trials on the host, where taking parts compiles nothing."""
    return jax.tree.map(np.asarray, task.trials(KEY, count))


def by_steps(start, tau, blocks):
    """Mackey-Glass by the method of steps: an ordinary equation on each delay."""
    history = lambda t: np.full_like(np.asarray(t, float), start)
    pieces, x = [], start
    for k in range(blocks):

        def slope(t, x, past=history):
            delayed = past(t - tau)
            return 0.2 * delayed / (1.0 + delayed**10) - 0.1 * x

        solved = solve_ivp(
            slope, (k * tau, (k + 1) * tau), [x], method="DOP853", rtol=1e-12, atol=1e-12,
            dense_output=True,
        )  # fmt: skip
        history = lambda t, solution=solved.sol: solution(t)[0]
        pieces.append(solved.sol)
        x = solved.y[0, -1]
    return lambda t: np.array([pieces[min(int(s // tau), blocks - 1)](s)[0] for s in t])


def test_mackey_glass():
    exact = by_steps(1.2, 17.0, 6)(np.arange(102.0))
    errors = []
    for substeps in (5, 10):
        task = tasks.MackeyGlass(substeps=substeps)
        errors.append(np.abs(np.asarray(task.solve(1.2, 102)) - exact).max())
    assert errors[1] < 1e-6
    assert errors[0] / errors[1] > 10.0  # fourth order: about 16


def test_lorenz():
    start = np.array([1.0, 2.0, 20.0])
    slope = lambda t, s: (
        10.0 * (s[1] - s[0]), s[0] * (28.0 - s[2]) - s[1], s[0] * s[1] - 8.0 / 3.0 * s[2]
    )  # fmt: skip
    times = 0.02 * np.arange(101)
    exact = solve_ivp(slope, (0, 2.0), start, "DOP853", times, rtol=1e-12, atol=1e-12).y.T
    errors = []
    for substeps in (4, 8):
        solved = tasks.Lorenz(substeps=substeps).solve(start, 101)
        errors.append(np.abs(np.asarray(solved) - exact).max())
    assert errors[0] < 1e-3
    assert errors[0] / errors[1] > 10.0  # fourth order: about 16


def test_targets_are_later_inputs_and_have_unit_moments():
    """Moments of long trials, within the spread of a chaotic series."""
    for task in (
        tasks.MackeyGlass(length=20_000.0, horizon=60.0, substeps=2),
        tasks.Lorenz(length=20_000.0, horizon=60.0, substeps=2),
    ):
        trials = draw(task, 16)
        np.testing.assert_array_equal(trials.targets[:, :-6], trials.inputs[:, 6:])
        np.testing.assert_allclose(trials.inputs.mean(axis=(0, 1)), 0.0, atol=0.1)
        np.testing.assert_allclose(trials.inputs.std(axis=(0, 1)), 1.0, atol=0.06)


def test_many_trials_are_those_of_their_keys():
    """More trials than are drawn at once, and no multiple of that."""
    for task in (tasks.MackeyGlass(length=300.0, washout=40.0), tasks.Lorenz(length=300.0)):
        many = draw(task, 150)
        keys = jax.random.split(KEY, 150)
        for k in (0, 127, 128, 149):
            one = task.trial(keys[k])
            np.testing.assert_allclose(many.inputs[k], one.inputs, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(many.targets[k], one.targets, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("task", ["Henon", "Lorenz", "MackeyGlass", "Rossler"])
def test_a_series_of_no_length(task):
    with pytest.raises(ValueError, match="count must be a positive whole number, got 0"):
        getattr(tasks, task)().series(KEY, 0)


@pytest.mark.parametrize("make", [tasks.Henon, tasks.Lorenz, tasks.Rossler])
def test_a_solution_begins_with_one_value_per_variable(make):
    task = make()
    n = task.channels
    for start in ([0.3] * (n - 1), [0.3] * (n + 1), 0.3, np.zeros((n, 2))):
        with pytest.raises(ValueError, match=rf"start of {make.__name__}.solve must have shape"):
            task.solve(start, 3)
    with pytest.raises(ValueError, match="must be finite"):
        task.solve([np.nan] * n, 3)
    inside = jax.jit(lambda start: task.solve(start, 3))(np.full(n, 0.3))
    np.testing.assert_allclose(inside, task.solve([0.3] * n, 3), rtol=1e-6)


def test_mackey_glass_begins_with_numbers():
    assert tasks.MackeyGlass().solve([0.9, 1.1], 3).shape == (3, 2)
    with pytest.raises(ValueError, match=r"start of MackeyGlass.solve must be finite"):
        tasks.MackeyGlass().solve(np.inf, 3)


@pytest.mark.parametrize("make", [tasks.Henon, tasks.Lorenz, tasks.Rossler, tasks.MackeyGlass])
def test_length_and_horizon_are_whole_numbers_of_steps(make):
    with pytest.raises(ValueError, match=r"length=33 ms .* such as 30"):
        make(length=33.0)
    with pytest.raises(ValueError, match=r"horizon=15 ms .* whole number of steps of dt=10 ms"):
        make(horizon=15.0)
    assert make(length=0.7, horizon=0.3, dt=0.1).steps == 7


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tasks.Lorenz(substeps=True), "substeps must be a positive whole number, got True"),
        (lambda: tasks.MackeyGlass().solve(1.2, 0), "count must be a positive whole number"),
        (lambda: tasks.Henon().solve([0.0, 0.0], 0), "count must be a positive whole number"),
        (lambda: tasks.MackeyGlass(tau=np.inf), "tau of MackeyGlass must be finite"),
        (lambda: tasks.Lorenz(rho=np.nan), "rho of Lorenz must be finite"),
        (lambda: tasks.Rossler(mean=(0.0, np.inf, 0.0)), "mean of Rossler must be finite"),
        (lambda: tasks.MackeyGlass(washout=0.4), "washout=0.4 of MackeyGlass is shorter than half"),
        (lambda: tasks.Henon(a=np.nan), "a of Henon must be finite"),
    ],
)
def test_numbers_that_make_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()
