"""The triangular factor of a regression, by panels of columns."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# LAPACK takes up to 128 columns one by one, and up to 32 reflections
_ONE_BY_ONE, _PANEL = 128, 40


def triangle(
    columns: Float[Array, "samples columns"], count: int, penalty: Any
) -> Float[Array, "count columns"]:
    r"""The first `count` rows of $R$ in $(A; \sqrt\lambda\,(I\ 0)) = Q R$.

    Householder's method: with $A = (X\ y)$ and as many rows as X has columns, $R_x W = R_y$ has
    the solution of the ridge regression of y on X. With `jit` and `vmap`; not differentiable.

    Arguments:
        columns: A, (samples, columns).
        count: how many of its columns, the first, have a row of the penalty.
        penalty: $\lambda > 0$, scalar.

    Example:
        >>> import jax.numpy as jnp
        >>> R = triangle(jnp.array([[3.0, 10.0]]), 1, 16.0)
        >>> [round(abs(float(r)), 3) for r in R[0]]
        [5.0, 6.0]
    """
    root = jnp.sqrt(jnp.asarray(penalty, columns.dtype))
    return _by_panels(columns, count, _PANEL if count <= _ONE_BY_ONE else count, root)


def _by_panels(columns, count: int, width: int, root):
    here = min(width, count)
    last = here == count
    panel = columns if last else columns[:, :here]
    # below a panel are the rows of its own penalty; those of later ones have met nothing yet
    rows = root * jnp.eye(here, panel.shape[1], dtype=columns.dtype)
    # a sum of two that are filled up is a vector loop for XLA, a concatenation is not
    panel = jnp.pad(panel, ((0, here), (0, 0))) + jnp.pad(rows, ((len(columns), 0), (0, 0)))
    if last:
        return jnp.linalg.qr(panel, mode="r")[:count]
    reflections, scales = jnp.linalg.qr(panel, mode="raw")
    later = jnp.pad(columns[:, here:], ((0, here), (0, 0)))
    later = jax.lax.linalg.ormqr(reflections.T, scales, later, left=True, transpose=True)
    above = jnp.concatenate([jnp.triu(reflections.T[:here]), later[:here]], axis=1)
    below = _by_panels(later[here:], count - here, width, root)
    return jnp.concatenate([above, jnp.pad(below, ((0, 0), (here, 0)))])
