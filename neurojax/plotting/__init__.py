"""Pictures of recordings, connectomes, spikes and fits.

Each function draws on axes and returns them; matplotlib is imported when a picture is drawn.
Without `ax` a new figure is made, apart from pyplot: `ax.figure.savefig("picture.png")` keeps it,
and nothing stays open.
"""

from .connectivity import connectivity
from .connectome import connectome
from .flow import flow
from .heatmap import heatmap
from .loss_curve import loss_curve
from .psychometric import psychometric
from .raster import raster
from .reconstruction import reconstruction
from .score_bars import score_bars
from .stdp_window import stdp_window
from .traces import traces
from .trial import trial
from .voltage import voltage
from .weight_histogram import weight_histogram
from .weights_against_counts import weights_against_counts

__all__ = [
    "connectivity",
    "connectome",
    "flow",
    "heatmap",
    "loss_curve",
    "psychometric",
    "raster",
    "reconstruction",
    "score_bars",
    "stdp_window",
    "traces",
    "trial",
    "voltage",
    "weight_histogram",
    "weights_against_counts",
]
