"""Connectivity: recipes of graphs (builders), what they give, weights, delays, and formats."""

from .builder import Builder
from .dale import Dale, dale_signs
from .dense import Dense
from .edges import Edges
from .elementary import all_to_all, one_to_one
from .format import AbstractConnections
from .given import from_connectome, from_edges, from_matrix, from_networkx, from_scipy
from .grids import grid_neighbours
from .groups import block, group_labels, modular
from .homogeneous import bernoulli, fixed_indegree, fixed_outdegree, fixed_total
from .kernels import Kernel, box, exponential, gaussian
from .pairs import Pairs
from .procedural import Procedural
from .scale_free import scale_free
from .small_world import small_world
from .sparse import Sparse
from .spatial import distance_dependent
from .values import synapse_values

__all__ = [
    "Builder",
    "Edges",
    "Pairs",
    "all_to_all",
    "one_to_one",
    "bernoulli",
    "fixed_indegree",
    "fixed_outdegree",
    "fixed_total",
    "from_edges",
    "from_matrix",
    "from_scipy",
    "from_networkx",
    "from_connectome",
    "distance_dependent",
    "Kernel",
    "gaussian",
    "exponential",
    "box",
    "grid_neighbours",
    "small_world",
    "scale_free",
    "block",
    "modular",
    "group_labels",
    "Dale",
    "dale_signs",
    "synapse_values",
    "AbstractConnections",
    "Dense",
    "Sparse",
    "Procedural",
]
