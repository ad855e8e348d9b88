"""Plasticity: learning rules of projections, local to each synapse.

Give one as `nj.Projection(..., plasticity=rule)`, or a list of them that act one after the other.
The weights are then part of the state: `net.weights(sim.final_state, "name of the projection")`.
`Hebb`, `AntiHebb`, `Oja` and `BCM` read rates from spikes there, and change matrices of weights by
rates that are given.
"""

from .clopath import Clopath
from .homeostatic_threshold import HomeostaticThreshold
from .inhibitory import InhibitorySTDP
from .pair import PairSTDP
from .rates import BCM, AntiHebb, Hebb, Oja
from .rewire import rewire
from .rule import AbstractRule
from .scaling import SynapticScaling
from .symmetric import SymmetricSTDP
from .three_factor import ThreeFactorSTDP
from .triplet import TripletSTDP

__all__ = [
    "AbstractRule",
    "AntiHebb",
    "BCM",
    "Clopath",
    "Hebb",
    "HomeostaticThreshold",
    "InhibitorySTDP",
    "Oja",
    "PairSTDP",
    "SymmetricSTDP",
    "SynapticScaling",
    "ThreeFactorSTDP",
    "TripletSTDP",
    "rewire",
]
