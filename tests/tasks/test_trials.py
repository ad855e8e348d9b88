"""Trials: shapes are checked at the door, and indexing is that of numpy."""

import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax import tasks
from neurojax.tasks import Trials

INPUTS = np.arange(5 * 4 * 2, dtype=float).reshape(5, 4, 2)
TARGETS = INPUTS[..., :1] + 100.0
BATCH = Trials(
    INPUTS, TARGETS, None, {"level": np.arange(5)}, dt=10.0,
    activity=INPUTS * 2.0, recorded=[7, 3], initial=np.ones((5, 6)),
)  # fmt: skip


@pytest.mark.parametrize(
    "index", [slice(1, 4), slice(None, None, 2), [0, 3], np.array([True, False, True, True, False])]
)
def test_parts(index):
    part = BATCH[index]
    np.testing.assert_array_equal(part.inputs, INPUTS[index])
    np.testing.assert_array_equal(part.targets, TARGETS[index])
    np.testing.assert_array_equal(part.activity, 2.0 * INPUTS[index])
    np.testing.assert_array_equal(part.conditions["level"], np.arange(5)[index])
    np.testing.assert_array_equal(part.recorded, [7, 3])  # of the circuit, not of a trial
    assert len(part) == len(INPUTS[index])


def test_one_trial():
    one = BATCH[-1]
    np.testing.assert_array_equal(one.inputs, INPUTS[-1])
    assert one.initial.shape == (6,) and int(one.condition("level")) == 4
    assert one.batch == () and one.steps == 4 and one.duration == 40.0
    np.testing.assert_array_equal(one.times, [0.0, 10.0, 20.0, 30.0])
    assert [int(trial.condition("level")) for trial in BATCH] == [0, 1, 2, 3, 4]
    assert "one, 4 steps of 10 ms, 2 inputs, 1 outputs, 2 recorded units; level" in repr(one)
    with pytest.raises(TypeError, match="one trial"):
        len(one)
    with pytest.raises(TypeError, match="one trial"):
        one[0]


def test_refused_indices():
    for index in (5, -6, [0, 5]):
        with pytest.raises(IndexError, match="of 5"):
            BATCH[index]
    with pytest.raises(TypeError, match="first axis"):
        BATCH[0, 1]
    with pytest.raises(nj.UnknownNameError, match="Did you mean 'level'"):
        BATCH.condition("levle")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dt": 0.0}, "dt"),
        ({"targets": TARGETS[..., 0]}, "inputs must"),
        ({"targets": np.ones(3)}, "targets must have shape"),
        ({"inputs": INPUTS[:4]}, "inputs must"),
        ({"mask": np.ones((5, 3))}, "mask must"),
        ({"conditions": {"level": np.ones(4)}}, "level"),
        ({"activity": INPUTS[:, :3]}, "activity must"),
        ({"activity": INPUTS, "recorded": [1]}, "recorded must"),
        ({"activity": INPUTS, "recorded": [1.0, 2.0]}, "recorded must"),
        ({"activity": INPUTS, "recorded": [1, 1]}, "twice"),
        ({"activity": INPUTS, "activity_mask": np.ones((5, 4, 1))}, "activity_mask"),
        ({"recorded": [1]}, "give it"),
        ({"initial": np.ones((4, 3))}, "initial"),
    ],
)
def test_refused_shapes(arguments, message):
    with pytest.raises(ValueError, match=message):
        Trials(**({"inputs": INPUTS, "targets": TARGETS, "dt": 10.0} | arguments))


def test_r2_by_hand():
    """Two outputs, the last step masked; numpy without the masked step."""
    rng = np.random.default_rng(0)
    targets, outputs = rng.normal(size=(2, 3, 6, 2))
    mask = np.ones((3, 6))
    mask[:, -1] = 0.0
    trials = Trials(np.zeros((3, 6, 1)), targets, mask, dt=1.0)
    t, o = targets[:, :-1], outputs[:, :-1]
    error = ((t - o) ** 2).sum(axis=(1, 2))
    spread = ((t - t.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2))
    np.testing.assert_allclose(tasks.r2(trials, outputs), 1.0 - error / spread, rtol=1e-12)
    flat = Trials(np.zeros((6, 1)), np.ones((6, 1)), dt=1.0)
    assert float(tasks.r2(flat, np.ones((6, 1)))) == 1.0
    assert float(tasks.r2(flat, np.zeros((6, 1)))) == -np.inf


def test_standardise_against_numpy():
    rng = np.random.default_rng(1)
    targets, activity = rng.normal(3.0, 2.0, size=(2, 4, 10, 3))
    mask = (rng.random((4, 10)) < 0.7).astype(float)
    seen = (rng.random((4, 10, 3)) < 0.7).astype(float)
    trials = Trials(
        np.zeros((4, 10, 1)), targets, mask, dt=1.0, activity=activity, activity_mask=seen
    )
    scaled = tasks.standardise(trials[3:], by=trials[:3])
    there = mask[:3] > 0
    expected = (targets[3:] - targets[:3][there].mean(0)) / targets[:3][there].std(0)
    expected[mask[3:] == 0] = 0.0
    np.testing.assert_allclose(scaled.targets, expected, atol=1e-12)
    for unit in range(3):
        known = activity[:3, :, unit][seen[:3, :, unit] > 0]
        expected = (activity[3:, :, unit] - known.mean()) / known.std()
        expected[seen[3:, :, unit] == 0] = 0.0
        np.testing.assert_allclose(scaled.activity[..., unit], expected, atol=1e-12)
    with pytest.raises(ValueError, match="outputs"):
        tasks.standardise(trials, by=Trials(np.zeros((4, 10, 1)), jnp.zeros((4, 10, 2)), dt=1.0))
