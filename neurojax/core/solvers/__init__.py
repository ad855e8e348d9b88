"""Fixed-step solvers: small modules `advance(f, t, dt, y, args) -> y` without state."""

from .base import AbstractStepper
from .diffrax_stepper import DiffraxStepper
from .euler import Euler
from .euler_maruyama import EulerMaruyama
from .exponential_euler import ExponentialEuler
from .heun import Heun
from .midpoint import Midpoint
from .part_by_part import PartByPart
from .propagator import Propagator
from .ralston import Ralston
from .runge_kutta4 import RungeKutta4

__all__ = [
    "AbstractStepper",
    "DiffraxStepper",
    "Euler",
    "EulerMaruyama",
    "ExponentialEuler",
    "Heun",
    "Midpoint",
    "PartByPart",
    "Propagator",
    "Ralston",
    "RungeKutta4",
]
