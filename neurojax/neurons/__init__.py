"""Point neurons and spike sources: populations with ports, each family in one file."""

from .adex import AdEx
from .alif import ALIF
from .eif import EIF
from .escape import EscapeLIF
from .gamma_renewal import GammaRenewal
from .glif import GLIF
from .integrate_and_fire import AbstractIntegrateAndFire, AbstractRefractory
from .izhikevich import Izhikevich, IzhikevichPublished
from .lif import LIF
from .lif_adaptation import LIFAdaptation
from .neuron import AbstractNeuron
from .parrot import Parrot
from .poisson import InhomogeneousPoisson, Poisson
from .qif import QIF
from .regular import Regular
from .source import AbstractSource
from .spike_response import SpikeResponse
from .spike_times import SpikeTimes
from .upswing import Upswing

__all__ = [
    "AbstractIntegrateAndFire",
    "AbstractNeuron",
    "AbstractRefractory",
    "AbstractSource",
    "ALIF",
    "AdEx",
    "EIF",
    "EscapeLIF",
    "GLIF",
    "GammaRenewal",
    "InhomogeneousPoisson",
    "Izhikevich",
    "IzhikevichPublished",
    "LIF",
    "LIFAdaptation",
    "Parrot",
    "Poisson",
    "QIF",
    "Regular",
    "SpikeResponse",
    "SpikeTimes",
    "Upswing",
]
