"""The fixed-step engine: one `lax.scan` over `Dynamics.step`, nested where recorders have strides.

`run_steps` is the whole engine. Everything that depends on shapes alone (unknown inputs, wrong
shapes, precision of the state, which levels of recording there are, how it is differentiated) is
decided while it is traced; a change of a parameter, of dt or of the start does not trace again.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from . import inputs as signals
from ._asked import Asked
from .adjoints import Auto, CheckpointBlocks, CheckpointSteps, Forward, Plain
from .clock import Clock
from .dynamics import ContinuousDynamics, Dynamics
from .errors import UnknownNameError, suggestion
from .parameters import unwrap
from .paths import get, leaf_names, unknown
from .recorders import Spikes, Trace, _outputs
from .vector_field import VectorField, advanced_leaves, is_float

_BLOCK = 128  # steps between two looks for NaN and infinity, roughly


class Result(NamedTuple):
    """What a run of the engine gives back."""

    state: Any
    noise: Any
    samples: dict[str, Any]  # [sample, ...] by name of recorder
    spikes: dict[str, Any]
    finite: Any  # bool: the state was finite at the end of every block
    trouble: Any  # (step, leaf), located only on request


class Setup(eqx.Module):
    """Everything static about a run."""

    steps: int = eqx.field(static=True)
    offset: int = eqx.field(static=True)  # absolute step number modulo the strides
    noise: Any = eqx.field(static=True)
    adjoint: Any = eqx.field(static=True)
    locate: bool = eqx.field(static=True)


@eqx.filter_jit
def run_steps(dynamics: Dynamics, state, noise, inputs, step0, dt, key, recorders, setup: Setup):
    """Run `setup.steps` steps from step number `step0`."""
    arguments = (dynamics, state, noise, inputs, step0, dt, key, recorders)
    arrays, static = eqx.partition(arguments, eqx.is_array)
    floats, others = eqx.partition(arrays, eqx.is_inexact_array)
    adjoint = setup.adjoint

    def run(floats, others, how) -> Result:
        dynamics, state, noise, inputs, step0, dt, key, recorders = eqx.combine(
            floats, others, static
        )
        return _Run(dynamics, state, noise, inputs, step0, dt, key, recorders, setup, how).result()

    if isinstance(adjoint, Forward):
        return _differentiated(run, floats, others, lambda size, steps, bytes_: Forward(), setup)
    if isinstance(adjoint, Auto):
        choose = lambda size, steps, bytes_: (
            Forward() if size <= adjoint.forward_limit else adjoint.reverse(steps, bytes_)
        )
        return _differentiated(run, floats, others, choose, setup)
    return run(floats, others, adjoint)


def _differentiated(run, floats, others, choose, setup: Setup) -> Result:
    """The run with its derivative rule chosen by what is differentiated.

    The rule stays an ordinary linear map of the tangents, so forward mode, reverse mode and
    higher derivatives all work.
    """

    @jax.custom_jvp
    def primal(floats, others):
        return run(floats, others, Plain())

    def rule(primals, tangents):
        floats, others = primals
        leaves, tree = jax.tree.flatten(floats)
        symbolic = jax.custom_derivatives.SymbolicZero
        marks = jax.tree.leaves(tangents[0], is_leaf=lambda x: isinstance(x, symbolic))
        moves = [not isinstance(t, symbolic) for t in marks]
        size = sum(leaf.size for leaf, m in zip(leaves, moves, strict=True) if m)
        state_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(floats[1]))
        how = choose(size, setup.steps, state_bytes)
        moving = [leaf for leaf, m in zip(leaves, moves, strict=True) if m]
        slopes = [t for t, m in zip(marks, moves, strict=True) if m]

        def of_moving(moving):
            fill = iter(moving)
            filled = [next(fill) if m else leaf for leaf, m in zip(leaves, moves, strict=True)]
            how_now = Plain() if isinstance(how, Forward) else how
            return run(jax.tree.unflatten(tree, filled), others, how_now)

        if not isinstance(how, Forward) or not moving:
            return jax.jvp(of_moving, (moving,), (slopes,))
        return _forward(of_moving, moving, slopes)

    primal.defjvp(rule, symbolic_zeros=True)
    return primal(floats, others)


def _forward(f, moving, slopes):
    """f and the Jacobian-vector product through the full Jacobian, by one batched forward pass."""
    basis = []
    for i, leaf in enumerate(moving):
        eye = jnp.eye(leaf.size, dtype=leaf.dtype).reshape(leaf.size, *leaf.shape)
        others = [jnp.zeros((leaf.size, *x.shape), x.dtype) for x in moving]
        basis.append([eye if j == i else zero for j, zero in enumerate(others)])
    directions = [jnp.concatenate(parts) for parts in zip(*basis, strict=True)]
    weights = jnp.concatenate([jnp.ravel(s) for s in slopes])
    push = lambda direction: jax.jvp(f, (moving,), (direction,))
    value, columns = jax.vmap(push, out_axes=(None, 0))(directions)

    def weigh(out, column):
        if not jnp.issubdtype(out.dtype, jnp.inexact):
            return np.zeros(out.shape, jax.dtypes.float0)
        return jnp.tensordot(weights.astype(out.dtype), column, axes=1)

    return value, jax.tree.map(weigh, value, columns)


def levels(strides: list[int]) -> list[int]:
    """A chain of strides, each a multiple of the one before, on which all recorders can sit.

    Example:
        >>> levels([1, 10, 25])
        [1, 10]
    """
    chain: list[int] = []
    for stride in sorted(set(strides)):
        if not chain:
            chain.append(math.gcd(*strides))
        if stride > chain[-1] and stride % chain[-1] == 0:
            chain.append(stride)
    return chain


def block_length(steps: int, stride: int, target: int) -> int:
    """A block length near `target` that is a multiple of `stride` and divides `steps` if it can."""
    fits = [b for b in range(stride, min(steps, 8 * target) + 1, stride) if steps % b == 0]
    near = lambda b: abs(math.log(b / target))
    if fits and near(min(fits, key=near)) < math.log(6):
        return min(fits, key=near)
    return max(stride, target // stride * stride) if steps > 4 * target else max(steps, 1)


class _Run:
    """One traced run: prepares the model and builds the nest of scans."""

    def __init__(self, dynamics, state, noise, inputs, step0, dt, key, recorders, setup, how):
        self.setup, self.how, self.recorders = setup, how, recorders
        self.step0 = step0
        self.clock = lambda step: Clock(step, dt, key, setup.noise)
        self.inputs = signals.prepare_inputs(inputs)
        dynamics = unwrap(dynamics).prepare()
        first = self.clock(step0)
        self.noise = signals.begin_noise(inputs, first) if noise is None else noise
        self.dynamics, self.state, output = self._checked(dynamics, state, first)
        self.leaves = leaf_names(self.state)
        self._place_recorders(output)

    # -- checks at the door, by shapes alone ------------------------------------------------

    def _checked(self, dynamics, state, clock):
        now = signals.with_noise(self.inputs, self.noise)
        read = dynamics.read_inputs(now, clock)
        asked = Asked(read)
        state = jax.tree.map(jnp.asarray, state)
        step = lambda state, inputs: dynamics.step(state, inputs, clock)
        try:
            if isinstance(dynamics, ContinuousDynamics):
                _check_drift(dynamics, state, signals.resolve(read, clock), clock)
            try:
                shapes, output = jax.eval_shape(lambda s: step(s, asked), state)
                unread = asked.unread()
            except (KeyError, TypeError, ValueError):
                # the model wants a plain dictionary; a genuine error is raised again here
                shapes, output = jax.eval_shape(lambda s: step(s, read), state)
                unread = []
        except TypeError as error:
            raise ValueError(
                f"one step of {type(dynamics).__name__} does not fit together: {error} "
                f"State: {_shapes(state)}; inputs: {_shapes(read)}. (An input array is constant "
                "in time: wrap a time series in nj.inputs.Sampled(values, dt).)"
            ) from error
        if unread:
            name, known = unread[0]
            raise UnknownNameError(
                f"the model never reads the input {name!r}.{suggestion(name, known)}"
            )
        state = _settled(state, shapes, lambda s: jax.eval_shape(lambda s: step(s, read)[0], s))
        if isinstance(dynamics, ContinuousDynamics):
            resolved = signals.resolve(read, clock)
            ready = _prepare_solver(dynamics, state, resolved, clock)
            dynamics = eqx.tree_at(lambda d: d.solver, dynamics, ready)
        return dynamics, state, output

    def _place_recorders(self, output):
        """Sort recorders into those of every step and those of the state at a stride."""
        visible = jax.eval_shape(self.dynamics.visible, self.state)
        self.every_step, self.strided, self.thin = {}, {}, {}
        for name, recorder in self.recorders.items():
            if isinstance(recorder, Spikes):
                recorder.parts(output)
                self.every_step[name] = lambda state, out, r=recorder: r.read(out)
                continue
            if isinstance(recorder.what, str) and get(visible, recorder.what) is None:
                if emitted(output, recorder.what) is None:
                    raise unknown(recorder.what, visible, _readouts(output), what="record")
                bare = lambda state, out, r=recorder: Trace(lambda s: s, r.index).read(
                    emitted(out, r.what)
                )
                self.every_step[name] = bare
                self.thin[name] = recorder.every
            else:
                self.strided[name] = recorder
        chain = levels([1] * bool(self.every_step) + [r.every for r in self.strided.values()])
        self.chain = chain if chain and chain[0] == 1 else [1, *chain]
        self.level_of = {}
        for name, recorder in self.strided.items():
            on = max(s for s in self.chain if recorder.every % s == 0)
            self.level_of[name] = self.chain.index(on)
            self.thin[name] = recorder.every // on

    # -- the nest of scans ------------------------------------------------------------------

    def _one(self, carry, step):
        state, noise, counts = carry
        clock = self.clock(step)
        now = self.dynamics.read_inputs(signals.with_noise(self.inputs, noise), clock)
        state, output = self.dynamics.step(state, now, clock)
        noise = signals.advance_noise(self.inputs, noise, clock)
        visible = self.dynamics.visible(state)
        sample = {name: read(visible, output) for name, read in self.every_step.items()}
        sample |= self._strided(visible, 0)
        spiking = {n: p.spikes for n, p in _outputs(output).items() if p.spikes is not None}
        counts = {name: counts[name] + spikes.count() for name, spikes in spiking.items()}
        return (state, noise, counts), sample

    def _strided(self, visible, level: int):
        return {n: r.read(visible) for n, r in self.strided.items() if self.level_of[n] == level}

    def _level(self, level: int, carry, start, steps: int, offset: int):
        """Run `steps` steps; `offset` is the absolute number of the first one, modulo strides."""
        if steps == 0:
            return carry, []
        if level == 0:
            one = self._one
            if isinstance(self.how, CheckpointSteps | CheckpointBlocks):
                one = jax.checkpoint(one, prevent_cse=False)
            carry, samples = jax.lax.scan(one, carry, start + jnp.arange(steps))
            return carry, [samples]
        stride, pieces = self.chain[level], []
        lead = min(-offset % stride, steps)
        if lead:
            carry, part = self._level(level - 1, carry, start, lead, offset)
            pieces += part
            if (offset + lead) % stride == 0:
                sample = self._strided(self.dynamics.visible(carry[0]), level)
                pieces.append(jax.tree.map(lambda x: x[None], sample))
        whole, rest = divmod(steps - lead, stride)
        if whole:

            def block(carry, begin):
                carry, inner = self._level(level - 1, carry, begin, stride, 0)
                merged = _joined(inner)
                return carry, merged | self._strided(self.dynamics.visible(carry[0]), level)

            carry, samples = jax.lax.scan(block, carry, start + lead + stride * jnp.arange(whole))
            inner = {n for n in samples if self.level_of.get(n, 0) < level}
            pieces.append(
                {
                    n: jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), s) if n in inner else s
                    for n, s in samples.items()
                }
            )
        if rest:
            carry, part = self._level(level - 1, carry, start + steps - rest, rest, 0)
            pieces += part
        return carry, pieces

    def _blocks(self, carry, start, steps: int):
        """The outermost level: blocks after which the state is checked, and which can be redone."""
        top = len(self.chain) - 1
        stride = self.chain[top]
        target = _BLOCK
        if isinstance(self.how, CheckpointBlocks):
            target = max(1, round(math.sqrt(steps)))
        length = block_length(steps, stride, target)
        flags = [jnp.zeros((), bool)] * len(jax.tree.leaves(eqx.filter(carry[0], is_float)))
        saved = (carry[0], carry[1], start) if self.setup.locate else None

        def block(carry, begin, length=length, offset=self.setup.offset):
            carry, flags, saved = carry
            if self.setup.locate:
                good = ~jnp.any(jnp.stack(flags)) if flags else jnp.array(True)
                keep = (carry[0], carry[1], begin)
                saved = jax.tree.map(lambda new, old: jnp.where(good, new, old), keep, saved)
            level = lambda carry: self._level(top, carry, begin, length, offset)
            if isinstance(self.how, CheckpointBlocks):
                level = jax.checkpoint(level, prevent_cse=False)
            carry, inner = level(carry)
            found = [
                ~jnp.all(jnp.isfinite(x))
                for x in jax.tree.leaves(jax.lax.stop_gradient(eqx.filter(carry[0], is_float)))
            ]
            flags = [a | b for a, b in zip(flags, found, strict=True)]
            return (carry, flags, saved), _joined(inner)

        # samples line up with the blocks only if the run begins on a stride
        lead = min(-self.setup.offset % stride, steps)
        whole, rest = divmod(steps - lead, length)
        everything, pieces = (carry, flags, saved), []
        if lead:
            everything, sample = block(everything, start, lead)
            pieces.append(sample)
        if whole == 1:
            everything, sample = block(everything, start + lead, length, 0)
            pieces.append(sample)
        elif whole:
            body = lambda c, b: block(c, b, length, 0)
            everything, samples = jax.lax.scan(
                body, everything, start + lead + length * jnp.arange(whole)
            )
            pieces.append(jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), samples))
        if rest:
            everything, sample = block(everything, start + steps - rest, rest, 0)
            pieces.append(sample)
        return everything, _joined(pieces)

    def result(self) -> Result:
        """The traced run."""
        _, output = jax.eval_shape(
            lambda s: self.dynamics.step(
                s,
                self.dynamics.read_inputs(
                    signals.with_noise(self.inputs, self.noise), self.clock(self.step0)
                ),
                self.clock(self.step0),
            ),
            self.state,
        )
        spiking = [n for n, p in _outputs(output).items() if p.spikes is not None]
        counts = {name: jnp.zeros((), jnp.int32) for name in spiking}
        carry = (self.state, self.noise, counts)
        (carry, flags, saved), samples = self._blocks(carry, self.step0, self.setup.steps)
        state, noise, counts = carry
        bad = jnp.any(jnp.stack(flags)) if flags else jnp.array(False)
        for name, thin in self.thin.items():
            if thin > 1:
                samples[name] = self._thinned(name, samples[name], thin)
        nowhere = (jnp.asarray(-1, jnp.int32), jnp.asarray(-1, jnp.int32))
        trouble = nowhere
        if self.setup.locate:
            saved = jax.lax.stop_gradient(saved)
            trouble = jax.lax.cond(bad, lambda: self._locate(*saved), lambda: nowhere)
        return Result(state, noise, samples, counts, ~bad, trouble)

    def _thinned(self, name: str, samples, thin: int):
        base = self.chain[self.level_of.get(name, 0)]
        # the first sample's absolute number in units of its level, then every thin-th of them
        first = self.setup.offset // base + 1
        skip = -first % thin
        return jax.tree.map(lambda x: x[skip::thin], samples)

    def _locate(self, state, noise, start):
        """The first step after which a leaf is not finite, and which leaf."""
        model = jax.lax.stop_gradient(eqx.filter(self.dynamics, eqx.is_array))
        dynamics = eqx.combine(model, self.dynamics)

        def bad_leaves(state):
            leaves = jax.tree.leaves(state)
            return jnp.stack(
                [~jnp.all(jnp.isfinite(x)) if is_float(x) else jnp.array(False) for x in leaves]
            )

        def advance(carry):
            state, noise, step = carry
            clock = self.clock(step)
            inputs = jax.lax.stop_gradient(signals.with_noise(self.inputs, noise))
            state, _ = dynamics.step(state, dynamics.read_inputs(inputs, clock), clock)
            return state, signals.advance_noise(self.inputs, noise, clock), step + 1

        last = self.step0 + self.setup.steps
        going = lambda c: ~jnp.any(bad_leaves(c[0])) & (c[2] < last)
        state, _, step = jax.lax.while_loop(going, advance, (state, noise, start))
        marks = bad_leaves(state)
        leaf = jnp.where(jnp.any(marks), jnp.argmax(marks), -1)
        return step.astype(jnp.int32), leaf.astype(jnp.int32)


def _joined(pieces) -> dict[str, Any]:
    """Samples of successive stretches of a run, end to end."""
    joined: dict[str, Any] = {}
    for name in {n: None for piece in pieces for n in piece}:
        parts = [piece[name] for piece in pieces if name in piece]
        joined[name] = (
            parts[0] if len(parts) == 1 else jax.tree.map(lambda *x: jnp.concatenate(x), *parts)
        )
    return joined


def _readouts(output) -> dict[str, Any]:
    """The named values of an output, nested by part."""
    return dict(output.values) | {name: _readouts(part) for name, part in output.parts.items()}


def emitted(output, path: str):
    return get(_readouts(output), path)


def _shapes(tree) -> str:
    named = zip(leaf_names(tree), jax.tree.leaves(tree), strict=True)
    return ", ".join(f"{name} {jnp.shape(leaf)}" for name, leaf in named) or "none"


def _check_drift(dynamics, state, inputs, clock):
    """The drift must be shaped like the state, and a noisy model needs a solver that takes noise."""
    rates = jax.eval_shape(lambda s: dynamics.drift(clock.t, s, inputs), state)
    exact = dynamics.propagate(state, clock.dt)
    moving, _ = advanced_leaves(state, exact)
    named = zip(leaf_names(moving), jax.tree.leaves(moving), strict=True)
    for name, leaf in named:
        rate = get(rates, name) if name else rates
        if rate is None:
            raise ValueError(
                f"drift of {type(dynamics).__name__} gives nothing for the state leaf {name!r}; "
                "return its rate of change, or advance it in propagate"
            )
        if jnp.shape(rate) != leaf.shape:
            raise ValueError(
                f"drift of {type(dynamics).__name__} has shape {jnp.shape(rate)} for the state "
                f"leaf {name!r} of shape {leaf.shape}; an input or a parameter has the wrong "
                "shape (an input array is constant in time: wrap a time series in "
                "nj.inputs.Sampled(values, dt))"
            )
    noise = jax.eval_shape(lambda s: dynamics.diffusion(clock.t, s, inputs), state)
    if jax.tree.leaves(noise) and dynamics.solver.calculus is None:
        raise ValueError(
            f"{type(dynamics).__name__} has noise (its diffusion is not None), which "
            f"{type(dynamics.solver).__name__} does not integrate; use "
            "solver=nj.solvers.EulerMaruyama() or Heun()"
        )
    if jax.tree.leaves(noise) and clock.key is None:
        raise ValueError(
            f"{type(dynamics).__name__} has noise: give key=jax.random.key(0) to simulate"
        )


def _prepare_solver(dynamics, state, inputs, clock):
    exact = dynamics.propagate(state, clock.dt)
    moving, rest = advanced_leaves(state, exact)
    field = VectorField(dynamics, rest, clock)
    return dynamics.solver.prepare(field, clock.t, clock.dt, moving, inputs)


def _settled(state, shapes, next_shapes):
    """The initial state in the precision that the step itself gives it; shapes must not change."""
    for _ in range(3):
        old, tree = jax.tree.flatten(state)
        if jax.tree.structure(shapes) != tree:
            raise ValueError(
                "step must return a state of the same structure as it was given: "
                f"{tree} became {jax.tree.structure(shapes)}"
            )
        new = jax.tree.leaves(shapes)
        for name, a, b in zip(leaf_names(state), old, new, strict=True):
            if a.shape != b.shape:
                raise ValueError(
                    f"the state leaf {name!r} has shape {a.shape} before a step and {b.shape} "
                    "after it; an input, a parameter or the initial state has the wrong shape "
                    "(an input array is constant in time: wrap a time series in "
                    "nj.inputs.Sampled(values, dt))"
                )
        if all(a.dtype == b.dtype for a, b in zip(old, new, strict=True)):
            return state
        state = jax.tree.unflatten(tree, [a.astype(b.dtype) for a, b in zip(old, new, strict=True)])
        shapes = next_shapes(state)
    raise ValueError("step changes the precision of its state every time; fix its dtypes")
