"""Dense connections: a matrix."""

from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core import SpikeOutput, as_parameter
from neurojax.core.tracing import mesh_axes, varying

from .edges import Edges
from .format import AbstractConnections, Events, check_spikes, nonzero, one_per_neuron
from .sparse import edge_weights
from .spike_list import BITS, count_spikes, neurons, rows

_CHUNK = 8  # rows that are gathered at once


@final
class Dense(AbstractConnections):
    r"""Connections as a matrix, $y_j = \sum_i x_i W_{ij}$.

    `deliver` adds up the rows of the matrix that have an event; its derivatives are matrix
    products. Worth it for small or densely connected populations.

    Arguments:
        weight: shape (n_pre, n_post), neither of them 0, in the unit of the receptor.

    Raises:
        TypeError: if `weight` is not of real numbers.
        ValueError: if it is no matrix.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> synapses = nj.connectivity.Dense(jnp.array([[1.0, 2.0], [4.0, 8.0]]))
        >>> synapses.deliver(nj.SpikeOutput(jnp.array([-60.0, -40.0]), -50.0)).tolist()
        [4.0, 8.0]
        >>> synapses.apply(jnp.array([1.0, 0.5])).tolist()
        [3.0, 6.0]
    """

    weight: Float[Array, "pre post"]

    def __init__(self, weight):
        weight = as_parameter(weight)
        if jnp.ndim(weight) != 2 or 0 in jnp.shape(weight):
            raise ValueError(
                "weight must be a matrix (n_pre, n_post) with neurons on both sides, got shape "
                f"{jnp.shape(weight)}"
            )
        self.weight = weight

    @classmethod
    def from_edges(cls, edges: Edges, weight: Any = None) -> "Dense":
        """The connections of an edge list; the weights of multi-edges are added.

        Arguments:
            edges: the synapses.
            weight: a number, an array with one value per edge, or `None` for the weights of the
                edges, else 1.

        Raises:
            TypeError: if the weights are complex.
            ValueError: if they have another shape or are not finite.
        """
        weight = edge_weights(edges, weight)
        empty = jnp.zeros((edges.n_pre, edges.n_post), weight.dtype)
        return cls(empty.at[edges.pre, edges.post].add(weight))

    @property
    def n_pre(self) -> int:
        """Number of neurons on the sending side."""
        return self.weight.shape[0]

    @property
    def n_post(self) -> int:
        """Number of neurons on the receiving side."""
        return self.weight.shape[1]

    def deliver(self, events: Events) -> Float[Array, " post"]:
        """See `AbstractConnections.deliver`."""
        if isinstance(events, SpikeOutput):
            spikes = check_spikes(events, self.n_pre)
            words, amplitude = spikes.packed(), spikes.values().astype(self.weight.dtype)
        else:
            amplitude = one_per_neuron("events", events, self.n_pre, self.weight.dtype)
            words = nonzero(amplitude)
        kind = jnp.result_type(amplitude, self.weight)
        return _product(amplitude.astype(kind), words, self.weight.astype(kind))

    def apply(self, values: Array | np.ndarray) -> Float[Array, " post"]:
        """See `AbstractConnections.apply`."""
        return _times(one_per_neuron("values", values, self.n_pre, self.weight.dtype), self.weight)

    def to_dense(self) -> Float[Array, "pre post"]:
        """The matrix."""
        return self.weight


def _times(values, weight):
    # accelerators round the factors to fewer bits otherwise
    return jnp.matmul(values, weight, precision=jax.lax.Precision.HIGHEST)


@jax.custom_jvp
def _product(amplitude, words, weight):
    """The sum over rows whose bit is set."""
    return _sum_of_rows(amplitude[None], words[None], weight)[0]


@_product.defjvp
def _(primals, tangents):
    amplitude, _, weight = primals
    d_amplitude, _, d_weight = tangents
    # amplitudes are zero where no bit is set, so the sum over all rows is the same function
    moved = _times(d_amplitude, weight) + _times(amplitude, d_weight)
    return _product(*primals), moved


@jax.custom_batching.custom_vmap
def _sum_of_rows(amplitude, words, weight):
    """[b, n] amplitudes, [b, w] words and [n, m] or [b, n, m] weights give [b, m]."""
    trials, each = words.shape
    counts = count_spikes(words.reshape(-1))
    flat, total, n = words.reshape(-1), counts.total, amplitude.shape[1]
    length = min(_CHUNK, BITS * trials * each)

    def body(carry):
        first, found = carry
        row = rows(flat, counts, first, length)
        trial = jnp.minimum(row // (BITS * each), trials - 1)
        row = row - trial * (BITS * each)
        neuron, real = neurons(row, each, n)
        taken = weight[neuron] if weight.ndim == 2 else weight[trial, neuron]
        x = jnp.where(real, amplitude[trial, neuron], 0)[:, None]
        # a silent neuron with an infinite weight must not be multiplied by zero
        value = jnp.where(real[:, None], x * taken, 0)
        if trials == 1:
            return first + length, found + jnp.sum(value, axis=0, keepdims=True)
        return first + length, found.at[trial].add(value)

    start = (jnp.zeros((), jnp.int32), jnp.zeros((trials, weight.shape[-1]), weight.dtype))
    start = varying(start, mesh_axes((amplitude, words, weight)))
    return jax.lax.while_loop(lambda carry: carry[0] < total, body, start)[1]


@_sum_of_rows.def_vmap
def _(size: int, batched, amplitude, words, weight):
    """One longer list of events, so that no trial waits for the busiest one."""
    trials = words.shape[-2]

    def joined(a, has_axis: bool):
        a = a if has_axis else jnp.broadcast_to(a, (size, *a.shape))
        return a.reshape(size * trials, *a.shape[2:])

    if batched[2] and weight.ndim == 3:
        weight = jnp.repeat(weight, trials, axis=0)
    elif weight.ndim == 3 + batched[2]:
        weight = joined(weight, batched[2])
    found = _sum_of_rows(joined(amplitude, batched[0]), joined(words, batched[1]), weight)
    return found.reshape(size, trials, -1), True
