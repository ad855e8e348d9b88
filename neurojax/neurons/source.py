"""What spike sources share: a size, and one number per neuron that is above zero for a spike."""

import dataclasses
from typing import ClassVar, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp

from neurojax.core import Clock, Dynamics
from neurojax.core.parameter_checks import check_shapes, check_size

from ._population import drawn_parameters, refuse_laws

_Kind = TypeVar("_Kind", bound="AbstractSource")


class AbstractSource(Dynamics):
    """`n` independent spike trains in discrete time, at most one spike per step and neuron.

    A spike in a step bears the time at which the step ends.
    """

    n: eqx.AbstractVar[int]
    receives: ClassVar[bool] = False  # whether a projection may end on it
    drawn_later: ClassVar[bool] = True  # distributions are refused here, with better advice

    def __check_init__(self):
        refuse_laws(self)
        check_size(self.n)
        check_shapes(self, self.n)

    def population(self: _Kind, n: int, *, key=None, **parameters) -> _Kind:
        """The same kind of source with `n` neurons.

        Arguments:
            n: number of neurons.
            key: for parameters that are drawn.
            **parameters: other values for some fields; an `nj.random` distribution is drawn once
                per neuron.

        Raises:
            ValueError: if `n` is not positive, or a distribution is given without a key.
            TypeError: for a name that is no field.

        Example:
            >>> import jax, neurojax as nj
            >>> law = nj.random.LogNormal(10.0, 0.5)
            >>> nj.neurons.Poisson().population(100, rate=law, key=jax.random.key(0)).rate.shape
            (100,)
        """
        return dataclasses.replace(self, n=int(n), **drawn_parameters(n, key, parameters))


def step_key(clock: Clock, name: str):
    """The key of a step, for draws that `Clock` has no method for.

    Raises:
        ValueError: if the clock has no key.
    """
    key = clock.child(name).key
    if key is None:
        raise ValueError(
            f"the source {name!r} needs random numbers, but there is no key: give "
            "key=jax.random.key(0) to simulate (or to Clock)"
        )
    return jax.random.fold_in(key, clock.step)


def chance(clock: Clock, probability, n: int):
    """How far each neuron is above what it drew: above zero with the given probability."""
    u = clock.uniform("spikes", (n,))
    # centred in its cell: the resolution of single precision adds no bias
    return probability - (u + 0.5 * jnp.finfo(u.dtype).eps)
