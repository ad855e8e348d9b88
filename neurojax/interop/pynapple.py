"""Time series of `pynapple` as recordings, known by their shape, without importing pynapple."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurojax.recordings import Recording, RecordingError


def from_pynapple(data: Any, *, unit: str = "", name: str = "") -> Recording:
    """A recording from pynapple's `Tsd`, `TsdFrame`, `Ts` or `TsGroup`.

    What counts is what the object has, not its class, so older versions and look-alikes work:

    | object | has | becomes |
    |---|---|---|
    | `TsdFrame` | times `t`, samples `d` (time, column), `columns` | traces; columns that are texts are labels, numbers are not |
    | `Tsd` | times `t`, samples `d` (time,) | one trace |
    | `Ts` | times `t` | one spike train, `"0"` |
    | `TsGroup`, or a dict of `Ts` | keys to objects with `t` | one spike train per key |

    `index` and `values` serve where `t` or `d` is absent. Times are seconds, as pynapple keeps
    them. A recording of spikes alone has no frames.

    Arguments:
        data: one of these.
        unit: of the samples.
        name: of the recording.

    Raises:
        RecordingError: the object has none of these forms, or its times or samples are bad.

    Example:
        >>> from types import SimpleNamespace
        >>> from neurojax.interop import from_pynapple
        >>> frame = SimpleNamespace(t=[0.0, 0.1], d=[[1.0, 2.0], [3.0, 4.0]], columns=["a", "b"])
        >>> from_pynapple(frame).trace("b")
        array([2., 4.])
        >>> from_pynapple({3: SimpleNamespace(t=[0.2, 0.7])}).spikes
        {'3': array([0.2, 0.7])}
    """  # noqa: E501
    times, samples = _first(data, "t"), _first(data, "d")
    if _is_group(data, samples):
        return _spikes_only({str(k): _times_of(data[k], f"unit {k!r}") for k in data.keys()}, name)  # noqa: SIM118
    if times is None and hasattr(data, "start") and hasattr(data, "end"):
        raise RecordingError("data is a set of intervals, which has no samples; restrict by it")
    if times is None:
        times = _first(data, "index")
    if samples is None:
        samples = _first(data, "values")
    if times is None:
        raise RecordingError(
            f"data must be a pynapple Tsd, TsdFrame, Ts or TsGroup, but a {type(data).__name__} "
            "has no times `t`"
        )
    if samples is None:
        return _spikes_only({"0": times}, name)
    samples = np.asarray(samples)
    if samples.ndim == 1:
        samples = samples[:, None]
    columns = _first(data, "columns")
    labels = None
    if columns is not None:
        labels = [k if isinstance(k, str) else "" for k in columns]
    return Recording(times, samples, labels, unit=unit, name=name)


def _is_group(data: Any, samples: Any) -> bool:
    """A mapping whose items have times; a pandas-like frame has keys too, but samples."""
    if samples is not None or not (isinstance(data, Mapping) or hasattr(data, "keys")):
        return False
    return all(_first(data[k], "t") is not None for k in data.keys())  # noqa: SIM118


def _times_of(item: Any, what: str) -> Any:
    times = _first(item, "t")
    if times is None:
        raise RecordingError(f"{what} has no times `t`")
    return times


def _spikes_only(spikes: dict[str, Any], name: str) -> Recording:
    return Recording(np.zeros(0), np.zeros((0, 0)), name=name, spikes=spikes)


def _first(data: Any, attribute: str) -> Any:
    """An attribute that is data, not a method (a dict has `.values()`)."""
    value = getattr(data, attribute, None)
    return None if callable(value) else value
