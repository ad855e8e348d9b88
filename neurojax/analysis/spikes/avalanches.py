"""Neuronal avalanches: their sizes and durations."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from ._events import Number, events, positive, window
from .binning import population_counts


class Avalanches(NamedTuple):
    """What `avalanches` found, in order of time.

    Arguments:
        sizes: spikes in each.
        durations: length of each in ms.
        bin: width of a bin in ms.

    Example:
        >>> Avalanches(np.array([3]), np.array([2.0]), 1.0).sizes.tolist()
        [3]
    """

    sizes: Int64[np.ndarray, " avalanche"]
    durations: Float64[np.ndarray, " avalanche"]
    bin: float


def avalanches(
    source: Any, bin: Number | None = None, *, t_start: Number = 0.0, t_stop: Number
) -> Avalanches:
    """Runs of bins with spikes between bins without any.

    Those that touch the ends of the window are left out, since they may be longer.

    Arguments:
        source: spikes, see the package.
        bin: width in ms; default: the mean interval between successive spikes of the population.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms.

    Raises:
        ValueError: no bin is given and the population has no interval to take it from.

    Source: Beggs and Plenz (2003), J. Neurosci. 23, 11167.

    Example:
        >>> found = avalanches([[2.0, 6.0], [2.0, 3.0]], 1.0, t_stop=10.0)
        >>> found.sizes.tolist(), found.durations.tolist()
        ([3, 1], [2.0, 1.0])
    """
    found = events(source)
    width = (
        _mean_interval(window(found, t_start, t_stop).times)
        if bin is None
        else (positive("bin", bin))
    )
    counts = population_counts(found, width, t_start=t_start, t_stop=t_stop)
    edges = np.diff((counts > 0).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1) + 1
    if counts[0] > 0:
        ends = ends[1:]
    begins = begins[: len(ends)]
    total = np.concatenate([[0], np.cumsum(counts)])
    return Avalanches(total[ends] - total[begins], (ends - begins) * width, width)


def _mean_interval(times) -> float:
    length = float(np.ptp(times)) if len(times) > 1 else 0.0
    if length == 0:
        raise ValueError("there is no interval between spikes to take the bin from; give bin= (ms)")
    return length / (len(times) - 1)
