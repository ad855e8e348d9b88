"""`simulate`: one verb, two engines."""

import math
import warnings
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
from .parameters import arrays_only, unwrap
from .recorders import Trace, as_recorders
from .run import FixedStepRun, step_output
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
    inputs, recorders = as_given(inputs, record)
    check_times(duration, 1.0 if dt is None else dt, t0)  # a controller may need none
    Clock(0, 1.0, key, noise)  # refuses what is no key
    if stepsize_controller is not None:
        from .diffrax_engine import run_diffrax

        if progress or stream_to is not None:
            raise ValueError("progress and stream_to belong to the fixed-step engine")
        if dt is not None and not isinstance(state, SimState):
            begin, end = (math.floor(t / dt + 1e-6) for t in (t0, t0 + duration))
            for message in _empty(recorders, begin, end - begin):
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
    start, waiting = start_of(dynamics, state, key, t0, dt)
    step0 = start.step
    first_step = None if is_traced(step0) else int(step0)
    check_run(dynamics, inputs, recorders, first_step, steps, float(dt))
    run = FixedStepRun(
        dynamics, inputs, recorders, steps, first_step, step0, float(dt), key, noise, adjoint
    )
    try:
        if _tracing(dynamics, inputs, start, key):
            if stream_to is not None or progress:
                raise ValueError("stream_to and progress work outside jit, vmap and grad only")
            return run.inside(start.state, waiting)
        stream = None if stream_to is None else _stream(stream_to, run, start.state)
        return run.outside(start.state, waiting, stream, progress, throw)
    except ShapeError as error:
        name_misfits(dynamics, inputs, error)
        raise


def as_given(inputs, record) -> tuple[dict, dict[str, Any]]:
    """The inputs with all numbers as arrays, and the recorders by name."""
    if not isinstance(inputs, dict | None):
        raise TypeError(
            "inputs must be a dictionary by name, for example {'I_e': 200.0}, got "
            + _described(inputs)
        )
    recorders = as_recorders(record)
    return arrays_only(_values(inputs or {})), recorders


def check_times(duration, dt, t0) -> None:
    """The length of a run and of its steps, and the time of the first, are plain numbers."""
    finite_positive("duration", duration)
    finite_positive("dt", dt)
    if is_traced(t0):
        raise ValueError("t0 must be a plain number; inside jit give state=SimState(state, step)")
    if isinstance(t0, bool) or not (np.ndim(t0) == 0 and math.isfinite(float(t0))):
        raise ValueError(f"t0 must be a finite number of ms, got {t0!r}")


def check_run(dynamics, inputs: dict, recorders, first_step, steps: int, dt: float) -> None:
    """Inputs and recorders belong to a run of these steps.

    Raises:
        ValueError: for an input that does not reach over the run, or not to a port.
    """
    _check_reach(inputs, first_step, steps, dt)
    _check_impulses(dynamics, inputs, dt)
    late = _beyond_precision(inputs, first_step, steps, dt)
    for message in [*_empty(recorders, first_step or 0, steps), *late]:
        # no error: a run may be one of many short pieces
        warnings.warn(message, stacklevel=3)


def _values(inputs: dict, path: str = "inputs") -> dict:
    """The inputs with lists of numbers as arrays, and all numbers as floating-point ones."""
    found = {}
    for name, value in inputs.items():
        where = f"{path}[{name!r}]"
        if isinstance(value, dict):
            found[name] = _values(value, where)
        elif isinstance(value, list | tuple):
            found[name] = _floating(_array(where, value))
        elif value is None or isinstance(value, str):
            raise TypeError(
                f"{where} must be a number, an array or one of nj.inputs, got {value!r}; leave it "
                "out if there is nothing to give"
            )
        else:
            found[name] = _floating(value)
    return found


def _floating(value):
    """A number or an array as one of floating-point numbers; anything else as it is."""
    if isinstance(value, int):
        return float(value)
    if not isinstance(value, np.ndarray | np.generic | jax.Array):
        return value
    whole = any(jnp.issubdtype(value.dtype, kind) for kind in (jnp.integer, jnp.bool_))
    return value.astype(float) if whole else value


def _array(where: str, value: list | tuple) -> np.ndarray:
    # a list is a tree to JAX, whose numbers would be inputs of their own
    numbers = all(isinstance(x, int | float | np.number) for x in jax.tree.leaves(value))
    try:
        array = np.asarray(value) if numbers and len(value) else None
    except ValueError:  # rows of different lengths
        array = None
    if array is None or array.dtype == object:
        raise TypeError(
            f"{where} must be a number, an array or one of nj.inputs, got a "
            f"{type(value).__name__} of {len(value)}; give an array, for example jnp.array([...])"
        )
    return array


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


def name_misfits(dynamics, inputs: dict, error: ShapeError) -> None:
    """Raise the error anew, beginning with the inputs that are not shaped like their neurons.

    Only after an error: what else a model does with the shapes of its inputs is its own affair.
    """
    found = []
    for where, _, value, name, part in _at_parts(dynamics, inputs):
        found += _misfit(where, value, name, part)
    if found:
        raise ShapeError(" ".join([*found, str(error)])) from error.__cause__


def _at_parts(dynamics, inputs: dict):
    """Each input: where it stands, its port, itself, and the part that reads it with its name."""
    model = unwrap(dynamics)
    parts = getattr(model, "populations", getattr(model, "parts", None))
    for name, value in inputs.items():
        if not isinstance(value, dict):
            yield f"inputs[{name!r}]", name, value, "the model", model
        elif isinstance(parts, dict) and name in parts:
            for port, own in value.items():
                yield f"inputs[{name!r}][{port!r}]", port, own, repr(name), parts[name]


def _check_impulses(dynamics, inputs: dict, dt: float) -> None:
    """Impulses go to receptors of spikes, one sample a step, not negative for conductances.

    Raises:
        ValueError: otherwise.
    """
    impulses = lambda x: isinstance(x, signals.Poisson | signals.Sampled)
    if not any(map(impulses, jax.tree.leaves(inputs, is_leaf=_is_single))):
        return
    for where, port, value, _, part in _at_parts(dynamics, inputs):
        receptors = getattr(part, "receptors", None)
        if isinstance(value, dict) or not isinstance(receptors, dict):
            continue
        receptor = receptors.get(port)
        for x in jax.tree.leaves(value, is_leaf=_is_single):
            if isinstance(x, signals.Sampled) and receptor is not None and not receptor.is_held:
                _check_samples(where, x.dt, dt)
        if not isinstance(value, signals.Poisson):
            continue
        if port == "I_e" or (receptor is not None and receptor.is_held):
            raise ValueError(
                f"{where} takes a current or a conductance that lasts, but nj.inputs.Poisson gives "
                "impulses, whose effect would depend on dt: give them to a receptor of spikes, "
                "such as receptors={'noise': nj.synapses.ExpCurrent(tau=2.0)} and its port 'noise'"
            )
        if receptor is None or not receptor.is_conductance or not known(value.weight):
            continue
        if np.any(np.asarray(value.weight) < 0):
            raise ValueError(
                f"{where}: weights of conductances must not be negative, got "
                f"{np.min(np.asarray(value.weight)):g}. Inhibition has a receptor of its own, with "
                "a low E_rev: nj.synapses.ExpConductance(E_rev=-80.0)"
            )


def _is_single(x) -> bool:
    """Whether a node of inputs is a signal that is no sum of others."""
    return signals.is_input(x) and not isinstance(x, signals.Sum)


def _check_samples(where: str, given, dt: float) -> None:
    if known(given) and not np.isclose(float(given), dt, rtol=1e-5):
        raise ValueError(
            f"{where} goes to a receptor of spikes, where a sample is the impulse of one step: its "
            f"dt={float(given):g} ms must be that of the run, {dt:g} ms. Add up what arrives in "
            "each step, or give spikes as a population nj.neurons.SpikeTimes"
        )


def _misfit(where: str, value, name: str, part) -> list[str]:
    """What is wrong with the shape of an input of which each neuron reads one value."""
    n = getattr(part, "n", None)
    if n is None or not hasattr(part, "receptors") or isinstance(value, dict):
        return []
    signal = isinstance(value, signals.AbstractInput)
    shape = tuple(jax.eval_shape(value, 0.0).shape if signal else np.shape(value))
    if shape in ((), (1,), (n,)):
        return []
    neurons = f"{n} neuron" + "s" * (n != 1)
    if isinstance(value, signals.Sampled):
        return [
            f"{where} has values of shape {tuple(value.values.shape)}, the first axis being time, "
            f"but {name} has {neurons}: give shape (time,) or (time, {n})."
        ]
    return [
        f"{where} has shape {shape}, but {name} has {neurons}: give one number or shape ({n},); "
        f"a series over time, (time,) or (time, {n}), goes in nj.inputs.Sampled(values, dt)."
    ]


def _empty(recorders: dict[str, Any], first_step: int, steps: int) -> list[str]:
    """Which records no step of the run belongs to, in words."""
    return [
        f"record {name!r} stays empty: every={r.every} keeps the steps whose number is a multiple "
        f"of {r.every}, and there is none among the {steps} steps of this run; choose a smaller "
        "every= or a longer duration"
        for name, r in recorders.items()
        if isinstance(r, Trace) and r.at is None
        and first_step // r.every == (first_step + steps) // r.every
    ]  # fmt: skip


def finite_positive(name: str, value) -> None:
    """A length of time is one positive number of ms, known before the run is compiled.

    Raises:
        ValueError: if it is not.
    """
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
    """`value` as a whole number of steps, or an error that says what would fit.

    Raises:
        ValueError: if it is not whole, or more than the integers of JAX count.
    """
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
    largest = int(jnp.iinfo(jnp.result_type(int)).max)
    if abs(steps) > largest:
        raise ValueError(
            f"{name}={value} ms is {steps} steps of dt={dt} ms, but they are counted up to "
            f"{largest} (2**63 - 1 with jax_enable_x64)"
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


def _tracing(*trees) -> bool:
    """Whether we are inside jit, vmap or grad."""
    probe = jnp.zeros(()) + 0.0  # becomes a tracer under jit even if no argument is one
    leaves = [probe, *jax.tree.leaves(trees)]
    return any(is_traced(x) for x in leaves)


def _beyond_precision(inputs, first_step, steps: int, dt: float) -> list[str]:
    """What to say of jumps of inputs that are later than their numbers tell steps apart."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(inputs, is_leaf=_is_single)
    found = []
    for path, x in leaves:
        if not isinstance(x, signals.AbstractInput) or first_step is None:
            continue
        edges = x.edges()
        if not known(edges):
            continue
        edges = np.asarray(edges).ravel()
        inside = (edges >= first_step * dt) & (edges <= (first_step + steps) * dt)
        apart = np.spacing(np.abs(edges[inside])).max(initial=0.0)
        if apart >= dt:
            found.append(
                f"jumps of inputs{jax.tree_util.keystr(path)} fall between {edges[inside].min():g} "
                f"and {edges[inside].max():g} ms, where numbers of {edges.dtype} are {apart:g} ms "
                "apart: begin such a run at t0=0, or enable jax_enable_x64"
            )
    return found


def _check_reach(inputs, first_step, steps: int, dt: float) -> None:
    """Sampled inputs must cover the run."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(inputs, is_leaf=_is_single)
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
                f"the sampled input {name} covers {lo:g} to {hi:g} ms with its values of shape "
                f"{tuple(x.values.shape)} (time first), but the run goes from {begin:g} to "
                f"{end:g} ms; extend its values or shorten the run"
            )
