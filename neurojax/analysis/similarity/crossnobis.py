"""The cross-validated Mahalanobis distance, which noise does not bias."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._activity import compiled, dot, real
from .rdm import upper, whitened


@compiled()
def crossnobis(x: Any, noise_covariance: Any = None) -> Float[Array, " pair"]:
    r"""The RDM of squared Mahalanobis distances, cross-validated over folds.

    With $\delta^m_{ij} = x^m_i - x^m_j$ the difference of two patterns in fold $m$ of $M$,

    $$d_{ij} = \frac{1}{M (M - 1)} \sum_{m \ne n} {\delta^m_{ij}}^\top \Sigma^{-1} \delta^n_{ij}.$$

    Noise that is independent between folds adds nothing on average: the mean is the true squared
    distance, and zero for identical conditions, so single values may be negative. Nothing is
    divided by the number of units (rsatoolbox does).

    Arguments:
        x: activity [fold, sample, unit]: the same samples in every fold or session.
        noise_covariance: $\Sigma$ [unit, unit]; default the identity (cross-validated squared
            Euclidean distance).

    Raises:
        ValueError: `x` has not three axes, fewer than two folds or samples, or the covariance has
            another shape.

    Source:
        Walther et al. 2016, NeuroImage 137:188-200.

    Example:
        >>> crossnobis([[[0.0], [2.0]], [[0.5], [3.5]]]).tolist()  # 2 in one fold, 3 in the other
        [6.0]
    """
    x = jnp.asarray(x)
    if x.ndim != 3 or min(x.shape[:2]) < 2 or x.shape[2] < 1:
        raise ValueError(
            "x must have shape [folds, samples, units] with at least two folds and two samples, "
            f"got {x.shape}"
        )
    x = real(x, "x")
    folds = x.shape[0]
    x = x - x.mean(axis=1, keepdims=True)
    if noise_covariance is not None:
        x = whitened(x, noise_covariance)
    total = x.sum(axis=0)
    within = jnp.einsum("mpu,mqu->pq", x, x, precision="highest")
    gram = (dot(total, total.T) - within) / (folds * (folds - 1))
    size = jnp.diagonal(gram)
    return upper(size[:, None] + size[None, :] - 2.0 * gram)
