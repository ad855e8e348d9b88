"""Graded chemical synapses."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array

from neurojax.core import AbstractCoupling, Parameter, parameter

from ._leaf import check_matrix, leaf


class _Plain(eqx.Module):
    """A function without parameters: part of the structure of a model, not of its arrays."""

    function: Callable = eqx.field(static=True)

    def __call__(self, x: Array) -> Array:
        return self.function(x)


def _as_module(function):
    return function if isinstance(function, eqx.Module) else _Plain(function)


class Graded(AbstractCoupling):
    r"""Release that follows the presynaptic voltage, $I_i = \sum_j w_{ij}\, f(V_j)$.

    Arguments:
        source: name of the part that is read.
        target: name of the part that receives the sum.
        weight: shape (target neuron, source neuron).
        function: an elementwise function of the source's leaf, `jax.nn.sigmoid` by default. One
            with parameters to be trained is an `equinox.Module` with `__call__`.
        port: name of the target's input that receives the sum.
        leaf: dotted path of what is read in the visible state of the source; default `"V_m"` or,
            where there is none, `"V"`.

    Raises:
        ValueError: if `weight` does not fit the two parts, or the source has no such leaf.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> synapse = nj.synapses.Graded("a", "b", jnp.array([[2.0, 4.0]]), jnp.tanh, "I_e")
        >>> synapse.current({"V": jnp.array([0.0, 100.0])}, {"V": jnp.array([-60.0])}).tolist()
        [4.0]
    """

    source: str = eqx.field(static=True)
    target: str = eqx.field(static=True)
    weight: Parameter = parameter(required=True)
    function: Any = eqx.field(default=jax.nn.sigmoid, converter=_as_module)
    port: str = eqx.field(static=True, default="I_e")
    leaf: str | None = eqx.field(static=True, default=None)

    def current(self, source, target) -> Array:
        """The sum over the source for each neuron of the target, shape (target neuron,)."""
        released = self.function(leaf(source, self.leaf, self.source))
        check_matrix("weight", self.weight, released)
        return self.weight @ released
