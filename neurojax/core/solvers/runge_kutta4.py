"""The classical fourth-order Runge-Kutta method."""

from typing import ClassVar

import jax

from .base import AbstractStepper, plus, stage


class RungeKutta4(AbstractStepper):
    """The classical four-stage method: fourth order, explicit, for smooth dynamics.

    Inputs that jump (`Step`, `Sampled`) are held at their mean over the step, so the order is
    reached where the inputs are smooth or change on the time grid.

    Example:
        >>> import neurojax as nj
        >>> y = nj.solvers.RungeKutta4().advance(lambda t, y, args: -y, 0.0, 0.1, 1.0, None)
        >>> round(float(y), 7)
        0.9048375
    """

    order: ClassVar[int] = 4

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        k0 = f(t, y, args)
        k0, half = stage(k0, plus(y, 0.5 * dt, k0), f, t, args)
        k1 = f(t + 0.5 * dt, half, args)
        k1, half = stage(k1, plus(y, 0.5 * dt, k1), f, t, args)
        k2 = f(t + 0.5 * dt, half, args)
        k2, end = stage(k2, plus(y, dt, k2), f, t, args)
        k3 = f(t + dt, end, args)
        return jax.tree.map(
            lambda a, b, c, d, e: a + dt * ((b + e) / 6 + (c + d) / 3), y, k0, k1, k2, k3
        )
