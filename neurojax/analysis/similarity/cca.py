"""Canonical correlations: what two populations share up to linear maps."""

from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .._activity import centred, compiled, dot, pair


@compiled()
def canonical_correlations(
    x: Any, y: Any, *, regularisation: ArrayLike = 0.0
) -> Float[Array, " pair"]:
    r"""The canonical correlations of two populations, largest first.

    The singular values of $C_{xx}^{-1/2} C_{xy} C_{yy}^{-1/2}$, found from orthonormal bases of
    the centred activity and not from covariances, so that no digits are lost. They are the same
    under every invertible linear map of either population. Directions without variance count for
    nothing; with as many units as samples all correlations are 1, and only regularisation helps.

    Derivatives exist where the singular values of `x` and of `y` are different and none is zero.

    Arguments:
        x: activity [sample, unit].
        y: activity [sample, unit] in the same samples.
        regularisation: ridge, as a fraction of the mean variance of the units, added to both
            $C_{xx}$ and $C_{yy}$; 0 to 1. Above zero the invariance is under rotation and scale.

    Returns:
        As many as the smaller number of units (or of samples); zeros at the end where the rank is
            below.

    Raises:
        ValueError: the shapes.

    Source:
        Hotelling 1936, Biometrika 28:321-377.

    Example:
        >>> x = jnp.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0], [3.0, 3.0]])
        >>> linear = x @ jnp.array([[1.0, 2.0], [0.0, 1.0]])
        >>> canonical_correlations(x, linear).round(4).tolist()
        [1.0, 1.0]
    """
    x, y = pair(x, y)
    return _correlations(_basis(x, regularisation)[0], _basis(y, regularisation)[0])


@compiled()
def cca(x: Any, y: Any, *, regularisation: ArrayLike = 0.0) -> Float[Array, ""]:
    """The mean canonical correlation, 0 to 1.

    Arguments:
        x: activity [sample, unit].
        y: activity [sample, unit] in the same samples.
        regularisation: as for `canonical_correlations`.

    Returns:
        The mean over as many correlations as the lower rank of the two; NaN for activity without
            any variance.

    Raises:
        ValueError: the shapes.

    Source:
        Hotelling 1936, Biometrika 28:321-377.

    Example:
        >>> x = jnp.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0], [3.0, 3.0]])
        >>> round(float(cca(x, x[:, :1])), 4)
        1.0
    """
    x, y = pair(x, y)
    return _mean(_basis(x, regularisation), _basis(y, regularisation))


@compiled()
def svcca(
    x: Any, y: Any, *, variance: ArrayLike = 0.99, regularisation: ArrayLike = 0.0
) -> Float[Array, ""]:
    """The mean canonical correlation of the leading principal components.

    Arguments:
        x: activity [sample, unit].
        y: activity [sample, unit] in the same samples.
        variance: the fewest components that explain this fraction of the variance are kept, of
            each population.
        regularisation: as for `canonical_correlations`.

    Raises:
        ValueError: the shapes.

    Source:
        Raghu et al. 2017, NeurIPS.

    Example:
        >>> x = jnp.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0], [3.0, 3.0]])
        >>> round(float(svcca(x, 2.0 * x)), 4)
        1.0
    """
    x, y = pair(x, y)
    return _mean(_basis(x, regularisation, variance), _basis(y, regularisation, variance))


@compiled()
def pwcca(x: Any, y: Any, *, regularisation: ArrayLike = 0.0) -> Float[Array, ""]:
    r"""The canonical correlations, weighted by how much of `x` each direction accounts for.

    $\sum_i \alpha_i \rho_i / \sum_i \alpha_i$ with $\alpha_i = \sum_j |\langle h_i, x_j \rangle|$
    over units $j$, where $h_i$ is the $i$-th canonical variate of `x`. Not symmetric.

    Not changed by linear maps of `y`; those of `x`, rotations too, change the weights (but not that
    copies give 1).

    Arguments:
        x: activity [sample, unit]; its variates and units give the weights.
        y: activity [sample, unit] in the same samples.
        regularisation: as for `canonical_correlations`.

    Raises:
        ValueError: the shapes.

    Source:
        Morcos, Raghu and Bengio 2018, NeurIPS.

    Example:
        >>> x = jnp.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0], [3.0, 3.0]])
        >>> round(float(pwcca(x, 2.0 * x)), 4)
        1.0
    """
    x, y = pair(x, y)
    left, _ = _basis(x, regularisation)
    right, _ = _basis(y, regularisation)
    u, correlations, _ = jnp.linalg.svd(dot(left.T, right), full_matrices=False)
    weights = jnp.sum(jnp.abs(dot(dot(left, u).T, centred(x))), axis=1)
    return jnp.sum(weights * jnp.minimum(correlations, 1.0)) / jnp.sum(weights)


def _basis(
    x: Array, regularisation: ArrayLike, variance: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Centred activity in whitened principal components; which of them are kept."""
    x = centred(x)
    u, s, _ = jnp.linalg.svd(x, full_matrices=False)
    kept = s > jnp.finfo(x.dtype).eps * max(x.shape) * s[0]
    square = jnp.where(kept, s**2, 0.0)
    if variance is not None:
        before = jnp.cumsum(square) - square
        kept &= before < variance * jnp.sum(square)
    ridge = regularisation * jnp.sum(square) / x.shape[1]
    shrunk = s / jnp.sqrt(jnp.where(kept, s**2 + ridge, 1.0))
    return u * jnp.where(kept, shrunk, 0.0)[None, :], kept


def _correlations(left: Array, right: Array) -> Array:
    return jnp.minimum(jnp.linalg.svd(dot(left.T, right), compute_uv=False), 1.0)


def _mean(x: tuple[Array, Array], y: tuple[Array, Array]) -> Float[Array, ""]:
    (left, kept), (right, also) = x, y
    number = jnp.minimum(jnp.sum(kept), jnp.sum(also))
    return jnp.sum(_correlations(left, right)) / number
