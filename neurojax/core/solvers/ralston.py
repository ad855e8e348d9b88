"""Ralston's second-order method."""

from typing import ClassVar

import jax

from .base import AbstractStepper, plus, stage


class Ralston(AbstractStepper):
    """Two stages, the second at 2/3 of the step: second order with the least error bound.

    Source: Ralston (1962), Mathematics of Computation 16, 431-437.

    Example:
        >>> import neurojax as nj
        >>> round(
        ...     float(nj.solvers.Ralston().advance(lambda t, y, args: -y, 0.0, 0.1, 1.0, None)), 6
        ... )
        0.905
    """

    order: ClassVar[int] = 2

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        k0 = f(t, y, args)
        k0, later = stage(k0, plus(y, dt * (2 / 3), k0), f, t, args)
        k1 = f(t + dt * (2 / 3), later, args)
        return jax.tree.map(lambda a, b, c: a + dt * (0.25 * b + 0.75 * c), y, k0, k1)
