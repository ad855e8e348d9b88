r"""How alike two populations are: RSA, CKA, Procrustes, CCA, matching of units, dynamics (DSA).

Activity is an array [sample, unit]. Samples are conditions, times, or both on one axis
(`x.reshape(-1, units)`), and the two populations must have seen the same ones in the same order;
their units may be different ones, and differently many. All but the matching of units are JAX
functions that can be jitted and vmapped, and differentiated where that makes sense.

| measure | 1, or distance 0, for copies under |
| --- | --- |
| `compare_rdms` of Euclidean distances | rotation, shift, and scale |
| `linear_cka`, `rbf_cka` | rotation, shift, scale |
| `procrustes_distance`, `angular_distance` | rotation, shift, scale |
| `cca`, `pwcca` | every invertible linear map, shift |
| `geo_topological` and `geodesic_rdm` | what keeps neighbours (and, with the first, their order) |
| `match_units` | permutation, shift and scale of single units |
| `dynamical_similarity` | rotation, scale; the samples need not be the same |

`manifold_capacity` is about one population: how well it keeps objects apart.

RDMs are vectors: the upper triangle of the matrix, row by row, as scipy's `pdist`.
"""

from .cca import canonical_correlations, cca, pwcca, svcca
from .cka import kernel_cka, linear_cka, rbf_cka
from .compare_rdms import compare_rdms
from .crossnobis import crossnobis
from .dynamical import (
    delay_embedding,
    delay_operator,
    dynamical_similarity,
    operator_distance,
)
from .manifold_capacity import ManifoldCapacity, manifold_capacity
from .matching import Matching, match_units, unit_correlations
from .noise_ceiling import NoiseCeiling, noise_ceiling
from .noise_covariance import noise_covariance
from .procrustes import Alignment, angular_distance, procrustes, procrustes_distance
from .rdm import rdm, to_matrix, to_vector
from .sparse_matching import SparseMatching, sparse_match
from .spectral_matching import SpectralMatching, spectral_match
from .subsampling import subsample_curve
from .topological import geo_topological, geodesic_rdm, logistic_transform

__all__ = [
    "rdm",
    "crossnobis",
    "noise_covariance",
    "to_matrix",
    "to_vector",
    "compare_rdms",
    "noise_ceiling",
    "NoiseCeiling",
    "linear_cka",
    "rbf_cka",
    "kernel_cka",
    "procrustes_distance",
    "angular_distance",
    "procrustes",
    "Alignment",
    "canonical_correlations",
    "cca",
    "svcca",
    "pwcca",
    "geo_topological",
    "logistic_transform",
    "geodesic_rdm",
    "match_units",
    "Matching",
    "unit_correlations",
    "sparse_match",
    "SparseMatching",
    "spectral_match",
    "SpectralMatching",
    "subsample_curve",
    "manifold_capacity",
    "ManifoldCapacity",
    "dynamical_similarity",
    "operator_distance",
    "delay_operator",
    "delay_embedding",
]
