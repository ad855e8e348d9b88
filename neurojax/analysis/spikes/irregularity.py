"""How irregular spike trains are: CV, CV2 and local variation."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from ._events import Number, plain_number
from .intervals import all_intervals


def cv(
    source: Any, *, t_start: Number = 0.0, t_stop: Number | None = None
) -> Float64[np.ndarray, " neuron"]:
    r"""The coefficient of variation of the intervals of each neuron, $\sigma_I / \bar I$.

    1 for a Poisson process, $1/\sqrt k$ for a gamma process of shape k, 0 for a clock. The
    variance is that of the sample (divided by the number of intervals). NaN for a neuron with
    fewer than three spikes, or with all of them at one time.

    Arguments:
        source: spikes, see the package.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms; default: no end.

    Example:
        >>> cv([[0.0, 10.0, 20.0, 30.0], [0.0, 1.0, 4.0], [5.0]]).tolist()
        [0.0, 0.5, nan]
    """
    intervals, owner, n = all_intervals(source, t_start, t_stop)
    mean = _mean(intervals, owner, n, least=2)
    variance = _mean((intervals - mean[owner]) ** 2, owner, n, least=2)
    with np.errstate(invalid="ignore"):
        return np.sqrt(variance) / mean


def cv2(
    source: Any, *, t_start: Number = 0.0, t_stop: Number | None = None
) -> Float64[np.ndarray, " neuron"]:
    r"""The irregularity of neighbouring intervals, which slow changes of the rate do not raise.

    $$\mathrm{CV}_2 = \left\langle \frac{2\,|I_{j+1} - I_j|}{I_{j+1} + I_j} \right\rangle_j$$

    1 for a Poisson process, 0 for a clock; NaN for a neuron with fewer than three spikes, or with
    three of them at one time, whose two intervals of zero have no contrast.

    Arguments:
        source: spikes, see the package.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms; default: no end.

    Source: Holt, Softky, Koch and Douglas (1996), J. Neurophysiol. 75, 1806.

    Example:
        >>> cv2([[0.0, 1.0, 4.0]]).tolist()
        [1.0]
    """
    first, second, owner, n = _neighbours(source, t_start, t_stop)
    return _mean(2.0 * _contrast(first, second), owner, n, least=1)


def lv(
    source: Any,
    *,
    refractoriness: Number = 0.0,
    t_start: Number = 0.0,
    t_stop: Number | None = None,
) -> Float64[np.ndarray, " neuron"]:
    r"""The local variation of the intervals of each neuron.

    $$L_V = \frac{3}{m-1} \sum_{j=1}^{m-1}
    \left(\frac{I_j - I_{j+1}}{I_j + I_{j+1}}\right)^2
    \left(1 + \frac{4R}{I_j + I_{j+1}}\right)$$

    With $R = 0$ this is the local variation of 2003, with $R > 0$ its revision of 2009, which
    allows for a refractory period. 1 for a Poisson process ($R = 0$), 0 for a clock; NaN for a
    neuron with fewer than three spikes, or with three of them at one time, as for `cv2`.

    Arguments:
        source: spikes, see the package.
        refractoriness: $R$ in ms; 5 ms in the paper of 2009.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms; default: no end.

    Source: Shinomoto, Shima and Tanji (2003), Neural Comput. 15, 2823; Shinomoto et al. (2009),
    PLoS Comput. Biol. 5, e1000433.

    Example:
        >>> lv([[0.0, 1.0, 4.0]]).tolist()
        [0.75]
    """
    if not 0 <= plain_number("refractoriness", refractoriness) < np.inf:
        raise ValueError(f"refractoriness must not be negative (ms), got {refractoriness!r}")
    first, second, owner, n = _neighbours(source, t_start, t_stop)
    both = first + second
    share = np.divide(4.0 * refractoriness, both, out=np.full_like(both, np.nan), where=both > 0)
    return _mean(3.0 * _contrast(first, second) ** 2 * (1.0 + share), owner, n, least=1)


def _neighbours(source, t_start, t_stop):
    """Pairs of intervals that follow each other in one neuron."""
    intervals, owner, n = all_intervals(source, t_start, t_stop)
    same = owner[1:] == owner[:-1]
    return intervals[:-1][same], intervals[1:][same], owner[1:][same], n


def _contrast(first, second):
    """|a - b| / (a + b); NaN for two intervals of zero."""
    both = first + second
    return np.divide(np.abs(first - second), both, out=np.full_like(both, np.nan), where=both > 0)


def _mean(values, owner, n: int, least: int):
    """The mean by owner, NaN where there are fewer than `least` values."""
    number = np.bincount(owner, minlength=n)
    total = np.bincount(owner, weights=values, minlength=n)
    return np.divide(total, number, out=np.full(n, np.nan), where=number >= least)
