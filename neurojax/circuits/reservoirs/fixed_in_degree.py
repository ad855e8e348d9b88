"""Random recurrent weights with as many sources for each unit."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.tracing import known

from ..constrained_weights import check_share, masked
from ..initial_weights import AbstractWeights
from ..sparse_weights import SparseWeights

_CACHE = 4_000_000  # weights that fit the cache of a processor
_FEW = 200  # units, below which a matrix is always faster


@final
class FixedInDegree(AbstractWeights):
    r"""Each unit receives from $k = \mathrm{round}(p\,n)$ others drawn without replacement.

    $$W_{ij} \sim N(0, 1 / k)$$

    They are kept as `SparseWeights` where that is faster in a single run, else as a matrix.

    Arguments:
        density: p in (0, 1].

    Example:
        >>> import jax, neurojax as nj
        >>> W = nj.circuits.FixedInDegree(0.05).draw(jax.random.key(0), 200)
        >>> W.shape, W.density
        ((200, 200), 0.05)
    """

    density: float = eqx.field(static=True, default=0.1)

    def __check_init__(self):
        check_share("density of FixedInDegree", self.density)

    def draw(self, key, n: int) -> Any:
        """See `AbstractWeights`."""
        count = max(1, round(self.density * n))
        if not known(key) and count < n:
            raise ValueError(
                "sparse weights are drawn on the host, not inside jit or vmap: make a reservoir "
                "for each key outside, in a list, such as nj.fitting.sweep(models=[...]) takes "
                "(or give density=1.0 and radius=None)"
            )
        places, weights = jax.random.split(key)
        values = jax.random.normal(weights, (n, count))
        values = (np.asarray(values) if known(key) else values) / np.sqrt(count)
        if count == n:
            return jnp.asarray(values, jnp.result_type(float))
        sources = _without_replacement(places, n, count)
        if worth_it(n, count / n):
            return SparseWeights(values, sources)
        W, there = np.zeros((n, n), values.dtype), np.zeros((n, n), bool)
        np.put_along_axis(W, sources, values, axis=1)
        np.put_along_axis(there, sources, True, axis=1)
        return masked(jnp.asarray(W, jnp.result_type(float)), jnp.asarray(there))


def worth_it(n: int, density: float) -> bool:
    """Whether a single product is faster with the rows kept apart than with the whole matrix."""
    return n >= _FEW and density < (0.15 if n * n <= _CACHE else 0.35)


def in_best_form(matrix) -> Any:
    """A matrix of scipy.sparse as `SparseWeights` or as an array, whichever is faster."""
    weights = SparseWeights.from_matrix(matrix)
    return weights if worth_it(matrix.shape[0], weights.density) else jnp.asarray(matrix.toarray())


def _without_replacement(key, n: int, count: int) -> np.ndarray:
    """For each of n rows `count` different columns in rising order, the same on every platform."""
    rows = []
    block = max(1, 2_000_000 // n)  # rows at once, so that memory stays small
    for begin in range(0, n, block):
        some = jax.random.uniform(jax.random.fold_in(key, begin), (min(block, n - begin), n))
        rows.append(np.sort(np.argpartition(np.asarray(some), count - 1, axis=1)[:, :count], 1))
    return np.concatenate(rows).astype(np.int32)
