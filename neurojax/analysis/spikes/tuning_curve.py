"""Tuning curves: the response of a neuron as a function of the stimulus."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from ._aligned import aligned, onset_times
from ._events import HZ, Number, events, finite, positive


class Tuning(NamedTuple):
    """What `tuning` found.

    Arguments:
        stimuli: the different values of the stimulus, ascending.
        mean: mean rate of each neuron for each, Hz.
        sd: standard deviation of the rate over trials, Hz; NaN for a single trial.
        trials: how often each value was shown.

    Example:
        >>> one = np.array([[1.0]])
        >>> Tuning(np.array([0.0]), one, one, np.array([2])).mean.tolist()
        [[1.0]]
    """

    stimuli: np.ndarray
    mean: Float64[np.ndarray, "neuron stimulus"]
    sd: Float64[np.ndarray, "neuron stimulus"]
    trials: Int64[np.ndarray, " stimulus"]


def tuning(
    source: Any, onsets: Any, stimuli: Any, *, delay: Number = 0.0, duration: Number
) -> Tuning:
    """The mean rate of each neuron for each value of a stimulus.

    Arguments:
        source: spikes, see the package.
        onsets: times of the stimuli in ms.
        stimuli: the value shown at each onset, such as an orientation.
        delay: the response begins so long after the onset, ms.
        duration: and lasts so long, ms.

    Raises:
        ValueError: `onsets` and `stimuli` differ in length, or `duration` is not positive.

    Example:
        >>> found = tuning([[11.0, 12.0, 31.0]], [10.0, 20.0, 30.0], [90, 0, 90], duration=10.0)
        >>> found.stimuli.tolist(), found.mean.tolist()
        ([0, 90], [[0.0, 150.0]])
    """
    onsets, stimuli = onset_times(onsets), np.asarray(stimuli)
    if stimuli.shape != onsets.shape:
        raise ValueError(f"give one stimulus per onset, got {stimuli.shape} for {len(onsets)}")
    delay, duration = finite("delay", delay), positive("duration", duration)
    found = aligned(events(source), onsets, delay, delay + duration, duration)
    flat = found.neurons * len(onsets) + found.trials
    counts = np.bincount(flat, minlength=found.n * len(onsets)).reshape(found.n, len(onsets))
    rate = counts * HZ / duration
    values, which = np.unique(stimuli, return_inverse=True)
    shown = [rate[:, which == k] for k in range(len(values))]
    single = np.full(found.n, np.nan)
    return Tuning(
        values,
        np.stack([r.mean(axis=1) for r in shown], axis=1),
        np.stack([r.std(axis=1, ddof=1) if r.shape[1] > 1 else single for r in shown], axis=1),
        np.bincount(which),
    )
