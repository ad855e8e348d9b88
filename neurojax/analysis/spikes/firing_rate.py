"""Firing rates in Hz: of each neuron, of the population, over time."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from neurojax.core.errors import suggestion

from ._events import HZ, Number, events, length, positive, window
from .binning import bin_centres, population_counts

_KERNELS = ("gaussian", "exponential", "box")


def rates(source: Any, *, t_start: Number = 0.0, t_stop: Number) -> Float64[np.ndarray, " neuron"]:
    """The firing rate of each neuron in Hz.

    Arguments:
        source: spikes, see the package.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms.

    Example:
        >>> rates([[10.0, 20.0, 30.0], []], t_stop=100.0).tolist()
        [30.0, 0.0]
    """
    duration, found = length(t_start, t_stop), window(events(source), t_start, t_stop)
    return np.bincount(found.neurons, minlength=found.n) * HZ / duration


def mean_rate(source: Any, *, t_start: Number = 0.0, t_stop: Number) -> float:
    """The mean firing rate over neurons and time in Hz; NaN without neurons.

    Arguments:
        source: spikes, see the package.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms.

    Example:
        >>> mean_rate([[10.0, 20.0, 30.0], []], t_stop=100.0)
        15.0
    """
    duration, found = length(t_start, t_stop), window(events(source), t_start, t_stop)
    return len(found.times) * HZ / duration / found.n if found.n else float("nan")


def population_rate(
    source: Any, bin: Number = 1.0, *, t_start: Number = 0.0, t_stop: Number
) -> tuple[Float64[np.ndarray, " bin"], Float64[np.ndarray, " bin"]]:
    r"""The rate per neuron over time, $A_k = n_k / (N\,\Delta)$, in bins.

    Arguments:
        source: spikes, see the package.
        bin: width $\Delta$ in ms.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms.

    Returns:
        The centres of the bins in ms, and the rate in Hz in each.

    Example:
        >>> times, rate = population_rate([[1.0, 2.0], [3.0]], 5.0, t_stop=10.0)
        >>> times.tolist(), rate.tolist()
        ([2.5, 7.5], [300.0, 0.0])
    """
    found, bin = events(source), positive("bin", bin)
    counts = population_counts(found, bin, t_start=t_start, t_stop=t_stop)
    rate = counts * HZ / (max(found.n, 1) * bin)
    return bin_centres(bin, len(counts), t_start), rate


def smoothed_rate(
    source: Any,
    width: Number,
    *,
    kernel: str = "gaussian",
    resolution: Number = 1.0,
    t_start: Number = 0.0,
    t_stop: Number,
) -> tuple[Float64[np.ndarray, " time"], Float64[np.ndarray, " time"]]:
    r"""The rate per neuron over time, smoothed: $A(t) = \frac1N \sum_i k(t - t_i)$, $\int k = 1$.

    Spikes are binned at `resolution` and convolved with the kernel sampled there. What is before
    the window counts as silence, likewise after it, so the rate falls off within one `width` of
    the edges.

    Arguments:
        source: spikes, see the package.
        width: in ms; the standard deviation of `"gaussian"`, the time constant of
            `"exponential"` (causal: a spike counts after it happened), the whole width of `"box"`.
        kernel: one of these names.
        resolution: distance of the samples in ms.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms.

    Returns:
        Times in ms, and the rate in Hz at each.

    Raises:
        ValueError: unknown kernel, or a width or resolution that is not positive.

    Example:
        >>> times, rate = smoothed_rate([[50.0]], 5.0, t_stop=100.0)
        >>> round(float(rate.sum()), 3)  # one spike, in steps of 1 ms
        1000.0
    """
    if kernel not in _KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}.{suggestion(kernel, _KERNELS)}")
    width, resolution = positive("width", width), positive("resolution", resolution)
    times, raw = population_rate(source, resolution, t_start=t_start, t_stop=t_stop)
    from scipy.signal import fftconvolve

    far = width * {"gaussian": 6.0, "exponential": 15.0, "box": 0.5}[kernel] + resolution
    reach = int(np.ceil(far / resolution))
    weights = _weights(kernel, np.arange(-reach, reach + 1) * resolution, width)
    smooth = fftconvolve(raw, weights)[reach : reach + len(raw)]
    return times, np.maximum(smooth, 0.0)  # the transform leaves a little below zero


def _weights(kernel: str, lags: np.ndarray, width: float) -> np.ndarray:
    """The kernel at the lags (ms), with sum one."""
    if kernel == "gaussian":
        shape = np.exp(-0.5 * (lags / width) ** 2)
    elif kernel == "exponential":
        shape = np.where(lags >= 0, np.exp(-np.maximum(lags, 0.0) / width), 0.0)
    else:
        # a bin that the edge of the box cuts counts in part
        step = lags[1] - lags[0]
        inside = np.minimum(lags + 0.5 * step, 0.5 * width) - np.maximum(
            lags - 0.5 * step, -0.5 * width
        )
        shape = np.maximum(inside, 0.0)
    return shape / shape.sum()
