"""Reservoirs: circuits with fixed random weights, of which a linear read-out is fitted."""

from .astrocyte_liquid import AstrocyteLiquid
from .composed import Grouped, Stacked
from .conceptors import Conceptor, conceptor
from .driven_rates import DrivenRates, driven_rates
from .echo_state import EchoState
from .edge_of_stability import EdgeOfStability
from .ei_reservoir import EIReservoir
from .fixed_in_degree import FixedInDegree
from .homeostatic_inhibition import Adaptation, adapt_inhibition
from .inhibition_design import InhibitionDesign, design_inhibition
from .initialise_weights import initialise_weights
from .intrinsic_plasticity import (
    AbstractRateTarget,
    ExponentialRates,
    GaussianRates,
    IntrinsicAdaptation,
    adapt_intrinsic,
)
from .izhikevich_reservoir import IzhikevichReservoir
from .liquid import Liquid
from .liquid_cells import heterogeneous_izhikevich
from .liquid_grid import LiquidGrid
from .next_generation import NextGeneration
from .responses import responses
from .target_rates import beta_targets
from .with_conceptor import LoadedPatterns, WithConceptor, load_patterns
from .with_inputs import WithInputs
from .with_squares import WithSquares

__all__ = [
    "AbstractRateTarget",
    "Adaptation",
    "AstrocyteLiquid",
    "Conceptor",
    "DrivenRates",
    "EIReservoir",
    "EchoState",
    "EdgeOfStability",
    "ExponentialRates",
    "FixedInDegree",
    "GaussianRates",
    "Grouped",
    "InhibitionDesign",
    "IntrinsicAdaptation",
    "IzhikevichReservoir",
    "Liquid",
    "LiquidGrid",
    "LoadedPatterns",
    "NextGeneration",
    "Stacked",
    "WithConceptor",
    "WithInputs",
    "WithSquares",
    "adapt_inhibition",
    "adapt_intrinsic",
    "beta_targets",
    "conceptor",
    "design_inhibition",
    "driven_rates",
    "heterogeneous_izhikevich",
    "initialise_weights",
    "load_patterns",
    "responses",
]
