"""Changes of synapses at events, at a cost that follows the number of events.

Weights, and whatever else the synapses keep, stand in tables [row + 1, width] with one row per
presynaptic neuron in the order of packed bits; the last row is padding. A presynaptic event changes
a row in place. For a postsynaptic event, or a neuron that is active, a second table lists where the
incoming synapses of each neuron stand. `vmap` joins the trials into one longer list of events.
Derivatives are exact: they are those of the same change written for all synapses at once, and cost
as much.
"""

import dataclasses
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32

from neurojax.connectivity.spike_list import BITS, count_spikes, rows
from neurojax.core.symbolic_zeros import instantiated, is_zero
from neurojax.core.tracing import alike

from .rule import AbstractRule

Rules = tuple[AbstractRule, ...]


class Where(eqx.Module):
    """Which synapse belongs to which neurons.

    Arguments:
        posts: the row of the target of each entry of the tables; the number of rows of the targets
            where an entry is padding.
        incoming: the flat places of the synapses onto each target, one row per target and one that
            is padding; padding lies in the last row of the tables.
    """

    posts: Int32[Array, "rows width"]
    incoming: Int32[Array, "targets indegree"]


class Moving(eqx.Module):
    """What a change reads and writes; all but the weights is by rule.

    Arguments:
        rules: the rules.
        w: the table of weights.
        synapses: tables by name.
        pre: traces by name, [row + 1].
        post: traces by name, [row of target + 1].
        shared: scalars by name.
        acting: index of the one rule that acts; `None`: all of them.
    """

    rules: Rules
    w: Array
    synapses: tuple[dict[str, Array], ...]
    pre: tuple[dict[str, Array], ...]
    post: tuple[dict[str, Array], ...]
    shared: tuple[dict[str, Array], ...]
    acting: int | None = eqx.field(static=True, default=None)

    @property
    def tables(self):
        """What is written."""
        return self.w, self.synapses


def fired_in_rows(words: Array) -> Bool[Array, " rows"]:
    """Whether each row fired, from packed words; the padding row did not."""
    bits = (words[:, None] >> jnp.arange(BITS, dtype=jnp.uint32)[None]) & jnp.uint32(1)
    return jnp.pad(bits.ravel() > 0, (0, 1))


def packed_rows(active: Array) -> Array:
    """Packed words from one boolean per row, the padding row included; see `fired_in_rows`."""
    bits = active[:-1].reshape(-1, BITS).astype(jnp.uint32)
    return jnp.sum(bits << jnp.arange(BITS, dtype=jnp.uint32)[None], axis=1, dtype=jnp.uint32)


def acts(rules: Rules, method: str) -> bool:
    """Whether any rule overrides a method, such as what it does at events of a side."""
    return any(getattr(type(rule), method) is not getattr(AbstractRule, method) for rule in rules)


def at_events(side: str, moving: Moving, words: Array, where: Where):
    """The tables after the events of one side.

    Arguments:
        side: `"at_pre"`, `"at_post"` or `"while_active"`, methods of the rules.
        moving: tables, traces and rules.
        words: packed words of the neurons of that side (postsynaptic ones but for `"at_pre"`).
        where: the synapses.
    """
    floats, static = eqx.partition(moving, eqx.is_inexact_array)
    floats, words, where = alike((floats, words, where))
    listed = _batched(side, static)
    dense = lambda floats, words, where: _dense(side, eqx.combine(floats, static), words, where)

    @jax.custom_jvp
    def run(floats, words, where):
        one = lambda x: jax.tree.map(lambda a: a[None], x)
        return jax.tree.map(lambda a: a[0], listed(one(floats), words[None], where))

    def derivative(primals, tangents):
        value, moved = run(*primals), tangents[0]
        if all(map(is_zero, jax.tree.leaves(moved))):
            return value, (moved.w, moved.synapses)
        _, words, where = primals
        moved = jax.tree.map(instantiated, primals[0], moved)
        return value, jax.jvp(lambda f: dense(f, words, where), primals[:1], (moved,))[1]

    run.defjvp(derivative, symbolic_zeros=True)
    return run(floats, words, where)


def settled(moving: Moving, due, where: Where):
    """The tables after the acting rule has changed all synapses, where that is `due`.

    Arguments:
        moving: tables, traces and rules.
        due: boolean.
        where: the synapses.
    """
    floats, static = eqx.partition(moving, eqx.is_inexact_array)
    floats, due, where = alike((floats, due, where))

    def change(floats, tables, where):
        moving = eqx.combine(floats, static)
        pre = jax.tree.map(lambda x: x[:, None], moving.pre)
        post = jax.tree.map(lambda x: x[where.posts], moving.post)
        old = _of_synapses(moving, tables, pre, post)
        inside = where.posts < _targets(where)
        return jax.tree.map(lambda a, b: jnp.where(inside, a, b), _change("settle", old), tables)

    @jax.custom_jvp
    def run(floats, due, where):
        # a loop of at most one turn works in place, a branch would copy the tables
        turns = due.astype(jnp.int32)
        body = lambda carry: (carry[0] + 1, change(floats, carry[1], where))
        start = (jnp.zeros_like(turns), (floats.w, floats.synapses))
        return jax.lax.while_loop(lambda carry: carry[0] < turns, body, start)[1]

    def derivative(primals, tangents):
        value, moved = run(*primals), tangents[0]
        if all(map(is_zero, jax.tree.leaves(moved))):
            return value, (moved.w, moved.synapses)
        floats, due, where = primals

        def dense(floats):
            old = (floats.w, floats.synapses)
            return jax.tree.map(partial(jnp.where, due), change(floats, old, where), old)

        moved = jax.tree.map(instantiated, floats, moved)
        return value, jax.jvp(dense, (floats,), (moved,))[1]

    run.defjvp(derivative, symbolic_zeros=True)
    return run(floats, due, where)


# -- all synapses at once, for derivatives -------------------------------------------------------


def _dense(side: str, moving: Moving, words, where: Where):
    fired, inside = fired_in_rows(words), where.posts < _targets(where)
    shape = moving.w.shape
    active = jnp.broadcast_to(fired[:, None], shape) if side == "at_pre" else fired[where.posts]
    pre = jax.tree.map(lambda x: jnp.broadcast_to(x[:, None], shape), moving.pre)
    post = jax.tree.map(lambda x: x[where.posts], moving.post)
    changed = _change(side, _of_synapses(moving, moving.tables, pre, post))
    return jax.tree.map(lambda a, b: jnp.where(active & inside, a, b), changed, moving.tables)


def _targets(where: Where) -> int:
    return where.incoming.shape[-2] - 1


def _of_synapses(moving: Moving, tables, pre, post) -> Moving:
    """The rules with some synapses and the traces of their ends."""
    w, synapses = tables
    return dataclasses.replace(moving, w=w, synapses=synapses, pre=pre, post=post)


def _change(side: str, moving: Moving):
    """The tables after all rules have brought synapses up to date, and then acted in turn."""
    rules, shared = moving.rules, moving.shared
    now = _in_turn(lambda i, synapse: rules[i].present(synapse, shared[i]), moving.tables)

    def act(i, synapse):
        if moving.acting not in (None, i):
            return synapse
        return getattr(rules[i], side)(synapse, moving.pre[i], moving.post[i], shared[i])

    return _in_turn(act, now)


def _in_turn(change, tables):
    """The tables after `change(index of a rule, synapse)` of each rule."""
    w, synapses = tables
    kept = []
    for i, own in enumerate(synapses):
        after = change(i, {"w": w} | own)
        w = after["w"].astype(w.dtype)
        kept.append({name: after[name].astype(x.dtype) for name, x in own.items()})
    return w, tuple(kept)


# -- the list of events --------------------------------------------------------------------------


def _batched(side: str, static):
    """The change for trials [b, ...], with a batching rule that joins trials."""

    @jax.custom_batching.custom_vmap
    def run(floats, words, where):
        loop = _pre_loop if side == "at_pre" else partial(_post_loop, side)
        return loop(eqx.combine(floats, static), words, where)

    @run.def_vmap
    def _(size, batched, floats, words, where):
        if any(jax.tree.leaves(batched[2])):
            raise NotImplementedError(
                "vmap over networks whose plastic synapses stand in different places: loop over "
                "them instead"
            )

        def join(a, mapped):
            a = a if mapped else jnp.broadcast_to(a, (size, *a.shape))
            return a.reshape(-1, *a.shape[2:])

        floats = jax.tree.map(join, floats, batched[0])
        found = run(floats, join(words, batched[1]), where)
        apart = jax.tree.map(lambda a: a.reshape(size, -1, *a.shape[1:]), found)
        return apart, jax.tree.map(lambda _: True, found)

    return run


class _List:
    """The neurons that fired in all trials, taken in chunks."""

    def __init__(self, moving: Moving, words):
        self.trials, self.rows_each = words.shape[0], BITS * words.shape[1]
        self.moving, self.words = moving, words.reshape(-1)
        self.counts = count_spikes(self.words)
        total = self.trials * self.rows_each
        self.length = min(8 if total < 8192 else 16, total)

    def loop(self, body, tables):
        """`body(trial, row, tables)` for chunks of rows until none is left."""

        def one(carry):
            first, tables = carry
            found = rows(self.words, self.counts, first, self.length)
            trial = jnp.zeros_like(found)
            if self.trials > 1:
                # rows past the end of the list are the padding row of the last trial
                trial = jnp.minimum(found // self.rows_each, self.trials - 1)
            # not to be found anew for every synapse of a row
            trial, row = jax.lax.optimization_barrier((trial, found - trial * self.rows_each))
            return first + self.length, body(trial, row, tables)

        total = self.counts.total
        more = lambda carry: carry[0] < total
        return jax.lax.while_loop(more, one, (jnp.zeros_like(total), tables))[1]

    def change(self, side: str, trial, tables, pre, post):
        """The rules of each row's trial on the synapses of this row."""
        floats, static = eqx.partition((self.moving.rules, self.moving.shared), eqx.is_array)
        several = self.trials > 1
        own = jax.tree.map(lambda x: x[trial] if several else x[0], floats)

        def one(floats, tables, pre, post):
            rules, shared = eqx.combine(floats, static)
            own = dataclasses.replace(self.moving, rules=rules, shared=shared)
            return _change(side, _of_synapses(own, tables, pre, post))

        return jax.vmap(one, in_axes=(0 if several else None, 0, 0, 0))(own, tables, pre, post)


def _pre_loop(moving: Moving, words, where: Where):
    events, shape = _List(moving, words), moving.w.shape
    height, width = shape[1:]
    zero = jnp.zeros((), jnp.int32)
    read = lambda table: lambda row: jax.lax.dynamic_slice(table, (row, zero), (1, width))[0]

    def body(trial, row, tables):
        at = trial * height + row
        old = jax.tree.map(lambda table: jax.vmap(read(table))(at), tables)
        posts = jax.vmap(read(where.posts))(row)
        old, posts = jax.lax.optimization_barrier((old, posts))
        pre = jax.tree.map(lambda x: _of(x, trial, row), moving.pre)
        post = jax.tree.map(lambda x: _of(x, trial[:, None], posts), moving.post)
        new = events.change("at_pre", trial, old, pre, post)
        # padding, in a row or of rows, stays what it is: its many writers agree
        inside = (posts < _targets(where)) & (row < events.rows_each)[:, None]
        new = jax.tree.map(lambda a, b: jnp.where(inside, a, b), new, old)
        new = jax.lax.optimization_barrier(new)
        return jax.tree.map(lambda table, x: _written(table, at, x), tables, new)

    flat = jax.tree.map(lambda x: x.reshape(-1, width), moving.tables)
    return jax.tree.map(lambda x: x.reshape(shape), events.loop(body, flat))


def _post_loop(side: str, moving: Moving, words, where: Where):
    events, shape = _List(moving, words), moving.w.shape
    height, width = shape[1:]
    zero = jnp.zeros((), jnp.int32)
    indegree = where.incoming.shape[-1]
    read = lambda row: jax.lax.dynamic_slice(where.incoming, (row, zero), (1, indegree))[0]

    def body(trial, row, tables):
        places = jax.lax.optimization_barrier(jax.vmap(read)(row))
        at = places if events.trials == 1 else places + (trial * (height * width))[:, None]
        old = jax.tree.map(lambda table: _read(table, at), tables)
        sources = jax.lax.div(places, jnp.asarray(width, places.dtype))
        pre = jax.tree.map(lambda x: _of(x, trial[:, None], sources), moving.pre)
        post = jax.tree.map(lambda x: _of(x, trial, row), moving.post)
        new = events.change(side, trial, old, pre, post)
        inside = sources < height - 1
        new = jax.tree.map(lambda a, b: jnp.where(inside, a, b), new, old)
        new = jax.lax.optimization_barrier(new)
        return jax.tree.map(lambda table, x: _written(table, at, x), tables, new)

    flat = jax.tree.map(lambda x: x.reshape(-1), moving.tables)
    return jax.tree.map(lambda x: x.reshape(shape), events.loop(body, flat))


def _read(table, at):
    return table.at[at].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _written(table, at, values):
    return table.at[at].set(values, mode="promise_in_bounds", wrap_negative_indices=False)


def _of(trace, trial, neuron):
    """Values of a trace [trial, neuron]."""
    if trace.shape[0] == 1:
        return _read(trace[0], neuron)
    return _read(trace.ravel(), trial * trace.shape[1] + neuron)
