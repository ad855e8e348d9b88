"""What a simulation keeps: recorders."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from . import paths
from .errors import UnknownNameError, suggestion
from .tracing import is_traced


class Trace(eqx.Module):
    """Record a part of the visible state (or of the output) over time.

    A sample bears the label of the end of its step, so a run of n steps gives n samples, at
    dt, 2 dt, ..., n dt. With `every=k` these are the samples whose step number is a multiple of
    k (counted from the start of the run where a transform hides the step of a state to go on
    from; `times` says which ones they are). With `at=` these are the values at the given times,
    linearly interpolated between steps.

    The path `"spikes"`, or `"E.spikes"` for a population of a network, gives spikes as 0 and 1
    with the derivative of the population's surrogate, for losses on spikes and rates; the counts
    of `Spikes` and of `stats` have no derivative.

    Arguments:
        what: dotted path (`"V_m"`, `"E.V_m"`) or a function of the visible state.
        index: which elements along the neuron axis: a slice, an integer or an index array.
        every: keep every k-th step.
        at: times in ms (concrete, increasing) instead of `every`.

    Raises:
        ValueError: if `every` is not a positive integer or `at` is not increasing.

    Example:
        >>> import neurojax as nj
        >>> nj.Trace("E.V_m", slice(10), every=10).every
        10
    """

    what: str | Callable = eqx.field(static=True)
    index: Any = None
    every: int = eqx.field(static=True, default=1)
    at: tuple[float, ...] | None = eqx.field(static=True, default=None)
    among: int | None = eqx.field(static=True, default=None)  # entries of a mask that was given

    def __init__(self, what, index=None, *, every: int = 1, at=None):
        if not (isinstance(what, str) or callable(what)):
            raise TypeError(
                f"Trace wants a path like 'V_m' or a function of the state, got {what!r}"
            )
        if isinstance(every, bool) or not isinstance(every, int | np.integer) or every < 1:
            raise ValueError(f"every must be a positive whole number of steps, got {every!r}")
        if at is not None:
            if every != 1:
                raise ValueError("give either every= or at=, not both")
            at = np.atleast_1d(np.asarray(at, float))
            if at.ndim != 1 or at.size == 0 or not np.all(np.isfinite(at)):
                raise ValueError(f"at must be a list of finite times in ms, got shape {at.shape}")
            if np.any(np.diff(at) <= 0):
                raise ValueError("at must be strictly increasing times in ms")
            at = tuple(at.tolist())
        self.what, self.every, self.at = what, int(every), at
        self.index = _as_index(index)
        listed: Any = None if is_traced(index) or isinstance(index, slice) else index
        masked = np.ndim(listed) == 1 and np.asarray(listed).dtype == bool
        self.among = len(listed) if masked else None

    def read(self, state):
        """The recorded part of a visible state."""
        return self.pick(self.what(state) if callable(self.what) else paths.get(state, self.what))

    def pick(self, value):
        """The elements of `value` that `index` names."""
        if self.index is None:
            return jax.tree.map(jnp.asarray, value)
        index = self.index.as_slice() if isinstance(self.index, _Slice) else self.index
        return jax.tree.map(lambda x: jnp.asarray(x)[index], value)


def _as_index(index):
    """Slices in a hashable form, lists and masks as index arrays."""
    if isinstance(index, slice):
        return _Slice(index)  # slices are not hashable before Python 3.12
    if index is None or isinstance(index, _Slice) or is_traced(index):
        return index
    if isinstance(index, int | np.integer) and not isinstance(index, bool):
        return int(index)
    array = np.asarray(index)
    if array.dtype == bool and array.ndim == 1:
        return np.flatnonzero(array)
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"index must be a slice, integers or a mask of neurons, got {index!r}")
    return array


def check_index(name: str, recorder: Trace, value) -> None:
    """JAX clamps an index that is out of range; here it is refused, as is an empty selection."""
    index = recorder.index
    if index is None or is_traced(index):
        return
    for leaf in jax.tree.leaves(value):
        if leaf.ndim == 0:
            raise ValueError(f"record {name!r}: index= needs an array, the record is one number")
        n = leaf.shape[0]
        if recorder.among not in (None, n):
            raise ValueError(
                f"record {name!r}: the mask has {recorder.among} entries, the record {n} elements"
            )
        if isinstance(index, _Slice):
            if n and not len(range(n)[index.as_slice()]):
                raise ValueError(
                    f"record {name!r}: index={index.as_slice()} selects none of {n} elements"
                )
            continue
        found = np.asarray(index)
        if found.size == 0:
            what = "an empty list" if recorder.among is None else "a mask without True"
            raise ValueError(
                f"record {name!r}: index= is {what}, which selects none of {n} elements"
            )
        if np.any((found < -n) | (found >= n)):
            raise ValueError(
                f"record {name!r}: index {found[(found < -n) | (found >= n)].flat[0]} is out of "
                f"range for {n} elements"
            )


def indices_of(recorders: dict[str, Any]) -> dict[str, Any]:
    """What traces of a part of the elements were asked for, by name."""
    traces = {name: r for name, r in recorders.items() if isinstance(r, Trace)}
    return {name: trace.index for name, trace in traces.items() if trace.index is not None}


def asked_of(recorders: dict[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The paths of traces and the populations of records of spikes, by name of record."""
    found = []
    for name, recorder in recorders.items():
        if isinstance(recorder, Spikes):
            found.append((name, recorder.names))
        elif isinstance(recorder, Trace) and isinstance(recorder.what, str):
            found.append((name, (recorder.what,)))
    return tuple(found)


def chosen(index, n: int) -> np.ndarray:
    """The numbers of the elements, of `n`, that an index of a trace names."""
    return np.atleast_1d(np.arange(n)[index.as_slice() if isinstance(index, _Slice) else index])


class _Slice(eqx.Module):
    start: int | None = eqx.field(static=True)
    stop: int | None = eqx.field(static=True)
    step: int | None = eqx.field(static=True)

    def __init__(self, index: slice):
        self.start, self.stop, self.step = index.start, index.stop, index.step

    def as_slice(self) -> slice:
        return slice(self.start, self.stop, self.step)


class Spikes(eqx.Module):
    """Record every spike of the named populations, or of the model itself without a name.

    Gives a `SpikeRecord`, or a dictionary of them for several names.

    Arguments:
        names: of populations, dotted for parts of parts (`"left.E"`); none for a model that is one.

    Example:
        >>> import neurojax as nj
        >>> nj.Spikes("E", "I").names
        ('E', 'I')
    """

    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, *names: Any):
        for name in names:
            if not isinstance(name, str):
                raise TypeError(
                    f"Spikes takes names of populations, as in nj.Spikes('E', 'I'), got {name!r}"
                )
        self.names = names

    def read(self, output) -> dict[str, Any]:
        """Packed spikes of one step by population."""
        return {name: part.spikes.packed() for name, part in self.parts(output).items()}

    def parts(self, output) -> dict[str, Any]:
        """The outputs of the named populations."""
        parts = {}
        for name in self.names or ("",):
            part = output
            for piece in name.split(".") if name else ():
                part = part.parts.get(piece) if part is not None else None
            if part is None or part.spikes is None:
                known = [n for n, p in outputs_by_name(output).items() if p.spikes is not None]
                label = f"Spikes({name!r})" if name else "Spikes()"
                raise UnknownNameError(
                    f"{label}: no such population emits spikes.{suggestion(name, known)}"
                )
            parts[name] = part
        return parts


def outputs_by_name(output, prefix: str = "") -> dict[str, Any]:
    """All outputs of a nested model by dotted name; the model itself has the empty name."""
    found = {prefix: output}
    for name, part in output.parts.items():
        found |= outputs_by_name(part, f"{prefix}.{name}" if prefix else name)
    return found


def readouts(output) -> dict[str, Any]:
    """The named values of an output, nested by part."""
    return dict(output.values) | {name: readouts(part) for name, part in output.parts.items()}


def readout(output, path: str):
    """A named value of an output, the `spikes` of one of its parts, or `None`."""
    value = paths.get(readouts(output), path)
    return _spike_values(output, path) if value is None else value


def _spike_values(output, path: str):
    """Spikes as 0 and 1 with their surrogate derivative, for `"spikes"` or `"E.spikes"`."""
    *names, last = path.split(".")
    if last != "spikes":
        return None
    for name in names:
        output = output.parts.get(name)
        if output is None:
            return None
    if output.spikes is None:
        return None
    abstract = any(isinstance(x, jax.ShapeDtypeStruct) for x in jax.tree.leaves(output.spikes))
    values = lambda spikes: spikes.values()
    return eqx.filter_eval_shape(values, output.spikes) if abstract else values(output.spikes)


def as_recorders(record) -> dict[str, Trace | Spikes]:
    """The `record=` argument of `simulate` as named recorders."""
    if record is None:
        return {}
    if not isinstance(record, dict):
        raise TypeError(
            f"record must be a dictionary of recorders, for example {{'v': nj.Trace('V_m')}}, "
            f"got {type(record).__name__}"
        )
    recorders = {}
    for name, recorder in record.items():
        if recorder is Trace or recorder is Spikes:
            what = "'V_m'" if recorder is Trace else "'E'"
            raise TypeError(
                f"record[{name!r}] is the class {recorder.__name__} itself: write "
                f"nj.{recorder.__name__}(...), for example nj.{recorder.__name__}({what})"
            )
        if isinstance(recorder, Trace | Spikes):
            recorders[str(name)] = recorder
        elif isinstance(recorder, str) or callable(recorder):
            recorders[str(name)] = Trace(recorder)
        else:
            raise TypeError(
                f"record[{name!r}] must be nj.Trace, nj.Spikes, a path or a function of the "
                f"state, got {recorder!r}"
            )
    return recorders
