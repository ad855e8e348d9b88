"""Centre-out reaches against an independent integration of the circuit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neurojax as nj
from neurojax.tasks.centre_out import CentreOutReach


@pytest.fixture(scope="module")
def task():
    return CentreOutReach()


def _rate(x):
    return np.where(x < 0, 20 * np.tanh(x / 20), 80 * np.tanh(x / 80))


def test_movement_is_the_solution_of_the_circuit(task):
    """Rates and muscles of one reach against scipy's adaptive Runge-Kutta of order 8."""
    W = nj.circuits.soc200()
    _, modes = nj.circuits.evoked_energy_modes(W)
    theta = 2 * np.pi * 5 / 27
    x0 = 7.5 * np.sqrt(200) * (np.cos(theta) * modes[:, 0] + np.sin(theta) * modes[:, 1])
    times = np.arange(1, 101) * 5.0
    exact = solve_ivp(
        lambda t, x: (-x + W @ _rate(x)) / 200, (0, 500), x0, "DOP853", times,
        rtol=1e-10, atol=1e-10,
    )  # fmt: skip
    trial = task.all()[5]
    rates = _rate(exact.y.T)
    np.testing.assert_allclose(trial.activity[40:], rates, atol=1e-5)
    np.testing.assert_allclose(trial.activity[39], _rate(x0), atol=1e-12)
    np.testing.assert_allclose(trial.targets[40:], rates[:, :100] @ task.readout.T, atol=1e-5)
    assert float(trial.condition("angle")) == pytest.approx(theta)


def test_reaches_are_rich_and_amplified(task):
    """As a circuit with these weights should: high-dimensional, and larger before they decay."""
    trials = task.all()
    rates = np.asarray(trials.activity)[:, 40:]
    flat = rates.reshape(-1, 200)
    variances = np.linalg.eigvalsh(np.cov(flat.T))
    assert variances.sum() ** 2 / np.sum(variances**2) > 4.0  # participation ratio
    size = np.linalg.norm(rates, axis=2)
    start = np.linalg.norm(np.asarray(trials.activity)[:, 39], axis=1)
    assert np.mean(size.max(axis=1) / start) > 1.5
    assert np.all(np.linalg.norm(np.asarray(trials.activity)[:, -1], axis=1) < size.max(axis=1))
    muscles = np.asarray(trials.targets)[:, 40:]
    np.testing.assert_allclose(np.sqrt(np.mean(muscles**2, axis=(0, 1))), 1.0, rtol=1e-6)


def test_shapes_cue_and_mask(task):
    trials = task.all()
    assert trials.inputs.shape == (27, 140, 3) == (27, task.steps, task.inputs)
    assert trials.targets.shape == (27, 140, task.outputs) and trials.dt == 5.0
    assert trials.activity.shape == (27, 140, 200)
    angle = np.arange(27) * 2 * np.pi / 27
    cue = np.stack([np.cos(angle), np.sin(angle), np.ones(27)], axis=1)
    np.testing.assert_allclose(trials.inputs[:, :40], np.repeat(cue[:, None], 40, 1), atol=1e-12)
    assert not np.any(trials.inputs[:, 40:])
    np.testing.assert_array_equal(trials.mask[3], np.arange(140) >= 40)


def test_subsets(task):
    all_of_them = task.all()
    seven, others = task.subset(every=4), task.left_out(every=4)
    assert (len(seven), len(others), len(task.subset(every=6))) == (7, 20, 5)
    np.testing.assert_array_equal(seven.targets, all_of_them.targets[::4])
    together = np.concatenate([seven.condition("angle"), others.condition("angle")])
    np.testing.assert_array_equal(np.sort(together), all_of_them.condition("angle"))
    for wrong in (0, 1.5):
        with pytest.raises((ValueError, TypeError)):
            task.subset(every=wrong)
    with pytest.raises(ValueError, match="no reach is left out"):
        task.left_out(every=1)


def test_draws_and_other_angles(task):
    drawn = task.trials(jax.random.key(1), 40)
    again = task.trials(jax.random.key(1), 40)
    np.testing.assert_array_equal(drawn.targets, again.targets)
    which = np.round(np.asarray(drawn.condition("angle")) * 27 / (2 * np.pi)).astype(int)
    assert len(np.unique(which)) > 10
    np.testing.assert_array_equal(drawn.activity, task.all().activity[which])
    np.testing.assert_array_equal(drawn.inputs, task.all().inputs[which])
    same = task.at(task.angles[2:4])
    np.testing.assert_allclose(same.targets, task.all().targets[2:4], atol=1e-9)


def test_score(task):
    trials = task.subset(every=9)
    np.testing.assert_allclose(task.score(trials, trials.targets), 1.0)
    assert np.all(task.score(trials, jnp.zeros_like(trials.targets)) <= 1e-12)
    # outputs before the movement do not count
    other = trials.targets.at[:, :40].set(99.0)
    np.testing.assert_allclose(task.score(trials, other), 1.0)


def test_refusals():
    with pytest.raises(ValueError, match="weights must be square"):
        CentreOutReach(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="reaches"):
        CentreOutReach(reaches=0)
    with pytest.raises(ValueError, match="movement"):
        CentreOutReach(np.zeros((4, 4)), movement=0.0)
