"""Flip-flop, addition, timing, holding, lines and sines against plain Python."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurojax import tasks

KEY = jax.random.key(1)


def draw(task, count):
    """Trials on the host, where taking parts compiles nothing."""
    return jax.tree.map(np.asarray, task.trials(KEY, count))


def test_flip_flop_against_a_loop():
    task = tasks.FlipFlop(bits=3, rate=8.0, pulse=30.0)
    trials = draw(task, 20)
    for inputs, targets in zip(np.asarray(trials.inputs), np.asarray(trials.targets), strict=True):
        for bit in range(3):
            memory, expected = 0.0, []
            for pulse in inputs[:, bit]:
                memory = np.sign(pulse) if pulse != 0 else memory
                expected.append(memory)
            np.testing.assert_array_equal(targets[:, bit], expected)
    assert float(task.score(trials, -trials.targets).max()) == 0.0
    assert np.all(trials.inputs[:, :3] != 0)  # the pulse that begins a trial


def test_flip_flop_rate_and_pulse():
    task = tasks.FlipFlop(bits=1, rate=5.0, pulse=10.0, length=2000.0)
    inputs = np.asarray(draw(task, 400).inputs)[:, 1:, 0]
    # 0.05 per step, half of each sign; four standard errors of 80 000 steps
    assert (inputs == 1).mean() == pytest.approx(0.025, abs=0.0025)
    assert (inputs == -1).mean() == pytest.approx(0.025, abs=0.0025)


def test_addition_of_the_marked_numbers():
    task = tasks.DelayedAddition(length=300.0, slot=20.0, response=30.0)
    trials = draw(task, 50)
    assert task.steps == 33
    for trial in trials:
        numbers, marks = np.asarray(trial.inputs).T
        slots = numbers[:30].reshape(15, 2)
        marked = marks[:30].reshape(15, 2)
        np.testing.assert_array_equal(slots[:, 0], slots[:, 1])
        where = np.flatnonzero(marked[:, 0])
        assert len(where) == 2 and where[0] < 7 <= where[1]
        total = slots[where, 0].sum()
        np.testing.assert_allclose(trial.targets[30:, 0], total, atol=1e-12)
        np.testing.assert_array_equal(trial.mask, [0.0] * 30 + [1.0] * 3)
        np.testing.assert_array_equal(trial.inputs[30:], 0.0)
        assert float(trial.conditions["second_time"]) == where[1] * 20.0
    near = task.score(trials, trials.targets + 0.039)
    far = task.score(trials, trials.targets - 0.041)
    assert float(near.min()) == 1.0 and float(far.max()) == 0.0


def test_interval_is_reproduced():
    task = tasks.ReadySetGo(gain=1.5, noise=0.0, onset=(100.0, 200.0))
    trials = draw(task, 40)
    for trial in trials:
        ready, set_ = (np.flatnonzero(np.asarray(trial.inputs[:, k]))[0] for k in range(2))
        interval = float(trial.conditions["interval"])
        assert (set_ - ready) * 10.0 == interval and interval in task.intervals
        full = np.flatnonzero(np.asarray(trial.targets[:, 0]) >= 1.0)[0]
        assert (full - set_) * 10.0 == pytest.approx(1.5 * interval)
    # 0.9 of the ramp is reached in the first step from 0.9 of the interval on
    wanted = 10.0 * np.ceil(0.9 * 1.5 * np.asarray(trials.conditions["interval"]) / 10.0 - 1e-9)
    np.testing.assert_allclose(task.produced(trials, trials.targets), wanted)
    late = np.pad(trials.targets, ((0, 0), (5, 0), (0, 0)))[:, : task.steps]  # 50 ms late
    np.testing.assert_allclose(task.produced(trials, late), wanted + 50.0)
    length = 1.5 * np.asarray(trials.conditions["interval"])
    np.testing.assert_allclose(task.score(trials, late), 1.0 - 50.0 / length)
    assert bool(jnp.isnan(task.produced(trials, 0.0 * late)).all())


def test_hold_and_release():
    task = tasks.Fixation(wait=(50.0, 100.0), hold=(200.0, 300.0), release=100.0, noise=0.0)
    trials = draw(task, 30)
    np.testing.assert_array_equal(trials.inputs, trials.targets)
    hold = np.asarray(trials.targets[..., 0]).sum(axis=1) * 10.0
    np.testing.assert_array_equal(hold, trials.conditions["hold"])
    always = np.ones_like(trials.targets)
    assert float(task.score(trials, always).max()) == 0.0
    # holding for half of the steps that count: half the score
    one = trials[0]
    counted = np.flatnonzero(np.asarray(one.mask * one.targets[:, 0]))
    half = one.targets.copy()
    half[counted[: len(counted) // 2]] = 0.0
    share = 1.0 - (len(counted) // 2) / len(counted)
    assert float(task.score(one, half)) == pytest.approx(share)


def test_sine_and_line():
    task = tasks.SineGeneration(frequencies=(2.0, 5.0), dt=5.0)
    for trial in draw(task, 6):
        f = float(trial.conditions["frequency"])
        t = np.maximum(np.asarray(trial.times) - 100.0, 0.0) * 1e-3
        np.testing.assert_allclose(trial.targets[:, 0], np.sin(2 * np.pi * f * t), atol=1e-9)
        np.testing.assert_allclose(trial.inputs[25:, 0], 0.25 + f / 5.0)
        assert np.abs(trial.inputs[:20]).max() == 0.0
    task = tasks.LineDrawing(directions=4, radius=2.0)
    for trial in draw(task, 8):
        angle, go = (float(trial.conditions[k]) for k in ("angle", "go"))
        place = 2.0 * np.array([np.cos(angle), np.sin(angle)])
        assert abs(angle / (np.pi / 2) - round(angle / (np.pi / 2))) < 1e-9
        np.testing.assert_allclose(trial.inputs[0, :2], place, atol=1e-12)
        # half of the way at half of the time, and at rest at both ends
        at = lambda ms, trial=trial, go=go: np.asarray(trial.targets[round((go + ms) / 10.0)])
        np.testing.assert_allclose(at(0.0), 0.0, atol=1e-12)
        np.testing.assert_allclose(at(250.0), place / 2, atol=1e-12)
        np.testing.assert_allclose(at(500.0), place, atol=1e-12)
        assert np.linalg.norm(at(10.0)) < 1e-3
    free = draw(tasks.LineDrawing(directions=0), 200).conditions["angle"]
    assert len(np.unique(free)) == 200
