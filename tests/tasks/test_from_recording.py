"""A small recording becomes trials, sample by sample."""

import numpy as np
import pytest

import neurojax as nj
from neurojax import tasks
from neurojax.recordings import Recording, RecordingError, Series

TIMES = 5.0 + 0.5 * np.arange(23)
VALUES = np.stack([np.arange(23.0), np.arange(23.0) ** 2, np.full(23, np.nan)], axis=1)
VALUES[4, 1] = np.nan
SPEED = np.sin(TIMES)
SPEED[7] = np.nan
BENDS = np.stack([TIMES, -TIMES], axis=1)
WORM = Recording(
    TIMES, VALUES, labels=["AVAL", "AVBL", "RIML"],
    series={
        "velocity": Series(TIMES, SPEED, "mm/s"),
        "bends": Series(TIMES, BENDS),
        "fine": Series(np.arange(4.0, 17.0, 0.05), np.arange(4.0, 17.0, 0.05) * 2.0),
        "late": Series(TIMES[5:], TIMES[5:]),
    },
)  # fmt: skip


def test_windows_masks_and_channels():
    trials = tasks.from_recording(WORM, ["velocity", "bends"], window=2000.0)
    assert trials.targets.shape == (5, 4, 3) and trials.dt == 500.0
    assert trials.inputs.shape == (5, 4, 0)
    known = np.nan_to_num(SPEED[:20]).reshape(5, 4)
    np.testing.assert_allclose(trials.targets[..., 0], known, atol=1e-12)
    np.testing.assert_allclose(trials.targets[..., 1:], BENDS[:20].reshape(5, 4, 2), atol=1e-9)
    expected = np.ones(20)
    expected[7] = 0.0
    np.testing.assert_array_equal(trials.mask, expected.reshape(5, 4))
    np.testing.assert_allclose(trials.conditions["start"], 2000.0 * np.arange(5))
    # the neuron that was never seen is left out, and one sample of another is missing
    np.testing.assert_array_equal(trials.recorded, [0, 1])
    np.testing.assert_allclose(trials.activity, np.nan_to_num(VALUES[:20, :2]).reshape(5, 4, 2))
    seen = np.ones((20, 2))
    seen[4, 1] = 0.0
    np.testing.assert_array_equal(trials.activity_mask, seen.reshape(5, 4, 2))


def test_overlapping_windows_chosen_neurons_and_inputs():
    trials = tasks.from_recording(
        WORM, "AVAL", inputs=["late"], recorded=["AVBL"], units=[17], window=2000.0, stride=500.0
    )
    assert len(trials) == 20
    np.testing.assert_array_equal(trials.targets[3, :, 0], [3.0, 4.0, 5.0, 6.0])
    np.testing.assert_array_equal(trials.recorded, [17])
    # the input begins with frame 5: before it is 0 and its steps do not count
    np.testing.assert_array_equal(trials.mask[3], [0.0, 0.0, 1.0, 1.0])
    np.testing.assert_allclose(trials.inputs[3, :, 0], [0.0, 0.0, *TIMES[5:7]])
    assert tasks.from_recording(WORM, "AVAL", recorded=(), window=2000.0).activity is None


def test_other_clocks():
    """A straight line stays one on any clock; a coarse one takes means over its steps."""
    fine = tasks.from_recording(WORM, ["bends", "fine"], recorded=["AVAL"], window=1000.0, dt=125.0)
    times = 5.0 + 0.125 * np.arange(8)
    np.testing.assert_allclose(fine.targets[0], np.stack([times, -times, 2 * times], 1), atol=1e-9)
    np.testing.assert_allclose(fine.activity[0, :, 0], (times - 5.0) / 0.5, atol=1e-9)
    coarse = tasks.from_recording(WORM, ["fine"], recorded=(), window=4000.0, dt=1000.0)
    np.testing.assert_allclose(coarse.targets[0, :, 0], 2 * (5.0 + np.arange(4)), atol=1e-9)
    # alternating samples average out
    flicker = Recording(TIMES, VALUES[:, :1], series={"f": Series(np.arange(0, 30, 0.05), np.tile([0.0, 1.0], 300))})  # fmt: skip  # noqa: E501
    mean = tasks.from_recording(flicker, "f", recorded=(), window=2000.0).targets
    assert abs(float(mean.mean()) - 0.5) < 0.1 and float(mean.std()) < 0.3


def test_refusals():
    with pytest.raises(nj.UnknownNameError, match="Did you mean 'velocity'"):
        tasks.from_recording(WORM, "velocty", window=1000.0)
    with pytest.raises(RecordingError, match="AVA"):
        tasks.from_recording(WORM, "velocity", recorded=["AVA"], window=1000.0)
    for arguments, message in (
        ({"window": 1e6}, "longer than the recording"),
        ({"window": -1.0}, "window"),
        ({"window": 1000.0, "stride": 0.0}, "stride"),
        ({"window": 1000.0, "dt": 0.0}, "dt"),
        ({"window": 1000.0, "recorded": ["AVAL"], "units": [1, 2]}, "recorded must"),
        ({"window": 1000.0, "recorded": (), "units": [1]}, "units"),
    ):
        with pytest.raises(ValueError, match=message):
            tasks.from_recording(WORM, "velocity", **arguments)
    with pytest.raises(ValueError, match="outputs"):
        tasks.from_recording(WORM, [], window=1000.0)
