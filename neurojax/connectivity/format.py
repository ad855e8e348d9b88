"""What every format of connections can do: deliver events, apply values."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from neurojax.core import SpikeOutput
from neurojax.core.spikes import pack
from neurojax.core.surrogate import Triangle

Events = SpikeOutput | Array | np.ndarray


class AbstractConnections(eqx.Module):
    r"""Synapses from `n_pre` to `n_post` neurons as a linear operator, $y_j = \sum_i x_i W_{ij}$.

    - `deliver(events)`: the work follows the number of events, and none is dropped. Events are a
      `SpikeOutput`, whose derivative is that of its surrogate, or an array of amplitudes (n_pre,)
      of which only the nonzero ones cost; amplitudes are taken as they are. Derivatives by
      amplitudes are exact, also for amplitudes of zero, so these derivatives visit every row.
    - `apply(values)`: the same sum over all rows.

    Both have derivatives of any order in forward and reverse mode, by events or values and by
    weights, and work under `jit` and `vmap`; trials joined by `vmap` do not wait for each other.
    """

    @property
    @abstractmethod
    def n_pre(self) -> int:
        """Number of neurons on the sending side."""

    @property
    @abstractmethod
    def n_post(self) -> int:
        """Number of neurons on the receiving side."""

    @abstractmethod
    def deliver(self, events: Events) -> Float[Array, " post"]:
        """The sum over the neurons that spike, or whose amplitude is not zero.

        Raises:
            TypeError: if they are complex.
            ValueError: if the events are not those of `n_pre` neurons.
        """

    @abstractmethod
    def apply(self, values: Array | np.ndarray) -> Float[Array, " post"]:
        """The sum over all neurons.

        Raises:
            TypeError: if they are complex.
            ValueError: if there is not one value for each of `n_pre` neurons.
        """

    @abstractmethod
    def to_dense(self) -> Float[Array, "pre post"]:
        """The weights as a matrix; multi-edges are added."""


def one_per_neuron(name: str, values, n: int, dtype) -> Array:
    """Values of shape (n,), in this precision where they are not floating-point numbers."""
    values = jnp.asarray(values)
    if jnp.iscomplexobj(values):
        raise TypeError(f"{name} must be real numbers, got {values.dtype}")
    if values.shape != (n,):
        raise ValueError(
            f"{name} must have shape ({n},), one per sending neuron, got {values.shape}; use "
            "jax.vmap for several trials"
        )
    return values if jnp.issubdtype(values.dtype, jnp.inexact) else values.astype(dtype)


def check_spikes(events: SpikeOutput, n: int) -> SpikeOutput:
    """The spikes of `n` neurons."""
    if events.value.shape != (n,):
        raise ValueError(
            f"events are the spikes of {events.value.shape[0]} neurons, but there are {n} sending "
            "neurons"
        )
    return events


def nonzero(values: Array) -> UInt32[Array, " words"]:
    """One bit for every value that is not zero (NaN is not)."""
    values = jax.lax.stop_gradient(values)
    return pack(lambda part: values[part] != 0, values.shape[0])


def everyone(n: int) -> UInt32[Array, " words"]:
    """One bit for each of `n` neurons."""
    return pack(lambda part: jnp.ones(n, bool)[part], n)


def reach(events: SpikeOutput) -> UInt32[Array, " words"]:
    """One bit for every neuron that spikes, or where the slope of the surrogate is not zero."""
    support = (events.surrogate or Triangle()).support
    if support is None:
        return everyone(events.value.shape[0])
    distance = jax.lax.stop_gradient(events.distance())
    near = pack(lambda part: jnp.abs(distance[part]) < support, distance.shape[0])
    return near | events.packed()
