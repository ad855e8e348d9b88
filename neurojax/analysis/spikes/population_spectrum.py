"""The power spectrum of population activity."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from ._events import HZ, Number, events, positive
from .binning import population_counts


def spectrum(
    source: Any,
    bin: Number = 1.0,
    *,
    segment: Number = 1000.0,
    t_start: Number = 0.0,
    t_stop: Number,
) -> tuple[Float64[np.ndarray, " frequency"], Float64[np.ndarray, " frequency"]]:
    r"""The power spectrum of the summed spike trains, per neuron, by Welch's method.

    $$S(f) = \frac{1}{N\,T}\,\left\langle \left| \int_0^T \left(x(t) - \bar x\right)
    e^{-2\pi i f t}\,dt \right|^2\right\rangle,\qquad
    x(t) = \sum_{i=1}^N \sum_k \delta(t - t_{ik})$$

    The density is two-sided: independent Poisson neurons of rate $\nu$ give the flat level
    $S = \nu$, in Hz. A population in step rises above it by up to a factor N. Segments of the
    binned trains overlap by one half, lose their mean and bear a Hann window. Bins attenuate what
    is correlated by $\mathrm{sinc}^2(f\Delta)$.

    Arguments:
        source: spikes, see the package.
        bin: width $\Delta$ in ms; the largest frequency is $1/(2\Delta)$.
        segment: length of a segment in ms, the inverse of the resolution; one longer than the
            window is shortened to it.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms.

    Returns:
        Frequencies in Hz, and the spectrum in Hz; NaN without neurons.

    Raises:
        ValueError: a segment holds fewer than two bins, or the window is shorter than a bin.

    Example:
        >>> import numpy as np
        >>> volleys = [np.arange(1.0, 2000.0, 25.0)] * 10  # ten neurons at 40 Hz in step
        >>> frequencies, power = spectrum(volleys, t_stop=2000.0)
        >>> float(frequencies[np.argmax(power[:60])])
        40.0
    """
    from scipy.signal import welch

    bin, segment = positive("bin", bin), positive("segment", segment)
    found = events(source)
    counts = population_counts(found, bin, t_start=t_start, t_stop=t_stop)
    length = min(round(segment / bin), len(counts))
    if length < 2:
        raise ValueError(f"segment must hold two bins of {bin:g} ms at least, got {segment:g} ms")
    frequencies, power = welch(
        counts * HZ / bin, fs=HZ / bin, window="hann", nperseg=length, detrend="constant",
        return_onesided=False, scaling="density",
    )  # fmt: skip
    half = length // 2 + 1
    neurons = found.n if found.n else np.nan
    return np.abs(frequencies[:half]), power[:half] / neurons
