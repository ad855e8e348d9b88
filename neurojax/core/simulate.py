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
from .errors import ShapeError, suggestion
from .one_program import of_neurojax, one_program
from .parameters import arrays_only, unwrap
from .recorders import Trace
from .run import FixedStepRun, step_output
from .run_checks import (
    as_given,
    check_run,
    check_times,
    described,
    empty_records,
    name_misfits,
    whole_steps,
)
from .simulation import SimState, Simulation
from .solvers import (
    AbstractStepper,
    DiffraxStepper,
    EulerMaruyama,
    Heun,
    Midpoint,
    PartByPart,
    Ralston,
)
from .store import Stream
from .tracing import is_traced, known, tracing

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

    Without `stepsize_controller` every step has length `dt` and the run is one compiled
    loop over `dynamics.step`; with it the same drift goes to `diffrax.diffeqsolve`. Works under
    `jit`, `grad`, `vmap` and `shard_map`. Outside of them a long run is cut into chunks whose
    records move to the host, with results identical to the run in one piece.

    Arguments:
        dynamics: the model.
        duration: ms; with fixed steps a whole number of `dt`.
        dt: step length in ms. With a stepsize controller it is only the unit of `every=`.
        t0: time of the first step in ms, a whole number of `dt`.
        inputs: dictionary by name of input (nested by part for blocks and networks); a leaf is
            an array or a list of numbers (constant in time), or an object of `nj.inputs`.
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
            as memory-mapped arrays. Read them in another process with `nj.open_records(folder)`.
            If the run fails or is stopped, what was written stays in a folder beside it, which
            the error names. Outside jit only.
        progress: show a progress bar. Outside jit only.
        throw: raise if the state becomes NaN or infinite. Inside jit look at `stats` instead.

    Returns:
        A `Simulation` with records, final state and counters.

    Raises:
        ValueError: for a `dt` that is not positive, a duration that is not a whole number of
            steps, shapes that do not fit, a solver that cannot integrate the model.
        KeyError: for an unknown record or input, with the nearest names.
        TypeError: for what is no model, dictionary of inputs, recorder, solver or state.
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
            f"dynamics must be an instance of a neurojax Dynamics, got {described(dynamics)}"
        )
    inputs, recorders = as_given(inputs, record)
    check_times(duration, 1.0 if dt is None else dt, t0)  # a controller may need none
    Clock(0, 1.0, key, noise)  # refuses what is no key
    check_start(state)
    if stepsize_controller is not None:
        from .diffrax_engine import run_diffrax

        if progress or stream_to is not None:
            raise ValueError("progress and stream_to belong to the fixed-step engine")
        if dt is not None and not isinstance(state, SimState):
            begin, end = (math.floor(t / dt + 1e-6) for t in (t0, t0 + duration))
            for message in empty_records(recorders, begin, end - begin):
                raise ValueError(message)
        try:
            return run_diffrax(
                dynamics, duration, dt, t0, inputs, solver, stepsize_controller, recorders, adjoint,
                key, state, throw,
            )  # fmt: skip
        except ShapeError as error:
            name_misfits(dynamics, inputs, error)
            raise
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
    inputs = signals.on_grid(inputs, float(dt))
    start, waiting = start_of(dynamics, state, key, t0, dt)
    step0 = start.step
    first_step = None if is_traced(step0) else int(step0)
    check_run(dynamics, inputs, recorders, first_step, steps, float(dt))
    run = FixedStepRun(
        dynamics, inputs, recorders, steps, first_step, step0, float(dt), key, noise, adjoint
    )
    try:
        if tracing(dynamics, inputs, start, key):
            if stream_to is not None or progress:
                raise ValueError("stream_to and progress work outside jit, vmap and grad only")
            return run.inside(start.state, waiting)
        if waiting is None:
            waiting = first_noise(inputs, Clock(step0, float(dt), key, noise))
        stream = None if stream_to is None else _stream(stream_to, run, start.state)
        return run.outside(start.state, waiting, stream, progress, throw)
    except ShapeError as error:
        name_misfits(dynamics, inputs, error)
        raise


def _stream(folder, run: FixedStepRun, state) -> Stream:
    """What must be known to read the files of a run back."""
    records: dict[str, dict[str, Any]] = {}
    for name, recorder in run.recorders.items():
        if isinstance(recorder, Trace):
            at = recorder.at
            records[name] = {"every": recorder.every} if at is None else {"at": list(at)}
            continue
        shapes = step_output(run.dynamics, state, run.inputs, run.dt, run.key, run.noise)
        neurons = {p: part.spikes.value.shape[0] for p, part in recorder.parts(shapes).items()}
        records[name] = {"neurons": neurons, "several": len(recorder.names) > 1}
    whole = {"dt": run.dt, "first_step": run.first_step, "steps": run.steps}
    return Stream(folder, whole, records)


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
    if isinstance(solver, PartByPart):
        raise ValueError(
            "PartByPart leaves the parts of a Block their own solvers, and solver= of a run "
            "replaces them all: give it to nj.Block(parts, couplings, solver=...). It is the "
            "default where couplings join an EIF or AdEx"
        )
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


def check_start(state) -> None:
    """What a run begins with is no whole run."""
    if isinstance(state, Simulation):
        raise TypeError("state= is a Simulation: give its final_state, as in state=sim.final_state")


def start_of(dynamics, state, key, t0, dt) -> tuple[SimState, Any]:
    """Where the run begins, and the values of stochastic inputs where it goes on."""
    if isinstance(state, SimState):
        if t0 != 0.0:
            raise ValueError("give either t0= or state= of an earlier run, which has its own time")
        if isinstance(dynamics, Dynamics):
            unwrap(dynamics).check_state(state.state)
        own = _counted_in_units_of(dt, state, unwrap(dynamics))
        return SimState(own, _step_in_units_of(dt, state)), state.inputs
    step = 0 if t0 == 0.0 else whole_steps("t0", t0, dt)
    if state is None:
        init = unwrap(dynamics)
        child = None if key is None else Clock(0, 1.0, key).child("init_state").key
        state = init.init_state(key=child)
    elif isinstance(dynamics, Dynamics):
        unwrap(dynamics).check_state(state)
    return SimState(arrays_only(state), step), None


def first_noise(inputs: dict, clock: Clock):
    """The first values of the noises of neurojax; the run begins those of others."""
    is_noise = lambda x: isinstance(x, signals.AbstractStochasticInput) and of_neurojax(x)
    pick = lambda x: x if is_noise(x) else None
    noises = jax.tree.map(pick, inputs, is_leaf=signals.is_input)
    return one_program(signals.begin_noise, noises, clock) if jax.tree.leaves(noises) else None


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


def _counted_in_units_of(dt, state: SimState, model: Dynamics):
    """The state with what the model counts in steps counted in steps of `dt`."""
    if _has_steps_of(dt, state):
        return state.state
    new = model.recounted(state.state, state.dt, dt)
    if known(state.dt):
        return new
    same = jnp.abs(state.dt / dt - 1) < 1e-6
    pick = lambda old, x: old if x is old else jnp.where(same, old, x)
    return jax.tree.map(pick, state.state, new)
