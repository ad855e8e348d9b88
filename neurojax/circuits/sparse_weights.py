"""Recurrent weights of which few are there, kept by their sources."""

import itertools
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.symbolic_zeros import instantiated, is_zero
from neurojax.core.tracing import known

_BLOCK = 8  # slots that are added at once
_PER_BLOCK = 1000  # what a turn of the loop costs, in weights


@final
class SparseWeights(eqx.Module):
    r"""Square weights [to, from]: the sources of each unit and their weights.

    A product costs O(number of weights). Units with about as many sources form a group; places that
    a unit of the group does not need stay 0 in training.

    Arguments:
        values: (n, most), the weights into each unit.
        sources: (n, most), the units they come from, whole numbers below n.
        counts: (n,), how many of them are there; default all.

    Raises:
        ValueError: for shapes that do not fit, or sources out of range.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> W = nj.circuits.SparseWeights.from_matrix(np.array([[0.0, 2.0], [0.0, 0.0]]))
        >>> W.apply(np.array([1.0, 10.0])).tolist()
        [20.0, 0.0]
    """

    groups: tuple["_Group", ...]
    place: Any  # of each unit in the order of the groups; `None` if they are in order
    n: int = eqx.field(static=True)

    def __init__(self, values: Any, sources: Any, counts: Any = None):
        # on the host, where taking parts compiles nothing
        values = np.asarray(values) if known(values) else values
        shape, sources = np.shape(values), np.asarray(sources)
        if len(shape) != 2 or sources.shape != shape:
            raise ValueError(
                f"values and sources must both be (n, most), got {shape} and {sources.shape}"
            )
        n, most = shape
        if sources.size and (sources.min() < 0 or sources.max() >= n):
            raise ValueError(f"sources must be units from 0 to {n - 1}")
        if counts is not None and np.shape(counts) != (n,):
            raise ValueError(f"counts must have shape ({n},), got {np.shape(counts)}")
        counts = np.full(n, most) if counts is None else np.asarray(counts)
        order = np.argsort(counts, kind="stable")
        cuts = _cuts(counts[order])
        self.groups = tuple(
            _group(values, sources, counts, order[first:last])
            for first, last in itertools.pairwise(cuts)
        )
        in_order = bool(np.all(order == np.arange(n)))
        self.place = None if in_order else jnp.asarray(np.argsort(order), jnp.int32)
        self.n = n

    @classmethod
    def from_matrix(cls, matrix: Any) -> "SparseWeights":
        """The weights of a square matrix, dense or of scipy.sparse, that are not zero."""
        import scipy.sparse

        rows: Any = scipy.sparse.csr_array(matrix)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        if rows.shape[0] != rows.shape[1]:
            raise ValueError(f"the weights must be square ([to, from]), got {rows.shape}")
        counts = np.diff(rows.indptr)
        there = np.arange(counts.max(initial=0)) < counts[:, None]
        values, sources = np.zeros(there.shape, rows.dtype), np.zeros(there.shape, np.int32)
        values[there], sources[there] = rows.data, rows.indices
        return cls(values, sources, counts)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return self.n, self.n

    @property
    def density(self) -> float:
        """The share of the weights that have a place here."""
        return sum(group.head.size + group.rest.size for group in self.groups) / max(self.n**2, 1)

    def apply(self, rates) -> Array:
        """The recurrent currents for rates of shape (..., n)."""
        rates = jnp.asarray(rates)
        values, sources = eqx.partition(self, eqx.is_inexact_array)
        if rates.ndim == 1:
            return _product(values, sources, rates)
        flat = rates.reshape(-1, rates.shape[-1])
        return jax.vmap(_product, (None, None, 0))(values, sources, flat).reshape(rates.shape)

    def dense(self) -> Float[Array, "n n"]:
        """All n x n weights."""
        rows = []
        for group in self.groups:
            values, sources = group.slots()
            unit = jnp.arange(values.shape[1])[None]
            rows.append(
                jnp.zeros((values.shape[1], self.n), values.dtype).at[unit, sources].add(values)
            )
        W = jnp.concatenate(rows)
        return W if self.place is None else W[self.place]

    def to_scipy(self) -> Any:
        """The weights as a `scipy.sparse.csr_array`, in double precision."""
        import scipy.sparse

        unit = np.arange(self.n) if self.place is None else np.argsort(np.asarray(self.place))
        rows, columns, weights, first = [], [], [], 0
        for group in self.groups:
            values, sources = (np.asarray(x) for x in group.slots())
            last = first + values.shape[1]
            rows.append(np.broadcast_to(unit[first:last], values.shape).ravel())
            columns.append(sources.ravel().astype(np.int32))
            weights.append(values.ravel().astype(float))
            first = last
        places = (np.concatenate(rows), np.concatenate(columns))
        found = scipy.sparse.coo_array((np.concatenate(weights), places), self.shape).tocsr()
        found.eliminate_zeros()
        return found


class _Group(eqx.Module):
    """Units with about as many sources: slot by slot, eight slots at a time and the rest."""

    head: Any  # (blocks, 8, units)
    rest: Any  # (fewer than 8, units)
    head_sources: Any
    rest_sources: Any
    counts: Any  # (units,), slots that each fills, or `None` if all fill all

    def apply(self, rates):
        """The currents into these units for rates (n,), or (n, batch)."""
        # Sources lie in range and are unsigned, so that XLA has nothing to clamp, and a block of
        # slots becomes one loop over units with vector gathers.
        head, rest = self._values()
        wide = lambda values: values.reshape(values.shape + (1,) * (rates.ndim - 1))

        def slots(total, block):
            for values, sources in zip(*block, strict=True):
                total = total + wide(values) * rates.at[sources].get(mode="promise_in_bounds")
            return total

        total = jnp.zeros((rest.shape[1], *rates.shape[1:]), rates.dtype)
        if len(head):
            block = lambda total, block: (slots(total, block), None)
            total, _ = jax.lax.scan(block, total, (head, self.head_sources))
        return slots(total, (rest, self.rest_sources)) if len(rest) else total

    def slots(self):
        """All values and sources, (slots, units)."""
        head, rest = self._values()
        flat = lambda x: x.reshape(-1, x.shape[2])
        values = jnp.concatenate([flat(head), rest])
        return values, jnp.concatenate([flat(self.head_sources), self.rest_sources])

    def _values(self):
        """The values with the places that are not needed at 0."""
        if self.counts is None:
            return self.head, self.rest
        blocks = self.head.shape[0] * _BLOCK
        there = lambda first, last: jnp.arange(first, last)[:, None] < self.counts[None]
        inside = there(0, blocks).reshape(self.head.shape)
        beyond = there(blocks, blocks + len(self.rest))
        return jnp.where(inside, self.head, 0.0), jnp.where(beyond, self.rest, 0.0)


def _currents(values, sources, rates):
    """The currents for rates (n,), or (n, batch)."""
    weights, rates = eqx.combine(values, sources), jnp.asarray(rates)
    currents = [group.apply(rates) for group in weights.groups]
    currents = currents[0] if len(currents) == 1 else jnp.concatenate(currents)
    if weights.place is None:
        return currents
    # one gather of what lies in memory, not a search through the groups for each unit
    currents = jax.lax.optimization_barrier(currents)
    return currents.at[weights.place].get(mode="promise_in_bounds", unique_indices=True)


@jax.custom_batching.custom_vmap
def _batched(values, sources, rates):
    return _currents(values, sources, rates)


@_batched.def_vmap
def _of_batch(size, batched, values, sources, rates):
    shared = not any(jax.tree.leaves((batched[0], batched[1])))
    if shared:
        # the batch lies side by side in memory, so that a gather takes whole vectors
        return _currents(values, sources, rates.T).T, True
    axes = jax.tree.map(lambda b: 0 if b else None, tuple(batched))
    return jax.vmap(_currents, axes)(values, sources, rates), True


@jax.custom_jvp
def _product(values, sources, rates):
    return _batched(values, sources, rates)


def _derivative(primals, tangents):
    values, sources, rates = primals
    moved = jnp.zeros_like(rates)
    if not is_zero(tangents[2]):
        moved = moved + _currents(values, sources, tangents[2])
    # `None` stands for what is no weight, and is no leaf here
    changes = jax.tree.leaves(tangents[0], is_leaf=lambda x: x is not None and is_zero(x))
    if not all(map(is_zero, changes)):
        leaves, tree = jax.tree.flatten(values)
        full = [instantiated(v, t) for v, t in zip(leaves, changes, strict=True)]
        moved = moved + _currents(jax.tree.unflatten(tree, full), sources, rates)
    return _product(*primals), moved


_product.defjvp(_derivative, symbolic_zeros=True)


def _group(values, sources, counts, units) -> _Group:
    most = int(counts[units].max(initial=0))
    blocks = most // _BLOCK
    index = jnp.uint16 if len(sources) <= 2**16 else jnp.uint32
    inside = values[units, :most].T
    places = sources[units, :most].T
    cut = lambda x: x[: blocks * _BLOCK].reshape(blocks, _BLOCK, len(units))
    full = bool(np.all(counts[units] == most))
    weights = lambda x: jnp.asarray(x, jnp.result_type(float))
    return _Group(
        weights(cut(inside)),
        weights(inside[blocks * _BLOCK :]),
        jnp.asarray(cut(places), index),
        jnp.asarray(places[blocks * _BLOCK :], index),
        None if full else jnp.asarray(counts[units], jnp.int32),
    )


def _cuts(counts) -> list[int]:
    """Where rising numbers of sources are cut into groups, of 1 to 16 equal ones the cheapest."""
    n = len(counts)
    best, price = [0, n], np.inf
    for number in (1, 2, 4, 8, 16):
        cuts = sorted({round(i * n / number) for i in range(number + 1)})
        each = [
            int(counts[b - 1]) * (b - a) + _PER_BLOCK * (1 + int(counts[b - 1]) // _BLOCK)
            for a, b in itertools.pairwise(cuts)
        ]
        if sum(each) < price:
            best, price = cuts, sum(each)
    return best
