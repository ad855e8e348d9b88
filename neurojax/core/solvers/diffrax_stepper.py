"""Any solver of diffrax, one fixed step at a time."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from .base import AbstractStepper


class DiffraxStepper(AbstractStepper):
    """Steps a diffrax solver with a fixed step. Slow: its stage loop is not unrolled.

    `simulate(solver=diffrax.Heun())` is mapped to our own twin where there is one, and wrapped
    in this class otherwise. Prefer a twin, or give `stepsize_controller=` to hand the whole run
    to diffrax.

    Arguments:
        solver: a `diffrax.AbstractSolver`.

    Raises:
        ValueError: for a solver whose memory reaches over steps, one that wants its vector field
            in several terms, or an implicit one whose root finder has no tolerance of its own.

    Example:
        >>> import diffrax, neurojax as nj
        >>> stepper = nj.solvers.DiffraxStepper(diffrax.Tsit5())
        >>> import jax.numpy as jnp
        >>> y = stepper.advance(lambda t, y, args: -y, 0.0, 0.1, jnp.array(1.0), None)
        >>> round(float(y), 6)
        0.904837
    """

    order: ClassVar[int] = 1  # at least; the wrapped solver's own order holds
    solver: Any

    def __init__(self, solver):
        import diffrax

        remembering = (diffrax.LeapfrogMidpoint, diffrax.ReversibleHeun)
        if isinstance(solver, remembering):
            raise ValueError(
                f"diffrax.{type(solver).__name__} carries memory from step to step, which a fixed "
                "step of a simulation does not keep; give stepsize_controller= to hand the whole "
                "run to diffrax, or use nj.solvers.Heun()"
            )
        if solver.term_structure is not diffrax.AbstractTerm:
            raise ValueError(
                f"diffrax.{type(solver).__name__} needs its vector field in several terms, and a "
                "model has one; use for example diffrax.Tsit5() or diffrax.Kvaerno5()"
            )
        if isinstance(solver, diffrax.AbstractImplicitSolver):
            _check_tolerance(solver)
        self.solver = solver

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        import diffrax

        term = diffrax.ODETerm(lambda t, y, args: f(t, y, args))
        memory = self.solver.init(term, t, t + dt, y, args)
        moved, _, _, _, result = self.solver.step(term, t, t + dt, y, args, memory, made_jump=False)
        # an implicit step that did not converge is found as NaN, like every other failure
        good = diffrax.is_successful(result)
        return jax.tree.map(lambda x: jnp.where(good, x, jnp.nan), moved)


def _check_tolerance(solver) -> None:
    finder: Any = solver.root_finder
    if not isinstance(finder.rtol, float | int | np.number | jax.Array | np.ndarray):
        name = type(solver).__name__
        raise ValueError(
            f"diffrax.{name} takes the tolerance of its root finder from a stepsize controller; "
            f"with fixed steps write diffrax.{name}(root_finder=optimistix.Newton(rtol=1e-5, "
            "atol=1e-5))"
        )
