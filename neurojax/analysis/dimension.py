"""How many dimensions the activity of a population takes, and which."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._activity import activity, centred, compiled, gram_inner, unit_norm


@compiled()
def participation_ratio(x: Any) -> Float[Array, ""]:
    r"""The participation ratio of the principal components.

    $$\frac{(\sum_i \lambda_i)^2}{\sum_i \lambda_i^2}
        = \frac{(\mathrm{tr}\, C)^2}{\mathrm{tr}\, C^2}$$

    with $\lambda_i$ the eigenvalues of the covariance $C$ of the units: k for k components of
    equal variance. No eigenvalue is computed, and the smaller of [unit, unit] and
    [sample, sample] matrices is made.

    Arguments:
        x: activity [sample, unit].

    Returns:
        From 1 to the smaller of units and samples less one; NaN for activity without variance.

    Raises:
        ValueError: the shape.

    Source:
        Gao et al. 2017, bioRxiv 214262.

    Example:
        >>> participation_ratio([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]).item()
        2.0
    """
    x = unit_norm(centred(activity(x, "x")))
    return 1.0 / gram_inner(x, x)


@compiled("centre")
def effective_rank(matrix: Any, *, centre: bool = False) -> Float[Array, ""]:
    r"""The exponential of the entropy of the singular values.

    $\exp(-\sum_i p_i \ln p_i)$ with $p_i = \sigma_i / \sum_j \sigma_j$: k for k equal singular
    values.

    Arguments:
        matrix: any matrix, such as recurrent weights; or activity [sample, unit].
        centre: take the mean over rows off first: do so for activity.

    Raises:
        ValueError: it is not a matrix.

    Source:
        Roy and Vetterli 2007, EUSIPCO.

    Example:
        >>> round(effective_rank([[2.0, 0.0], [0.0, -2.0]]).item(), 5)
        2.0
    """
    x = activity(matrix, "matrix", samples=1)
    s = jnp.linalg.svd(centred(x) if centre else x, compute_uv=False)
    p = s / jnp.sum(s)
    positive = p > 0
    return jnp.exp(-jnp.sum(jnp.where(positive, p * jnp.log(jnp.where(positive, p, 1.0)), 0.0)))


class PCA(NamedTuple):
    """Principal components of activity.

    Arguments:
        components: [component, unit], orthonormal; the largest loading of each is positive.
        projections: the trajectories [..., component], shaped like the activity but for units.
        variance: of each projection (denominator: samples less one).
        explained: fraction of the whole variance.
        mean: of each unit.

    Example:
        >>> found = pca([[0.0, 0.0], [3.0, 4.0]])
        >>> found.projections.round(4).tolist(), found.explained.tolist()
        ([[-2.5], [2.5]], [1.0])
    """

    components: Float[Array, "component unit"]
    projections: Float[Array, "*samples component"]
    variance: Float[Array, " component"]
    explained: Float[Array, " component"]
    mean: Float[Array, " unit"]


@compiled("components")
def pca(x: Any, components: int | None = None) -> PCA:
    """Principal components and the trajectories along them.

    Arguments:
        x: activity [..., unit]: all axes but the last are samples, such as [condition, time, unit].
        components: how many; default all that there can be (units, or samples less one).

    Raises:
        ValueError: the shape, or more components than there can be.

    Example:
        >>> x = jnp.stack([jnp.cos(jnp.arange(8.0)), jnp.sin(jnp.arange(8.0))], axis=1)
        >>> pca(jnp.stack([x, 2 * x]), components=2).projections.shape
        (2, 8, 2)
    """
    x = jnp.asarray(x)
    if x.ndim < 2:
        raise ValueError(f"x must be activity of shape [..., units], got {x.shape}")
    flat = activity(x.reshape(-1, x.shape[-1]), "x")
    most = min(flat.shape[0] - 1, flat.shape[1])
    components = most if components is None else components
    if not 1 <= components <= most:
        raise ValueError(f"components must be from 1 to {most}, got {components}")
    u, s, vt = jnp.linalg.svd(centred(flat), full_matrices=False)
    variance = s**2 / (flat.shape[0] - 1)
    largest = jnp.argmax(jnp.abs(vt), axis=1)
    sign = jnp.sign(jnp.take_along_axis(vt, largest[:, None], axis=1))[:components]
    projections = u[:, :components] * (s[:components] * sign[:, 0])[None, :]
    return PCA(
        vt[:components] * sign,
        projections.reshape(*x.shape[:-1], components),
        variance[:components],
        variance[:components] / jnp.sum(variance),
        flat.mean(axis=0),
    )
