"""Trainable circuits."""

from .conductance_circuit import ConductanceCircuit
from .connectome_circuit import ConnectomeCircuit

__all__ = ["ConductanceCircuit", "ConnectomeCircuit"]
