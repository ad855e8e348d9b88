"""Pictures of recordings, connectomes and fits; each function draws on axes and returns them.

matplotlib is imported when a picture is drawn. Without `ax` a new figure is made, apart from
pyplot: `ax.figure.savefig("picture.png")` keeps it, and nothing stays open.
"""

from .connectome import connectome
from .heatmap import heatmap
from .loss_curve import loss_curve
from .reconstruction import reconstruction
from .score_bars import score_bars
from .traces import traces
from .weights_against_counts import weights_against_counts

__all__ = [
    "connectome",
    "heatmap",
    "loss_curve",
    "reconstruction",
    "score_bars",
    "traces",
    "weights_against_counts",
]
