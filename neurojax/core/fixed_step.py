"""The fixed-step engine: one `lax.scan` over `Dynamics.step`, nested where recorders have strides.

`run_steps` is the whole engine. Everything that depends on shapes alone (unknown inputs, wrong
shapes, precision of the state, which levels of recording there are, how it is differentiated) is
decided while it is traced; a change of a parameter, of dt or of the start does not trace again.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from . import inputs as signals
from .adjoints import Auto, CheckpointBlocks, CheckpointSteps, Forward
from .checks import admitted
from .clock import Clock
from .derivative import with_rule
from .dynamics import Dynamics
from .finite import all_finite, first_not_finite
from .levels import block_length, joined, levels, seat, unstacked
from .one_kernel import in_kernels
from .parameters import unwrap
from .paths import get, unknown
from .recorders import Spikes, outputs_by_name, readout, readouts
from .tracing import mesh_axes, varying

_BLOCK = 128  # steps between two looks for NaN and infinity, roughly


class Result(NamedTuple):
    """What a run of the engine gives back."""

    state: Any
    noise: Any
    samples: dict[str, Any]  # [sample, ...] by name of recorder
    spikes: dict[str, Any]
    neurons: dict[str, Any]  # by population that spikes
    finite: Any  # bool: the state was finite at the end of every block
    trouble: Any  # (step, leaf), or `None`: located only on request


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

    if not isinstance(adjoint, Forward | Auto):
        return run(floats, others, adjoint)
    state_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(floats[1]))
    if isinstance(adjoint, Forward):
        return with_rule(run, floats, others, lambda size: adjoint, None)
    reverse = adjoint.reverse(setup.steps, state_bytes)
    if mesh_axes(arrays):
        # JAX cannot type the linearised forward mode inside shard_map
        choose = lambda size: reverse
    else:
        choose = lambda size: adjoint.choose(size, setup.steps, state_bytes)
    return with_rule(run, floats, others, choose, reverse)


class _Run:
    """One traced run: prepares the model and builds the nest of scans."""

    def __init__(self, dynamics, state, noise, inputs, step0, dt, key, recorders, setup, how):
        self.setup, self.how, self.recorders = setup, how, recorders
        self.step0 = step0
        arrays = (dynamics, state, noise, inputs, step0, dt, key, recorders)
        self.axes = mesh_axes(eqx.filter(arrays, eqx.is_array))
        self.clock = lambda step: Clock(step, dt, key, setup.noise)
        self.inputs = signals.prepare_inputs(inputs, dt)
        model, first = unwrap(dynamics), self.clock(step0)
        kind, model = type(model).__name__, model.prepare()
        self.noise = signals.begin_noise(inputs, first, noise)
        now = signals.with_noise(self.inputs, self.noise)
        state = jax.tree.map(jnp.asarray, state)
        self.state, output = admitted(kind, model, state, now, first)
        now = signals.resolve(model.read_inputs(now, first), first)
        self.dynamics = model.prepare_steps(self.state, now, first)
        parts = outputs_by_name(output)
        spikes = {name: part.spikes for name, part in parts.items() if part.spikes is not None}
        counts = lambda spikes: eqx.filter_eval_shape(lambda s: s.counts(), spikes)
        self.spiking = {name: counts(s).size for name, s in spikes.items()}
        self.neurons = {name: s.value.shape[0] for name, s in spikes.items()}
        self._place_recorders(output)

    def _place_recorders(self, output):
        """Sort recorders into those of every step and those of the state at a stride."""
        visible = jax.eval_shape(self.dynamics.visible, self.state)
        self.every_step, self.strided, self.latest, self.thin = {}, {}, {}, {}
        for name, recorder in self.recorders.items():
            if isinstance(recorder, Spikes):
                recorder.parts(output)
                self.every_step[name] = lambda state, out, r=recorder: r.read(out)
                continue
            if isinstance(recorder.what, str) and get(visible, recorder.what) is None:
                if readout(output, recorder.what) is None:
                    raise unknown(recorder.what, visible, readouts(output), what="record")
                if recorder.every > 1:
                    # the last output travels in the carry, so that a stride keeps no other
                    shape = jax.eval_shape(recorder.pick, readout(output, recorder.what))
                    zeros = lambda x: jnp.zeros(x.shape, x.dtype)
                    self.latest[name] = jax.tree.map(zeros, shape)
                else:
                    pick = lambda state, out, r=recorder: r.pick(readout(out, r.what))
                    self.every_step[name] = pick
                    continue
            self.strided[name] = recorder
        self.chain = levels([r.every for r in self.strided.values()])
        self.checkpointed = None
        if isinstance(self.how, CheckpointBlocks):
            self._split_long_stride()
        self.level_of = {n: seat(self.chain, r.every) for n, r in self.strided.items()}
        for name, level in self.level_of.items():
            self.thin[name] = self.strided[name].every // self.chain[level]

    def _split_long_stride(self):
        """A level near the square root of the run, where a stride would make blocks too long."""
        target = math.isqrt(self.setup.steps)
        for i, stride in enumerate(self.chain):
            if stride > 2 * target:
                length = block_length(stride, self.chain[i - 1], target)
                if self.chain[i - 1] < length < stride and stride % length == 0:
                    self.chain.insert(i, length)
                    self.checkpointed = i
                return

    # -- the nest of scans ------------------------------------------------------------------

    def _one(self, carry, step):
        state, noise, counts, latest, carried = carry
        clock = self.clock(step)
        now = self.dynamics.read_inputs(signals.with_noise(self.inputs, noise), clock)
        state, output, carried = self.dynamics.step_carrying(state, now, clock, carried)
        noise = signals.advance_noise(self.inputs, noise, clock)
        visible = self.dynamics.visible(state)
        sample = {name: read(visible, output) for name, read in self.every_step.items()}
        parts = outputs_by_name(output)
        if self.spiking:  # one sum for all populations: a short program takes longer to start
            new = [parts[name].spikes.counts().reshape(-1) for name in self.spiking]
            counts = counts + jnp.concatenate(new)
        latest = {n: self.strided[n].pick(readout(output, self.strided[n].what)) for n in latest}
        carry = varying((state, noise, counts, latest, carried), self.axes)
        return carry, sample | self._strided(carry, 0)

    def _strided(self, carry, level: int):
        """The samples that are taken at a level."""
        state, latest = carry[0], carry[3]
        visible = self.dynamics.visible(state)
        return {
            name: latest[name] if name in latest else recorder.read(visible)
            for name, recorder in self.strided.items()
            if self.level_of[name] == level
        }

    def _level(self, level: int, carry, start, steps: int, offset: int):
        """Run `steps` steps; `offset` is the absolute number of the first one, modulo strides."""
        if steps == 0:
            return carry, []
        if level == 0:
            one = in_kernels(self._one) if self.how is None else self._one
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
                sample = self._strided(carry, level)
                pieces.append(jax.tree.map(lambda x: x[None], sample))
        whole, rest = divmod(steps - lead, stride)
        if whole:

            def block(carry, begin):
                carry, inner = self._level(level - 1, carry, begin, stride, 0)
                return carry, (joined(inner), self._strided(carry, level))

            if self.checkpointed == level:
                block = jax.checkpoint(block, prevent_cse=False)
            begins = start + lead + stride * jnp.arange(whole)
            carry, (inner, own) = jax.lax.scan(block, carry, begins)
            pieces.append(unstacked(inner) | own)
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
        saved = (carry[0], carry[1], start) if self.setup.locate else None
        bad, saved = varying((jnp.zeros((), bool), saved), self.axes)

        def block(carry, begin, length=length, offset=self.setup.offset):
            carry, bad, saved = carry
            if self.setup.locate:
                keep = (carry[0], carry[1], begin)
                saved = jax.tree.map(partial(jnp.where, ~bad), keep, saved)
            level = lambda carry: self._level(top, carry, begin, length, offset)
            if isinstance(self.how, CheckpointBlocks):
                level = jax.checkpoint(level, prevent_cse=False)
            carry, inner = level(carry)
            bad = bad | ~all_finite(jax.lax.stop_gradient(carry[0]))
            return (carry, bad, saved), joined(inner)

        # samples line up with the blocks only if the run begins on a stride
        lead = min(-self.setup.offset % stride, steps)
        whole, rest = divmod(steps - lead, length)
        everything, pieces = (carry, bad, saved), []
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
            pieces.append(unstacked(samples))
        if rest:
            everything, sample = block(everything, start + steps - rest, rest, 0)
            pieces.append(sample)
        return everything, joined(pieces)

    def result(self) -> Result:
        """The traced run."""
        counts = jnp.zeros(sum(self.spiking.values()), jnp.int32)
        carried = self.dynamics.carried()
        carry = varying((self.state, self.noise, counts, self.latest, carried), self.axes)
        (carry, bad, saved), samples = self._blocks(carry, self.step0, self.setup.steps)
        state, noise, counts, _, _ = carry
        ends = np.cumsum([0, *self.spiking.values()])
        counts = {
            name: jnp.sum(counts[lo:hi], dtype=jnp.int32)
            for name, lo, hi in zip(self.spiking, ends, ends[1:], strict=False)
        }
        for name, level in self.level_of.items():
            if name not in samples:  # the run is shorter than the stride
                shapes = jax.eval_shape(lambda c, i=level: self._strided(c, i), carry)[name]
                empty = lambda x: jnp.zeros((0, *x.shape), x.dtype)
                samples[name] = jax.tree.map(empty, shapes)
        for name, thin in self.thin.items():
            if thin > 1:
                samples[name] = self._thinned(name, samples[name], thin)
        trouble = None
        if saved is not None:
            trouble = self._locate(bad, *jax.lax.stop_gradient(saved))
        neurons = {name: jnp.asarray(n, jnp.int32) for name, n in self.neurons.items()}
        return Result(state, noise, samples, counts, neurons, ~bad, trouble)

    def _thinned(self, name: str, samples, thin: int):
        base = self.chain[self.level_of[name]]
        # the first sample's absolute number in units of its level, then every thin-th of them
        first = self.setup.offset // base + 1
        skip = -first % thin
        return jax.tree.map(lambda x: x[skip::thin], samples)

    def _locate(self, bad, state, noise, start):
        """The first step after which a leaf is not finite, and which leaf; -1 where none is."""
        model = jax.lax.stop_gradient(eqx.filter(self.dynamics, eqx.is_array))
        dynamics = eqx.combine(model, self.dynamics)

        def advance(carry):
            state, noise, step = carry
            clock = self.clock(step)
            inputs = jax.lax.stop_gradient(signals.with_noise(self.inputs, noise))
            state, _ = dynamics.step(state, dynamics.read_inputs(inputs, clock), clock)
            noise = signals.advance_noise(self.inputs, noise, clock)
            return varying((state, noise, step + 1), self.axes)

        last = self.step0 + self.setup.steps
        going = lambda c: bad & all_finite(c[0]) & (c[2] < last)
        state, _, step = jax.lax.while_loop(going, advance, (state, noise, start))
        leaf = first_not_finite(state)
        return tuple(jnp.where(bad, x, -1).astype(jnp.int32) for x in (step, leaf))
