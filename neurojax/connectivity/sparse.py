"""Sparse connections: lists of targets, one row per sending neuron."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32

from neurojax.core import SpikeOutput
from neurojax.core.symbolic_zeros import is_zero
from neurojax.core.tracing import known

from .delivery import deliver, in_rows
from .edges import Edges
from .event_products import push
from .format import AbstractConnections, Events, check_spikes, nonzero, one_per_neuron
from .spike_list import BITS

_PADS = 32  # dummy targets, so that padding does not meet in one place


@final
class Sparse(AbstractConnections):
    r"""Connections as padded lists of targets, $y_j = \sum_{i \in \text{events}} x_i w_{ij}$.

    A row holds the targets of one neuron and is as wide as the largest out-degree. Make it with
    `Sparse.from_edges`. The gradient by `weight` is zero at padding, so it stays zero in training;
    `edge_weights()` shows the real ones.

    Arguments:
        targets: shape (rows + 1, width): target neurons, in the order of packed spikes.
        weight: one number for all synapses, or shape (rows + 1, width), zero at padding.
        places: the entry of each edge in the flattened table.
        n_pre: number of neurons on the sending side.
        n_post: number of neurons on the receiving side.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> edges = nj.connectivity.Edges([0, 0, 1], [0, 2, 2], n_pre=2, n_post=3)
        >>> synapses = nj.connectivity.Sparse.from_edges(edges, jnp.array([1.0, 2.0, 4.0]))
        >>> synapses.deliver(nj.SpikeOutput(jnp.array([-60.0, -40.0]), -50.0)).tolist()
        [0.0, 0.0, 4.0]
        >>> synapses.deliver(jnp.array([0.5, 1.0])).tolist()
        [0.5, 0.0, 5.0]
    """

    targets: Int32[Array, "rows width"]
    weight: Float[Array, "..."]
    places: Int32[Array, " edge"]
    _n_pre: int = eqx.field(static=True)
    _n_post: int = eqx.field(static=True)

    def __init__(self, targets, weight, places, n_pre: int, n_post: int):
        self.targets, self.weight, self.places = targets, weight, places
        self._n_pre, self._n_post = n_pre, n_post

    @classmethod
    def from_edges(cls, edges: Edges, weight: Any = None) -> "Sparse":
        """The connections of an edge list.

        Arguments:
            edges: the synapses.
            weight: a number for all of them, an array with one value per edge, or `None` for the
                weights of the edges, else 1. May be traced, so that a gradient by it exists.

        Raises:
            TypeError: if the weights are complex.
            ValueError: if they have another shape or are not finite, or a side is empty.
        """
        weight = edge_weights(edges, weight)
        if edges.n_pre == 0 or edges.n_post == 0:
            raise ValueError(f"connections need neurons on both sides, got {edges}")
        words = -(-edges.n_pre // BITS)
        degrees = edges.out_degrees()
        width = max(-(-int(degrees.max(initial=1)) // 8) * 8, 8)
        first = np.cumsum(degrees) - degrees
        column = np.arange(len(edges)) - np.repeat(first, degrees)
        row = BITS * (edges.pre % words) + edges.pre // words
        places = row.astype(np.int64) * width + column
        size = (BITS * words + 1) * width
        if size >= 2**31:
            raise ValueError(
                f"a table of {BITS * words + 1} rows of {width} targets has more than 2**31 "
                "entries; split the sending population, or use Procedural"
            )
        pads = edges.n_post + np.arange(size, dtype=np.int32) % _PADS
        pads[places] = edges.post
        places = jnp.asarray(places, jnp.int32)
        if weight.ndim:
            empty = jnp.zeros(size, weight.dtype)
            table = empty.at[places].set(weight, unique_indices=True)
            weight = table.reshape(-1, width)
        return cls(jnp.asarray(pads).reshape(-1, width), weight, places, edges.n_pre, edges.n_post)

    @property
    def n_pre(self) -> int:
        """Number of neurons on the sending side."""
        return self._n_pre

    @property
    def n_post(self) -> int:
        """Number of neurons on the receiving side."""
        return self._n_post

    def edge_weights(self) -> Float[Array, " edge"]:
        """The weight of each edge, in the order of `Edges`."""
        weight = jnp.asarray(self.weight)
        if weight.ndim == 0:
            return jnp.broadcast_to(weight, self.places.shape)
        return weight.ravel()[self.places]

    def deliver(self, events: Events) -> Float[Array, " post"]:
        """See `AbstractConnections.deliver`."""
        weight = jnp.asarray(self.weight)
        if isinstance(events, SpikeOutput):
            spikes = check_spikes(events, self.n_pre)
            buffer = jnp.zeros(self.n_post + _PADS, weight.dtype)
            words = spikes.packed()
            found = deliver(buffer, 1.0, weight, words, self.targets, None, [spikes])
        else:
            amplitude = one_per_neuron("events", events, self.n_pre, weight.dtype)
            kind = jnp.result_type(amplitude, weight)
            found = _graded(
                amplitude.astype(kind), weight.astype(kind), self.targets, self.n_post + _PADS
            )
        return found[: self.n_post]

    def apply(self, values: Array | np.ndarray) -> Float[Array, " post"]:
        """See `AbstractConnections.apply`."""
        weight = jnp.asarray(self.weight)
        values = one_per_neuron("values", values, self.n_pre, weight.dtype)
        return _applied(values, weight, self.targets, self.n_post + _PADS)[: self.n_post]

    def to_dense(self) -> Float[Array, "pre post"]:
        """The weights as a matrix; multi-edges are added."""
        rows = jnp.arange(self.targets.shape[0])[:, None]
        weight = jnp.broadcast_to(jnp.asarray(self.weight), self.targets.shape)
        shape = (self.targets.shape[0], self.n_post + _PADS)
        by_row = jnp.zeros(shape, weight.dtype).at[rows, self.targets].add(weight)
        words = -(-self.n_pre // BITS)
        neuron = np.arange(self.n_pre)
        return by_row[BITS * (neuron % words) + neuron // words, : self.n_post]


def edge_weights(edges: Edges, weight: Any) -> Array:
    """The `weight=` argument of `from_edges`: a scalar, or one value per edge."""
    if weight is None:
        weight = 1.0 if edges.weight is None else edges.weight
    weight = jnp.asarray(weight)
    if jnp.iscomplexobj(weight):
        raise TypeError(f"weight must be of real numbers, got {weight.dtype}")
    if not jnp.issubdtype(weight.dtype, jnp.inexact):
        weight = weight.astype(float)
    if weight.shape not in ((), (len(edges),)):
        raise ValueError(
            f"weight must be a number or have shape ({len(edges)},), one per edge, got shape "
            f"{weight.shape}"
        )
    if known(weight) and not np.isfinite(np.asarray(weight)).all():
        raise ValueError("weight must be finite, but some of it is NaN or infinite")
    return weight


def _applied(values: Array, weight: Array, targets: Array, size: int) -> Array:
    """The sum over all rows, into a buffer that has places for the padding."""
    x = in_rows(values)[:, None]
    value = jnp.broadcast_to(x * (weight if weight.ndim == 0 else weight[:-1]), targets[:-1].shape)
    buffer = jnp.zeros(size, value.dtype)
    return buffer.at[targets[:-1].ravel()].add(
        value.ravel(), mode="promise_in_bounds", wrap_negative_indices=False
    )


def _graded(amplitude: Array, weight: Array, targets: Array, size: int) -> Array:
    """The sum over the rows whose amplitude is not zero, with its exact derivative."""

    @jax.custom_jvp
    def run(amplitude, weight, targets):
        buffer = jnp.zeros((1, size), amplitude.dtype)
        words = nonzero(amplitude)[None]
        return push(buffer, in_rows(amplitude)[None], weight, words, targets)[0]

    def derivative(primals, tangents):
        amplitude, weight, targets = primals
        d_amplitude, d_weight, _ = tangents
        moved = jnp.zeros(size, amplitude.dtype)
        # rows that are silent now have derivatives too: those of the sum over all rows
        if not is_zero(d_amplitude):
            moved = moved + _applied(d_amplitude, weight, targets, size)
        if not is_zero(d_weight):
            moved = moved + _applied(amplitude, d_weight, targets, size)
        return run(*primals), moved

    run.defjvp(derivative, symbolic_zeros=True)
    return run(amplitude, weight, targets)
