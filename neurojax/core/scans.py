"""A run that is differentiated: a nest of scans, which reverse mode can take backwards."""

import math
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp

from . import inputs as signals
from .adjoints import CheckpointBlocks, CheckpointSteps
from .finite import all_finite, finite_leaves
from .levels import block_length, joined, levels, rows, seat, unstacked
from .tracing import varying

_BLOCK = 128  # steps between two looks for NaN and infinity, roughly


def in_scans(run):
    """Take the steps of a `Run`.

    Returns:
        What is carried at the end; whether the state was found not to be finite; where that is
        asked for, the first step after which it was not and the leaf (-1 for none); the samples by
        name.
    """
    return _Scans(run).results()


class _Scans:
    """Levels for the strides of recorders, inside blocks after which the state is looked at."""

    def __init__(self, run):
        self.run, self.how, self.setup, self.axes = run, run.how, run.setup, run.axes
        self.chain = levels([r.every for r in run.strided.values()])
        self.checkpointed = None
        if isinstance(self.how, CheckpointBlocks):
            self._split_long_stride()
        self.level_of = {n: seat(self.chain, r.every) for n, r in run.strided.items()}

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

    def _one(self, carry, step):
        carry, sample = self.run.one(carry, step)
        return carry, sample | self._strided(carry, 0)

    def _strided(self, carry, level: int):
        """The samples that are taken at a level, but for those of every step."""
        return {
            name: self.run.read(name, carry)
            for name, recorder in self.run.strided.items()
            if self.level_of[name] == level and recorder.every > 1
        }

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

    def results(self):
        """The results of `in_scans`."""
        run = self.run
        (carry, bad, saved), samples = self._blocks(run.begin(), run.step0, self.setup.steps)
        for name, level in self.level_of.items():
            if name not in samples:  # the run is shorter than the stride
                samples[name] = rows(run.shape(name), 0)
            thin = run.strided[name].every // self.chain[level]
            if thin > 1:
                samples[name] = self._thinned(name, samples[name], thin)
        trouble = None
        if saved is not None:
            trouble = self._locate(bad, *jax.lax.stop_gradient(saved))
        return carry, bad, trouble, samples

    def _thinned(self, name: str, samples, thin: int):
        base = self.chain[self.level_of[name]]
        # the first sample's absolute number in units of its level, then every thin-th of them
        first = self.setup.offset // base + 1
        skip = -first % thin
        return jax.tree.map(lambda x: x[skip::thin], samples)

    def _locate(self, bad, state, noise, start):
        """The first step after which a leaf is not finite, and which leaf; -1 where none is."""
        run = self.run
        model = jax.lax.stop_gradient(eqx.filter(run.dynamics, eqx.is_array))
        dynamics = eqx.combine(model, run.dynamics)

        def advance(carry):
            state, noise, step = carry
            clock = run.clock(step)
            inputs = jax.lax.stop_gradient(signals.with_noise(run.inputs, noise))
            state, _ = dynamics.step(state, dynamics.read_inputs(inputs, clock), clock)
            noise = signals.advance_noise(run.inputs, noise, clock)
            return varying((state, noise, step + 1), self.axes)

        last = run.step0 + self.setup.steps
        going = lambda c: bad & all_finite(c[0]) & (c[2] < last)
        state, _, step = jax.lax.while_loop(going, advance, (state, noise, start))
        leaf = jnp.argmin(finite_leaves(state))
        return tuple(jnp.where(bad, x, -1).astype(jnp.int32) for x in (step, leaf))
