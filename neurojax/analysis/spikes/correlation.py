"""Pairwise correlation of spike counts."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from ._events import Number
from .binning import binned_counts


def correlation_matrix(
    source: Any, bin: Number, *, t_start: Number = 0.0, t_stop: Number
) -> Float64[np.ndarray, "neuron neuron"]:
    """Pearson's correlation of binned spike counts for each pair of neurons.

    Rows and columns of neurons whose count never changes are NaN.

    Arguments:
        source: spikes, see the package.
        bin: width in ms.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms.

    Example:
        >>> trains = [[5.0, 25.0], [6.0, 27.0], [15.0, 35.0]]
        >>> correlation_matrix(trains, 10.0, t_stop=40.0).round(3).tolist()
        [[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
    """
    scores = _standardised(binned_counts(source, bin, t_start=t_start, t_stop=t_stop))
    matrix = scores @ scores.T / scores.shape[1]
    np.fill_diagonal(matrix, np.where(np.isnan(scores[:, 0]), np.nan, 1.0))
    return matrix


def mean_correlation(source: Any, bin: Number, *, t_start: Number = 0.0, t_stop: Number) -> float:
    r"""The mean of `correlation_matrix` over all pairs of neurons whose count changes.

    It is found without the matrix, $\frac{\langle(\sum_i z_i)^2\rangle - N}{N(N-1)}$ with $z_i$
    the standardised count of neuron i, so large populations are no problem. NaN with fewer than
    two such neurons.

    Arguments:
        source: spikes, see the package.
        bin: width in ms.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms.

    Example:
        >>> trains = [[5.0, 25.0], [6.0, 27.0], [15.0, 35.0]]
        >>> round(mean_correlation(trains, 10.0, t_stop=40.0), 4)
        -0.3333
    """
    scores = _standardised(binned_counts(source, bin, t_start=t_start, t_stop=t_stop))
    scores = scores[~np.isnan(scores[:, 0])]
    n = len(scores)
    if n < 2:
        return float("nan")
    return float((np.mean(scores.sum(axis=0) ** 2) - n) / (n * (n - 1)))


def _standardised(counts: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1 along the bins; NaN for a neuron whose count never changes."""
    centred = counts - counts.mean(axis=1, keepdims=True)
    changes = counts.min(axis=1) < counts.max(axis=1)
    sd = np.where(changes, np.sqrt(np.mean(centred**2, axis=1)), np.nan)
    return centred / sd[:, None]
