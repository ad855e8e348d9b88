"""The fixed-step engine: a loop over `Dynamics.step`.

`run_steps` is the whole engine. Everything that depends on shapes alone (unknown inputs, wrong
shapes, precision of the state, what is recorded, how it is differentiated) is decided while it is
traced; a change of a parameter, of dt or of the start does not trace again. The steps themselves
are taken `in_loops`, or `in_scans` where the run is differentiated.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from . import inputs as signals
from .adjoints import Auto, Forward
from .checks import admitted
from .clock import Clock
from .derivative import with_rule
from .dynamics import Dynamics
from .levels import taken
from .loops import in_loops
from .parameters import unwrap
from .paths import get, unknown
from .recorders import Spikes, outputs_by_name, readout, readouts
from .scans import in_scans
from .tracing import mesh_axes, varying


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
    """How a run goes, and what of it is static.

    With `room` the number of steps and the offset may be arrays: one program then serves all runs
    of as many steps, which are not differentiated, and the samples lie in front of other rows.
    """

    steps: Any
    offset: Any  # absolute step number modulo the strides
    noise: Any = eqx.field(static=True)
    adjoint: Any = eqx.field(static=True)
    locate: bool = eqx.field(static=True)
    room: int | None = eqx.field(static=True, default=None)


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
        return Run(dynamics, state, noise, inputs, step0, dt, key, recorders, setup, how).result()

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


class Run:
    """One traced run: the prepared model, what is recorded, and a step with its samples."""

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
        self.given, self.same = self.state, True
        if how is None:
            self.state, self.same = self.dynamics.narrowed(self.state)
        parts = outputs_by_name(output)
        spikes = {name: part.spikes for name, part in parts.items() if part.spikes is not None}
        counts = lambda spikes: eqx.filter_eval_shape(lambda s: s.counts(), spikes)
        self.spiking = {name: counts(s).size for name, s in spikes.items()}
        self.neurons = {name: s.value.shape[0] for name, s in spikes.items()}
        self._place_recorders(output)

    def _place_recorders(self, output):
        """Sort recorders into those of what a step emits and those of the state, at a stride."""
        visible = jax.eval_shape(self.dynamics.visible, self.state)
        self.every_step, self.strided, self.latest = {}, {}, {}
        self.visible, self.output = visible, output
        for name, recorder in self.recorders.items():
            if isinstance(recorder, Spikes):
                recorder.parts(output)
                self.every_step[name] = lambda state, out, r=recorder: r.read(out)
                continue
            if isinstance(recorder.what, str) and get(visible, recorder.what) is None:
                if readout(output, recorder.what) is None:
                    raise unknown(recorder.what, visible, readouts(output), what="record")
                if recorder.every == 1:
                    pick = lambda state, out, r=recorder: r.pick(readout(out, r.what))
                    self.every_step[name] = pick
                    continue
                # the last output travels in the carry, so that a stride keeps no other
                shape = jax.eval_shape(recorder.pick, readout(output, recorder.what))
                zeros = lambda x: jnp.zeros(x.shape, x.dtype)
                self.latest[name] = jax.tree.map(zeros, shape)
            self.strided[name] = recorder

    # -- what loops and scans are made of -----------------------------------------------------

    def begin(self):
        """What is carried from step to step."""
        counts = jnp.zeros(sum(self.spiking.values()), jnp.int32)
        # what has no derivative may be read as a constant
        carried = () if self.how is None else self.dynamics.carried()
        return varying((self.state, self.noise, counts, self.latest, carried), self.axes)

    def broken(self):
        """Whether the state is no sound one to begin with, and which leaf of it: -1 for none."""
        if self.same is True:
            return jnp.zeros((), bool), jnp.full((), -1, jnp.int32)
        leaves = zip(jax.tree.leaves(self.state), jax.tree.leaves(self.given), strict=True)
        changed = [own.dtype != given.dtype for own, given in leaves]
        leaf = changed.index(True) if any(changed) else 0
        return ~self.same, jnp.where(self.same, -1, leaf).astype(jnp.int32)

    def one(self, carry, step):
        """One step: what is carried, and the samples that are taken in every step."""
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
        every = [name for name, recorder in self.strided.items() if recorder.every == 1]
        return carry, sample | {name: self.read(name, carry) for name in every}

    def read(self, name: str, carry):
        """The sample of a recorder with a stride after a step."""
        state, latest = carry[0], carry[3]
        if name in latest:
            return latest[name]
        return self.strided[name].read(self.dynamics.visible(state))

    def shape(self, name: str):
        """The shape of a sample."""
        if name in self.every_step:
            return jax.eval_shape(self.every_step[name], self.visible, self.output)
        if name in self.latest:
            return self.latest[name]
        return jax.eval_shape(self.strided[name].read, self.visible)

    def samples(self, name: str) -> int:
        """How many samples a recorder takes, or has room for."""
        every = self.strided[name].every if name in self.strided else 1
        if self.setup.room is not None:
            return -(-self.setup.room // every)
        return taken(self.setup.offset, self.setup.steps, every)

    def result(self) -> Result:
        """The traced run."""
        take = in_loops if self.how is None else in_scans
        carry, bad, trouble, samples = take(self)
        state, noise, counts, _, _ = carry
        wide = lambda x, own: x if x.dtype == own.dtype else x.astype(own.dtype)
        state = jax.tree.map(wide, state, self.given)
        ends = np.cumsum([0, *self.spiking.values()])
        counts = {
            name: jnp.sum(counts[lo:hi], dtype=jnp.int32)
            for name, lo, hi in zip(self.spiking, ends, ends[1:], strict=False)
        }
        neurons = {name: jnp.asarray(n, jnp.int32) for name, n in self.neurons.items()}
        return Result(state, noise, samples, counts, neurons, ~bad, trouble)
