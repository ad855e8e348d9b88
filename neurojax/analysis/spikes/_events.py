"""Spikes of any source as flat arrays, and what the functions check in common."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Int64

from neurojax.core import Simulation, SpikeRecord
from neurojax.core.open_records import Records

Number = float | int | np.number
HZ = 1e3  # spikes per ms as Hz
_EXACT = 1e-12  # relative error of times in float64: some rounding, or a long sum
SINGLE = float(np.finfo(np.float32).eps)
SHARE = 0.05  # of a bin or a step: what is further from an edge is no rounding


class Events(NamedTuple):
    """Times (ms) and neurons of all spikes, the number of neurons, and how exact the times are.

    `error` is the relative error of the times, `step` the distance of their grid, where known.
    """

    times: Float64[np.ndarray, " spike"]
    neurons: Int64[np.ndarray, " spike"]
    n: int
    error: float = _EXACT
    step: float = np.inf

    def part(self, which: np.ndarray) -> "Events":
        """Some of the spikes, or all in another order."""
        return self._replace(times=self.times[which], neurons=self.neurons[which])


def events(source: Any) -> Events:
    """The spikes of a source (see the package), in its own order."""
    if isinstance(source, SpikeRecord):
        times, neurons = np.asarray(source.times, float), source.neurons.astype(np.int64)
        return Events(times, neurons, source.n, _error(source.dt), float(source.dt))
    if isinstance(source, dict):
        return _joined([events(part) for part in source.values()])
    if isinstance(source, Events):
        return source
    if isinstance(source, tuple):
        return _of_tuple(source)
    if isinstance(source, list) and not source:
        raise ValueError(
            "source is an empty list: there is no train in it; a train without spikes is [[]]"
        )
    if isinstance(source, list) and all(np.ndim(train) == 1 for train in source):
        return _of_trains(source)
    array = isinstance(source, np.ndarray | jax.Array | list)
    advice = _advice(source)
    if array and np.ndim(source) == 1 and not advice:
        return _of_trains([source])
    raise TypeError(
        "source must be a SpikeRecord, a dictionary of them, a tuple (times, neurons), a list of "
        f"trains or one train of times in ms, got {_shown(source)}{advice}"
    )


def window(found: Events, t_start: Number, t_stop: Number | None, bin: Number = np.inf) -> Events:
    """The spikes in the window, up to the rounding of times (see `slack`)."""
    t_start = finite("t_start", t_start)
    t_stop = None if t_stop is None else plain_number("t_stop", t_stop)
    if t_stop is not None and not t_stop > t_start:
        raise ValueError(f"t_stop must be after t_start={t_start:g} ms, got {t_stop:g} ms")
    # from zero on: also what is at zero
    rounding = slack(found, t_start, bin)
    late = found.times > (t_start + rounding if t_start != 0 else -rounding)
    if t_stop is not None:
        late &= found.times <= t_stop + slack(found, t_stop, bin)
    return found.part(late)


def length(t_start: Any, t_stop: Any) -> Any:
    """How long a window is that has an end, ms."""
    return finite("t_stop", t_stop) - finite("t_start", t_start)


def slack(found: Events, time: Any, bin: Number = np.inf) -> Any:
    """How far the rounding of its number may take a spike from the time (ms) that is meant.

    It follows the precision of the times and stays well below a bin, and below the step where
    that is known: what float32 has lost at late times cannot be found again.
    """
    return np.minimum(1e-9 + found.error * np.abs(time), SHARE * min(bin, found.step))


def finite(name: str, value: Any) -> float:
    """The value, or an exception that names it."""
    number = plain_number(name, value)
    if not np.isfinite(number):
        raise ValueError(f"{name} must be a finite time in ms, got {value!r}")
    return number


def positive(name: str, value: Any, unit: str = "ms") -> float:
    """The value, or an exception that names it."""
    number = plain_number(name, value)
    if not 0 < number < np.inf:
        raise ValueError(f"{name} must be positive and finite ({unit}), got {value!r}")
    return number


def numbers(name: str, value: Any, way: str) -> np.ndarray:
    """An array of numbers, and not a record of spikes, for which there is another way."""
    if isinstance(value, SpikeRecord):
        raise TypeError(f"{name} must be an array of numbers, got a SpikeRecord: {way}")
    return np.asarray(value, float)


def plain_number(name: str, value: Any) -> float:
    """A number in float64: 0.1 for the 32-bit number that is nearest to 0.1; NaN for `None`."""
    if hasattr(value, "rescale"):
        raise TypeError(f"{name} must be a number in ms, got {value}: use its value in ms")
    try:
        number = np.nan if value is None else float(value)
    except (TypeError, ValueError):
        number = None
    if number is None or isinstance(value, str):
        raise TypeError(f"{name} must be a number, got {value!r}")
    short = float(f"{number:.5g}")
    with np.errstate(over="ignore"):
        return short if float(np.float32(short)) == number else number


def milliseconds(times: Any) -> Any:
    """Times that bear a unit, as those of neo and quantities, as numbers in ms."""
    if hasattr(times, "rescale"):
        return times.rescale("ms").magnitude
    several = isinstance(times, list | tuple) and len(times) and hasattr(times[0], "rescale")
    return np.array([float(milliseconds(time)) for time in times]) if several else times


def one_train(name: str, train: Any) -> Float64[np.ndarray, " spike"]:
    """Sorted times of one train."""
    if isinstance(train, SpikeRecord):
        raise ValueError(
            f"{name} must be one train of times in ms, got a SpikeRecord of {train.n} neurons: "
            "give the train of one, for example record.train(0)"
        )
    try:
        times = np.asarray(milliseconds(train), float)
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
    given = milliseconds(source[0])
    times, neurons = np.asarray(given, float), np.asarray(source[1])
    if times.ndim != 1 or times.shape != neurons.shape:
        raise ValueError(
            f"times and neurons must be equally long, got {times.shape} and {neurons.shape}"
        )
    if neurons.size and not np.issubdtype(neurons.dtype, np.integer):
        raise TypeError(f"neurons must be whole numbers, got {neurons.dtype}; trains go in a list")
    least = int(neurons.max()) + 1 if neurons.size else 0
    n = source[2] if len(source) == 3 else least
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise ValueError(
            f"n of (times, neurons, n) must be a whole number of neurons, 0 or more, got {n!r}"
        )
    if neurons.size and (neurons.min() < 0 or least > n):
        raise ValueError(
            f"neurons must lie between 0 and {n - 1}, got {neurons.min()} to {neurons.max()}"
        )
    return _checked(Events(times, neurons.astype(np.int64), int(n), _error(given)))


def _of_trains(trains: list) -> Events:
    trains = [milliseconds(train) for train in trains]
    arrays = [np.asarray(train, float) for train in trains]
    owners = np.repeat(np.arange(len(arrays)), [len(a) for a in arrays]).astype(np.int64)
    error = max(map(_error, trains))
    return _checked(Events(np.concatenate(arrays), owners, len(arrays), error))


def _joined(parts: list[Events]) -> Events:
    if not parts:
        raise ValueError("source is an empty dictionary: there is no population in it")
    first = np.cumsum([0] + [part.n for part in parts])
    return Events(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.neurons + k for part, k in zip(parts, first, strict=False)]),
        int(first[-1]),
        max(part.error for part in parts),
        min(part.step for part in parts),
    )


def _error(times) -> float:
    """The relative error of times in the precision they are given in."""
    kind = getattr(times, "dtype", np.dtype(float))
    return max(_EXACT, float(jnp.finfo(kind).eps)) if jnp.issubdtype(kind, np.floating) else _EXACT


def _advice(source) -> str:
    """What to give instead, where that is known."""
    if isinstance(source, np.ndarray) and source.dtype == object and any(map(_is_list, source)):
        return "; give a list of trains, as in list(source)"
    if isinstance(source, Simulation | Records):
        spikes = (k for k, r in source.records.items() if isinstance(r, SpikeRecord | dict))
        return f"; give its record of spikes, as in sim[{next(spikes, 'spikes')!r}]"
    if isinstance(source, list) and any(isinstance(part, SpikeRecord) for part in source[:1]):
        return "; give a dictionary of records, as in {'E': a, 'I': b}"
    return ""


def _checked(found: Events) -> Events:
    if not np.all(np.isfinite(found.times)):
        raise ValueError("spike times must be finite (ms); there is a NaN or an infinity")
    return found


def _is_list(entry) -> bool:
    return isinstance(entry, list | tuple) or np.ndim(entry) > 0


def _shown(source) -> str:
    shape = getattr(source, "shape", None)
    if shape is not None:
        return f"an array of shape {shape}"
    plain = isinstance(source, str | int | float | list | tuple | None)
    return f"{source!r}"[:60] if plain else f"a {type(source).__name__}"
