"""Graded chemical synapses."""

from collections.abc import Callable

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


def _as_module(function: Callable) -> Callable:
    return function if isinstance(function, eqx.Module) else _Plain(function)


class Graded(AbstractCoupling):
    r"""Release that follows the presynaptic voltage, $I_i = \sum_j w_{ij}\, f(V_j)$.

    Arguments:
        source: name of the part that is read.
        target: name of the part that receives the sum.
        weight: shape (target neuron, source neuron).
        function: Callable[[Array], Array] = eqx.field(default=jax.nn.sigmoid, converter=_as_module)
    port: str = eqx.field(static=True, default="I_e")
    leaf: str = eqx.field(static=True, default="V")

    def current(self, source, target) -> Array:
        """The sum over the source for each neuron of the target, shape (target neuron,)."""
        released = self.function(leaf(source, self.leaf, self.source))
        check_matrix("weight", self.weight, released)
        return self.weight @ released
