"""The task MEET: trials by hand, frequencies, and blocks that compile nothing again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurojax.tasks import Trials
from neurojax.tasks.meet import MEET, relative_error

KEY = jax.random.key(5)


def test_a_trial_by_hand():
    task = MEET(
        latency=(20.0, 50.0), probability=(0.25, 0.75), width=5.0, event_strength=2.0,
        onset=10.0, pulse=6.0, length=80.0, dt=2.0,
    )  # fmt: skip
    assert (task.steps, task.inputs, task.outputs, task.duration) == (45, 3, 2, 90.0)
    # on the host, where taking parts compiles nothing
    trials = jax.tree.map(np.asarray, task.trials(KEY, 20))
    t = np.arange(45) * 2.0 - 10.0
    timing = np.exp(-((t[:, None] - [20.0, 50.0]) ** 2) / 50.0)
    for b in range(20):
        event = int(trials.conditions["event"][b])
        inputs = np.zeros((45, 3))
        inputs[(t >= 0) & (t < 6), 0] = 1.0
        since = t - (20.0, 50.0)[event]
        inputs[(since >= 0) & (since < 6), 1 + event] = 2.0
        assert np.array_equal(trials.inputs[b], inputs)
        assert np.allclose(trials.conditions["timing"][b], timing, atol=1e-12)
        assert np.allclose(trials.targets[b], timing * [0.25, 0.75], atol=1e-12)
        assert np.array_equal(trials.mask[b], t >= 0)
    test = task.cue_only()
    assert int(test.conditions["event"]) == -1
    assert np.array_equal(test.inputs[:, 0], trials.inputs[0, :, 0])
    assert not np.any(test.inputs[:, 1:])
    assert np.array_equal(test.targets, trials.targets[0])


def test_events_come_with_their_probability():
    p = np.array([0.2, 0.5, 0.3])
    task = MEET(latency=(5.0, 6.0, 7.0), probability=p, length=10.0)
    events = np.asarray(task.trials(KEY, 4000).conditions["event"])
    shares = np.bincount(events, minlength=3) / 4000
    assert np.all(np.abs(shares - p) < 5 * np.sqrt(p * (1 - p) / 4000))
    certain = task.switched(probability=(0.0, 1.0, 0.0))
    assert np.all(np.asarray(certain.trials(KEY, 100).conditions["event"]) == 1)


def test_a_switch_compiles_nothing():
    from neurojax.tasks.task import _many

    task = MEET(length=400.0)
    task.trials(KEY, 3)
    programs = _many._cached._cache_size()
    for other in (
        task.switched(latency=(300.0, 150.0)), task.switched(probability=(0.1, 0.9)),
        MEET(length=400.0, width=35.0, event_strength=1.0),
    ):  # fmt: skip
        other.trials(KEY, 3)
    assert _many._cached._cache_size() == programs
    both = task.switched(latency=(1.0, 2.0), probability=(0.5, 0.5))
    assert both.latency.tolist() == [1.0, 2.0] and both.probability.tolist() == [0.5, 0.5]
    assert both.length == 400.0


def test_score_is_one_less_the_relative_error():
    task = MEET(latency=(20.0, 50.0), length=80.0)
    trials = task.trials(KEY, 4)
    noise = np.random.default_rng(0).normal(size=trials.targets.shape)
    f = np.asarray(trials.targets)
    expected = 1.0 - np.sqrt((noise**2).sum((1, 2)) / (f**2).sum((1, 2)))
    assert np.allclose(task.score(trials, f + noise), expected, atol=1e-12)
    assert np.allclose(task.score(trials, jnp.zeros_like(trials.targets)), 0.0, atol=1e-12)
    # where the mask is 0 nothing counts
    half = Trials(np.zeros((4, 1)), np.ones((4, 1)), np.array([1.0, 1.0, 0.0, 0.0]), dt=1.0)
    outputs = jnp.array([[1.0], [0.0], [9.0], [9.0]])
    assert np.isclose(float(relative_error(half, outputs)), np.sqrt(0.5))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"probability": (0.5, 0.6)}, "sum to 1"),
        ({"probability": (1.5, -0.5)}, "probability"),
        ({"latency": (1.0, 2.0, 3.0)}, "one number per event"),
        ({"latency": (100.0, 450.0)}, "end of the trial"),
        ({"latency": (-1.0, 40.0)}, "latency"),
        ({"width": 0.0}, "width"),
        ({"pulse": 0.0}, "pulse"),
        ({"dt": 0.0}, "dt"),
    ],
)
def test_bad_numbers_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        MEET(**arguments)
