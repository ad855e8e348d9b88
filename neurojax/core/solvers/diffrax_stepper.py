"""Any solver of diffrax, one fixed step at a time."""

from typing import Any, ClassVar

import equinox as eqx

from .base import AbstractStepper


class DiffraxStepper(AbstractStepper):
    """Steps a diffrax solver with a fixed step. Slow: its stage loop is not unrolled.

    `simulate(solver=diffrax.Heun())` is mapped to our own twin where there is one, and wrapped
    in this class otherwise. Prefer a twin, or give `stepsize_controller=` to hand the whole run
    to diffrax. Multistep solvers, whose memory reaches over steps, are refused.

    Arguments:
        solver: a `diffrax.AbstractSolver`.

    Example:
        >>> import diffrax, neurojax as nj
        >>> stepper = nj.solvers.DiffraxStepper(diffrax.Tsit5())
        >>> import jax.numpy as jnp
        >>> y = stepper.advance(lambda t, y, args: -y, 0.0, 0.1, jnp.array(1.0), None)
        >>> round(float(y), 6)
        0.904837
    """

    order: ClassVar[int] = 1  # at least; the wrapped solver's own order holds
    solver: Any = eqx.field(static=True)

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        import diffrax

        term = diffrax.ODETerm(lambda t, y, args: f(t, y, args))
        memory = self.solver.init(term, t, t + dt, y, args)
        moved, _, _, _, _ = self.solver.step(term, t, t + dt, y, args, memory, made_jump=False)
        return moved
