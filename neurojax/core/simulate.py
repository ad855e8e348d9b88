"""`simulate`: one verb, two engines."""

import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import adjoints as _adjoints
from . import inputs as signals
from .clock import Clock
from .dynamics import Dynamics
from .errors import suggestion
from .parameters import arrays_only, unwrap
from .recorders import as_recorders
from .run import FixedStepRun
from .simulation import SimState, Simulation
from .solvers import (
    AbstractStepper,
    DiffraxStepper,
    EulerMaruyama,
    Heun,
    Midpoint,
    Ralston,
)
from .tracing import is_traced, known

Number = float | int | np.number | np.ndarray | jax.Array


def simulate(
    dynamics: Dynamics,
    *,
    duration: Number,
    dt: Number | None = None,
    t0: Number = 0.0,
    inputs: Any = None,
    solver: Any = None,
    stepsize_controller: Any = None,
    record: dict[str, Any] | None = None,
    adjoint: Any = "auto",
    key: Any = None,
    state: Any = None,
    noise: str = "threefry",
    stream_to: str | Path | None = None,
    progress: bool = False,
    throw: bool = True,
) -> Simulation:
    """Move a model through time.

    Without `stepsize_controller` every step has length `dt` and the run is one `jax.lax.scan`
    over `dynamics.step`; with it the same drift goes to `diffrax.diffeqsolve`. Works under
    `jit`, `grad`, `vmap` and `shard_map`. Outside of them a long run is cut into chunks whose
    records move to the host, with results identical to the run in one piece.

    Arguments:
        dynamics: the model.
        duration: ms; with fixed steps a whole number of `dt`.
        dt: step length in ms. With a stepsize controller it is only the unit of `every=`.
        t0: time of the first step in ms, a whole number of `dt`.
        inputs: dictionary by name of input (nested by part for blocks and networks); a leaf is
            an array (constant in time) or an object of `nj.inputs`.
        solver: replaces the solver of every part; one of `nj.solvers`, or a diffrax solver.
        stepsize_controller: a diffrax controller, for example `diffrax.PIDController(...)`.
        record: recorders by name: `nj.Trace`, `nj.Spikes`, a path or a function of the state.
            `None` keeps the final state and counters only.
        adjoint: `"auto"`, one of `nj.adjoints`, or (with a controller) a diffrax adjoint.
        key: `jax.random.key` for initial states and noise.
        state: a `SimState` to go on from (the final state of another run), or a bare state to
            begin with. Default: `dynamics.init_state(key=key)`.
        noise: `"threefry"` or the faster, approximate `"counter"`, see `Clock.normal`.
        stream_to: a new folder; records are written there while the run goes on and come back
            as memory-mapped arrays. Outside jit only.
        progress: show a progress bar. Outside jit only.
        throw: raise if the state becomes NaN or infinite. Inside jit look at `stats` instead.

    Returns:
        A `Simulation` with records, final state and counters.

    Raises:
        ValueError: for a `dt` that is not positive, a duration that is not a whole number of
            steps, shapes that do not fit, a solver that cannot integrate the model.
        KeyError: for an unknown record or input, with the nearest names.
        NonFiniteError: if the state became NaN or infinite and `throw` is true.

    Example:
        >>> import jax, neurojax as nj
        >>> worm = nj.circuits.ConnectomeCircuit(nj.connectomes.varshney2011())
        >>> sim = nj.simulate(worm, duration=50.0, dt=5.0, record={"V": nj.Trace("V")})
        >>> sim["V"].shape
        (10, 279)
    """
    if not isinstance(unwrap(dynamics), Dynamics):
        raise TypeError(
            f"dynamics must be an instance of a neurojax Dynamics, got {_described(dynamics)}"
        )
    if not isinstance(inputs, dict | None):
        raise TypeError(
            "inputs must be a dictionary by name, for example {'I_e': 200.0}, got "
            + _described(inputs)
        )
    recorders = as_recorders(record)
    _check_values(inputs or {})
    inputs = arrays_only({} if inputs is None else inputs)
    _finite_positive("duration", duration)
    if dt is not None:
        _finite_positive("dt", dt)
    if is_traced(t0):
        raise ValueError("t0 must be a plain number; inside jit give state=SimState(state, step)")
    if isinstance(t0, bool) or not (np.ndim(t0) == 0 and math.isfinite(float(t0))):
        raise ValueError(f"t0 must be a finite number of ms, got {t0!r}")
    Clock(0, 1.0, key, noise)  # refuses what is no key
    if stepsize_controller is not None:
        from .diffrax_engine import run_diffrax

        if progress or stream_to is not None:
            raise ValueError("progress and stream_to belong to the fixed-step engine")
        return run_diffrax(
            dynamics, duration, dt, t0, inputs, solver, stepsize_controller, recorders, adjoint,
            key, state, throw,
        )  # fmt: skip
    if dt is None:
        raise ValueError(
            "give dt= (ms) for fixed steps, or stepsize_controller=diffrax.PIDController(rtol=..., "
            "atol=...) for adaptive ones"
        )
    if solver is not None:
        dynamics = with_solver(dynamics, as_stepper(solver))
    adjoint = _as_adjoint(adjoint)
    steps = whole_steps("duration", duration, dt)
    if isinstance(dynamics, Dynamics):
        dynamics = dynamics.on_grid(float(dt))
    dynamics = arrays_only(dynamics)
    start, waiting = _start(dynamics, state, key, t0, dt)
    step0 = start.step
    first_step = None if is_traced(step0) else int(step0)
    _check_reach(inputs, first_step, steps, float(dt))
    run = FixedStepRun(
        dynamics, inputs, recorders, steps, first_step, step0, float(dt), key, noise, adjoint
    )
    if _tracing(dynamics, inputs, start, key):
        if stream_to is not None or progress:
            raise ValueError("stream_to and progress work outside jit, vmap and grad only")
        return run.inside(start.state, waiting)
    return run.outside(start.state, waiting, stream_to, progress, throw)


def _check_values(inputs: dict, path: str = "inputs") -> None:
    for name, value in inputs.items():
        where = f"{path}[{name!r}]"
        if isinstance(value, dict):
            _check_values(value, where)
        elif value is None or isinstance(value, str):
            raise TypeError(
                f"{where} must be a number, an array or one of nj.inputs, got {value!r}; leave it "
                "out if there is nothing to give"
            )


def _finite_positive(name: str, value) -> None:
    if is_traced(value):
        raise ValueError(
            f"{name} must be a plain number: it decides how many steps the compiled run has. "
            "Inside jit, close over it or make it a static argument"
        )
    number = isinstance(value, int | float | np.number | np.ndarray | jax.Array)
    fits = number and not isinstance(value, bool) and np.ndim(value) == 0
    if not (fits and math.isfinite(float(value)) and float(value) > 0):
        raise ValueError(f"{name} must be a positive number of ms, got {value!r}")


def _described(value) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__} itself: write {value.__name__}(...)"
    return f"{value!r} of type {type(value).__name__}"


def whole_steps(name: str, value, dt) -> int:
    """`value` as a whole number of steps, or an error that says what would fit."""
    ratio = float(value) / float(dt)
    steps = round(ratio)
    if abs(ratio - steps) > 1e-6 * max(1.0, abs(ratio)) ** 0.5 or (
        name == "duration" and steps < 1
    ):
        fits = f"{max(steps, 1) * float(dt):g}"
        raise ValueError(
            f"{name}={value} ms is not a whole number of steps of dt={dt} ms; "
            f"the nearest that is: {fits}"
        )
    return steps


def as_stepper(solver) -> AbstractStepper:
    """A solver of ours, or our twin of a diffrax solver (else that solver, stepped slowly)."""
    if isinstance(solver, AbstractStepper):
        return solver
    if isinstance(solver, type):
        raise TypeError(f"solver must be an instance: write solver={solver.__name__}()")
    if not type(solver).__module__.startswith("diffrax"):
        import diffrax

        if not isinstance(solver, diffrax.AbstractSolver):
            raise TypeError(f"solver must be one of nj.solvers or a diffrax solver, got {solver!r}")
    # Euler of diffrax integrates noise, in Ito's sense
    twins = {"Euler": EulerMaruyama, "Heun": Heun, "Midpoint": Midpoint, "Ralston": Ralston}
    twin = twins.get(type(solver).__name__)
    return DiffraxStepper(solver) if twin is None else twin()


def with_solver(dynamics, solver: AbstractStepper):
    """The model with the solver of every part replaced."""
    is_solver = lambda x: isinstance(x, AbstractStepper)
    if not any(is_solver(x) for x in jax.tree.leaves(dynamics, is_leaf=is_solver)):
        raise ValueError(
            f"{type(dynamics).__name__} has no vector field, so solver={type(solver).__name__}() "
            "has nothing to do; leave it out"
        )
    return jax.tree.map(lambda x: solver if is_solver(x) else x, dynamics, is_leaf=is_solver)


def _as_adjoint(adjoint):
    if isinstance(adjoint, str):
        names = {
            "auto": _adjoints.Auto(),
            "plain": _adjoints.Plain(),
            "steps": _adjoints.CheckpointSteps(),
            "blocks": _adjoints.CheckpointBlocks(),
            "forward": _adjoints.Forward(),
        }
        if adjoint not in names:
            raise ValueError(f"unknown adjoint {adjoint!r}.{suggestion(adjoint, names)}")
        return names[adjoint]
    if isinstance(adjoint, _adjoints.Adjoint):
        return adjoint
    raise TypeError(
        f"adjoint must be 'auto' or one of nj.adjoints for fixed steps, got {adjoint!r}; "
        "diffrax adjoints go with stepsize_controller="
    )


def _start(dynamics, state, key, t0, dt) -> tuple[SimState, Any]:
    """Where the run begins, and the values of stochastic inputs where it goes on."""
    if isinstance(state, SimState):
        if t0 != 0.0:
            raise ValueError("give either t0= or state= of an earlier run, which has its own time")
        return SimState(_held_in_units_of(dt, state), _step_in_units_of(dt, state)), state.inputs
    step = 0 if t0 == 0.0 else whole_steps("t0", t0, dt)
    if state is None:
        init = unwrap(dynamics)
        child = None if key is None else Clock(0, 1.0, key).child("init_state").key
        state = init.init_state(key=child)
    return SimState(arrays_only(state), step), None


def _has_steps_of(dt, state: SimState) -> bool:
    """Whether the steps of a state are known to be as long."""
    own = state.dt
    return own is None or (known(own) and bool(np.isclose(float(own), float(dt), rtol=1e-6)))


def _step_in_units_of(dt, state: SimState):
    """The step number of a state whose own steps may have had another length."""
    step, own = state.step, state.dt
    if _has_steps_of(dt, state):
        return step
    if known(own, step):
        return whole_steps("the time of state=", float(own) * int(step), dt)
    ratio = own / dt
    return jnp.where(jnp.abs(ratio - 1) < 1e-6, step, jnp.round(step * ratio).astype(int))


def _held_in_units_of(dt, state: SimState):
    """The state with the steps for which neurons are refractory still counted in steps of `dt`."""
    if _has_steps_of(dt, state):
        return state.state
    own = state.dt

    def counted(path, leaf):
        last = path[-1] if path else None
        if getattr(last, "key", None) != "refractory":
            return leaf
        return jnp.round(leaf * (own / dt)).astype(leaf.dtype)

    return jax.tree_util.tree_map_with_path(counted, state.state)


def _tracing(*trees) -> bool:
    """Whether we are inside jit, vmap or grad."""
    probe = jnp.zeros(()) + 0.0  # becomes a tracer under jit even if no argument is one
    leaves = [probe, *jax.tree.leaves(trees)]
    return any(is_traced(x) for x in leaves)


def _check_reach(inputs, first_step, steps: int, dt: float) -> None:
    """Sampled inputs must cover the run."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(inputs, is_leaf=signals.is_input)
    for path, x in leaves:
        if not isinstance(x, signals.Sampled) or first_step is None:
            continue
        if not known(x.t0, x.dt):
            continue
        begin, end = first_step * dt, (first_step + steps) * dt
        lo, hi = float(x.t0), float(x.t0) + float(x.dt) * x.values.shape[0]
        slack = 1e-3 * float(x.dt) + 1e-6 * abs(end)
        if begin < lo - slack or end > hi + slack:
            name = jax.tree_util.keystr(path)
            raise ValueError(
                f"the sampled input {name} covers {lo:g} to {hi:g} ms, but the run goes from "
                f"{begin:g} to {end:g} ms; extend its values or shorten the run"
            )
