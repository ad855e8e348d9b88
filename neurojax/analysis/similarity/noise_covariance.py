"""The covariance of the noise over units, shrunk so that it can be inverted."""

from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .._activity import activity, compiled, dot


@compiled()
def noise_covariance(
    residuals: Any, shrinkage: ArrayLike | None = None
) -> Float[Array, "unit unit"]:
    r"""The covariance of residuals, shrunk towards a multiple of the identity.

    $\hat\Sigma = (1 - \lambda) S + \lambda \, \mathrm{tr}(S) / N \, I$, where $S$ is the second
    moment of the residuals of $N$ units, and $\lambda$ by default the value of least expected
    squared error.

    Arguments:
        residuals: [sample, unit]: single trials without the mean of their condition.
        shrinkage: $\lambda$ from 0 (none) to 1; default the estimate of Ledoit and Wolf.

    Raises:
        ValueError: the shape of `residuals`.

    Source:
        Ledoit and Wolf 2004, Journal of Multivariate Analysis 88:365-411.

    Example:
        >>> noise_covariance([[1.0, 0.0], [-1.0, 0.0]], shrinkage=0.5).tolist()
        [[0.75, 0.0], [0.0, 0.25]]
    """
    x = activity(residuals, "residuals")
    samples, units = x.shape
    second = dot(x.T, x) / samples
    scale = jnp.trace(second) / units
    target = scale * jnp.eye(units, dtype=x.dtype)
    if shrinkage is None:
        # the error of S by its sampling, over its distance from the target
        fourth = jnp.sum(dot((x**2).T, x**2)) / samples
        error = (fourth - jnp.sum(second**2)) / samples
        away = jnp.sum((second - target) ** 2)
        shrinkage = jnp.where(away > 0, jnp.minimum(error, away) / away, 0.0)
    weight = jnp.asarray(shrinkage, x.dtype)
    return (1.0 - weight) * second + weight * target
