"""A source of spikes with gamma-distributed intervals."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp

from neurojax.core import Clock, Output, Parameter, SpikeOutput, parameter
from neurojax.core.inputs import MS_HZ
from neurojax.core.parameter_checks import check_positive
from neurojax.core.tracing import alike

from ._waiting import waited
from .source import AbstractGenerator, step_key


@final
class GammaRenewal(AbstractGenerator):
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
        ValueError: for a rate or shape that is not positive, or an array of another length.

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

    def init_state(self, *, key=None):
        """Before the first step, which draws the first waiting times."""
        n = self.n
        return {
            "left": jnp.zeros(n, jnp.int32),
            "fraction": jnp.zeros(n),
            "spike": jnp.zeros(n),
            "begun": jnp.zeros(n, bool),
        }

    def step(self, state, inputs, clock: Clock):
        """Count the steps to the next spike; draw an interval after it."""
        key = step_key(clock, "gamma intervals")
        rates = jax.lax.stop_gradient((self.rate, self.shape))
        state, key, (rate, shape) = alike((state, key, rates))
        fraction = state["fraction"]
        mean = 1.0 / (MS_HZ * rate * clock.dt)  # in steps
        gamma = lambda key, shape: jax.random.gamma(
            key, jnp.broadcast_to(shape, (self.n,)), dtype=fraction.dtype
        )
        scale = (mean / shape).astype(fraction.dtype)

        def first():
            part = jax.random.uniform(key, (self.n,), fraction.dtype)
            rest = part * gamma(jax.random.fold_in(key, 1), shape + 1.0) * scale
            # the spike is in the step that ends after it
            return waited(jnp.ones_like(state["left"]), jnp.zeros_like(fraction), rest)

        fresh = ~state["begun"]
        begun = jax.lax.cond(jnp.any(fresh), first, lambda: (state["left"], fraction))
        left = jnp.where(fresh, begun[0], state["left"]) - 1
        fraction = jnp.where(fresh, begun[1], fraction)
        now = left <= 0
        renewed = lambda: waited(left, fraction, gamma(key, shape) * scale)
        later = jax.lax.cond(jnp.any(now), renewed, lambda: (left, fraction))
        spike = now.astype(fraction.dtype)
        state = {
            "left": jnp.where(now, later[0], left),
            "fraction": jnp.where(now, later[1], fraction),
            "spike": spike,
            "begun": jnp.ones_like(state["begun"]),
        }
        return state, Output(spikes=SpikeOutput(spike, 0.5))
