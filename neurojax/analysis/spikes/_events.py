"""Spikes of any source as flat arrays, and what the functions check in common."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float64, Int64

from neurojax.core import SpikeRecord

Number = float | int | np.number
HZ = 1e3  # spikes per ms as Hz


class Events(NamedTuple):
    """Times (ms) and neurons of all spikes, and the number of neurons."""

    times: Float64[np.ndarray, " spike"]
    neurons: Int64[np.ndarray, " spike"]
    n: int


def events(source: Any) -> Events:
    """The spikes of a source (see the package), in its own order."""
    if isinstance(source, SpikeRecord):
        return Events(np.asarray(source.times, float), source.neurons.astype(np.int64), source.n)
    if isinstance(source, dict):
        return _joined([events(part) for part in source.values()])
    if isinstance(source, Events):
        return source
    if isinstance(source, tuple):
        return _of_tuple(source)
    if isinstance(source, list) and source and all(np.ndim(train) == 1 for train in source):
        return _of_trains(source)
    array = isinstance(source, np.ndarray | jax.Array) or (isinstance(source, list) and source)
    if array and np.ndim(source) == 1:
        return _of_trains([np.asarray(source)])
    raise TypeError(
        "source must be a SpikeRecord, a dictionary of them, a tuple (times, neurons), a list of "
        f"trains or one train of times in ms, got {_shown(source)}"
    )


def window(found: Events, t_start: Number, t_stop: Number | None) -> Events:
    """The spikes in the window."""
    if t_stop is not None and not t_stop > t_start:
        raise ValueError(f"t_stop must be after t_start={t_start:g} ms, got {t_stop:g} ms")
    # from zero on: also what is at zero
    edge = t_start + slack(t_start) if t_start != 0 else -slack(0.0)
    late = found.times > edge
    if t_stop is not None:
        late &= found.times <= t_stop + slack(t_stop)
    return Events(found.times[late], found.neurons[late], found.n)


def slack(time) -> Any:
    """How far a time (ms) that a float32 step length makes may be off."""
    return 1e-9 + 1e-7 * np.abs(time)


def positive(name: str, value: Number, unit: str = "ms") -> float:
    """The value, or an exception that names it."""
    if not 0 < float(value) < np.inf:
        raise ValueError(f"{name} must be positive and finite ({unit}), got {value!r}")
    return float(value)


def one_train(name: str, train: Any) -> Float64[np.ndarray, " spike"]:
    """Sorted times of one train."""
    if isinstance(train, SpikeRecord):
        raise ValueError(
            f"{name} must be one train of times in ms, got a SpikeRecord of {train.n} neurons: "
            "give the train of one, for example record.train(0)"
        )
    try:
        times = np.asarray(train, float)
    except ValueError:  # rows of different lengths, or words
        times = np.zeros((0, 0))
    if times.ndim != 1 and isinstance(train, list | tuple) and any(map(_is_list, train)):
        raise ValueError(
            f"{name} must be one train of times in ms, got a {type(train).__name__} of "
            f"{len(train)} trains: give one of them, for example {name}[0]"
        )
    if times.ndim != 1 or not np.all(np.isfinite(times)):
        raise ValueError(f"{name} must be one train of finite times in ms, got {_shown(train)}")
    return np.sort(times)


def _of_tuple(source: tuple) -> Events:
    if len(source) not in (2, 3):
        raise ValueError(
            f"a tuple must be (times, neurons) or (times, neurons, n), got {len(source)} entries; "
            "give trains as a list"
        )
    times, neurons = np.asarray(source[0], float), np.asarray(source[1])
    if times.ndim != 1 or times.shape != neurons.shape:
        raise ValueError(
            f"times and neurons must be equally long, got {times.shape} and {neurons.shape}"
        )
    if neurons.size and not np.issubdtype(neurons.dtype, np.integer):
        raise TypeError(f"neurons must be whole numbers, got {neurons.dtype}; trains go in a list")
    least = int(neurons.max()) + 1 if neurons.size else 0
    n = int(source[2]) if len(source) == 3 else least
    if neurons.size and (neurons.min() < 0 or least > n):
        raise ValueError(
            f"neurons must lie between 0 and {n - 1}, got {neurons.min()} to {neurons.max()}"
        )
    return _checked(Events(times, neurons.astype(np.int64), n))


def _of_trains(trains: list) -> Events:
    arrays = [np.asarray(train, float) for train in trains]
    owners = np.repeat(np.arange(len(arrays)), [len(a) for a in arrays])
    return _checked(Events(np.concatenate(arrays), owners.astype(np.int64), len(arrays)))


def _joined(parts: list[Events]) -> Events:
    if not parts:
        raise ValueError("source is an empty dictionary: there is no population in it")
    first = np.cumsum([0] + [part.n for part in parts])
    return Events(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.neurons + k for part, k in zip(parts, first, strict=False)]),
        int(first[-1]),
    )


def _checked(found: Events) -> Events:
    if not np.all(np.isfinite(found.times)):
        raise ValueError("spike times must be finite (ms); there is a NaN or an infinity")
    return found


def _is_list(entry) -> bool:
    return isinstance(entry, list | tuple) or np.ndim(entry) > 0


def _shown(source) -> str:
    shape = getattr(source, "shape", None)
    return f"an array of shape {shape}" if shape is not None else f"{source!r}"[:60]
