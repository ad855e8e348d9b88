r"""Statistics of spike trains: rates, irregularity, correlation, distances, spectra, criticality.

Everything runs on the host with numpy. The first argument of most functions, `source`, is one of:

- a `SpikeRecord`, or a dictionary of them (its populations stand one after the other);
- a tuple `(times, neurons)` or `(times, neurons, n)`, times in ms; without `n` the last neuron
  that spikes is the last one there is;
- a list of trains, each an array of times in ms; or one array, a single train.

Windows: a spike counts if `t_start` < t <= `t_stop`, and bins are open on the left as well,
because a spike bears the label of the end of its step: a window or a bin of k steps holds exactly
the spikes of k steps. (A spike at time 0 belongs to a window from 0.) The rounding of times does
not move a spike across an edge: distances of a part in $10^{12}$ of the time, or in $10^7$ where
times or the step of a record are in float32, but never of more than a twentieth of the bin or of
that step. A bin or an end of a window that is in float32 is taken as the decimal number that it
stands for: 0.1, not 0.100000001. A record does not know how long its run was, so functions that
divide by time ask for `t_stop`.

Times with a unit, those of neo and quantities, are converted to ms.

What is undefined, such as the irregularity of a neuron with one spike, is NaN.
"""

from .avalanches import Avalanches, avalanches
from .binning import binned_counts, population_counts
from .branching import MultistepRegression, branching_ratio, multistep_regression
from .correlation import correlation_matrix, mean_correlation
from .correlogram import cross_correlogram
from .fano import fano_factor, fano_factor_of_counts
from .firing_rate import mean_rate, population_rate, rates, smoothed_rate
from .intervals import isi
from .irregularity import cv, cv2, lv
from .pairwise import pairwise_distances
from .peri_stimulus import psth
from .population_spectrum import spectrum
from .rossum import van_rossum
from .synchrony import chi, chi_of_counts
from .trains import as_trains
from .tuning_curve import Tuning, tuning
from .victor import victor_purpura

__all__ = [
    "as_trains",
    "rates",
    "mean_rate",
    "population_rate",
    "smoothed_rate",
    "binned_counts",
    "population_counts",
    "isi",
    "cv",
    "cv2",
    "lv",
    "fano_factor",
    "fano_factor_of_counts",
    "correlation_matrix",
    "mean_correlation",
    "cross_correlogram",
    "van_rossum",
    "victor_purpura",
    "pairwise_distances",
    "chi",
    "chi_of_counts",
    "spectrum",
    "branching_ratio",
    "multistep_regression",
    "MultistepRegression",
    "avalanches",
    "Avalanches",
    "psth",
    "tuning",
    "Tuning",
]
