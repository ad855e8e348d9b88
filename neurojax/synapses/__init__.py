"""Synapses: receptors (ports of a population), release, and graded coupling between parts.

Receptors turn the impulses of spikes into a current of the target; release says how much of its
weight a spike brings along; gap junctions and graded synapses couple the parts of a `Block`.
"""

from .alpha import AlphaConductance, AlphaCurrent
from .cascade import AbstractCascade
from .delta import Delta
from .double_exponential import DoubleExpConductance, DoubleExpCurrent
from .exponential import ExpConductance, ExpCurrent
from .gap_junctions import GapJunctions
from .graded import Graded
from .injected import InjectedConductance, InjectedCurrent
from .nmda import NMDA
from .quantal import Quantal
from .receptor import AbstractReceptor
from .release import AbstractRelease
from .tsodyks_markram import TsodyksMarkram

__all__ = [
    "AbstractCascade",
    "AbstractReceptor",
    "AbstractRelease",
    "AlphaConductance",
    "AlphaCurrent",
    "Delta",
    "DoubleExpConductance",
    "DoubleExpCurrent",
    "ExpConductance",
    "ExpCurrent",
    "GapJunctions",
    "Graded",
    "InjectedConductance",
    "InjectedCurrent",
    "NMDA",
    "Quantal",
    "TsodyksMarkram",
]
