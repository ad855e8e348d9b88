"""Each unit of one population from few units of another."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .._activity import compiled, dot, pair
from .matching import _standardised


class SparseMatching(NamedTuple):
    """What `sparse_match` found.

    Arguments:
        weights: [unit of x, unit of y] for standardised units; each column predicts one unit of y.
        r2: fraction of the variance of each unit of y that is explained.
        used: number of units of x with a weight, for each unit of y.

    Example:
        >>> found = sparse_match([[0.0], [1.0], [3.0]], [[2.0], [3.0], [5.0]], 0.0)
        >>> found.weights.round(3).tolist()
        [[1.0]]
    """

    weights: Float[Array, "unit other"]
    r2: Float[Array, " other"]
    used: Array


@compiled("nonnegative", "sweeps")
def sparse_match(
    x: Any,
    y: Any,
    penalty: ArrayLike = 0.01,
    *,
    nonnegative: bool = True,
    sweeps: int = 200,
) -> SparseMatching:
    r"""Predicts every unit of `y` by a sparse combination of units of `x` (lasso).

    For units of mean 0 and variance 1 over P samples,

    $$\min_w \tfrac{1}{2 P} \|y - X w\|^2 + \lambda \|w\|_1, \quad w \ge 0 .$$

    By coordinate descent, all units of `y` at once. `penalty=0` gives nonnegative least squares.

    Arguments:
        x: activity [sample, unit].
        y: activity [sample, unit] in the same samples.
        penalty: $\lambda$; at 1 or more all weights are zero.
        nonnegative: only positive weights.
        sweeps: over all units of `x`; more of them if units of `x` are strongly correlated.

    Raises:
        ValueError: the shapes.

    Source:
        Li et al. 2016, ICLR (sparse prediction between networks); Friedman, Hastie and
            Tibshirani 2010, Journal of Statistical Software 33 (the algorithm).

    Example:
        >>> x = jnp.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
        >>> sparse_match(x, x[:, :1] * 3.0, 0.1).weights.round(3).tolist()
        [[0.9...], [0.0]]
    """
    x, y = (_standardised(a) for a in pair(x, y))
    gram, target = dot(x.T, x), dot(x.T, y)
    scale = jnp.diagonal(gram)  # 1, or 0 for a silent unit

    def unit(k, w):
        free = target[k] - gram[k] @ w + scale[k] * w[k]
        size = (free if nonnegative else jnp.abs(free)) - penalty
        new = jnp.where(nonnegative, 1.0, jnp.sign(free)) * jnp.maximum(size, 0.0)
        return w.at[k].set(jnp.where(scale[k] > 0, new, 0.0))

    def sweep(_, w):
        return jax.lax.fori_loop(0, x.shape[1], unit, w)

    weights = jax.lax.fori_loop(0, sweeps, sweep, jnp.zeros_like(target))
    left = jnp.sum((y - dot(x, weights)) ** 2, axis=0)
    whole = jnp.sum(y**2, axis=0)
    r2 = jnp.where(whole > 0, 1.0 - left, jnp.nan)
    return SparseMatching(weights, r2, jnp.sum(weights != 0, axis=0))
