"""A relay of spikes."""

from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp

from neurojax.core import Clock, Output, SpikeOutput

from .source import AbstractSource


@final
class Parrot(AbstractSource):
    """Neurons that repeat what arrives at their port `spikes`.

    Any impulse above zero makes one spike in the step in which it arrives, whatever its weight;
    several at once make one spike.

    Arguments:
        n: number of neurons.

    Input: impulses at `spikes`.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> inputs = {"spikes": jnp.array([1.0, 0.0])}
        >>> sim = nj.simulate(nj.neurons.Parrot(n=2), duration=3.0, dt=1.0, inputs=inputs)
        >>> int(sim.stats.spikes[""])
        3
    """

    n: int = eqx.field(static=True, default=1)
    receives: ClassVar[bool] = True

    def init_state(self, *, key=None):
        """Nothing has arrived."""
        return {"received": jnp.zeros(self.n)}

    def step(self, state, inputs, clock: Clock):
        """Repeat what arrives."""
        old = state["received"]
        received = jnp.broadcast_to(jnp.asarray(inputs.get("spikes", 0.0), old.dtype), (self.n,))
        return {"received": received}, Output(spikes=SpikeOutput(received, 0.0))
