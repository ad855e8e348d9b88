"""The peri-stimulus time histogram."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from ._aligned import aligned, onset_times
from ._events import HZ, Number, events, finite, positive, slack
from .binning import bin_centres, whole_bins


def psth(
    source: Any,
    onsets: Any,
    *,
    before: Number = 0.0,
    after: Number,
    bin: Number = 1.0,
) -> tuple[Float64[np.ndarray, " bin"], Float64[np.ndarray, "neuron bin"]]:
    """The rate of each neuron around repeated stimuli, averaged over them.

    A spike in the step that ends at an onset stands before it.

    Arguments:
        source: spikes, see the package.
        onsets: times of the stimuli in ms.
        before: how long before an onset the histogram begins, ms.
        after: how long after an onset it ends, ms.
        bin: width in ms.

    Returns:
        The centres of the bins in ms from the onset, and rates in Hz.

    Raises:
        ValueError: there is no onset, or the window is shorter than a bin.

    Example:
        >>> times, rate = psth([[12.0, 112.0, 117.0]], [10.0, 110.0], after=10.0, bin=5.0)
        >>> times.tolist(), rate.tolist()
        ([2.5, 7.5], [[200.0, 100.0]])
    """
    onsets, bin = onset_times(onsets), positive("bin", bin)
    before, after = finite("before", before), finite("after", after)
    spikes = events(source)
    bins = whole_bins(spikes, bin, -before, after)
    found = aligned(spikes, onsets, -before, after, bin)
    rounding = slack(spikes, onsets[found.trials] + found.times, bin)
    index = np.ceil((found.times + before - rounding) / bin).astype(np.int64) - 1
    index = np.maximum(index, 0)
    inside = index < bins
    flat = found.neurons[inside] * bins + index[inside]
    counts = np.bincount(flat, minlength=found.n * bins).reshape(found.n, bins)
    return bin_centres(bin, bins, -before), counts * HZ / (len(onsets) * bin)
