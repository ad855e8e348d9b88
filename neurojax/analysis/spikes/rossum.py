"""The van Rossum distance of two spike trains."""

from typing import Any

import numpy as np

from ._events import Number, one_train, positive


def van_rossum(first: Any, second: Any, tau: Number) -> float:
    r"""The distance of two spike trains after each is filtered with an exponential.

    $$D^2 = \frac{1}{\tau} \int_0^\infty (f - g)^2\,dt
    = \frac12 \sum_{a,b} s_a s_b\, e^{-|t_a - t_b|/\tau},\qquad
    f(t) = \sum_{t_i \le t} e^{-(t - t_i)/\tau}$$

    with $s = 1$ for the spikes of one train and $-1$ for those of the other. One additional
    spike costs $D^2 = 1/2$; two trains of one spike each, $\delta$ apart, are at
    $D^2 = 1 - e^{-\delta/\tau}$. The double sum is evaluated in closed form in one pass over the
    sorted spikes. The square root is returned, which is a metric. Where the kernel is normalised
    to $D^2 = 1$ for one additional spike, as in elephant, $D$ is $\sqrt2$ times as large.

    Arguments:
        first: a train, times in ms.
        second: another.
        tau: time constant in ms: about the precision that matters.

    Raises:
        ValueError: `tau` is not positive, or a train is not a list of finite times.

    Source: van Rossum (2001), Neural Comput. 13, 751; Houghton and Kreuz (2012), Network 23, 48.

    Example:
        >>> round(van_rossum([10.0], [], tau=5.0) ** 2, 6)
        0.5
        >>> van_rossum([10.0, 20.0], [10.0, 20.0], tau=5.0)
        0.0
    """
    tau = positive("tau", tau)
    first, second = one_train("first", first), one_train("second", second)
    signs = np.concatenate([np.ones(len(first)), -np.ones(len(second))])
    times, where = np.unique(np.concatenate([first, second]), return_inverse=True)
    signs = np.bincount(where, weights=signs, minlength=len(times))
    kept = signs != 0  # coincident spikes cancel exactly
    times, signs = times[kept], signs[kept]
    decays = np.exp(-np.diff(times) / tau).tolist()
    squared, trace = 0.5 * float(np.sum(signs**2)), 0.0
    for before, sign, decay in zip(signs[:-1].tolist(), signs[1:].tolist(), decays, strict=True):
        trace = (trace + before) * decay  # the filtered difference just before this spike
        squared += sign * trace
    return max(squared, 0.0) ** 0.5
