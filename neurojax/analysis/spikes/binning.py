"""Spike counts in bins of time."""

from typing import Any

import numpy as np
from jaxtyping import Int64

from ._events import (
    SHARE,
    SINGLE,
    Events,
    Number,
    events,
    finite,
    length,
    positive,
    slack,
    window,
)


def binned_counts(
    source: Any, bin: Number, *, t_start: Number = 0.0, t_stop: Number
) -> Int64[np.ndarray, "neuron bin"]:
    """Spike counts of each neuron in each bin.

    Bin k holds the spikes with `t_start` + k `bin` < t <= `t_start` + (k + 1) `bin`. What is left
    of the window after the last whole bin is not counted.

    Arguments:
        source: spikes, see the package.
        bin: width in ms.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms.

    Raises:
        ValueError: the window is shorter than one bin, or `bin` is not positive.

    Example:
        >>> binned_counts([[1.0, 12.0, 20.0], [35.0]], 10.0, t_stop=40.0).tolist()
        [[1, 2, 0, 0], [0, 0, 0, 1]]
    """
    found, index, bins = place(source, bin, t_start, t_stop)
    flat = np.bincount(found.neurons * bins + index, minlength=found.n * bins)
    return flat.reshape(found.n, bins)


def population_counts(
    source: Any, bin: Number, *, t_start: Number = 0.0, t_stop: Number
) -> Int64[np.ndarray, " bin"]:
    """Spike counts of all neurons together in each bin, see `binned_counts`.

    Arguments:
        source: spikes, see the package.
        bin: width in ms.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms.

    Example:
        >>> population_counts([[1.0, 12.0, 20.0], [35.0]], 10.0, t_stop=40.0).tolist()
        [1, 2, 0, 1]
    """
    _, index, bins = place(source, bin, t_start, t_stop)
    return np.bincount(index, minlength=bins)


def place(source: Any, bin: Number, t_start: Number, t_stop: Number):
    """The spikes that fall into whole bins, the bin of each, and the number of bins."""
    bin = positive("bin", bin)
    t_start, t_stop = finite("t_start", t_start), finite("t_stop", t_stop)
    found = window(events(source), t_start, t_stop, bin)
    bins = whole_bins(found, bin, t_start, t_stop)
    late = found.times - t_start - slack(found, found.times, bin)
    index = np.maximum(np.ceil(late / bin).astype(np.int64) - 1, 0)
    inside = index < bins
    return found.part(inside), index[inside], bins


def whole_bins(found: Events, bin: float, t_start: Number, t_stop: Number) -> int:
    """How many bins fit into the window."""
    span = length(t_start, t_stop)
    rounding = slack(found, max(abs(t_start), abs(t_stop)), bin)
    # a bin from sums or products in float32 may be too long by a part in 10^7
    rounding = max(rounding, min(SINGLE * span, SHARE * bin))
    bins = int(np.floor((span + rounding) / bin))
    if bins < 1:
        raise ValueError(
            f"the window from {t_start:g} to {t_stop:g} ms is shorter than one bin of {bin:g} ms"
        )
    return bins


def bin_centres(bin: float, bins: int, t_start: Number) -> np.ndarray:
    """The middle of each bin in ms."""
    return t_start + bin * (np.arange(bins) + 0.5)
