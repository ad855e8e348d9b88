"""Surrogate gradients: a step function with a derivative that training can use."""

from abc import abstractmethod
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array


class AbstractSurrogate(eqx.Module):
    """The Heaviside step in the forward pass, `slope` as its derivative in the backward pass."""

    @abstractmethod
    def slope(self, x: Array) -> Array:
        """The pseudo-derivative at distance `x` above threshold."""

    def __call__(self, x: Array) -> Array:
        """1 where x > 0, else 0."""
        return _step(self, x)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _heaviside(slope, x):
    return jnp.where(x > 0, jnp.ones_like(x), jnp.zeros_like(x))


@_heaviside.defjvp
def _(slope, primals, tangents):
    (x,), (dx,) = primals, tangents
    return _heaviside(slope, x), slope(x) * dx


def _step(surrogate: AbstractSurrogate, x: Array) -> Array:
    return _heaviside(surrogate.slope, x)


class Triangle(AbstractSurrogate):
    r"""$\max(0, 1 - |x|/w)/w$: compact support, so the backward pass follows active neurons.

    Arguments:
        width: half width in the units of x (mV for a membrane potential).

    Source: Bellec et al. (2018), Advances in Neural Information Processing Systems 31.
    """

    width: float = eqx.field(static=True, default=10.0)

    def slope(self, x: Array) -> Array:
        """See `AbstractSurrogate.slope`."""
        return jnp.maximum(0.0, 1.0 - jnp.abs(x) / self.width) / self.width
