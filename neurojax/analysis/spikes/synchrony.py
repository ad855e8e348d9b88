"""Golomb's measure of synchrony."""

from typing import Any

import numpy as np

from ._events import Number, numbers
from .binning import binned_counts


def chi(traces: Any) -> float:
    r"""How synchronous a population is, from 0 to 1, by fluctuations of the population mean.

    $$\chi^2 = \frac{\mathrm{Var}_t\left(\frac1N \sum_i V_i(t)\right)}
    {\frac1N \sum_i \mathrm{Var}_t\left(V_i(t)\right)}$$

    1 if all neurons do the same, $1/\sqrt N$ if they are independent. Leave out the transient at
    the beginning.

    Arguments:
        traces: shape (time, neuron), for example membrane voltages in mV.

    Returns:
        $\chi$; NaN if no trace changes.

    Raises:
        ValueError: not two axes, or fewer than two samples.

    Source: Golomb and Rinzel (1993), Phys. Rev. E 48, 4810; Golomb (2007), Scholarpedia 2(1), 1347.

    Example:
        >>> import numpy as np
        >>> wave = np.sin(np.arange(1000) * 0.1)
        >>> round(chi(np.stack([wave, wave], axis=1)), 6)
        1.0
    """
    traces = numbers("traces", traces, "chi_of_counts takes spikes")
    if traces.ndim != 2 or traces.shape[0] < 2 or traces.shape[1] < 1:
        raise ValueError(
            f"traces must have shape (time, neuron) with two samples at least, got {traces.shape}"
        )
    each = traces.var(axis=0).mean()
    # the mean of equal numbers is rounded, and their variance not exactly zero
    changes = each > 0 and np.any(traces.min(axis=0) != traces.max(axis=0))
    return float(np.sqrt(traces.mean(axis=1).var() / each)) if changes else float("nan")


def chi_of_counts(source: Any, bin: Number, *, t_start: Number = 0.0, t_stop: Number) -> float:
    r"""The measure $\chi$ of spike counts in bins instead of voltages.

    It depends on the bin: wide bins see slow common fluctuations only, narrow ones see few
    spikes.

    Arguments:
        source: spikes, see the package.
        bin: width in ms.
        t_start: begin of the window in ms.
        t_stop: end of the window in ms.

    Example:
        >>> chi_of_counts([[5.0, 25.0], [6.0, 27.0]], 10.0, t_stop=40.0)
        1.0
    """
    return chi(binned_counts(source, bin, t_start=t_start, t_stop=t_stop).T)
