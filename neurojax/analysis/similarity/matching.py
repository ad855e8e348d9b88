"""Which unit of one population is which of another."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._activity import centred, compiled, dot, pair


@compiled()
def unit_correlations(x: Any, y: Any) -> Float[Array, "unit other"]:
    """Pearson's correlation over samples of every unit of `x` with every unit of `y`.

    Arguments:
        x: activity [sample, unit].
        y: activity [sample, unit] in the same samples.

    Returns:
        Zero for units that do not vary.

    Raises:
        ValueError: the shapes.

    Example:
        >>> y = [[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]
        >>> unit_correlations([[0.0], [1.0], [2.0]], y).round(4).tolist()
        [[1.0, 0.0]]
    """
    x, y = (_standardised(a) for a in pair(x, y))
    return jnp.clip(dot(x.T, y), -1.0, 1.0)


class Matching(NamedTuple):
    """Pairs of units.

    Arguments:
        x: numbers of the units of the first population, ascending.
        y: the partner of each in the second population.
        correlation: of each pair, with its sign.
        score: mean correlation of the pairs (its size, if signs are ignored): 1 for permuted
            copies.
        semi_match: the mean over the same units of their best correlation with *any* unit, however
            many want the same partner; never below `score`.

    Example:
        >>> match_units([[0.0], [1.0], [3.0]], [[2.0], [3.0], [5.0]]).y.tolist()
        [0]
    """

    x: Int[np.ndarray, " pair"]
    y: Int[np.ndarray, " pair"]
    correlation: Float[np.ndarray, " pair"]
    score: Float[np.ndarray, ""]
    semi_match: Float[np.ndarray, ""]


def match_units(x: Any, y: Any, *, signed: bool = True) -> Matching:
    """The one-to-one matching of units with the largest sum of correlations.

    The assignment is exact (Hungarian algorithm) and runs on the host; if the numbers of units
    differ, the larger population keeps some unmatched. Rotated copies do *not* match: this asks
    whether single units are alike.

    Arguments:
        x: activity [sample, unit].
        y: activity [sample, unit] in the same samples.
        signed: count a correlation of -1 as bad; otherwise as good as 1.

    Raises:
        ValueError: the shapes, or values that are not finite.

    Source:
        Li et al. 2016, ICLR (convergent learning); Kuhn 1955 (the algorithm).

    Example:
        >>> x = np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 1.0], [1.0, 5.0, 1.0], [3.0, 3.0, 3.0]])
        >>> match_units(x, x[:, [2, 0, 1]]).y.tolist()
        [1, 2, 0]
    """
    from scipy.optimize import linear_sum_assignment

    correlations = np.asarray(unit_correlations(x, y))
    if not np.all(np.isfinite(correlations)):
        raise ValueError("x and y must be finite: a correlation of units is not a number")
    value = correlations if signed else np.abs(correlations)
    rows, columns = linear_sum_assignment(value, maximize=True)
    return Matching(
        rows,
        columns,
        correlations[rows, columns],
        np.asarray(value[rows, columns].mean()),
        np.asarray(value[rows].max(axis=1).mean()),
    )


def _standardised(x: Array) -> Array:
    """Units without their mean, at unit length; those that do not vary are zero."""
    free = centred(x)
    square = jnp.sum(free**2, axis=0, keepdims=True)
    # a constant is not centred to the last bit; and NaN has to stay
    rounding = (4.0 * jnp.finfo(x.dtype).eps) ** 2 * jnp.sum(x**2, axis=0, keepdims=True)
    silent = square <= rounding
    return jnp.where(silent, 0.0, free / jnp.sqrt(jnp.where(silent, 1.0, square)))
