"""A distance for every pair of trains."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float64

from ._events import Number
from .trains import as_trains


def pairwise_distances(
    source: Any,
    distance: Callable[[np.ndarray, np.ndarray], float],
    *,
    t_start: Number = 0.0,
    t_stop: Number | None = None,
) -> Float64[np.ndarray, "neuron neuron"]:
    """The matrix of a symmetric distance between the trains of all neurons.

    Arguments:
        source: spikes, see the package.
        distance: a function of two trains, zero between equal ones.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms; default: no end.

    Raises:
        TypeError: `distance` is no function.

    Example:
        >>> import neurojax as nj
        >>> trains = [[10.0], [10.0, 30.0], []]
        >>> distance = lambda a, b: nj.analysis.spikes.victor_purpura(a, b, q=0.1)
        >>> pairwise_distances(trains, distance).tolist()
        [[0.0, 1.0, 1.0], [1.0, 0.0, 2.0], [1.0, 2.0, 0.0]]
    """
    if not callable(distance):
        raise TypeError(
            "distance must be a function of two trains, as in lambda a, b: "
            f"nj.analysis.spikes.victor_purpura(a, b, q=0.1), got {distance!r}"
        )
    trains = as_trains(source, t_start=t_start, t_stop=t_stop)
    matrix = np.zeros((len(trains), len(trains)))
    for i, j in combinations(range(len(trains)), 2):
        matrix[i, j] = matrix[j, i] = distance(trains[i], trains[j])
    return matrix
