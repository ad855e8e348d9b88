"""A recording on a regular clock."""

import dataclasses

import numpy as np

from neurojax.recordings.errors import RecordingError
from neurojax.recordings.recording import Recording

_POINTS = 6  # of the interpolated trace in each block mean, as in the homogenised pipeline
_MOST_SAMPLES = 2**31


def resample(
    recording: Recording, dt: float, how: str = "linear", max_gap: float | None = None
) -> Recording:
    """The recording on the clock `times[0] + k dt`, up to its last frame.

    `"linear"` interpolates between frames. Where `dt` is longer than the median frame interval,
    a new sample is instead the mean of the interpolated trace over the interval of length `dt`
    around it (six points), so that fast activity is averaged rather than aliased; at the two ends
    the interval shrinks, staying centred. `"nearest"` takes the nearest frame.

    A new sample is missing where a frame that it needs is missing; a block mean, where fewer than
    half of its points are there. Series and spikes keep their own clocks.

    Arguments:
        recording: with at least two frames.
        dt: the new frame interval, s.
        how: `"linear"` or `"nearest"`.
        max_gap: a new sample between two frames further apart than this (s) is missing, instead
            of interpolated across the hole. Of use for concatenated sessions.

    Returns:
        A recording with new times, values and mask.

    Raises:
        RecordingError: an argument is wrong, or the result would have over 2^31 samples.

    Example:
        >>> from neurojax.recordings import Recording, resample
        >>> recording = Recording([0.0, 1.0, 3.0], [[0.0], [1.0], [3.0]])
        >>> resample(recording, 0.75).values[:, 0]
        array([0.  , 0.75, 1.5 , 2.25, 3.  ])
    """
    if how not in ("linear", "nearest"):
        raise RecordingError(f"how must be 'linear' or 'nearest', but is {how!r}")
    _positive("dt", dt)
    if max_gap is not None:
        _positive("max_gap", max_gap)
    times = recording.times
    if len(times) < 2:
        raise RecordingError(f"resampling needs at least two frames; {recording!r} has too few")
    steps = np.floor((times[-1] - times[0]) / dt + 1e-9)
    if steps * max(1, recording.values.shape[1]) > _MOST_SAMPLES:
        raise RecordingError(f"dt = {dt} s would make {steps + 1:.0f} frames of {recording!r}")
    new = np.minimum(times[0] + dt * np.arange(int(steps) + 1), times[-1])
    if np.any(np.diff(new) <= 0):
        raise RecordingError(f"dt = {dt} s is below the resolution of the times of {recording!r}")
    if how == "nearest":
        values, there = _nearest(recording, new, max_gap)
    elif dt <= recording.dt:
        values, there = _linear(recording, new, max_gap)
    else:
        values, there = _block_mean(recording, new, dt, max_gap)
    return dataclasses.replace(recording, times=new, values=values, mask=there)


def _block_mean(recording, new, dt, max_gap):
    half = np.minimum(dt / 2, np.minimum(new - new[0], recording.times[-1] - new))
    total = np.zeros((len(new), recording.values.shape[1]))
    count = np.zeros(total.shape, int)
    for offset in (2 * np.arange(_POINTS) + 1) / _POINTS - 1:
        values, there = _linear(recording, new + offset * half, max_gap)
        total += np.where(there, values, 0.0)
        count += there
    return total / np.maximum(count, 1), 2 * count >= _POINTS


def _linear(recording, new, max_gap):
    left, weight, far = _place(recording.times, new, max_gap)
    weight = weight[:, None]
    values, mask = recording.values.astype(np.float64), recording.mask
    a, b = np.where(mask, values, 0.0)[left], np.where(mask, values, 0.0)[left + 1]
    there = (mask[left] | (weight == 1)) & (mask[left + 1] | (weight == 0)) & ~far[:, None]
    return (1 - weight) * a + weight * b, there


def _nearest(recording, new, max_gap):
    left, weight, far = _place(recording.times, new, max_gap)
    frame = left + (weight > 0.5)
    values = recording.values.astype(np.float64)
    return values[frame], recording.mask[frame] & ~far[:, None]


def _place(times, new, max_gap):
    """Between which frames each new time lies, how far along, and whether in too wide a hole."""
    left = np.clip(np.searchsorted(times, new, side="right") - 1, 0, len(times) - 2)
    width = times[left + 1] - times[left]
    weight = np.clip((new - times[left]) / width, 0.0, 1.0)
    inside = (weight > 0) & (weight < 1)
    return left, weight, inside & (width > (np.inf if max_gap is None else max_gap))


def _positive(name: str, value: float) -> None:
    if not (np.isfinite(value) and value > 0):
        raise RecordingError(f"{name} must be a positive number of seconds, but is {value}")
