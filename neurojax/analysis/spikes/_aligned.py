"""Spikes in time from the onset of a stimulus."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from ._events import Events, Number, milliseconds, slack


class Aligned(NamedTuple):
    """Spikes about each onset: time from it (ms), its number, the neuron, and `Events.n`."""

    times: Float64[np.ndarray, " spike"]
    trials: Int64[np.ndarray, " spike"]
    neurons: Int64[np.ndarray, " spike"]
    n: int


def aligned(found: Events, onsets: np.ndarray, begin: Number, end: Number, bin: Number) -> Aligned:
    """Spikes with onset + `begin` < t <= onset + `end`; one near several onsets is in each."""
    order = np.argsort(found.times, kind="stable")
    times, neurons = found.times[order], found.neurons[order]
    first, last = onsets + begin, onsets + end
    low = np.searchsorted(times, first + slack(found, first, bin), side="right")
    high = np.searchsorted(times, last + slack(found, last, bin), side="right")
    number = np.maximum(high - low, 0)
    trials = np.repeat(np.arange(len(onsets)), number)
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    spike = low[trials] + within
    # a spike on an edge of the window stays in it when the onset is taken off
    relative = np.clip(times[spike] - onsets[trials], begin, end)
    return Aligned(relative, trials, neurons[spike], found.n)


def onset_times(onsets: Any) -> Float64[np.ndarray, " onset"]:
    """The onsets, checked."""
    onsets = np.asarray(milliseconds(onsets), float)
    if onsets.ndim != 1 or not len(onsets) or not np.all(np.isfinite(onsets)):
        raise ValueError(
            f"onsets must be finite times in ms, one at least, got shape {onsets.shape}"
        )
    return onsets
