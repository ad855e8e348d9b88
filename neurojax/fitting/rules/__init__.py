"""Training rules over the same circuits: given to `nj.train` as `rule=`."""

from .bptt import BPTT
from .eprop import EProp
from .force import FORCE
from .full_force import FullFORCE
from .least_squares import RLS, Moments
from .node_perturbation import NodePerturbation
from .reward_hebbian import RewardModulatedHebbian
from .rflo import RFLO
from .rtrl import RTRL
from .rule import AbstractRule, cross_entropy, squared_error
from .sinkhorn import Sinkhorn, straight_through
from .synthetic_gradient import SyntheticGradient

__all__ = [
    "BPTT",
    "FORCE",
    "RFLO",
    "RLS",
    "RTRL",
    "AbstractRule",
    "EProp",
    "FullFORCE",
    "Moments",
    "NodePerturbation",
    "RewardModulatedHebbian",
    "Sinkhorn",
    "SyntheticGradient",
    "cross_entropy",
    "squared_error",
    "straight_through",
]
