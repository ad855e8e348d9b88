"""The contract, the engines, solvers, recorders and inputs that everything else builds on."""

from . import adjoints, inputs, random, solvers, surrogate
from .block import AbstractCoupling, Block
from .clock import Clock
from .dynamics import ContinuousDynamics, Dynamics, Output
from .errors import NonFiniteError, UnknownNameError
from .open_records import open_records
from .parameters import Parameter, as_parameter, bounded, frozen, parameter, positive, unwrap
from .recorders import Spikes, Trace
from .saving import load, save
from .simulate import simulate
from .simulation import SimState, Simulation, Stats
from .spikes import SpikeOutput, SpikeRecord

__all__ = [
    "AbstractCoupling",
    "Block",
    "Clock",
    "ContinuousDynamics",
    "Dynamics",
    "NonFiniteError",
    "Output",
    "Parameter",
    "SimState",
    "Simulation",
    "SpikeOutput",
    "SpikeRecord",
    "Spikes",
    "Stats",
    "Trace",
    "UnknownNameError",
    "adjoints",
    "as_parameter",
    "bounded",
    "frozen",
    "inputs",
    "load",
    "open_records",
    "parameter",
    "positive",
    "random",
    "save",
    "simulate",
    "solvers",
    "surrogate",
    "unwrap",
]
