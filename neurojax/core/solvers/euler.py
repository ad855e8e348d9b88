"""The explicit Euler method."""

from typing import ClassVar

from .base import AbstractStepper, plus


class Euler(AbstractStepper):
    """y + dt f(t, y): first order, explicit, for dynamics without noise.

    Example:
        >>> import neurojax as nj
        >>> y = nj.solvers.Euler().advance(lambda t, y, args: -y, 0.0, 0.1, 1.0, None)
        >>> round(float(y), 6)
        0.9
    """

    order: ClassVar[int] = 1
    holds_inputs: ClassVar[bool] = True

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        return plus(y, dt, f(t, y, args))
