"""A recording that shows the state itself."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from .base import AbstractObservation


@final
class Identity(AbstractObservation):
    """The recorded values are the state leaf: a circuit fitted to normalised traces.

    Arguments:
        leaf: name of the state leaf, default `"V"`.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> seen = nj.observations.Identity()
        >>> seen.observe(jnp.ones((3, 2)), dt=600.0).shape
        (3, 2)
    """

    leaf: str = eqx.field(static=True, default="V")

    def begin(self, V: Array) -> Any:
        """The state itself."""
        return V

    def advance(self, memory: Any, V: Array, dt) -> Any:
        """The state itself."""
        return V

    def read(self, memory: Any) -> Array:
        """The state itself."""
        return memory

    def set_known(self, memory: Any, values: Array, known: Array) -> Any:
        """Recorded values where they are known."""
        return jnp.where(known, values, memory)

    def invert(self, memory: Any, values: Array, dt) -> Array:
        """The values themselves."""
        return values

    def observe(self, V: Array, dt, *, key=None) -> Array:
        """A recording [time, neuron] of a trajectory [time, neuron]."""
        return V
