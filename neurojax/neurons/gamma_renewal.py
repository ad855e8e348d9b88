"""A source of spikes with gamma-distributed intervals."""

from functools import partial
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax

from neurojax.connectivity.spike_list import count_spikes, neurons, rows
from neurojax.core import Clock, Output, Parameter, SpikeOutput, parameter
from neurojax.core.inputs import MS_HZ
from neurojax.core.parameter_checks import check_positive
from neurojax.core.spikes import pack
from neurojax.core.tracing import alike, known

from ._waiting import recounted, waited
from .source import AbstractSource, step_key

_AT_ONCE = 16


@final
class GammaRenewal(AbstractSource):
    r"""Renewal processes with gamma-distributed intervals, stationary from the start.

    The intervals have mean 1 / rate and coefficient of variation $1/\sqrt{\mathrm{shape}}$: 1 is a
    Poisson process, large shapes are nearly regular. The first spike comes after the rest of an
    interval under way (a uniform part of a length-biased interval). Each spike falls into the step
    in which its time lies; of two in one step the second waits for the next step, so that none is
    lost.

    Arguments:
        rate: Hz, scalar or (n,).
        shape: of the gamma law, scalar or (n,).
        n: number of neurons.

    Needs a key.

    Raises:
        ValueError: for a rate or shape that is not positive, an array of another length, or (in a
            run) a rate above one spike per step.

    Source: Cox (1962), Renewal Theory; Gerstner et al. (2014), Neuronal Dynamics, chapter 7.

    Example:
        >>> import jax, neurojax as nj
        >>> source = nj.neurons.GammaRenewal(rate=50.0, shape=4.0, n=200)
        >>> sim = nj.simulate(source, duration=200.0, dt=1.0, key=jax.random.key(0))
        >>> 1900 < int(sim.stats.spikes[""]) < 2100
        True
    """

    rate: Parameter = parameter(10.0)
    shape: Parameter = parameter(1.0)
    n: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        check_positive(self, "rate", "shape")

    def on_grid(self, dt: float) -> "GammaRenewal":
        """The same source, if its mean intervals are at least one step."""
        rate = paramax.unwrap(self.rate)
        if known(rate) and not np.all(MS_HZ * np.asarray(rate) * dt <= 1 + 1e-6):
            raise ValueError(
                f"rate of GammaRenewal is above one spike in each step of {dt:g} ms: "
                f"{float(np.max(rate)):g} Hz"
            )
        return self

    def init_state(self, *, key=None):
        """Before the first step, which draws the first waiting times."""
        n = self.n
        return {
            "left": jnp.zeros(n, jnp.int32),
            "fraction": jnp.zeros(n),
            "spike": jnp.zeros(n),
            "begun": jnp.zeros(n, bool),
        }

    def recounted(self, state, before, dt):
        """The steps to the next spike."""
        return state | recounted(state, before, dt, late=1.0)

    def step(self, state, inputs, clock: Clock):
        """Count the steps to the next spike; draw an interval after it."""
        state, rates = jax.lax.stop_gradient((state, (self.rate, self.shape)))
        key = step_key(clock, "gamma intervals")
        number = jnp.arange(self.n) if clock.portion is None else clock.portion.neurons
        state, key, number, (rate, shape) = alike((state, key, number, rates))
        kind = state["fraction"].dtype
        shape = jnp.broadcast_to(shape, (self.n,)).astype(kind)
        scale = (1.0 / (MS_HZ * rate * clock.dt) / shape).astype(kind)  # in steps

        def gamma(which, more: int):
            """Draws of a gamma law for some neurons, each a function of the neuron's number."""
            keys = jax.vmap(partial(jax.random.fold_in, key))(2 * number[which] + more)
            draw = partial(jax.random.gamma, dtype=kind)
            return jax.vmap(draw)(keys, shape[which] + more) * scale[which]

        def first():
            rest = clock.uniform("gamma beginnings", (self.n,), kind) * gamma(jnp.arange(self.n), 1)
            # the spike is in the step that ends after it
            return waited(jnp.ones_like(state["left"]), jnp.zeros_like(rest), rest)

        def renewed(which, left, fraction):
            return waited(left[which], fraction[which], gamma(which, 0))

        fresh = ~state["begun"]
        started = lambda: (state["left"], state["fraction"])
        begun = jax.lax.cond(jnp.any(fresh), first, started)
        left = jnp.where(fresh, begun[0], state["left"]) - 1
        fraction = jnp.where(fresh, begun[1], state["fraction"])
        now = left <= 0
        left, fraction = for_each(now, renewed, (left, fraction))
        spike = now.astype(kind)
        state = {
            "left": left, "fraction": fraction, "spike": spike,
            "begun": jnp.ones_like(state["begun"]),
        }  # fmt: skip
        return state, Output(spikes=SpikeOutput(spike, 0.5))


def for_each(chosen, change, values):
    """Arrays (n,) with `change(which, *values)` at the chosen neurons, at a cost that follows them.

    Draws of a gamma law take half a microsecond each: too much for all neurons in every step.
    """
    n, length = chosen.shape[0], min(_AT_ONCE, chosen.shape[0])
    words = pack(lambda part: chosen[part], n)
    counts = count_spikes(words)

    def one(carry):
        begin, values = carry
        which, real = neurons(rows(words, counts, begin, length), words.shape[0], n)
        new, place = change(which, *values), jnp.where(real, which, n)
        put = lambda old, x: old.at[place].set(x, mode="drop", wrap_negative_indices=False)
        return begin + length, tuple(map(put, values, new))

    begin, total, values = alike((jnp.zeros((), jnp.int32), counts.total, values))
    return jax.lax.while_loop(lambda carry: carry[0] < total, one, (begin, values))[1]
