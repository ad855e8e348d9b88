"""The Fano factor: variance of spike counts over their mean."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from ._events import Number, numbers
from .binning import binned_counts


def fano_factor(
    source: Any, window: Number, *, t_start: Number = 0.0, t_stop: Number
) -> Float64[np.ndarray, " neuron"]:
    r"""The Fano factor of each neuron, $F = \mathrm{Var}(n) / \bar n$, over consecutive windows.

    1 for a Poisson process in windows of any length; for a renewal process it tends to
    $\mathrm{CV}^2$ in long ones. The variance is the unbiased one (divided by the number of
    windows less one). NaN for a silent neuron, and with fewer than two windows.

    Arguments:
        source: spikes, see the package.
        window: length of a window in ms.
        t_start: begin of the first in ms.
        t_stop: end of what is used in ms.

    Example:
        >>> fano_factor([[1.0, 2.0, 3.0, 11.0]], 10.0, t_stop=20.0).tolist()
        [1.0]
    """
    return fano_factor_of_counts(binned_counts(source, window, t_start=t_start, t_stop=t_stop))


def fano_factor_of_counts(counts: Any, *, axis: int = -1) -> Any:
    r"""Unbiased variance over mean of counts along an axis, as of repeated trials.

    Arguments:
        counts: spike counts.
        axis: the axis of the trials (or windows).

    Returns:
        An array without this axis (or a number); NaN where the mean is zero or there is one trial.

    Raises:
        ValueError: `counts` is a single number, or has no such axis.

    Example:
        >>> float(fano_factor_of_counts([2, 4, 6]))
        1.0
    """
    counts = numbers("counts", counts, "fano_factor takes spikes")
    if not -counts.ndim <= axis < counts.ndim:
        raise ValueError(
            f"counts must have the axis of the trials, axis={axis}, got shape {counts.shape}"
        )
    if counts.shape[axis] < 2:
        return np.full(np.delete(counts.shape, axis), np.nan)
    mean = counts.mean(axis=axis)
    variance = counts.var(axis=axis, ddof=1)
    return np.divide(variance, mean, out=np.full_like(mean, np.nan), where=mean > 0)
