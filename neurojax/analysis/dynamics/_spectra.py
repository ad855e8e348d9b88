"""Eigenvalues on the host: JAX has the general ones on CPUs only."""

import numpy as np


def eigenvalues_of(matrices) -> np.ndarray:
    """The eigenvalues of matrices (..., n, n), those with the largest real part first."""
    values = np.linalg.eigvals(np.asarray(matrices, float)).astype(complex)
    order = np.lexsort((-np.imag(values), -np.real(values)), axis=-1)
    return np.take_along_axis(values, order, axis=-1)


def is_stable(values: np.ndarray, discrete: bool) -> np.ndarray:
    """Whether a flow, or a map, is attracted to points with these eigenvalues."""
    return np.all(np.abs(values) < 1 if discrete else np.real(values) < 0, axis=-1)
