"""The cross-correlogram of two spike trains."""

from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float64

from neurojax.core.errors import suggestion

from ._events import HZ, Number, one_train, positive

_SCALES = ("count", "rate")


def cross_correlogram(
    reference: Any,
    target: Any = None,
    *,
    bin: Number = 1.0,
    max_lag: Number = 50.0,
    scale: str = "count",
) -> tuple[Float64[np.ndarray, " lag"], Float64[np.ndarray, " lag"]]:
    r"""How many spikes of `target` stand at each lag after a spike of `reference`.

    Pairs are counted exactly, not from binned trains. Bins are centred on whole multiples of
    `bin`, $(k - \frac12)\Delta < t_j - t_i \le (k + \frac12)\Delta$; a peak at a positive lag
    means that the reference leads. Nothing corrects for pairs that reach beyond the ends of the
    trains.

    Arguments:
        reference: one train, times in ms.
        target: the other; default: the autocorrelogram, without pairs of a spike with itself.
        bin: width $\Delta$ in ms.
        max_lag: the largest lag in ms, rounded down to a whole number of bins.
        scale: `"count"` for pairs, or `"rate"` for the rate of the target in Hz given a spike of
            the reference, $n_k / (n_\mathrm{ref}\,\Delta)$.

    Returns:
        Lags in ms, and the correlogram.

    Raises:
        ValueError: no train, unknown scale, or a bin that is not positive or above `max_lag`.

    Example:
        >>> lags, pairs = cross_correlogram([10.0, 20.0], [12.0, 22.0], bin=2.0, max_lag=4.0)
        >>> lags.tolist(), pairs.tolist()
        ([-4.0, -2.0, 0.0, 2.0, 4.0], [0.0, 0.0, 0.0, 2.0, 0.0])
    """
    if scale not in _SCALES:
        raise ValueError(f"unknown scale {scale!r}.{suggestion(scale, _SCALES)}")
    bin, max_lag = positive("bin", bin), positive("max_lag", max_lag)
    reach = int(np.floor(max_lag / bin + 1e-9))
    if reach < 1:
        raise ValueError(f"max_lag={max_lag:g} ms is less than one bin of {bin:g} ms")
    first = one_train("reference", reference)
    second = first if target is None else one_train("target", target)
    pairs = np.zeros(2 * reach + 1)
    far = (reach + 0.5) * bin
    low = np.searchsorted(second, first - far - 1e-6, side="left")
    high = np.searchsorted(second, first + far + 1e-6, side="right")
    for part in _parts(high - low):
        _count(first[part], second, low[part], high[part], bin, reach, pairs)
    if target is None:
        pairs[reach] -= len(first)
    if scale == "rate":
        pairs = pairs * HZ / (len(first) * bin) if len(first) else np.full_like(pairs, np.nan)
    return np.arange(-reach, reach + 1) * bin, pairs


def _count(first, second, low, high, bin, reach, pairs) -> None:
    """Add the pairs of these reference spikes with their neighbours `low` to `high`."""
    number = high - low
    source = np.repeat(np.arange(len(first)), number)
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    lag = second[low[source] + within] - first[source]
    # rounding of times on a grid must not decide about an edge
    k = np.ceil(lag / bin - 0.5 - 1e-6).astype(np.int64) + reach
    k = k[(k >= 0) & (k < len(pairs))]
    pairs += np.bincount(k, minlength=len(pairs))


def _parts(number: np.ndarray, most: int = 2**22):
    """Slices of the reference spikes with about `most` pairs each, so that memory is bounded."""
    total = np.cumsum(number)
    if not len(total):
        return
    cuts = np.searchsorted(total, np.arange(most, total[-1], most), side="right")
    edges = np.unique([0, *cuts.tolist(), len(number)])
    for start, stop in pairwise(edges):
        yield slice(start, stop)
