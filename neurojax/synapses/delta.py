"""Impulses that move the membrane at once."""

from typing import final

import jax.numpy as jnp
from jaxtyping import Array

from .receptor import AbstractReceptor


@final
class Delta(AbstractReceptor):
    r"""A voltage jump, $V \to V + w$: a spike of weight $w$ (mV) moves the membrane at once.

    It has no state and no current. The neuron decides what becomes of an impulse that arrives
    while it is refractory.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> cell = nj.neurons.LIF(E_L=-70.0, receptors={"exc": nj.synapses.Delta()})
        >>> inputs = {"exc": jnp.array([1.5])}
        >>> state, _ = cell.step(cell.init_state(), inputs, nj.Clock(0, 0.1))
        >>> state["V_m"].tolist()
        [-68.5]
    """

    def init_state(self, n: int):
        """None."""
        return {}

    def drift(self, state):
        """None."""
        return {}

    def propagate(self, state, h):
        """None."""
        return {}

    def receive(self, state, impulse):
        """The impulse goes to the membrane by `jump`."""
        return state

    def current(self, state, V_m) -> Array:
        """Zero."""
        return jnp.zeros_like(V_m)

    @property
    def is_linear(self) -> bool:
        """True."""
        return True

    def jump(self, impulse):
        """The whole impulse, mV."""
        return impulse
