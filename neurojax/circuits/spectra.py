"""Spectral radius and abscissa of weights, read and set exactly."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def spectral_radius(weights) -> Array:
    """The greatest modulus of an eigenvalue (on the host, in double precision).

    Example:
        >>> import numpy as np, neurojax as nj
        >>> float(nj.circuits.spectral_radius(np.diag([1.0, -3.0])))
        3.0
    """
    return jnp.max(jnp.abs(_eigenvalues(weights)))


def spectral_abscissa(weights) -> Array:
    """The greatest real part of an eigenvalue (on the host, in double precision).

    Example:
        >>> import numpy as np, neurojax as nj
        >>> float(nj.circuits.spectral_abscissa(np.diag([1.0, -3.0])))
        1.0
    """
    return jnp.max(jnp.real(_eigenvalues(weights)))


def with_spectral_radius(weights, radius: float) -> Array:
    """The weights scaled so that their spectral radius is `radius` exactly.

    Raises:
        ValueError: if they have no spectral radius to scale (all eigenvalues are zero).

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> nj.circuits.with_spectral_radius(jnp.diag(jnp.array([2.0, -4.0])), 1.0).tolist()
        [[0.5, 0.0], [0.0, -1.0]]
    """
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

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> nj.circuits.with_spectral_abscissa(jnp.diag(jnp.array([2.0, -4.0])), 1.0).tolist()
        [[1.0, 0.0], [0.0, -5.0]]
    """
    weights = jnp.asarray(weights)
    return weights + (abscissa - spectral_abscissa(weights)) * jnp.eye(len(weights))


def _eigenvalues(weights) -> np.ndarray:
    weights = np.asarray(weights, float)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
        raise ValueError(f"weights must be square [to, from], got shape {weights.shape}")
    return np.linalg.eigvals(weights)
