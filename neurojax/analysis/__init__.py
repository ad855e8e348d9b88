"""What the activity of a model or a recording is like, in numbers."""

from . import dynamics, reservoirs, similarity, spikes
from .dimension import PCA, effective_rank, participation_ratio, pca
from .dpca import DPCA, dpca
from .learning_regime import (
    kernel_alignment,
    representation_alignment,
    sign_similarity,
    tangent_kernel,
    tangent_kernel_alignment,
    weight_change,
)
from .marginalisation import marginalise, selectivity

__all__ = [
    "dynamics",
    "reservoirs",
    "similarity",
    "spikes",
    "participation_ratio",
    "effective_rank",
    "pca",
    "PCA",
    "marginalise",
    "selectivity",
    "dpca",
    "DPCA",
    "representation_alignment",
    "kernel_alignment",
    "tangent_kernel",
    "tangent_kernel_alignment",
    "sign_similarity",
    "weight_change",
]
