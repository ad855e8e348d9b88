"""Graded synapses between the parts of a `Block`: gap junctions and functions of the voltage."""

from .gap_junctions import GapJunctions
from .graded import Graded

__all__ = ["GapJunctions", "Graded"]
