"""How a measure depends on the number of units that were recorded."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._activity import activity


def subsample_curve(
    measure: Callable[[Array], Array],
    x: Any,
    sizes: Sequence[int],
    *,
    key: Any,
    repeats: int = 20,
) -> Float[Array, "size repeat"]:
    """A measure of random subsets of the units, for several sizes of subset.

    Measures of similarity depend on how many units were seen; compare populations only at equal
    numbers, or where the curve has become flat.

    Arguments:
        measure: a function of activity [sample, unit] to a number, such as
            `lambda part: linear_cka(part, y, debiased=True)`. It is traced and vmapped over
            repeats, and compiled once per size.
        x: activity [sample, unit].
        sizes: numbers of units.
        key: for the subsets, drawn without replacement.
        repeats: subsets of each size.

    Returns:
        One row per size, one column per subset.

    Raises:
        ValueError: the shape of `x`, or a size out of range.

    Example:
        >>> import jax
        >>> x = jnp.arange(12.0).reshape(3, 4)
        >>> found = subsample_curve(jnp.mean, x, [1, 4], key=jax.random.key(0), repeats=5)
        >>> found.shape, found[1].tolist()
        ((2, 5), [5.5, 5.5, 5.5, 5.5, 5.5])
    """
    x = activity(x, "x", samples=1)
    units = x.shape[1]
    for size in sizes:
        if not 1 <= size <= units:
            raise ValueError(f"sizes must be from 1 to the {units} units of x, got {size}")
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")

    def scores(key, size):
        def score(key):
            return measure(x[:, jax.random.permutation(key, units)[:size]])

        return jax.jit(jax.vmap(score))(jax.random.split(key, repeats))

    keys = jax.random.split(key, len(sizes))
    return jnp.stack([scores(k, size) for k, size in zip(keys, sizes, strict=True)])
