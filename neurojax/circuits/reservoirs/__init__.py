"""Reservoirs: circuits with fixed random weights, of which a linear read-out is fitted."""

from .echo_state import EchoState
from .fixed_in_degree import FixedInDegree

__all__ = [
    "EchoState",
    "FixedInDegree",
]
