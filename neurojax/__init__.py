"""neurojax: functional brain dynamics on JAX.

A model is a pytree of parameters with pure state transitions; `simulate` moves it through time,
`fit` fits it to recordings, and everything between is plain JAX. This file is the list of what is
public; subpackages are imported when they are first used.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from ._version import __version__
from .core import (
    AbstractCoupling,
    Block,
    Clock,
    ContinuousDynamics,
    Dynamics,
    NonFiniteError,
    Output,
    Parameter,
    SimState,
    Simulation,
    SpikeOutput,
    SpikeRecord,
    Spikes,
    Stats,
    Trace,
    UnknownNameError,
    adjoints,
    bounded,
    frozen,
    inputs,
    load,
    open_records,
    parameter,
    positive,
    random,
    save,
    simulate,
    solvers,
    surrogate,
    unwrap,
)

if TYPE_CHECKING:
    from . import (
        analysis,
        circuits,
        connectivity,
        connectomes,
        fitting,
        interop,
        networks,
        neurons,
        observations,
        plasticity,
        plotting,
        recordings,
        reports,
        synapses,
        tasks,
    )
    from .fitting import fit, train
    from .networks import Network, Projection
    from .reports import report

_PACKAGES = frozenset(
    {
        "analysis",
        "circuits",
        "connectivity",
        "connectomes",
        "fitting",
        "interop",
        "networks",
        "neurons",
        "observations",
        "plasticity",
        "plotting",
        "recordings",
        "reports",
        "synapses",
        "tasks",
    }
)
_FROM = {
    "Network": ".networks",
    "Projection": ".networks",
    "fit": ".fitting",
    "report": ".reports",
    "train": ".fitting",
}

__all__ = [
    "AbstractCoupling",
    "Block",
    "Clock",
    "ContinuousDynamics",
    "Dynamics",
    "Network",
    "NonFiniteError",
    "Output",
    "Parameter",
    "Projection",
    "SimState",
    "Simulation",
    "SpikeOutput",
    "SpikeRecord",
    "Spikes",
    "Stats",
    "Trace",
    "UnknownNameError",
    "__version__",
    "adjoints",
    "analysis",
    "bounded",
    "circuits",
    "connectivity",
    "connectomes",
    "fit",
    "fitting",
    "frozen",
    "inputs",
    "interop",
    "load",
    "networks",
    "neurons",
    "observations",
    "open_records",
    "parameter",
    "plasticity",
    "plotting",
    "positive",
    "random",
    "recordings",
    "report",
    "reports",
    "save",
    "simulate",
    "solvers",
    "surrogate",
    "synapses",
    "tasks",
    "train",
    "unwrap",
]


def __getattr__(name: str):
    if name in _PACKAGES:
        return _import_module(f".{name}", __name__)
    if name in _FROM:
        return getattr(_import_module(_FROM[name], __name__), name)
    raise AttributeError(f"module 'neurojax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
