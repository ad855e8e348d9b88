"""Representational dissimilarity matrices (RDMs): how different the patterns of two samples are."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

from neurojax.core.errors import suggestion

from .._activity import activity, centred, compiled, dot, real, root

DISTANCES = ("euclidean", "sqeuclidean", "correlation", "cosine", "mahalanobis", "sqmahalanobis")


@compiled("distance")
def rdm(x: Any, distance: str = "euclidean", *, noise_covariance: Any = None) -> Array:
    r"""The distance between the patterns of every two samples, as a vector.

    With $x_i$ the pattern of sample $i$ over units:

    | `distance` | $d_{ij}$ |
    | --- | --- |
    | `euclidean`, `sqeuclidean` | $\|x_i - x_j\|$, and its square |
    | `correlation` | $1 - r(x_i, x_j)$, Pearson's over units; NaN for a constant pattern |
    | `cosine` | $1 - x_i \cdot x_j / (\|x_i\| \|x_j\|)$ |
    | `mahalanobis` | $\sqrt{\delta^\top \Sigma^{-1} \delta}$ with $\delta = x_i - x_j$ |
    | `sqmahalanobis` | its square |

    Nothing is divided by the number of units (rsatoolbox does so for the squared ones). Products
    of patterns give the distances, so a squared distance below the rounding of
    $\|x_i\|^2 + \|x_j\|^2$ is zero; there the derivative of the root is taken as zero.

    Arguments:
        x: activity [sample, unit]; as a rule one sample per condition.
        distance: see above. For a distance without bias by noise see `crossnobis`.
        noise_covariance: $\Sigma$ [unit, unit], for the Mahalanobis distances; see
            `noise_covariance`.

    Returns:
        The pairs (0, 1), (0, 2), ..., (1, 2), ...: the upper triangle row by row, as scipy's
            `pdist`. `to_matrix` makes it square.

    Raises:
        ValueError: the shape of `x`, an unknown distance, a covariance that is missing, not
            needed, or of another shape.

    Source:
        Kriegeskorte, Mur and Bandettini 2008, Frontiers in Systems Neuroscience 2:4.

    Example:
        >>> rdm([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]).tolist()
        [5.0, 1.0, 4.242640495300293]
    """
    x = activity(x, "x")
    if distance not in DISTANCES:
        raise ValueError(f"unknown distance {distance!r}.{suggestion(distance, DISTANCES)}")
    needs = distance in ("mahalanobis", "sqmahalanobis")
    if needs != (noise_covariance is not None):
        raise ValueError(
            f"distance {distance!r} {'needs' if needs else 'takes no'} noise_covariance"
        )
    if distance == "correlation":
        x = x - x.mean(axis=1, keepdims=True)
    if distance in ("correlation", "cosine"):
        x = x / jnp.sqrt(jnp.sum(x**2, axis=1, keepdims=True))
        return upper(1.0 - jnp.clip(dot(x, x.T), -1.0, 1.0))
    x = centred(x)
    if needs:
        x = whitened(x, noise_covariance)
    square = squared_distances(x)
    return square if distance.startswith("sq") else root(square)


def to_matrix(rdm: Any) -> Float[Array, "sample sample"]:
    """The square, symmetric matrix with a diagonal of zeros of an RDM given as a vector.

    Arguments:
        rdm: the vector, from `rdm` or any function here.

    Raises:
        ValueError: its length is not P (P - 1) / 2.

    Example:
        >>> to_matrix([1.0, 2.0, 3.0]).tolist()
        [[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]]
    """
    vector = as_vector(rdm, "rdm")
    samples = number_of_samples(vector)
    rows, columns = np.triu_indices(samples, 1)
    matrix = jnp.zeros((samples, samples), vector.dtype).at[rows, columns].set(vector)
    return matrix + matrix.T


def to_vector(matrix: Any) -> Float[Array, " pair"]:
    """The upper triangle of a square RDM, row by row.

    Arguments:
        matrix: [sample, sample], symmetric.

    Raises:
        ValueError: it is not square.

    Example:
        >>> to_vector([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]]).tolist()
        [1.0, 2.0, 3.0]
    """
    matrix = jnp.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] < 2:
        raise ValueError(f"matrix must be square, got shape {matrix.shape}")
    return upper(real(matrix, "matrix"))


def upper(matrix: Float[Array, "sample sample"]) -> Float[Array, " pair"]:
    """The upper triangle."""
    return matrix[np.triu_indices(matrix.shape[0], 1)]


def as_vector(rdm: Any, name: str) -> Float[Array, " pair"]:
    """An RDM given as a vector, checked."""
    rdm = jnp.asarray(rdm)
    if rdm.ndim != 1 or number_of_samples(rdm) is None:
        raise ValueError(
            f"{name} must be the upper triangle of an RDM, P (P - 1) / 2 numbers, got shape "
            f"{rdm.shape}; to_vector takes it from a matrix"
        )
    return real(rdm, name)


def number_of_samples(vector: Array) -> Any:
    """P from P (P - 1) / 2; None if there is no such P."""
    samples = (1 + math.isqrt(1 + 8 * vector.shape[0])) // 2
    return samples if samples > 1 and samples * (samples - 1) // 2 == len(vector) else None


def squared_distances(x: Float[Array, "sample unit"]) -> Float[Array, " pair"]:
    """Squared Euclidean distances of the rows; what is below rounding is zero."""
    gram = dot(x, x.T)
    size = jnp.diagonal(gram)
    both = upper(size[:, None] + size[None, :])
    square = both - 2.0 * upper(gram)
    rounding = jnp.finfo(x.dtype).eps * max(8.0, math.sqrt(x.shape[1]))
    return jnp.where(square <= rounding * both, 0.0, square)  # NaN stays NaN


def whitened(x: Array, noise_covariance: Any) -> Array:
    """Patterns [..., unit] in coordinates in which the noise has unit covariance."""
    covariance = jnp.asarray(noise_covariance, x.dtype)
    units = x.shape[-1]
    if covariance.shape != (units, units):
        raise ValueError(
            f"noise_covariance must have shape {(units, units)}, one row per unit, got "
            f"{covariance.shape}"
        )
    factor = jnp.linalg.cholesky(covariance)
    flat = x.reshape(-1, units)
    return solve_triangular(factor, flat.T, lower=True).T.reshape(x.shape)
