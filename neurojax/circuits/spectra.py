"""Spectral radius and abscissa of weights, read and set exactly."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurojax.core import unwrap
from neurojax.core.tracing import known

from .low_rank import LowRank
from .sparse_weights import SparseWeights

_LARGE = 200  # units from which on Arnoldi's method is the faster one


def spectral_radius(weights) -> Array:
    """The greatest modulus of an eigenvalue (on the host, in double precision).

    Of many units by Arnoldi's method to a relative 1e-10, where it converges.

    Arguments:
        weights: a square matrix, `SparseWeights` or a `LowRank`.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> float(nj.circuits.spectral_radius(np.diag([1.0, -3.0])))
        3.0
    """
    matrix = _matrix(weights)
    greatest = _greatest(matrix) if matrix.shape[0] >= _LARGE else np.nan
    if np.isfinite(greatest):
        return jnp.asarray(greatest, jnp.result_type(float))
    dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return jnp.max(jnp.abs(_eigenvalues(dense)))


def spectral_abscissa(weights) -> Array:
    """The greatest real part of an eigenvalue (on the host, in double precision).

    Arguments:
        weights: a square matrix, `SparseWeights` or a `LowRank`.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> float(nj.circuits.spectral_abscissa(np.diag([1.0, -3.0])))
        1.0
    """
    return jnp.max(jnp.real(_eigenvalues(weights)))


def with_spectral_radius(weights, radius: float) -> Array:
    """The weights scaled so that their spectral radius is `radius` exactly.

    Arguments:
        weights: a square matrix.
        radius: the greatest modulus of an eigenvalue that they shall have, 0 or more.

    Raises:
        ValueError: if they have no spectral radius to scale (all eigenvalues are zero), for a
            negative radius, or inside jit.
        TypeError: for weights that are no matrix.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> nj.circuits.with_spectral_radius(jnp.diag(jnp.array([2.0, -4.0])), 1.0).tolist()
        [[0.5, 0.0], [0.0, -1.0]]
    """
    if not radius >= 0:
        raise ValueError(f"radius must not be negative, got {radius}")
    if isinstance(weights, LowRank | SparseWeights):
        raise TypeError(
            f"with_spectral_radius scales matrices, got {type(weights).__name__}: multiply one of "
            "its factors"
        )
    weights = _on_host(weights)
    now = float(spectral_radius(weights))
    size = float(np.abs(np.asarray(weights)).max(initial=0.0))
    if now <= 1e-7 * size:
        raise ValueError(
            "the weights have spectral radius 0 (no cycles): they cannot be scaled to "
            f"radius={radius}"
        )
    return jnp.asarray(weights) * (radius / now)


def with_spectral_abscissa(weights, abscissa: float) -> Array:
    """The weights with their diagonal shifted so that their spectral abscissa is `abscissa`.

    Arguments:
        weights: a square matrix.
        abscissa: the greatest real part of an eigenvalue that they shall have.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> nj.circuits.with_spectral_abscissa(jnp.diag(jnp.array([2.0, -4.0])), 1.0).tolist()
        [[1.0, 0.0], [0.0, -5.0]]
    """
    weights = jnp.asarray(weights)
    return weights + (abscissa - spectral_abscissa(weights)) * jnp.eye(len(weights))


def _on_host(weights) -> Any:
    """The weights without wrappers, where they are numbers."""
    weights = unwrap(weights)
    if not known(*jax.tree.leaves(weights)):
        raise ValueError(
            "eigenvalues of weights are found on the host, not inside jit or vmap: draw or scale "
            "the weights outside"
        )
    return weights


def _eigenvalues(weights) -> np.ndarray:
    weights = _on_host(weights)
    if isinstance(weights, LowRank):
        weights = np.asarray(weights.m, float) @ np.asarray(weights.n, float).T / len(weights.m)
    weights = np.asarray(weights, float)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
        raise ValueError(f"weights must be square [to, from], got shape {weights.shape}")
    return np.linalg.eigvals(weights)


def _matrix(weights) -> Any:
    """Weights as numpy or scipy.sparse holds them; of low rank, a small one of equal spectrum."""
    weights = _on_host(weights)
    if isinstance(weights, LowRank):
        m, n = np.asarray(weights.m, float), np.asarray(weights.n, float)
        return n.T @ m / len(m)
    if isinstance(weights, SparseWeights):
        return weights.to_scipy()
    return np.asarray(weights, float)


def _greatest(weights) -> float:
    """The greatest modulus by Arnoldi's method, or `NaN` where it does not converge."""
    from scipy.sparse.linalg import ArpackError, eigs

    start = np.ones(weights.shape[0])  # given, so that a result is the same every time
    try:
        tolerance: Any = 1e-10
        found = eigs(
            weights, k=1, which="LM", ncv=41, v0=start, tol=tolerance, return_eigenvectors=False
        )
    except ArpackError:
        return np.nan
    return float(np.abs(found).max())
