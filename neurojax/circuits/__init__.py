"""Trainable circuits, and how their weights begin."""

from .classical_hopfield import ClassicalHopfield
from .conductance_circuit import ConductanceCircuit
from .connectome_circuit import ConnectomeCircuit
from .constrained_weights import area_mask, masked, sign_kept
from .coupled_systems import CoupledSystems, disagreement
from .gain_control import GainControl, adapt_gains, coding_cost
from .gated_rnn import GRU, MinimalGatedRNN
from .initial_weights import (
    AbstractWeights,
    DaleBalanced,
    FromConnectome,
    Gaussian,
    Orthogonal,
    Truncated,
)
from .leaky_rnn import LeakyRNN
from .low_rank import LowRank, low_rank
from .modern_hopfield import ModernHopfield
from .neuron_level_models import NeuronLevelModels
from .nonlinearities import Hennequin
from .rate_rnn import RateRNN
from .recurrent import RecurrentCircuit
from .reservoirs import (
    AbstractRateTarget,
    Adaptation,
    AstrocyteLiquid,
    Conceptor,
    DrivenRates,
    EchoState,
    EdgeOfStability,
    EIReservoir,
    ExponentialRates,
    FixedInDegree,
    GaussianRates,
    Grouped,
    InhibitionDesign,
    IntrinsicAdaptation,
    IzhikevichReservoir,
    Liquid,
    LiquidGrid,
    LoadedPatterns,
    NextGeneration,
    Stacked,
    WithConceptor,
    WithInputs,
    WithSquares,
    adapt_inhibition,
    adapt_intrinsic,
    beta_targets,
    conceptor,
    design_inhibition,
    driven_rates,
    heterogeneous_izhikevich,
    initialise_weights,
    load_patterns,
    responses,
)
from .sparse_weights import SparseWeights
from .spectra import (
    spectral_abscissa,
    spectral_radius,
    with_spectral_abscissa,
    with_spectral_radius,
)
from .stability_optimised import evoked_energy_modes, soc200, stability_optimised
from .synchronisation import Synchronised
from .transient_states import Coalition, TransientStates, winning_coalitions

__all__ = [
    "GRU",
    "AbstractWeights",
    "ConductanceCircuit",
    "ConnectomeCircuit",
    "DaleBalanced",
    "FromConnectome",
    "Gaussian",
    "Hennequin",
    "LeakyRNN",
    "LowRank",
    "MinimalGatedRNN",
    "Orthogonal",
    "RateRNN",
    "RecurrentCircuit",
    "Truncated",
    "area_mask",
    "low_rank",
    "masked",
    "sign_kept",
    "spectral_abscissa",
    "spectral_radius",
    "with_spectral_abscissa",
    "with_spectral_radius",
    "ClassicalHopfield",
    "CoupledSystems",
    "GainControl",
    "ModernHopfield",
    "adapt_gains",
    "coding_cost",
    "disagreement",
    "evoked_energy_modes",
    "soc200",
    "stability_optimised",
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
    "SparseWeights",
    "Coalition",
    "NeuronLevelModels",
    "Synchronised",
    "TransientStates",
    "winning_coalitions",
]
