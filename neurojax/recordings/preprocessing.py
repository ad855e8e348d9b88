"""Honest normalisation, smoothing and derivatives: each takes a recording and returns another.

Nothing here looks at the test part of a recording unless its name or its argument says so; what
was done is written into `metadata["processing"]`.
"""

import dataclasses
from typing import Any

import numpy as np

from neurojax.recordings.errors import RecordingError
from neurojax.recordings.recording import Recording, frames_in


def detrend(recording: Recording, window: float = 60.0, warm_up: int = 20) -> Recording:
    """Causal high-pass: each sample minus a running mean of the past.

    The mean starts as that of the first `warm_up` frames and then follows the trace F,

        m_t = m_{t-1} + max(dt_t / window, 1 / (t + warm_up)) (F_t - m_{t-1}),

    with dt_t the interval before frame t and t its number from 0; the result is F_t - m_t. So
    slow drift and bleaching go, and a frame never depends on later ones, but for the mean of the
    first `warm_up` frames. A missing sample leaves the mean as it is. Where a neuron has no
    sample in the first `warm_up` frames, the mean starts with those of as many frames from its
    first sample on, and is not moved before it. The weight of a sample is at most 1.

    Arguments:
        recording: any unit.
        window: time constant of the mean, s.
        warm_up: frames, at least 1.

    Returns:
        The recording with 64-bit values in the same unit.

    Raises:
        RecordingError: `window` or `warm_up` is not positive.

    Example:
        >>> from neurojax.recordings import Recording, detrend
        >>> recording = Recording([0.0, 30.0], [[1.0], [3.0]])
        >>> detrend(recording, window=60.0, warm_up=1).values[:, 0]
        array([0., 1.])
    """
    _positive("window", window)
    if not isinstance(warm_up, (int, np.integer)) or warm_up < 1:
        raise RecordingError(f"warm_up must be a whole number of frames from 1, but is {warm_up}")
    values, mask = recording.values.astype(np.float64), recording.mask
    intervals = np.diff(recording.times, prepend=recording.times[:1])
    out = np.full(values.shape, np.nan)
    mean, begin = _first_means(values, mask, int(warm_up))
    for t in range(len(values)):
        gain = min(1.0, max(intervals[t] / window, 1.0 / (t + warm_up)))
        moved = mask[t] & (t > begin)
        mean = np.where(moved, mean + gain * (values[t] - mean), mean)
        out[t] = values[t] - mean
    return _done(recording.with_values(out), f"detrend(window={window:g} s, warm_up={warm_up})")


def _first_means(values, mask, warm_up):
    """The mean that each trace starts from, and the frame after which it is moved."""
    neurons = values.shape[1]
    mean, begin = np.zeros(neurons), np.zeros(neurons, int)
    for j in range(neurons):
        there = np.flatnonzero(mask[:, j])
        if there.size:
            begin[j] = 0 if there[0] < warm_up else there[0]
            mean[j] = values[there[there < begin[j] + warm_up], j].mean()
    return mean, begin


def standardise(recording: Recording, train: Any = 0.6) -> Recording:
    """Zero mean and unit variance, measured on the training part alone.

    z = (x - mean) / sd, with the mean and the standard deviation (of the population, ddof 0) of
    each neuron over its samples in the training frames. A trace that is constant there is only
    centred (its sd counts as 1). A neuron without any training sample cannot be scaled honestly:
    all its samples become missing.

    Arguments:
        recording: any unit.
        train: the fraction of frames, from the start, that is the training part; or a boolean per
            frame, such as `recording.times < 300.0`. With 1.0, or all frames, the later part
            leaks into the scale, and `metadata["processing"]` says so.

    Returns:
        The recording with 64-bit values in units of the training standard deviation, unit `"sd"`.

    Raises:
        RecordingError: `train` is neither, or leaves no frame.

    Example:
        >>> from neurojax.recordings import Recording, standardise
        >>> recording = Recording([0.0, 1.0, 2.0, 3.0], [[1.0], [3.0], [9.0], [2.0]])
        >>> standardise(recording, train=0.5).values[:, 0]
        array([-1.,  1.,  7.,  0.])
    """
    frames = len(recording.times)
    if np.ndim(train) == 0 and not isinstance(train, (bool, np.bool_)):
        used = np.arange(frames) < frames_in(train, frames)
        part = f"the first {100 * float(train):g} % of frames"
    else:
        used = np.asarray(train)
        if used.dtype != np.bool_ or used.shape != (frames,):
            raise RecordingError(
                f"train must be a fraction or a boolean array of shape ({frames},), but has type "
                f"{used.dtype} and shape {used.shape}"
            )
        part = f"{int(used.sum())} chosen frames"
    if not used.any():
        raise RecordingError(f"train = {train!r} leaves no training frame of {frames}")
    if used.all():
        part = "all frames; leaky: later frames shape the scale of earlier ones"
    values = recording.values.astype(np.float64)
    there = recording.mask & used[:, None]
    count = there.sum(axis=0)
    mean = np.where(there, values, 0.0).sum(axis=0) / np.maximum(count, 1)
    deviation = np.where(there, values - mean, 0.0)
    sd = np.sqrt((deviation**2).sum(axis=0) / np.maximum(count, 1))
    sd = np.where(sd <= 1e-12 * np.abs(mean), 1.0, sd)  # constant, but for rounding of the mean
    out = np.where(count > 0, (values - mean) / sd, np.nan)
    return _done(recording.with_values(out, unit="sd"), f"standardise(by {part})")


def smooth(
    recording: Recording,
    how: str = "gaussian",
    *,
    sigma: float | None = None,
    window: int | None = None,
    alpha: float | None = None,
) -> Recording:
    """Smoother traces, by one of three filters counted in frames.

    | `how` | sample j becomes | argument |
    |---|---|---|
    | `"gaussian"` | the mean of its neighbours on both sides with Gaussian weights, reflected at the ends, cut at 4 sigma | `sigma`, 5 frames |
    | `"causal"` | the mean of the last `window` samples, j included; of fewer at the start | `window`, 8 frames |
    | `"exponential"` | s_j = alpha x_j + (1 - alpha) s_{j-1}, s_0 = x_0 | `alpha`, 0.5 |

    The Gaussian looks ahead: don't forecast from its result. Missing samples carry no weight and
    stay missing.

    Arguments:
        recording: any unit. For frames of uneven length, resample first.
        how: the filter.
        sigma: width of the Gaussian, frames, above 0.
        window: frames in the causal mean, from 1.
        alpha: weight of the newest sample, above 0 and at most 1.

    Raises:
        RecordingError: `how` is unknown, or an argument is out of range or of another filter.

    Example:
        >>> from neurojax.recordings import Recording, smooth
        >>> recording = Recording([0.0, 1.0, 2.0], [[0.0], [4.0], [0.0]])
        >>> smooth(recording, "causal", window=2).values[:, 0]
        array([0., 2., 2.])
        >>> smooth(recording, "exponential", alpha=0.5).values[:, 0]
        array([0., 2., 1.])
    """  # noqa: E501
    given = {
        k: v for k, v in {"sigma": sigma, "window": window, "alpha": alpha}.items() if v is not None
    }
    own = {"gaussian": "sigma", "causal": "window", "exponential": "alpha"}
    if how not in own:
        raise RecordingError(f"how must be one of {', '.join(map(repr, own))}, but is {how!r}")
    for name in given:
        if name != own[how]:
            raise RecordingError(f"{name} has no meaning for how={how!r}, which takes {own[how]}")
    values, mask = (
        np.where(recording.mask, recording.values, 0.0).astype(np.float64),
        recording.mask,
    )
    if how == "gaussian":
        setting = 5.0 if sigma is None else sigma
        _positive("sigma", setting)
        out = _gaussian(values, mask, setting)
    elif how == "causal":
        setting = 8 if window is None else window
        if not isinstance(setting, (int, np.integer)) or setting < 1:
            raise RecordingError(f"window must be a whole number of frames from 1, not {setting}")
        out = _causal_mean(values, mask, int(setting))
    else:
        setting = 0.5 if alpha is None else alpha
        if not 0 < setting <= 1:
            raise RecordingError(f"alpha must be above 0 and at most 1, but is {setting}")
        out = _exponential(values, mask, setting)
    return _done(recording.with_values(out), f"smooth({how}, {own[how]}={setting:g})")


def _gaussian(values, mask, sigma):
    from scipy.ndimage import gaussian_filter1d

    if not len(values):
        return values
    weight = gaussian_filter1d(mask.astype(np.float64), sigma, axis=0)
    return gaussian_filter1d(values, sigma, axis=0) / np.where(mask, weight, 1.0)


def _causal_mean(values, mask, window):
    out = np.empty_like(values)
    for j in range(len(values)):  # a sum over a slice: running sums would lose digits
        part = slice(max(0, j + 1 - window), j + 1)
        out[j] = values[part].sum(axis=0) / np.maximum(mask[part].sum(axis=0), 1)
    return out


def _exponential(values, mask, alpha):
    out = np.empty_like(values)
    state, begun = np.zeros(values.shape[1]), np.zeros(values.shape[1], bool)
    for j in range(len(values)):
        state = np.where(
            mask[j], np.where(begun, alpha * values[j] + (1 - alpha) * state, values[j]), state
        )
        begun |= mask[j]
        out[j] = state
    return out


def derivative(recording: Recording) -> Recording:
    """The time derivative, per second, by central differences on the true frame times.

    With steps a before and b after frame t, (a^2 x_{t+1} - b^2 x_{t-1} + (b^2 - a^2) x_t) /
    (a b (a + b)), exact for parabolas; one-sided at the two ends (`numpy.gradient`). A result is
    missing where the sample or a neighbour that it needs is missing. It looks one frame ahead.

    Arguments:
        recording: with at least two frames.

    Returns:
        The recording with 64-bit values and `"/s"` added to its unit.

    Raises:
        RecordingError: there are fewer than two frames.

    Example:
        >>> from neurojax.recordings import Recording, derivative
        >>> recording = Recording([0.0, 1.0, 3.0, 4.0], [[0.0], [1.0], [9.0], [16.0]])
        >>> derivative(recording).values[:, 0]
        array([1., 2., 6., 7.])
    """
    if len(recording.times) < 2:
        raise RecordingError(f"a derivative needs at least two frames; {recording!r} has too few")
    values = np.where(recording.mask, recording.values, 0.0).astype(np.float64)
    slope = np.gradient(values, recording.times, axis=0)
    there = recording.mask.copy()
    there[1:] &= recording.mask[:-1]
    there[:-1] &= recording.mask[1:]
    out = np.where(there, slope, np.nan)
    return _done(recording.with_values(out, unit=recording.unit + "/s"), "derivative")


def _done(recording: Recording, what: str) -> Recording:
    """Note a step of processing in the metadata."""
    before = recording.metadata.get("processing")
    note = f"{before}; {what}" if before else what
    return dataclasses.replace(recording, metadata={**recording.metadata, "processing": note})


def _positive(name: str, value: float) -> None:
    if not (np.isfinite(value) and value > 0):
        raise RecordingError(f"{name} must be a positive number, but is {value}")
