"""Looking inside a circuit: fixed points, stability, exponents, linear models.

Everything works on any `Dynamics`: a flow through its drift, a map (with `dt=`) through its step.
"""

from .continuation import Branch, continuation
from .fixed_points import fixed_points
from .found import FixedPoints
from .gramians import (
    EnergyDirections,
    amplified_states,
    controllability_gramian,
    evoked_energy,
    observability_gramian,
)
from .linearise import Linearisation, eigenvalues, jacobian, linearise
from .lyapunov import lyapunov_spectrum
from .non_normality import SchurForm, henrici, numerical_abscissa, schur_form
from .sampling import sample_states

__all__ = [
    "fixed_points",
    "FixedPoints",
    "sample_states",
    "continuation",
    "Branch",
    "jacobian",
    "eigenvalues",
    "linearise",
    "Linearisation",
    "lyapunov_spectrum",
    "henrici",
    "numerical_abscissa",
    "schur_form",
    "SchurForm",
    "controllability_gramian",
    "observability_gramian",
    "evoked_energy",
    "amplified_states",
    "EnergyDirections",
]
