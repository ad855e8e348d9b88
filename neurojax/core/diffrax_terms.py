"""What diffrax is given: the solver, the drift as a term, and the Brownian path."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .clock import Clock
from .solvers import AbstractStepper, Euler, EulerMaruyama, Heun, Midpoint, Ralston
from .vector_field import VectorField


def default_solver(model, noisy: bool, multiplicative: bool, controller):
    """Tsit5, or for noise a solver of the calculus that the model's own solver has.

    Raises:
        ValueError: for adaptive steps and Ito noise that depends on the state.
    """
    import diffrax

    if not noisy:
        return diffrax.Tsit5()
    if not multiplicative or model.solver.calculus == "stratonovich":
        return diffrax.Heun()
    if isinstance(controller, diffrax.AbstractAdaptiveStepSizeController):
        raise ValueError(
            f"the noise of {type(model).__name__} depends on its state and is meant in the sense "
            "of Ito, for which diffrax has no adaptive solver: give dt= and "
            "stepsize_controller=diffrax.ConstantStepSize(), or choose solver= yourself"
        )
    return diffrax.Euler()


def as_diffrax(solver):
    """The diffrax solver: the user's, or the twin of one of ours."""
    import diffrax

    if isinstance(solver, diffrax.AbstractSolver):
        return solver
    twins = {Euler: diffrax.Euler, EulerMaruyama: diffrax.Euler, Heun: diffrax.Heun,
             Midpoint: diffrax.Midpoint, Ralston: diffrax.Ralston}  # fmt: skip
    if type(solver) in twins:
        return twins[type(solver)]()
    kind = type(solver).__name__
    if isinstance(solver, AbstractStepper):
        raise ValueError(
            f"{kind} steps with fixed dt; with stepsize_controller= give a diffrax solver "
            "(diffrax.Tsit5(), diffrax.Kvaerno5())"
        )
    if isinstance(solver, type):
        raise TypeError(f"solver must be an instance: write solver={solver.__name__}()")
    raise TypeError(f"solver must be a diffrax solver here, got {solver!r}")


def terms_for(solver, field: VectorField, path):
    """The drift, and the noise where there is a Brownian path, in the form that a solver wants.

    Raises:
        ValueError: for a solver of another kind of equation.
    """
    import diffrax

    kind = type(solver).__name__
    drift: Any = diffrax.ODETerm(field)  # a pytree, so that every adjoint sees the parameters
    stochastic = isinstance(solver, diffrax.AbstractItoSolver | diffrax.AbstractStratonovichSolver)
    if path is not None:
        if not stochastic:
            raise ValueError(
                f"diffrax.{kind} does not integrate noise; use for example diffrax.Heun() or, "
                "where the noise does not depend on the state, diffrax.ShARK()"
            )
        return diffrax.MultiTerm(drift, diffrax.ControlTerm(_Amplitude(field), path))
    if solver.term_structure is diffrax.AbstractTerm:
        return drift
    if isinstance(solver, diffrax.AbstractImplicitSolver):
        # an implicit-explicit solver, with everything on the implicit side
        nothing = diffrax.ODETerm(lambda t, y, args: jax.tree.map(jnp.zeros_like, y))
        return diffrax.MultiTerm(nothing, drift)
    raise ValueError(
        f"diffrax.{kind} is made for another kind of equation than dy/dt = f(t, y); use for "
        "example diffrax.Tsit5() or, for stiff models, diffrax.Kvaerno5()"
    )


class _Amplitude(eqx.Module):
    """The noise amplitudes as the diagonal matrix that multiplies the Brownian increments."""

    field: VectorField

    def __call__(self, t, y, args):
        import lineax

        amplitude = self.field.diffusion(t, y, args)
        filled = jax.tree.map(
            lambda leaf, a: jnp.zeros_like(leaf) if a is None and leaf is not None else a,
            y,
            amplitude,
            is_leaf=lambda x: x is None,
        )
        return lineax.DiagonalLinearOperator(filled)


def brownian(solver, like, t0, t1, tol, key, start):
    """A Brownian path shaped like `like`; runs with another time of `start` share no noise."""
    import diffrax

    shape = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), like)
    begin = jax.lax.bitcast_convert_type(jnp.asarray(start, jnp.float32), jnp.uint32)
    base: Any = Clock(0, 1.0, key).child("diffusion").key
    key = jax.random.fold_in(base, begin)
    needed = getattr(solver, "minimal_levy_area", diffrax.BrownianIncrement)
    area: Any = diffrax.BrownianIncrement
    if issubclass(needed, diffrax.AbstractSpaceTimeTimeLevyArea):
        area = diffrax.SpaceTimeTimeLevyArea
    elif issubclass(needed, diffrax.AbstractSpaceTimeLevyArea):
        area = diffrax.SpaceTimeLevyArea
    return diffrax.VirtualBrownianTree(t0, t1, tol, shape, key, levy_area=area)
