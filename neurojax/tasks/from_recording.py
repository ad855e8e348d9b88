"""Trials from a recording: behaviour to produce, neurons to follow."""

from collections.abc import Iterable

import numpy as np

from neurojax.core.errors import UnknownNameError, suggestion
from neurojax.recordings import Recording, Series

from .trials import Trials

_POINTS = 6  # of a series in the mean over one step, as for the neurons
_MS = 1e3  # ms in a second


def from_recording(
    recording: Recording,
    outputs: str | Iterable[str],
    inputs: str | Iterable[str] = (),
    recorded: Iterable[str | int] | None = None,
    *,
    window: float | int,
    stride: float | int | None = None,
    dt: float | int | None = None,
    units: Iterable[int] | None = None,
    max_gap: float | int | None = None,
) -> Trials:
    """Windows of a recording as trials, to train a circuit on behaviour and on its neurons.

    Everything is brought to one clock of `dt` from the first frame on: neurons by
    `Recording.resample`, series by linear interpolation, or by their mean over a step where steps
    are longer than their intervals. Windows that begin every `stride` and lie wholly within the
    recording become trials; a rest at the end is left out.

    What is missing is 0 and does not count: the mask of a step is 0 where any output or input is
    missing, `activity_mask` where a neuron is. A series is missing outside its own times and
    beside its `NaN`s. Values keep their units; see `neurojax.tasks.standardise`.

    Arguments:
        recording: with times in seconds.
        outputs: names of series, or labels of neurons, that the circuit shall produce. A series
            of several columns gives as many outputs.
        inputs: likewise, for what it is given; default nothing (no input channel).
        recorded: labels or columns of neurons that become `activity`; default all that have any
            sample; `()` for none.
        window: length of a trial in ms.
        stride: ms from one window to the next; default `window`: they share no step.
        dt: ms per step; default the median frame interval.
        units: which unit of the circuit stands for each recorded neuron; default 0, 1, 2 ...
        max_gap: a neuron is missing between two frames further apart than this, in ms.

    Returns:
        A batch of trials with the condition `start` (ms since the first frame).

    Raises:
        ValueError: for a time that makes no sense, or no output, or units that do not fit.
        UnknownNameError: for an output or input that is neither a series nor a neuron.
        RecordingError: for an unknown neuron in `recorded`.

    Example:
        >>> import neurojax as nj
        >>> from neurojax import tasks
        >>> worm = nj.recordings.load("dag2023")[0]
        >>> tasks.from_recording(worm, "velocity", recorded=["AVAL", "AVAR"], window=30_000.0)
        Trials(16, 50 steps of 600.019 ms, 0 inputs, 1 outputs, 2 recorded units; start)
    """
    dt = recording.dt * _MS if dt is None else float(dt)
    _positive("dt", dt)
    _positive("window", window)
    stride = window if stride is None else stride
    _positive("stride", stride)
    moved = recording.resample(dt / _MS, max_gap=None if max_gap is None else max_gap / _MS)
    targets = _channels(recording, moved, "outputs", outputs)
    if not targets.shape[1]:
        raise ValueError("outputs must name at least one series or neuron")
    given = _channels(recording, moved, "inputs", inputs)
    activity = _activity(moved, recorded)
    steps, apart = max(1, round(window / dt)), max(1, round(stride / dt))
    starts = np.arange(0, len(moved.times) - steps + 1, apart)
    if not len(starts):
        raise ValueError(
            f"window={window:g} ms is longer than the recording of {len(moved.times) * dt:g} ms"
        )
    cut = lambda values: values[starts[:, None] + np.arange(steps)]
    there = np.isfinite(targets).all(axis=1) & np.isfinite(given).all(axis=1)
    optional = {}
    if activity is not None:
        optional = {
            "activity": cut(np.nan_to_num(activity)),
            "activity_mask": cut(np.isfinite(activity)),
            "recorded": None if units is None else np.asarray(list(units)),
        }
    elif units is not None:
        raise ValueError("units says which units stand for recorded neurons, but there are none")
    return Trials(
        cut(np.nan_to_num(given)),
        cut(np.nan_to_num(targets)),
        cut(there),
        {"start": starts * dt},
        dt=dt,
        **optional,
    )


def _positive(name: str, value) -> None:
    if not np.isfinite(value) or not value > 0:
        raise ValueError(f"{name} must be positive (ms), got {value}")


def _activity(moved: Recording, recorded) -> np.ndarray | None:
    if recorded is None:
        recorded = [int(c) for c in np.flatnonzero(moved.mask.any(axis=0))]
    recorded = [recorded] if isinstance(recorded, str) else list(recorded)
    return moved.select(recorded).values if recorded else None


def _channels(recording: Recording, moved: Recording, what: str, names) -> np.ndarray:
    """Named series and neurons on the clock of `moved`, shape (time, channels)."""
    columns = [np.zeros((len(moved.times), 0))]
    for name in [names] if isinstance(names, str) else names:
        if name in recording.series:
            columns.append(_on_clock(recording.series[name], moved.times))
        elif name in moved.labels and name:
            columns.append(moved.trace(name)[:, None])
        else:
            known = [*recording.series, *filter(None, recording.labels)]
            raise UnknownNameError(
                f"{what} names {name!r}, which is neither a series nor a neuron of the "
                f"recording.{suggestion(str(name), known)}"
            )
    return np.concatenate(columns, axis=1)


def _on_clock(series: Series, times: np.ndarray) -> np.ndarray:
    """A series at these times (s), `NaN` where it is missing; shape (time, channels)."""
    values = np.asarray(series.values, float).reshape(len(series.times), -1)
    if not len(series.times):
        return np.full((len(times), values.shape[1]), np.nan)
    dt = times[1] - times[0] if len(times) > 1 else 0.0
    own = np.median(np.diff(series.times)) if len(series.times) > 1 else np.inf
    if dt <= own * (1.0 + 1e-9):
        return _interpolated(series.times, values, times)
    offsets = dt * ((np.arange(_POINTS) + 0.5) / _POINTS - 0.5)
    points = np.stack([_interpolated(series.times, values, times + o) for o in offsets])
    there = np.isfinite(points)
    count = there.sum(axis=0)
    mean = np.where(there, points, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(2 * count >= _POINTS, mean, np.nan)


def _interpolated(own: np.ndarray, values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Linear between neighbours; missing outside, and where a neighbour that counts is missing."""
    at = np.searchsorted(own, times, side="right")
    before, after = np.clip(at - 1, 0, len(own) - 1), np.clip(at, 0, len(own) - 1)
    gap = own[after] - own[before]
    weight = np.where(gap > 0, (times - own[before]) / np.where(gap > 0, gap, 1.0), 0.0)
    # rounding must not ask for a neighbour that a time on a sample does not need
    weight = np.where(np.abs(weight) < 1e-9, 0.0, np.where(weight > 1 - 1e-9, 1.0, weight))[:, None]
    low, high = values[before], values[after]
    mixed = np.where(weight == 0.0, low, np.where(weight == 1.0, high, low + weight * (high - low)))
    slack = 1e-9 * max(1.0, abs(own[-1]))
    outside = (times < own[0] - slack) | (times > own[-1] + slack)
    return np.where(outside[:, None], np.nan, mixed)
