"""A source that replays given spikes."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax

from neurojax.core import Clock, Output, SpikeOutput
from neurojax.core.parameter_checks import check_size
from neurojax.core.tracing import known
from neurojax.core.units import refuse_units

from .source import AbstractSource

_BLOCK = 64  # events that are looked at together


@final
class SpikeTimes(AbstractSource):
    r"""Replays spikes at given times.

    A spike is emitted in the step whose end is nearest to its time, half way between two in the
    later one, as by `Regular`; two spikes of a neuron in one step are one. Spikes that are a step
    apart stay apart. The events are sorted once a run, and a step looks only at its own (after a
    binary search).

    Times may be traced: trials of `jax.vmap` over times build their source inside, or replace
    `times`, in the order of that attribute (`neurons` says whose they are). They are counted in the
    precision of the run then, and not checked. They have no derivative (a delay with
    `interpolate=True` has one), but are an array as parameters are, which weight decay would move:
    `nj.frozen(source)` keeps them out of `nj.fit`, and of `eqx.partition` with
    `is_leaf=lambda x: isinstance(x, paramax.NonTrainable)` (in single precision, unless JAX has 64
    bits).

    Arguments:
        times: times in ms, above zero, in any order: one array, with `neurons`, or a list with one
            array per neuron.
        neurons: the neuron of each time.
        n: number of neurons; default: the length of the list, or as many as `neurons` names.
            `population(n)` keeps the spikes and has other neurons, which are silent.

    Raises:
        ValueError: for times that are not positive and finite, lists of different lengths, neurons
            outside 0 to n - 1, or (in a run) a time that is nearest to the start of the run, or
            replaced times that are not as many as `neurons`.

    Example:
        >>> import neurojax as nj
        >>> source = nj.neurons.SpikeTimes([[1.0, 3.0], [2.04]])
        >>> sim = nj.simulate(source, duration=4.0, dt=0.1, record={"spikes": nj.Spikes()})
        >>> sim["spikes"].neurons.tolist()
        [0, 1, 0]
        >>> [round(t, 3) for t in sim["spikes"].times.tolist()]
        [1.0, 2.0, 3.0]
    """

    times: Any
    neurons: Any
    labels: Any = eqx.field(init=False)  # steps, sorted
    laid_out: Any = eqx.field(init=False)  # the times and the dt of the labels; `None`: all is well
    n: int = eqx.field(static=True)

    def __init__(self, times, neurons=None, n: int | None = None):
        if neurons is None:
            trains = [_times(train) for train in times]
            if any(train.ndim != 1 for train in trains):
                raise ValueError(
                    "times must be a list with one array of spike times per neuron, or one array "
                    "with neurons= the neuron of each time"
                )
            neurons = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
            n = len(trains) if n is None else n
            join = np.concatenate if known(*trains) else jnp.concatenate
            times = join(trains) if trains else np.zeros(0)
        if not known(neurons):
            raise ValueError(
                "neurons must be known where a source is built, outside of jit and vmap"
            )
        times, neurons = _times(times), np.asarray(neurons)
        if times.ndim != 1 or times.shape != neurons.shape:
            raise ValueError(
                f"times and neurons must be lists of the same length, got shapes {times.shape} "
                f"and {neurons.shape}"
            )
        if neurons.size and not np.issubdtype(neurons.dtype, np.integer):
            raise ValueError(f"neurons must be whole numbers, got {neurons.dtype}")
        n = int(neurons.max(initial=0)) + 1 if n is None else n
        check_size(n)
        if neurons.size and not (neurons.min() >= 0 and neurons.max() < n):
            raise ValueError(
                f"neurons must lie between 0 and {n - 1} (n={n}), got {neurons.min()} to "
                f"{neurons.max()}"
            )
        if known(times):
            _check(times)
            order = np.argsort(times, kind="stable")
            times, neurons = times[order], neurons[order]
        self.times, self.neurons = times, jnp.asarray(neurons, jnp.int32)
        self.labels, self.laid_out, self.n = None, None, int(n)

    @classmethod
    def from_raster(cls, spikes, dt: float) -> "SpikeTimes":
        """Spikes as an array (step, neuron), nonzero for a spike in the step.

        Arguments:
            spikes: shape (steps, n); row k is emitted in step k, which ends at (k + 1) dt.
            dt: length of a step of the array, ms.

        Raises:
            ValueError: if the array is not a matrix, or has NaN in it.

        Example:
            >>> import numpy as np, neurojax as nj
            >>> source = nj.neurons.SpikeTimes.from_raster(np.eye(3), dt=0.5)
            >>> source.times.tolist()
            [0.5, 1.0, 1.5]
        """
        if not known(spikes):
            raise ValueError(
                "spikes must be known, outside of jit and vmap: how many there are is part of a "
                "program"
            )
        spikes = np.asarray(spikes)
        if spikes.ndim != 2:
            raise ValueError(f"spikes must be an array (step, neuron), got shape {spikes.shape}")
        if np.isnan(spikes).any():
            raise ValueError("spikes has NaN in it: put 0 where there is no spike")
        step, neuron = np.nonzero(spikes)
        return cls((step + 1) * float(dt), neuron, spikes.shape[1])

    def on_grid(self, dt: float) -> "SpikeTimes":
        """The same source with its times counted in steps of `dt` ms, in double precision."""
        times = paramax.unwrap(self.times)
        if np.shape(times) != self.neurons.shape:
            raise ValueError(
                f"times must be as many as neurons, {self.neurons.size}, got shape "
                f"{np.shape(times)}; build another SpikeTimes for another number of spikes"
            )
        if not known(times, dt):
            return self
        times, neurons = np.asarray(times, float), self.neurons
        _check(times)
        if (np.diff(times) < 0).any():
            order = np.argsort(times, kind="stable")
            times, neurons = times[order], neurons[order]
        labels = _nearest(times / float(dt))
        if labels.size and labels[0] < 1:
            raise ValueError(
                f"the spike at {times[0]} ms is nearest to time 0, where no step of {dt} ms "
                "ends; move it to the first step"
            )
        labels = jnp.asarray(_counted(labels, jnp.result_type(int)))
        laid_out = paramax.NonTrainable((times, float(dt)))
        if isinstance(self.times, paramax.NonTrainable):
            times = paramax.NonTrainable(times)
        return self._with(times, neurons, labels, laid_out)

    def prepare_steps(self, state, inputs, clock: Clock) -> "SpikeTimes":
        """The same source with its events in order, laid out anew if their times are others."""
        if not self.neurons.shape[0] or (self.labels is not None and self.laid_out is None):
            return self
        times = jax.lax.stop_gradient(jnp.asarray(paramax.unwrap(self.times), float))

        def anew():
            labels = jnp.asarray(_counted(_nearest(times / clock.dt), jnp.result_type(int)))
            return jax.lax.sort((labels, self.neurons), num_keys=1)

        if self.labels is None:
            labels, neurons = anew()
        else:
            old, dt = paramax.unwrap(self.laid_out)
            same = jnp.all(times == jnp.asarray(old, float)) & (jnp.abs(clock.dt / dt - 1) < 1e-6)
            labels, neurons = jax.lax.cond(same, lambda: (self.labels, self.neurons), anew)
        return self._with(self.times, neurons, labels, None)

    def _with(self, times, neurons, labels, laid_out) -> "SpikeTimes":
        parts = lambda s: (s.times, s.neurons, s.labels, s.laid_out)
        return eqx.tree_at(
            parts, self, (times, neurons, labels, laid_out), is_leaf=lambda x: x is None
        )

    def init_state(self, *, key=None):
        """No spike."""
        return {"spike": jnp.zeros(self.n)}

    def step(self, state, inputs, clock: Clock):
        """Emit the spikes whose time is nearest to the end of this step."""
        spike = jnp.zeros_like(state["spike"])
        # a step may be taken by itself
        ready = self if self.labels is not None else self.prepare_steps(state, inputs, clock)
        if self.neurons.shape[0] > 0:
            spike = ready._emitted(spike, clock)
        return {"spike": spike}, Output(spikes=SpikeOutput(spike, 0.5))

    def _emitted(self, spike, clock: Clock):
        labels = self.labels
        now = (clock.step + 1).astype(labels.dtype)
        total = labels.shape[0]
        size = min(_BLOCK, total)

        def more(carry):
            at, _ = carry
            return (at < total) & (labels[jnp.minimum(at, total - 1)] == now)

        def block(carry):
            # the last block is moved back to fit, so it may mark some spikes twice
            at, spike = carry
            hit = jax.lax.dynamic_slice(labels, (at,), (size,)) == now
            which = jax.lax.dynamic_slice(self.neurons, (at,), (size,))
            return at + size, spike.at[which].max(hit.astype(spike.dtype))

        first = jnp.searchsorted(labels, now).astype(jnp.int32)
        return jax.lax.while_loop(more, block, (first, spike))[1]


def _times(given):
    """Times as numbers of double precision, or as they are traced."""
    refuse_units("times", given)
    return np.asarray(given, float) if known(*jax.tree.leaves(given)) else jnp.asarray(given, float)


def _check(times):
    if not (np.isfinite(times) & (times > 0)).all():
        raise ValueError("times must be positive and finite (ms): a step ends after time 0")


def _nearest(steps):
    """The nearest whole numbers; what was lost in float32 or by dividing does not decide a half."""
    xp = np if isinstance(steps, np.ndarray) else jnp
    lost = max(4 * float(xp.finfo(steps.dtype).eps), 1e-7) * steps
    return xp.floor(steps + 0.5 + xp.minimum(lost, 1e-3))


def _counted(labels, dtype):
    """Sorted steps as integers; what these do not count is in the last, which no run reaches."""
    xp, last = np if isinstance(labels, np.ndarray) else jnp, int(jnp.iinfo(dtype).max)
    late = labels >= float(last)
    return xp.where(late, last, xp.where(late, 0.0, labels).astype(dtype)).astype(dtype)
