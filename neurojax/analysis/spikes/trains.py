"""Spikes as one array of times per neuron."""

from typing import Any

import numpy as np

from ._events import Events, Number, events, window


def as_trains(
    source: Any, *, t_start: Number = 0.0, t_stop: Number | None = None
) -> list[np.ndarray]:
    """The spike times of each neuron, sorted.

    Arguments:
        source: spikes in any of the forms that the package lists.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms; default: no end.

    Returns:
        One array of times in ms for each neuron, empty for one that is silent.

    Raises:
        TypeError: `source` is none of these forms.
        ValueError: neurons are out of range, a time is not finite or the window is empty.

    Example:
        >>> [train.tolist() for train in as_trains(([3.0, 1.0, 2.0], [2, 0, 2]))]
        [[1.0], [], [2.0, 3.0]]
    """
    found = in_order(window(events(source), t_start, t_stop))
    ends = np.cumsum(np.bincount(found.neurons, minlength=found.n))
    return np.split(found.times, ends[:-1]) if found.n else []


def in_order(found: Events) -> Events:
    """By neuron, then by time."""
    return found.part(np.lexsort((found.times, found.neurons)))
