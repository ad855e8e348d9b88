"""Groups of units of two populations that do the same."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from neurojax.core.random import host_generator

from .matching import unit_correlations


class SpectralMatching(NamedTuple):
    """What `spectral_match` found.

    Arguments:
        x: the group of each unit of the first population.
        y: the group of each unit of the second.
        within: mean size of correlations between populations inside groups; NaN if no group has
            units of both.
        between: and across groups.

    Example:
        >>> SpectralMatching(np.array([0]), np.array([0]), np.array(1.0), np.array(0.0)).x.tolist()
        [0]
    """

    x: Int[np.ndarray, " unit"]
    y: Int[np.ndarray, " other"]
    within: Float[np.ndarray, ""]
    between: Float[np.ndarray, ""]


def spectral_match(x: Any, y: Any, groups: int, *, key: Any) -> SpectralMatching:
    r"""Spectral co-clustering of the units of two populations by their correlations.

    With $A = |r|$ the correlations between populations and $D_1$, $D_2$ its row and column sums,
    units are placed by the leading singular vectors of $D_1^{-1/2} A D_2^{-1/2}$, scaled by
    $D^{-1/2}$, and grouped there by k-means. Many-to-many: a unit of one population may correspond
    to a group in the other. On the host.

    Arguments:
        x: activity [sample, unit].
        y: activity [sample, unit] in the same samples.
        groups: how many, at least 2 and at most the smaller number of units.
        key: for the starts of k-means.

    Raises:
        ValueError: the shapes, or `groups` out of range.

    Source:
        Dhillon 2001, KDD (the algorithm); Li et al. 2016, ICLR (between networks).

    Example:
        >>> import jax
        >>> a = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 2.0], [0.0, 0.0]])
        >>> found = spectral_match(a[:, [0, 0, 1]], a[:, [1, 0]], 2, key=jax.random.key(0))
        >>> found.x[0] == found.x[1] == found.y[1], found.x[2] == found.y[0]
        (np.True_, np.True_)
    """
    from scipy.cluster.vq import kmeans2

    size = np.abs(np.asarray(unit_correlations(x, y), float))
    rows, columns = size.shape
    if not 2 <= groups <= min(rows, columns):
        raise ValueError(f"groups must be from 2 to {min(rows, columns)}, got {groups}")
    left, right = (
        1.0 / np.sqrt(np.maximum(size.sum(axis=axis), np.finfo(float).tiny)) for axis in (1, 0)
    )
    u, _, vt = np.linalg.svd(left[:, None] * size * right, full_matrices=False)
    dimensions = slice(1, 1 + int(np.ceil(np.log2(groups))))
    places = np.concatenate([left[:, None] * u[:, dimensions], right[:, None] * vt[dimensions].T])
    rng = host_generator(key)
    best, labels = np.inf, np.zeros(rows + columns, int)
    for _ in range(10):  # k-means finds local optima
        centres, found = kmeans2(places, groups, minit="++", rng=rng, missing="warn")
        error = np.sum((places - centres[found]) ** 2)
        if error < best:
            best, labels = error, found
    x_labels, y_labels = labels[:rows].astype(int), labels[rows:].astype(int)
    same = x_labels[:, None] == y_labels
    means = [np.asarray(size[k].mean() if k.any() else np.nan) for k in (same, ~same)]
    return SpectralMatching(x_labels, y_labels, means[0], means[1])
