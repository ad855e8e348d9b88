"""Resampling against numpy.interp, integrals and invariants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurojax.recordings import Recording, RecordingError, Series, resample


def uneven(frames=100, neurons=3, seed=0):
    draw = np.random.default_rng(seed)
    times = 2.0 + np.cumsum(draw.uniform(0.55, 0.68, frames))
    return Recording(times, np.cumsum(draw.normal(size=(frames, neurons)), axis=0))


def test_upsampling_is_linear_interpolation():
    recording = uneven()
    out = recording.resample(0.2)
    expected = np.arange(recording.times[0], recording.times[-1], 0.2)
    np.testing.assert_allclose(out.times, expected, atol=1e-12)
    for j in range(3):
        trace = np.interp(out.times, recording.times, recording.values[:, j])
        np.testing.assert_allclose(out.values[:, j], trace, rtol=0, atol=1e-12)
    assert out.mask.all() and out.dt == pytest.approx(0.2)


def test_downsampling_is_the_mean_of_the_interpolated_trace():
    recording = uneven()
    out = recording.resample(2.0)
    assert out.times[0] == recording.times[0]
    np.testing.assert_allclose(np.diff(out.times), 2.0)
    for k in range(1, len(out.times) - 1):
        fine = out.times[k] + 2.0 * ((np.arange(6) + 0.5) / 6 - 0.5)
        expected = np.interp(fine, recording.times, recording.values[:, 0]).mean()
        assert out.values[k, 0] == pytest.approx(expected, abs=1e-12)
    assert out.values[0, 0] == pytest.approx(recording.values[0, 0], abs=1e-12)


def test_downsampling_does_not_alias():
    times = np.arange(0, 600, 0.1)
    recording = Recording(times, np.sin(2 * np.pi * times / 1.01)[:, None])
    assert np.abs(recording.resample(1.0).values[5:-5]).max() < 0.05  # by frames alone: 1


@given(st.floats(0.05, 20.0), st.integers(2, 40), st.integers(0, 2**16))
def test_a_straight_line_stays_one_at_any_interval(dt, frames, seed):
    times = np.cumsum(np.random.default_rng(seed).uniform(0.1, 3.0, frames))
    out = resample(Recording(times, (2 * times + 1)[:, None]), dt)
    np.testing.assert_allclose(out.values[:, 0], 2 * out.times + 1, rtol=1e-9)
    assert out.times[0] == times[0] and times[-1] - dt < out.times[-1] + 1e-6 * dt
    assert out.times[-1] <= times[-1]


@given(st.integers(0, 2**16), st.floats(0.2, 0.5), st.sampled_from(["linear", "nearest"]))
def test_missing_samples_never_leak(seed, missing, how):
    """What is missing may hold any number: the result is the same, and within what is there."""
    draw = np.random.default_rng(seed)
    times = np.cumsum(draw.uniform(0.5, 1.0, 30))
    values, mask = draw.uniform(0, 1, (30, 2)), draw.uniform(size=(30, 2)) > missing
    for dt in (0.3, 2.5):
        a = resample(Recording(times, values, mask=mask), dt, how)
        b = resample(Recording(times, np.where(mask, values, 1e9), mask=mask), dt, how)
        np.testing.assert_array_equal(a.values, b.values)
        assert (a.values[a.mask] <= 1).all()


def test_a_sample_between_missing_frames_is_missing():
    recording = Recording(np.arange(6.0), [[0.0], [1.0], [np.nan], [3.0], [4.0], [5.0]])
    out = recording.resample(0.5)
    assert out.times[~out.mask[:, 0]].tolist() == [1.5, 2.0, 2.5]
    np.testing.assert_allclose(out.values[out.mask[:, 0], 0], out.times[out.mask[:, 0]])


def test_own_clock_gives_the_recording_back():
    values = np.random.default_rng(1).normal(size=(20, 2))
    values[3, 1] = np.nan
    recording = Recording(np.arange(20) * 0.5, values)
    for how in ("linear", "nearest"):
        out = recording.resample(0.5, how)
        np.testing.assert_array_equal(out.times, recording.times)
        np.testing.assert_allclose(out.values, recording.values, rtol=1e-15)


def test_nearest_takes_frames():
    recording = Recording([0.0, 1.0, 3.0], [[0.0], [1.0], [np.nan]])
    out = recording.resample(0.75, "nearest")
    np.testing.assert_array_equal(out.values[:, 0], [0.0, 1.0, 1.0, np.nan, np.nan])


def test_holes_wider_than_max_gap_are_not_bridged():
    recording = Recording([0.0, 1.0, 11.0, 12.0], [[0.0], [1.0], [11.0], [12.0]])
    assert recording.resample(0.5).mask.all()
    out = recording.resample(0.5, max_gap=2.0)
    assert out.times[out.mask[:, 0]].tolist() == [0, 0.5, 1, 11, 11.5, 12]


def test_series_and_spikes_keep_their_clocks():
    light = Series([0.1, 0.2], [1, 2])
    recording = Recording([0.0, 1.0], [[0.0], [1.0]], series={"x": light}, spikes={"u": [0.3]})
    out = recording.resample(0.25)
    assert out.series["x"] is light and out.spikes["u"].tolist() == [0.3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dt": 0.0}, "dt must be a positive"),
        ({"dt": np.inf}, "dt must be a positive"),
        ({"dt": 1.0, "how": "cubic"}, "how must be 'linear' or 'nearest'"),
        ({"dt": 1.0, "max_gap": -1.0}, "max_gap must be a positive"),
        ({"dt": 1e-9}, "would make"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(RecordingError, match=message):
        resample(uneven(), **arguments)


def test_one_frame_and_times_too_large_for_the_interval():
    with pytest.raises(RecordingError, match="at least two frames"):
        Recording([0.0], [[1.0]]).resample(1.0)
    with pytest.raises(RecordingError, match="resolution"):
        Recording([1e17, 1e17 + 64], [[1.0], [2.0]]).resample(1.0)
