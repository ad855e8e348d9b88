"""The diffrax engine: the same drift, with adaptive and stiff solvers."""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from . import inputs as signals
from .block import Block
from .checks import fitting
from .clock import Clock
from .diffrax_terms import as_diffrax, brownian, default_solver, terms_for
from .dynamics import ContinuousDynamics, Dynamics
from .errors import NonFiniteError, UnknownNameError
from .parameters import arrays_only, unwrap
from .paths import get, leaf_names, unknown
from .recorders import Spikes, Trace, asked_of, check_index, indices_of, readouts
from .simulation import SimState, Simulation, Stats
from .structure import depends_on_state
from .tracing import is_traced, known
from .vector_field import VectorField, advanced_leaves

_MAX_STEPS = 1 << 20
_RESOLUTION = 2.0**-16  # of the Brownian path where no dt= is given, as a part of the duration
_BUDGET = 1 << 30  # bytes of states that the default adjoint may keep
_FINAL = (
    " final"  # no record can have this name: names come from Python identifiers or users' words
)


class _Settings(eqx.Module):
    solver: Any
    controller: Any
    adjoint: Any
    duration: float = eqx.field(static=True)
    steps: int | None = eqx.field(static=True)  # known for constant steps only


def run_diffrax(
    dynamics, duration, dt, t0, inputs, solver, controller, recorders, adjoint, key, state, throw
) -> Simulation:
    """`simulate` with a stepsize controller: `diffrax.diffeqsolve` on the model's drift."""
    import diffrax

    dynamics = arrays_only(dynamics)
    model = as_continuous(unwrap(dynamics))
    t0, start = _begin(model, state, key, t0, dt)
    t1 = t0 + duration
    _refuse_noise_inputs(inputs)
    _check_fit(model, start, inputs, t0)
    given = {name: _times(name, r, t0, t1, duration, dt) for name, r in recorders.items()}
    if adjoint != "auto" and not isinstance(adjoint, diffrax.AbstractAdjoint):
        raise TypeError(
            f"with stepsize_controller= the adjoint is 'auto' or a diffrax adjoint, got {adjoint!r}"
        )
    origin = _origin(controller, t0)
    constant = isinstance(controller, diffrax.ConstantStepSize)
    if constant and dt is None:
        raise ValueError("diffrax.ConstantStepSize() needs dt= (ms)")
    if isinstance(controller, diffrax.AbstractAdaptiveStepSizeController):
        edges = _edges(inputs, t0, t1)
        if edges.size:
            controller = diffrax.ClipStepSizeController(controller, jump_ts=edges - origin)
    settings = _Settings(
        solver, controller, None if adjoint == "auto" else adjoint, float(duration),
        math.ceil(duration / dt - 1e-6) if constant else None,
    )  # fmt: skip
    ys, final, steps, code, where, leaf = _solve(
        dynamics, start, inputs, jnp.asarray(t0, jnp.result_type(float)), jnp.asarray(origin),
        jnp.asarray(t0 - origin, jnp.result_type(float)),
        None if dt is None else jnp.asarray(float(dt)), key,
        {name: Trace(r.what, r.index) for name, r in recorders.items()},
        {name: jnp.asarray(ts - origin) for name, ts in given.items()}, settings,
    )  # fmt: skip
    if throw and not is_traced(steps):
        _raise_trouble(model, start, diffrax.is_successful(code), code, where, leaf)
    stats = Stats(steps, {}, where, leaf, jnp.asarray(False), leaf_names(start))
    asked = indices_of(recorders), asked_of(recorders)
    return Simulation(ys, _sim_state(final, t1, dt), stats, given, *asked)


def as_continuous(model: Dynamics) -> ContinuousDynamics:
    """The model as one vector field, or an error that says why it has none."""
    whole = getattr(model, "as_continuous", None)
    if whole is not None:
        return whole()
    if not isinstance(model, ContinuousDynamics):
        raise ValueError(
            f"{type(model).__name__} moves in discrete steps, so diffrax cannot integrate it; "
            "leave stepsize_controller= out"
        )
    for name, part in _parts(model):
        if type(part).begin is not ContinuousDynamics.begin and not isinstance(part, Block):
            raise ValueError(
                f"{name} ({type(part).__name__}) changes its state at the beginning of a step (a "
                "reset, a refractory period), which diffrax cannot do; leave "
                "stepsize_controller= out"
            )
    return model


def _parts(model, name: str = "the model"):
    yield name, model
    if isinstance(model, Block):
        for part_name, part in model.parts.items():
            yield from _parts(part, part_name)


def _begin(model, state, key, t0, dt):
    """The time and state at which the run begins."""
    if isinstance(state, SimState):
        if t0 != 0.0:
            raise ValueError("give either t0= or state= of an earlier run, which has its own time")
        unit = dt if state.dt is None else state.dt
        if unit is None:
            raise ValueError("state= has no dt of its own: give dt= so that its time is known")
        t = state.step * unit
        return (t if is_traced(t) else float(t)), arrays_only(state.state)
    if state is None:
        child = None if key is None else Clock(0, 1.0, key).child("init_state").key
        state = model.init_state(key=child)
    return t0, jax.tree.map(jnp.asarray, arrays_only(state))


def _sim_state(final, t1, dt) -> SimState:
    known = not is_traced(t1)
    if known and dt is not None and abs(t1 / dt - round(t1 / dt)) < 1e-6 * max(1.0, t1 / dt) ** 0.5:
        return SimState(final, np.asarray(round(t1 / dt)), np.asarray(float(dt)))
    # no step divides the end time: count it as one long step
    return SimState(final, np.asarray(1), t1 if not known else np.asarray(float(t1)))


def _refuse_noise_inputs(inputs) -> None:
    leaves, _ = jax.tree_util.tree_flatten_with_path(inputs, is_leaf=signals.is_input)
    for path, x in leaves:
        if isinstance(x, signals.AbstractStochasticInput):
            raise ValueError(
                f"the input {jax.tree_util.keystr(path)} is a {type(x).__name__}, drawn once per "
                "fixed step; leave stepsize_controller= out, or give the model a diffusion"
            )


def _check_fit(model, start, inputs, t0) -> None:
    """Refuse inputs that nothing reads, impulses, and shapes that do not fit together."""
    now = signals.at_time(inputs, t0)
    moving, rest = advanced_leaves(start, None)

    def slope(state, given):
        moving, rest = advanced_leaves(state, None)
        drift = VectorField(model, rest, Clock(0, 1.0))(t0, moving, given)
        return eqx.combine(drift, rest), model.diffusion(t0, state, given)

    kind = type(model).__name__
    try:
        fitting(kind, slope, eqx.combine(moving, rest), now)
    except UnknownNameError:
        if type(model).receive is ContinuousDynamics.receive:
            raise
        receive = lambda state, given: (model.receive(slope(state, given)[0], given), None)
        fitting(kind, receive, eqx.combine(moving, rest), now)
        raise ValueError(
            f"an input of {kind} arrives as impulses at a port, which diffrax cannot deliver; "
            "leave stepsize_controller= out"
        ) from None


def _noise_of(field: VectorField):
    """The diffusion as a function that `depends_on_state` can look into."""
    return _Noise(field, field.rest)


class _Noise(eqx.Module):
    field: VectorField
    rest: Any

    def __call__(self, t, y, inputs):
        return dataclasses.replace(self.field, rest=self.rest).diffusion(t, y, inputs)


def _given_steps(settings: _Settings) -> bool:
    import diffrax

    return isinstance(settings.controller, diffrax.StepTo)


def _times(name: str, recorder, t0, t1, duration: float, dt):
    """The times at which a record is kept."""
    if isinstance(recorder, Spikes):
        raise ValueError(
            f"record {name!r}: spikes need fixed steps; leave stepsize_controller= out"
        )
    if recorder.at is not None:
        times = np.asarray(recorder.at)
        if known(t0):
            slack = 1e-9 * max(abs(t0), abs(t1))
            if times[0] < t0 - slack or times[-1] > t1 + slack:
                raise ValueError(
                    f"record {name!r}: at= has times outside the run from {t0:g} to {t1:g} ms"
                )
            times = np.clip(times, t0, t1)
        return times
    if dt is None:
        raise ValueError(
            f"record {name!r}: give its times, nj.Trace(..., at=times), or dt= as unit of every="
        )
    stride = recorder.every * dt
    count = math.floor(duration / stride + 1e-6)
    if is_traced(t0):
        return t0 + stride * np.arange(1, count + 1)
    first = math.floor(t0 / stride + 1e-6) + 1
    labels = np.arange(first, math.floor(t1 / stride + 1e-6) + 1)
    return np.minimum(labels * stride, t1)


def _origin(controller, t0):
    """The ms from which diffrax counts, since 32 bits hold no small part of a late time.

    Controllers that have times of their own count as those do, from 0.
    """
    import diffrax

    if not isinstance(controller, diffrax.PIDController | diffrax.ConstantStepSize):
        return 0
    return max(math.floor(t0), 0) if known(t0) else jnp.maximum(jnp.floor(t0), 0.0).astype(int)


def _edges(inputs, t0, t1) -> Any:
    """Jumps of the inputs inside the run, at which an adaptive step must end; sorted."""
    leaves = jax.tree.leaves(inputs, is_leaf=signals.is_input)
    found = [x.edges() for x in leaves if isinstance(x, signals.AbstractInput)]
    if known(t0, t1, *found):
        times = np.unique(np.concatenate([np.zeros(0), *map(np.asarray, found)]))
        return times[(times > t0) & (times < t1)]
    times = jnp.concatenate([jnp.ravel(e) for e in found])
    return jnp.sort(jnp.where((times > t0) & (times < t1), times, jnp.inf))


def _raise_trouble(model, start, successful, code, where, leaf) -> None:
    import diffrax

    if not bool(successful):
        raise NonFiniteError(
            f"diffrax gave up on {type(model).__name__}: {diffrax.RESULTS[code]} Loosen the "
            "controller's tolerances, take a stiff solver (diffrax.Kvaerno5()), or look for NaN "
            "in parameters and inputs; throw=False returns what was computed"
        )
    if int(where) >= 0:
        raise NonFiniteError(
            f"the state leaf {leaf_names(start)[int(leaf)] or 'state'!r} of "
            f"{type(model).__name__} is not finite at the end of the run; is dt too long? Look "
            "for NaN in parameters and inputs; throw=False returns what was computed"
        )


@eqx.filter_jit
def _solve(
    dynamics, state, inputs, start, origin, t0, dt, key, recorders, given, settings: _Settings
):
    import diffrax

    model = as_continuous(unwrap(dynamics)).prepare()
    clock = Clock(origin, 1.0, key)
    inputs = signals.since(signals.prepare_inputs(inputs, 1.0), clock)
    moving, rest = advanced_leaves(state, None)
    t1 = t0 + settings.duration
    field = VectorField(model, rest, clock)
    noise = jax.eval_shape(lambda y: field.diffusion(t0, y, inputs), moving)
    noisy = bool(jax.tree.leaves(noise))
    if noisy and key is None:
        raise ValueError(
            f"{type(model).__name__} has noise: give key=jax.random.key(0) to simulate"
        )
    solver = settings.solver
    if settings.solver is None:
        multiplicative = noisy and depends_on_state(_noise_of(field), t0, moving, inputs)
        solver = default_solver(model, noisy, multiplicative, settings.controller)
    else:
        solver = as_diffrax(settings.solver)
    path = None
    if noisy:
        tol = settings.duration * _RESOLUTION if dt is None else 0.5 * dt
        path = brownian(solver, moving, t0, t1, tol, key, start)
    terms = terms_for(solver, field, path)
    subs = {
        name: diffrax.SubSaveAt(
            ts=jnp.clip(ts, t0, t1), fn=_reader(model, name, recorders[name], state, rest, clock)
        )
        for name, ts in given.items()
    }
    subs[_FINAL] = diffrax.SubSaveAt(t1=True)
    # not every adjoint takes several records
    saveat = diffrax.SaveAt(subs=subs) if given else diffrax.SaveAt(t1=True)
    solution = diffrax.diffeqsolve(
        terms, solver, t0, t1, None if _given_steps(settings) else dt, moving, inputs,
        saveat=saveat, stepsize_controller=settings.controller,
        adjoint=_adjoint(settings, moving),
        max_steps=_MAX_STEPS if settings.steps is None else settings.steps + 2, throw=False,
    )  # fmt: skip
    ys: Any = solution.ys
    ys = dict(ys) if given else {_FINAL: ys}
    last = jax.tree.map(lambda x: x[-1], ys.pop(_FINAL))
    bad = jnp.stack([~jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(last)])
    steps = solution.stats["num_steps"]
    where = jnp.where(jnp.any(bad), steps, -1)
    leaf = jnp.where(jnp.any(bad), jnp.argmax(bad), -1)
    return ys, eqx.combine(last, rest), steps, solution.result, where, leaf


def _reader(model, name: str, recorder: Trace, state, rest, clock):
    """The recorded part of a state, or of what the model emits in it."""
    visible, what = jax.eval_shape(model.visible, state), recorder.what
    if not isinstance(what, str) or get(visible, what) is not None:
        check_index(name, recorder, jax.eval_shape(Trace(what).read, visible))
        return lambda t, y, args: recorder.read(model.visible(eqx.combine(y, rest)))
    # there are no steps: the clock says the time, and has no noise
    emitted = lambda t, state: readouts(model.emit(state, Clock(1, clock.t + t)))
    values = eqx.filter_eval_shape(emitted, 0.0, state)
    if get(values, what) is None:
        raise unknown(what, visible, values, what="record")
    check_index(name, recorder, get(values, what))
    return lambda t, y, args: recorder.pick(get(emitted(t, eqx.combine(y, rest)), what))


def _adjoint(settings: _Settings, moving):
    """Keep every step of a constant-step run where it fits; diffrax's own default otherwise."""
    import diffrax

    if settings.adjoint is not None:
        return settings.adjoint
    size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(moving))
    if settings.steps is not None and (settings.steps + 2) * size < _BUDGET:
        return diffrax.RecursiveCheckpointAdjoint(checkpoints=settings.steps + 2)
    return diffrax.RecursiveCheckpointAdjoint()
