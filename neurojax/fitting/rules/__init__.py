"""Training rules over the same circuits: given to `nj.train` as `rule=`."""

from .bptt import BPTT
from .force import FORCE
from .least_squares import RLS, Moments
from .rule import AbstractRule

__all__ = ["BPTT", "FORCE", "RLS", "AbstractRule", "Moments"]
