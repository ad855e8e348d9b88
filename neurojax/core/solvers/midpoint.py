"""The explicit midpoint method."""

from typing import ClassVar

from .base import AbstractStepper, plus, stage


class Midpoint(AbstractStepper):
    """One Euler half step, then the slope found there over the whole step: second order.

    Example:
        >>> import neurojax as nj
        >>> y = nj.solvers.Midpoint().advance(lambda t, y, args: -y, 0.0, 0.1, 1.0, None)
        >>> round(float(y), 6)
        0.905
    """

    order: ClassVar[int] = 2

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        _, half = stage(None, plus(y, 0.5 * dt, f(t, y, args)), f, t, args)
        return plus(y, dt, f(t + 0.5 * dt, half, args))
