"""Recurrent weights of which few are there, kept row by row."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from neurojax.core import as_parameter, unwrap


@final
class SparseWeights(eqx.Module):
    r"""Square weights [to, from]: the sources of each unit and their weights.

    A product costs O(number of weights). Rows with fewer sources than others are filled up with
    sources of weight 0, which stay 0 in training.

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

    values: Any
    sources: Int[Array, "n most"]
    counts: Int[Array, " n"] | None

    def __init__(self, values: Any, sources: Any, counts: Any = None):
        self.values = as_parameter(values)
        shape = jnp.shape(unwrap(self.values))
        places = np.asarray(sources)
        if len(shape) != 2 or places.shape != shape:
            raise ValueError(
                f"values and sources must both be (n, most), got {shape} and {places.shape}"
            )
        if places.size and (places.min() < 0 or places.max() >= shape[0]):
            raise ValueError(f"sources must be units from 0 to {shape[0] - 1}")
        if counts is not None and np.shape(counts) != shape[:1]:
            raise ValueError(f"counts must have shape {shape[:1]}, got {np.shape(counts)}")
        full = counts is None or bool(np.all(np.asarray(counts) == shape[1]))
        self.sources = jnp.asarray(places, jnp.int32)
        self.counts = None if full else jnp.asarray(counts, jnp.int32)

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
        most = max(int(counts.max(initial=0)), 1)
        there = np.arange(most) < counts[:, None]
        values, sources = np.zeros(there.shape, rows.dtype), np.zeros(there.shape, np.int32)
        values[there], sources[there] = rows.data, rows.indices
        return cls(values, sources, counts)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return self.sources.shape[0], self.sources.shape[0]

    @property
    def density(self) -> float:
        """The share of the weights that are kept."""
        return self.sources.shape[1] / max(self.sources.shape[0], 1)

    def apply(self, rates) -> Array:
        """The recurrent currents for rates of shape (..., n)."""
        # Sources lie in range, so nothing has to be clamped. The barrier keeps the gathered rates
        # apart from the sum: fused, XLA gathers them eight times more slowly on a CPU.
        gathered = jnp.asarray(rates).at[..., self.sources].get(mode="promise_in_bounds")
        gathered = jax.lax.optimization_barrier(gathered)
        return jnp.sum(jnp.broadcast_to(self._values(), gathered.shape) * gathered, axis=-1)

    def dense(self) -> Float[Array, "n n"]:
        """All n x n weights."""
        values = self._values()
        rows = jnp.arange(self.shape[0])[:, None]
        return jnp.zeros(self.shape, values.dtype).at[rows, self.sources].add(values)

    def to_scipy(self) -> Any:
        """The weights as a `scipy.sparse.csr_array`, in double precision."""
        import scipy.sparse

        values = np.asarray(self._values(), float)
        n, most = values.shape
        starts = np.arange(n + 1) * most
        rows = (values.ravel(), np.asarray(self.sources).ravel(), starts)
        weights = scipy.sparse.csr_array(rows, shape=(n, n), copy=True)
        weights.sum_duplicates()
        weights.eliminate_zeros()
        return weights

    def _values(self):
        values = unwrap(self.values)
        if self.counts is None:
            return values
        return jnp.where(jnp.arange(values.shape[1])[None] < self.counts[:, None], values, 0.0)
