"""What an instrument sees of a model."""

from .base import AbstractObservation
from .calcium import Calcium
from .identity import Identity

__all__ = ["AbstractObservation", "Calcium", "Identity"]
