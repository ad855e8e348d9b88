"""What spike sources share: a size, and one number per neuron that is above zero for a spike."""

import equinox as eqx
import jax
import jax.numpy as jnp

from neurojax.core import Clock, Dynamics
from neurojax.core.parameter_checks import check_shapes, check_size


class AbstractSource(Dynamics):
    """`n` independent spike trains in discrete time, at most one spike per step and neuron.

    A spike in a step bears the time at which the step ends.
    """

    n: eqx.AbstractVar[int]

    def __check_init__(self):
        check_size(self.n)
        check_shapes(self, self.n)


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
