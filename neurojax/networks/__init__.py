"""Networks: populations joined by projections."""

from .network import Network
from .projection import Projection
from .sharding import simulate_sharded
from .synapses import Synapses

__all__ = ["Network", "Projection", "Synapses", "simulate_sharded"]
