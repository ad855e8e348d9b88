"""A source of regular spikes."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax

from neurojax.core import Clock, Output, Parameter, SpikeOutput, parameter
from neurojax.core.inputs import MS_HZ
from neurojax.core.parameter_checks import check_finite, check_positive
from neurojax.core.tracing import known

from ._waiting import in_steps, recounted, waited
from .source import AbstractSource


@final
class Regular(AbstractSource):
    r"""Spikes at $\mathrm{phase} + k \cdot \mathrm{interval}$, $k = 0, 1, \dots$.

    Each is emitted in the step whose end is nearest, half way between two in the later one; a first
    one that is nearest to time 0, where no step ends, is left out. The time to the next spike is
    kept in whole steps and a fraction, so that the trains stay exact over long runs. Times count
    from the start of the run.

    Arguments:
        interval: ms between spikes, scalar or (n,); at least one step.
        rate: Hz, in place of `interval`.
        phase: time of the first spike, ms, scalar or (n,), zero or more; default one interval.
        n: number of neurons.

    Raises:
        ValueError: if not just one of interval and rate is given, one of them is not positive
            or infinite, a phase is negative, or a shape does not fit.

    Example:
        >>> import neurojax as nj
        >>> source = nj.neurons.Regular(interval=7.5)
        >>> record = {"spikes": nj.Spikes()}
        >>> sim = nj.simulate(source, duration=25.0, dt=0.5, record=record)
        >>> sim["spikes"].times.tolist()
        [7.5, 15.0, 22.5]
    """

    interval: Parameter = parameter(None)
    rate: Parameter = parameter(None)
    phase: Parameter = parameter(None)
    n: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        if (self.interval is None) == (self.rate is None):
            raise ValueError("Regular needs either interval= (ms) or rate= (Hz)")
        given = "rate" if self.interval is None else "interval"
        check_positive(self, given)
        check_finite(self, given)
        if self.phase is not None:
            check_positive(self, "phase", zero=True)

    def _interval(self):
        return 1.0 / (MS_HZ * self.rate) if self.interval is None else self.interval

    def on_grid(self, dt: float) -> "Regular":
        """The same source, if its intervals are at least one step."""
        interval = paramax.unwrap(self)._interval()
        if known(interval) and not np.all(np.asarray(interval) >= dt * (1 - 1e-6)):
            raise ValueError(
                f"Regular has intervals below one step of {dt} ms, got {interval.min()} ms"
            )
        return self

    def init_state(self, *, key=None):
        """Before the first step, which knows how long a step is."""
        n = self.n
        return {"left": jnp.full(n, -1, jnp.int32), "fraction": jnp.zeros(n), "spike": jnp.zeros(n)}

    def recounted(self, state, before, dt):
        """The steps to the next spike; those of a source that has not begun are not known yet."""
        own, fresh = recounted(state, before, dt, late=0.5), state["left"] < 0
        own = own | {"left": jnp.maximum(own["left"], 0)}
        return state | {name: jnp.where(fresh, state[name], own[name]) for name in own}

    def step(self, state, inputs, clock: Clock):
        """Count the steps to the next spike."""
        interval = jax.lax.stop_gradient(self._interval())
        phase = interval if self.phase is None else jax.lax.stop_gradient(self.phase)
        every = lambda time: jnp.broadcast_to(in_steps(time, clock.dt), (self.n,))
        none = jnp.zeros(self.n, jnp.int32), jnp.full(self.n, 0.5, clock.dt.dtype)
        begin = waited(*none, every(phase))  # one half more: the nearest step
        # no step ends at time 0: the second spike comes first
        second = waited(*begin, every(interval))
        first, part = (jnp.where(begin[0] < 1, b, a) for a, b in zip(begin, second, strict=True))
        fresh = state["left"] < 0
        left = jnp.where(fresh, jnp.maximum(first, 1), state["left"]) - 1
        fraction = jnp.where(fresh, part, state["fraction"])
        now = left <= 0
        next_left, next_fraction = waited(left, fraction, every(interval))
        spike = now.astype(state["spike"].dtype)
        state = {
            "left": jnp.where(now, jnp.maximum(next_left, 0), left),
            "fraction": jnp.where(now, next_fraction, fraction),
            "spike": spike,
        }
        return state, Output(spikes=SpikeOutput(spike, 0.5))
