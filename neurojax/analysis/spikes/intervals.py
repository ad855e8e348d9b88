"""Inter-spike intervals."""

from typing import Any

import numpy as np

from ._events import Number, events, window
from .trains import as_trains, in_order


def isi(source: Any, *, t_start: Number = 0.0, t_stop: Number | None = None) -> list[np.ndarray]:
    """The inter-spike intervals of each neuron in ms.

    Arguments:
        source: spikes, see the package.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms; default: no end.

    Returns:
        One array for each neuron, empty for one with fewer than two spikes.
        `np.concatenate(isi(source))` pools them.

    Example:
        >>> [intervals.tolist() for intervals in isi([[1.0, 4.0, 5.0], [2.0]])]
        [[3.0, 1.0], []]
    """
    return [np.diff(train) for train in as_trains(source, t_start=t_start, t_stop=t_stop)]


def all_intervals(source: Any, t_start: Number, t_stop: Number | None):
    """All intervals, the neuron of each in ascending order, and the number of neurons."""
    found = in_order(window(events(source), t_start, t_stop))
    same = found.neurons[1:] == found.neurons[:-1]
    return np.diff(found.times)[same], found.neurons[1:][same], found.n
