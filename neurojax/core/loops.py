"""A run that is not differentiated: loops around one copy of the step.

How often a loop goes round is known only while it runs. So the same lines lead to the next sample,
to the next look for NaN and infinity, and, where one was found, step by step from the last sound
state to the first that is not. With one copy of the step a program compiles in half the time.
"""

import jax
import jax.numpy as jnp

from . import levels
from .finite import finite_leaves
from .one_kernel import in_kernels
from .tracing import varying

_BLOCK = 1024  # steps between two looks for NaN and infinity, roughly: a look copies the state


def in_loops(run):
    """Take the steps of a `Run`.

    Returns:
        What is carried at the end; whether the state was found not to be finite; where that is
        asked for, the first step after which it was not and the leaf (-1 for none); the samples by
        name.
    """
    setup, axes = run.setup, run.axes
    chain = levels.levels([r.every for r in run.strided.values()])
    seats = {name: levels.seat(chain, r.every) for name, r in run.strided.items()}
    block = max(1, _BLOCK // chain[-1]) * chain[-1]
    take = in_kernels(lambda at, carry: (*run.one(carry, run.step0 + at), at + 1))

    # `at` counts the steps of this run. It is the same in all trials of a batch, so that their
    # loops end together and their samples are written to one place.

    def following(at, stride: int):
        """The next step whose absolute number is a multiple of a stride."""
        return ((at + setup.offset) // stride + 1) * stride - setup.offset

    def sampled(level: int, now):
        """What recorders of a level read, if the last step is one of theirs."""
        at, carry, rows = now
        rows, count = dict(rows), at + setup.offset
        for name, recorder in run.strided.items():
            if seats[name] == level and recorder.every > 1 and run.samples(name):
                row = -(-count // recorder.every) - setup.offset // recorder.every - 1
                here = count % recorder.every == 0
                rows[name] = _written(rows[name], run.read(name, carry), row, here)
        return at, carry, rows

    def one(now):
        at, carry, rows = now
        carry, sample, done = take(at, carry)
        rows = rows | {name: _written(rows[name], x, at) for name, x in sample.items()}
        return sampled(0, (done, carry, rows))

    def until(end, level: int, now):
        """The steps before `end`, with the samples of a level and of those below."""

        def stretch(now):
            stop = jnp.minimum(end, following(now[0], chain[level]))
            return sampled(level, until(stop, level - 1, now))

        return jax.lax.while_loop(lambda now: now[0] < end, stretch if level else one, now)

    def look(found):
        """Look at the state, then take the steps to the next look."""
        (at, carry, rows), sound, again, bad, trouble, _ = found
        leaves = finite_leaves(carry[0])
        finite = jnp.all(leaves)
        bad = bad | (~finite & ~again)
        end = following(at, block)
        if setup.locate:
            here = again & bad & ~finite & (trouble[0] < 0)
            found = run.step0 + at, jnp.argmin(leaves)
            trouble = tuple(
                jnp.where(here, new, old).astype(old.dtype)
                for new, old in zip(found, trouble, strict=True)
            )
            keep = ~_in_any(bad, axes)
            sound = jax.lax.cond(keep, lambda new, _: new, lambda _, old: old, (at, carry), sound)
            end = jnp.where(again & missing(bad, trouble), at + 1, end)
        last = at >= setup.steps
        at, *rest = until(jnp.minimum(end, setup.steps), len(chain) - 1, (at, carry, rows))
        rest, bad, trouble = varying((rest, bad, trouble), axes)
        return (at, *rest), sound, again, bad, trouble, last

    def missing(bad, trouble):
        """Whether where a trial broke is not known yet."""
        return _in_any(bad & (trouble[0] < 0), axes)

    def way(sound, rows, again, bad, trouble):
        """From a sound state to the end of the run."""
        begin = (*sound, rows), sound, again, bad, trouble, jnp.zeros((), bool)
        if not setup.locate:
            begin = begin[0], None, *begin[2:]
        (_, carry, rows), sound, _, bad, trouble, _ = jax.lax.while_loop(
            lambda found: ~found[-1], look, begin
        )
        return carry, sound, rows, bad, trouble

    start = jnp.zeros((), int), run.begin()
    rows = {name: levels.rows(run.shape(name), run.samples(name)) for name in run.recorders}
    bad, leaf = run.broken()
    trouble = None
    if setup.locate:
        trouble = jnp.where(bad, run.step0, -1).astype(jnp.int32), leaf
    rows, bad, trouble = varying((rows, bad, trouble), axes)
    if not setup.locate:
        carry, _, rows, bad, _ = way(start, rows, jnp.zeros((), bool), bad, None)
        return carry, bad, None, rows

    def once(ways):
        _, again, _, sound, rows, bad, trouble = ways
        carry, sound, rows, bad, trouble = way(sound, rows, again, bad, trouble)
        more = ~again & missing(bad, trouble)
        return more, jnp.ones((), bool), carry, sound, rows, bad, trouble

    # where a trial broke, the whole way from there is gone a second time, with the same values
    first = jnp.ones((), bool), jnp.zeros((), bool), start[1], start, rows, bad, trouble
    _, _, carry, _, rows, bad, trouble = jax.lax.while_loop(lambda ways: ways[0], once, first)
    return carry, bad, trouble, rows


def _written(rows, sample, row, here=None):
    """The rows with a sample in one of them, where it is to be `here`."""

    def put(rows, x):
        if here is not None:
            x = jnp.where(here, x, jax.lax.dynamic_index_in_dim(rows, row, keepdims=False))
        return jax.lax.dynamic_update_index_in_dim(rows, x, row, 0)

    return jax.tree.map(put, rows, sample)


def _in_any(flag, axes: frozenset):
    """Whether a flag is set in any trial of a batch, on any device."""
    flag = _in_any_trial(flag)
    return jax.lax.pmax(flag.astype(jnp.int32), tuple(axes)) > 0 if axes else flag


@jax.custom_batching.custom_vmap
def _in_any_trial(flag):
    return flag


@_in_any_trial.def_vmap
def _(size, batched, flag):
    return _in_any_trial(jnp.any(flag)), False
