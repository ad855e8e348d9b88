r"""Products of events with a table of rows, at a cost that follows the number of events.

A table has rows $i$ (one per source, in the order of packed bits) with targets $t_{ik}$ and
weights $w_{ik}$. The trilinear form $\sum_{i \in A} \sum_k x_i w_{ik} y_{t_{ik}}$ over the active
rows A has three derivatives, which are each other's transposes:

- `push`: adds $x_i w_{ik}$ to element $t_{ik}$ of a buffer;
- `pull`: gives $\sum_k w_{ik} y_{t_{ik}}$ for every active row;
- `outer`: adds $x_i y_{t_{ik}}$ to the element of every synapse of the active rows in a table.

`push_through` is `push` that hands its weights on. A loop over time that carries them adds their
derivatives up in one table, where active rows alone are touched; as constants of the loop JAX
would add a whole table in every step.

Each is a JAX primitive: derivatives of any order and mode follow from the form, and `vmap` joins
the trials into one longer list of events instead of waiting for the busiest trial. Shapes: trials
b, words w (32 rows each), rows r = 32 w, width k, elements s of the buffer:

    words u32[b, w]; targets i32[r + 1, k] (the last row is padding); x f[b, r] or a scalar;
    w f[r + 1, k], f[b, r + 1, k] or a scalar; y f[b, s]

The buffer is a ring: `turn` (a scalar, or one per trial) is added to all targets modulo its size,
so that a delay is a constant part of a target and time turns the ring.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from neurojax.core.one_kernel import one_kernel
from neurojax.core.tracing import alike

from .spike_list import BITS, count_spikes, rows


def push(buffer, x, w, words, targets, turn=None, every_row: bool = False):
    """`buffer` f[b, s] with $x_i w_{ik}$ added at $t_{ik}$ for every row whose bit is set.

    `every_row` says that x is zero where a bit is not set, and most are: the transpose then reads
    the whole table in one piece.
    """
    x, w = (jnp.asarray(a, buffer.dtype) for a in (x, w))
    turn, ring = _turn(turn)
    return _bind(_push_p, buffer, x, w, words, targets, turn, ring=ring, every_row=every_row)


def pull(y, w, words, targets, turn=None, every_row: bool = False):
    r"""$\sum_k w_{ik} y_{t_{ik}}$, f[b, r], zero for rows whose bit is not set.

    With `every_row` all rows are summed, whatever their bits.
    """
    turn, ring = _turn(turn)
    w = jnp.asarray(w, y.dtype)
    return _bind(_pull_p, y, w, words, targets, turn, ring=ring, every_row=every_row)


def push_through(buffer, x, w, words, targets, turn=None):
    """`push` with a table of weights, and the same table."""
    x, w = (jnp.asarray(a, buffer.dtype) for a in (x, w))
    turn, ring = _turn(turn)
    return _bind(_push_through_p, buffer, x, w, words, targets, turn, ring=ring)


def outer(table, x, y, words, targets, turn=None):
    r"""The table with $x_i y_{t_{ik}}$ added, for every row whose bit is set.

    A table f[r + 1, k] takes the sum over trials, f[b, r + 1, k] each trial's own.
    """
    turn, ring = _turn(turn)
    x, y = (jnp.asarray(a, table.dtype) for a in (x, y))
    return _bind(_outer_p, table, x, y, words, targets, turn, ring=ring)


def _bind(primitive, *operands, **how):
    """The primitive, with operands of one type inside `shard_map`.

    What all devices share is cast to what differs between them, and derivatives by it are summed
    over the devices there.
    """
    return primitive.bind(*alike(operands), **how)


def _turn(turn):
    """The operand, and whether there is anything to turn."""
    return jnp.asarray(0 if turn is None else turn, jnp.int32), turn is not None


_push_p = Primitive("event_push")
_pull_p = Primitive("event_pull")
_outer_p = Primitive("event_outer")
_push_through_p = Primitive("event_push_through")
_push_through_p.multiple_results = True


# -- what they compute ---------------------------------------------------------------------------


def _few(n_rows: int) -> int:
    """Rows that a CPU gathers at once: about the spikes of one step of a network at rest."""
    return 8 if n_rows < 8192 else 32


def _many(n_rows: int) -> int:
    """Rows that an accelerator gathers at once: a turn of the loop costs more than some rows."""
    return 256 if n_rows < 2**18 else 1024


class _Events:
    """The list of active rows of all trials, taken in chunks."""

    def __init__(self, words, targets, turn, ring: bool, at_once):
        self.turn = turn if ring else None
        self.trials, self.words_each = words.shape
        self.words, self.targets = words.reshape(-1), targets
        self.rows_each, self.width = BITS * self.words_each, targets.shape[-1]
        self.counts = one_kernel(count_spikes, self.words)
        n_rows = self.rows_each * self.trials
        self.length = min(at_once(n_rows), n_rows)

    def loop(self, body, start):
        """`body(trial, row, carry)` for chunks of rows until none is left; nothing is dropped."""
        total = self.counts.total

        def chunk(words, counts, first):
            found = rows(words, counts, first, self.length)
            trial = jnp.minimum(found // self.rows_each, self.trials - 1)
            # rows past the end of the list are the padding row of the last trial
            return trial, found - trial * self.rows_each, first + self.length

        def one(carry):
            first, value = carry
            trial, row, following = one_kernel(chunk, self.words, self.counts, first)
            return following, body(trial, row, value)

        more = lambda carry: carry[0] < total
        start, _ = alike((start, total))  # tables of zeros do not know where they are
        return jax.lax.while_loop(more, one, (jnp.zeros_like(total), start))[1]

    def gather(self, table, trial, row):
        """Rows of a table [row, k] or [trial, row, k], each by one contiguous read."""
        zero = jnp.zeros((), jnp.int32)
        if table.ndim == 2:
            take = lambda t, r: jax.lax.dynamic_slice(table, (r, zero), (1, self.width))[0]
        else:
            take = lambda t, r: jax.lax.dynamic_slice(table, (t, r, zero), (1, 1, self.width))[0, 0]
        # gathered before anything is done with them: fused, XLA reads them one by one
        return jax.lax.optimization_barrier(jax.vmap(take)(trial, row))

    def places(self, trial, row, size: int):
        """Flat indices of the targets in a buffer [trial, size]."""
        targets = self.gather(self.targets, trial, row)
        if self.turn is not None:
            targets = targets + (self.turn if self.turn.ndim == 0 else self.turn[trial][:, None])
            targets = jnp.where(targets >= size, targets - size, targets)
        return targets if self.trials == 1 else targets + (trial * size)[:, None]


def _per_row(x, trial, row):
    """X of each listed row; the padding row reads zero."""
    if x.ndim == 0:
        return x
    return x.at[trial, row].get(mode="fill", fill_value=0, wrap_negative_indices=False)[:, None]


def _push(buffer, x, w, words, targets, turn, *, ring, every_row, at_once=_few):
    events, size = _Events(words, targets, turn, ring, at_once), buffer.shape[1]

    def body(trial, row, flat):
        value = w if w.ndim == 0 else events.gather(w, trial, row)
        value = value * _per_row(x, trial, row)
        value = jnp.broadcast_to(value, (events.length, events.width)).ravel()
        return flat.at[events.places(trial, row, size).ravel()].add(
            value, mode="promise_in_bounds", wrap_negative_indices=False
        )

    return events.loop(body, buffer.reshape(-1)).reshape(buffer.shape)


def _pull(y, w, words, targets, turn, *, ring, every_row, at_once=_few):
    events, size = _Events(words, targets, turn, ring, at_once), y.shape[1]
    flat = y.reshape(-1)
    if every_row:
        return _pull_all(y, w, events)

    def body(trial, row, found):
        value = flat.at[events.places(trial, row, size)].get(
            mode="promise_in_bounds", wrap_negative_indices=False
        )
        value = jnp.sum(value * (w if w.ndim == 0 else events.gather(w, trial, row)), axis=1)
        return found.at[trial, row].set(value, mode="drop", wrap_negative_indices=False)

    return events.loop(body, jnp.zeros((events.trials, events.rows_each), y.dtype))


def _pull_all(y, w, events: _Events):
    """`pull` of all rows, as one gather."""

    def one(y, w, targets, turn):
        if turn is not None:
            targets = targets + turn
            targets = jnp.where(targets >= y.shape[0], targets - y.shape[0], targets)
        value = y.at[targets].get(mode="promise_in_bounds", wrap_negative_indices=False)
        # apart, both are vector loops; XLA makes one scalar loop of a gather and a sum
        value = jax.lax.optimization_barrier(value * w)
        return (value @ jnp.ones(value.shape[1], value.dtype))[:-1]

    turn = events.turn
    axes = (
        0, 0 if w.ndim == 3 else None, 0 if events.targets.ndim == 3 else None,
        0 if turn is not None and turn.ndim else None,
    )  # fmt: skip
    return jax.vmap(one, in_axes=axes)(y, w, events.targets, turn)


def _push_through(buffer, x, w, words, targets, turn, *, ring, at_once=_few):
    return _push(buffer, x, w, words, targets, turn, ring=ring, every_row=False, at_once=at_once), w


def _outer(table, x, y, words, targets, turn, *, ring, at_once=_few):
    events, size = _Events(words, targets, turn, ring, at_once), y.shape[1]
    flat = y.reshape(-1)

    def body(trial, row, found):
        value = flat.at[events.places(trial, row, size)].get(
            mode="promise_in_bounds", wrap_negative_indices=False
        )
        value = value * _per_row(x, trial, row)
        # padding rows would collect their zeros in one place
        row = jnp.where(row < events.rows_each, row, events.rows_each + 1)
        place = (trial, row) if table.ndim == 3 else (row,)
        return found.at[place].add(value, mode="drop", wrap_negative_indices=False)

    return events.loop(body, table)


# -- shapes and compilation ----------------------------------------------------------------------


def _like(shape, first):
    """An abstract array of another shape, of the same precision and kind."""
    return first.update(shape=shape)


@_push_p.def_abstract_eval
def _(buffer, *others, ring, every_row):
    return _like(buffer.shape, buffer)


@_pull_p.def_abstract_eval
def _(y, w, words, targets, turn, *, ring, every_row):
    return _like((words.shape[0], BITS * words.shape[1]), y)


@_outer_p.def_abstract_eval
def _(table, *others, ring):
    return _like(table.shape, table)


@_push_through_p.def_abstract_eval
def _(buffer, x, w, *others, ring):
    return [_like(buffer.shape, buffer), w]


for _primitive, _function, _static in (
    (_push_p, _push, ("ring", "every_row")),
    (_pull_p, _pull, ("ring", "every_row")),
    (_outer_p, _outer, ("ring",)),
    (_push_through_p, _push_through, ("ring",)),
):
    _primitive.def_impl(jax.jit(_function, static_argnames=_static))
    for _at_once, _platform in ((_many, None), (_few, "cpu")):
        _lowered = mlir.lower_fun(
            partial(_function, at_once=_at_once), multiple_results=_primitive.multiple_results
        )
        mlir.register_lowering(_primitive, _lowered, platform=_platform)


# -- derivatives ---------------------------------------------------------------------------------


def _is_zero(tangent) -> bool:
    return type(tangent) is ad.Zero


def _trilinear_jvp(primitive, primals, tangents, **how):
    """The JVP of a primitive that adds a product of its second and third operand to its first."""
    start, a, b, *where = primals
    dstart, da, db = tangents[:3]
    value = _bind(primitive, *primals, **how)
    if _is_zero(da) and _is_zero(db):
        return value, ad.Zero(jax.typeof(value)) if _is_zero(dstart) else dstart
    moved = jnp.zeros_like(start) if _is_zero(dstart) else dstart
    if not _is_zero(da):
        moved = _bind(primitive, moved, da, b, *where, **how)
    if not _is_zero(db):
        moved = _bind(primitive, moved, a, db, *where, **how)
    return value, moved


def _push_through_jvp(primals, tangents, *, ring):
    buffer, x, w, *where = primals
    dbuffer, dx, dw = tangents[:3]
    value = _bind(_push_through_p, *primals, ring=ring)
    if _is_zero(dbuffer):
        dbuffer = jnp.zeros_like(buffer)
    if not _is_zero(dx):
        dbuffer = _bind(_push_p, dbuffer, dx, w, *where, ring=ring, every_row=False)
    if _is_zero(dw):
        return value, [dbuffer, dw]
    return value, _bind(_push_through_p, dbuffer, x, dw, *where, ring=ring)


def _bilinear_jvp(primitive, primals, tangents, **parameters):
    """The JVP of a primitive that is linear in each of its first two operands."""
    value = _bind(primitive, *primals, **parameters)
    moved = ad.Zero(jax.typeof(value))
    for i in range(2):
        if not _is_zero(tangents[i]):
            operands = [*primals[:i], tangents[i], *primals[i + 1 :]]
            part = _bind(primitive, *operands, **parameters)
            moved = part if _is_zero(moved) else moved + part
    return value, moved


def _transposed(rule):
    """A transpose rule that passes symbolic zeros on and gives `None` to what is not asked for."""

    def transpose(ct, *operands, **parameters):
        asked = [ad.is_undefined_primal(a) for a in operands]
        if _is_zero(ct):
            return [ad.Zero(a.aval) if u else None for a, u in zip(operands, asked, strict=True)]
        return [
            (_reduced(rule(i, ct, *operands, **parameters), operands[i].aval) if u else None)
            for i, u in enumerate(asked)
        ]

    return transpose


def _reduced(ct, aval):
    """The cotangent of a scalar operand is the sum over what it was broadcast to."""
    return jnp.sum(ct) if aval.ndim == 0 and jnp.ndim(ct) else ct


@_transposed
def _push_transpose(i, ct, buffer, x, w, words, targets, turn, *, ring, every_row):
    turn = turn if ring else None
    if i == 0:
        return ct
    if i == 1:
        return pull(ct, w, words, targets, turn, every_row)
    return outer(_empty_table(w, targets), x, ct, words, targets, turn)


@_transposed
def _pull_transpose(i, ct, y, w, words, targets, turn, *, ring, every_row):
    turn = turn if ring else None
    if i == 0:
        return push(_zeros(y), ct, w, words, targets, turn, every_row)
    return outer(_empty_table(w, targets), ct, y, words, targets, turn)


@_transposed
def _outer_transpose(i, ct, table, x, y, words, targets, turn, *, ring):
    turn = turn if ring else None
    if i == 0:
        return ct
    if i == 1:
        return pull(y, ct, words, targets, turn)
    return push(_zeros(y), x, ct, words, targets, turn)


def _push_through_transpose(cts, buffer, x, w, words, targets, turn, *, ring):
    ct, through = cts
    asked = [ad.is_undefined_primal(a) for a in (buffer, x, w)]
    where = words, targets, turn if ring else None
    found: list[Any] = [
        ad.Zero(a.aval) if u else None for a, u in zip((buffer, x, w), asked, strict=True)
    ]
    if asked[0]:
        found[0] = ct
    if asked[1] and not _is_zero(ct):
        found[1] = _reduced(pull(ct, w, *where), x.aval)
    if asked[2] and _is_zero(ct):
        found[2] = through
    elif asked[2]:
        found[2] = outer(_zeros(w) if _is_zero(through) else through, x, ct, *where)
    return [*found, None, None, None]


def _empty_table(w, targets):
    """Zeros for the derivatives by weights, which may be one scalar."""
    shape = w.aval.shape if w.aval.ndim else targets.shape[-2:]
    return jnp.zeros(shape, w.aval.dtype)


def _zeros(undefined):
    return jnp.zeros(undefined.aval.shape, undefined.aval.dtype)


ad.primitive_jvps[_push_p] = partial(_trilinear_jvp, _push_p)
ad.primitive_jvps[_pull_p] = partial(_bilinear_jvp, _pull_p)
ad.primitive_jvps[_outer_p] = partial(_trilinear_jvp, _outer_p)
ad.primitive_jvps[_push_through_p] = _push_through_jvp
ad.primitive_transposes[_push_through_p] = _push_through_transpose
ad.primitive_transposes[_push_p] = _push_transpose
ad.primitive_transposes[_pull_p] = _pull_transpose
ad.primitive_transposes[_outer_p] = _outer_transpose


# -- batches of trials ---------------------------------------------------------------------------


class _Joining:
    """Joins a new axis of trials to the trials that are there."""

    def __init__(self, operands, axes, words: int, targets: int):
        pairs = zip(operands, axes, strict=True)
        self.size = next(a.shape[axis] for a, axis in pairs if axis is not None)
        shape = _unmapped_shape(operands[words], axes[words])
        self.trials, self.rows_each = shape[0], BITS * shape[1]
        self.table_shape = _unmapped_shape(operands[targets], axes[targets])[-2:]

    def trial_axis(self, a, axis):
        """[b, ...] and a new axis as [size * b, ...]."""
        a = self.new_axis(a, axis)
        return a.reshape(self.size * self.trials, *a.shape[2:])

    def new_axis(self, a, axis):
        """A value as [size, ...]."""
        return (
            jnp.broadcast_to(a, (self.size, *a.shape)) if axis is None else jnp.moveaxis(a, axis, 0)
        )

    def scalar(self, a, axis, shape=()):
        """A scalar, or a value per trial, as a value per trial broadcast to `shape`; else as is."""
        if axis is None and a.ndim == 0:
            return a
        if axis is not None and a.ndim == 1:
            a = jnp.broadcast_to(a[:, None], (self.size, self.trials))
            a = jnp.broadcast_to(jnp.expand_dims(a, range(2, 2 + len(shape))), (*a.shape, *shape))
            axis = 0
        return self.trial_axis(a, axis)

    def factor(self, a, axis):
        """x: a scalar or [b, r]."""
        return self.scalar(a, axis, (self.rows_each,))

    def table(self, a, axis):
        """A table [r, k], shared by all trials where it can be, or [b, r, k]; or a scalar."""
        if axis is None and a.ndim in (0, 2):
            return a
        if axis is not None and a.ndim == 3:  # one table per new trial
            a = jnp.moveaxis(a, axis, 0)
            return jnp.repeat(a, self.trials, axis=0)
        return self.scalar(a, axis, self.table_shape)

    def split(self, value):
        """[size * b, ...] as [size, b, ...]."""
        return value.reshape(self.size, self.trials, *value.shape[1:])


def _unmapped_shape(a, axis):
    return tuple(n for i, n in enumerate(a.shape) if axis is None or i != axis)


def _push_batch(operands, axes, **how):
    joining = _Joining(operands, axes, words=3, targets=4)
    by_kind = [
        joining.trial_axis, joining.factor, joining.table, joining.trial_axis, joining.table,
        joining.scalar,
    ]  # fmt: skip
    joined = [f(a, axis) for f, a, axis in zip(by_kind, operands, axes, strict=True)]
    return joining.split(_bind(_push_p, *joined, **how)), 0


def _pull_batch(operands, axes, **how):
    joining = _Joining(operands, axes, words=2, targets=3)
    by_kind = [
        joining.trial_axis, joining.table, joining.trial_axis, joining.table, joining.scalar,
    ]  # fmt: skip
    joined = [f(a, axis) for f, a, axis in zip(by_kind, operands, axes, strict=True)]
    return joining.split(_bind(_pull_p, *joined, **how)), 0


def _push_through_batch(operands, axes, *, ring):
    w, axis = operands[2], axes[2]
    joining = _Joining(operands, axes, words=3, targets=4)
    by_kind = [
        joining.trial_axis, joining.factor, joining.table, joining.trial_axis, joining.table,
        joining.scalar,
    ]  # fmt: skip
    joined = [f(a, axis) for f, a, axis in zip(by_kind, operands, axes, strict=True)]
    value, through = _bind(_push_through_p, *joined, ring=ring)
    if axis is None and w.ndim == 2:
        return [joining.split(value), through], [0, None]
    if axis is not None and w.ndim == 3 and joining.trials == 1:
        return [joining.split(value), through], [0, 0]
    return [joining.split(value), w], [0, axis]


def _outer_batch(operands, axes, *, ring):
    table, axis = operands[0], axes[0]
    joining = _Joining(operands, axes, words=3, targets=4)
    by_kind = [
        joining.factor, joining.trial_axis, joining.trial_axis, joining.table, joining.scalar,
    ]  # fmt: skip
    joined = [f(a, axis) for f, a, axis in zip(by_kind, operands[1:], axes[1:], strict=True)]
    own = len(_unmapped_shape(table, axis)) == 3  # one table for each of the trials before
    if own:
        return joining.split(
            _bind(_outer_p, joining.trial_axis(table, axis), *joined, ring=ring)
        ), 0
    if joining.trials == 1:
        return _bind(_outer_p, joining.new_axis(table, axis), *joined, ring=ring), 0
    shape = (joining.size * joining.trials, *_unmapped_shape(table, axis))
    value = joining.split(_bind(_outer_p, jnp.zeros(shape, table.dtype), *joined, ring=ring))
    return joining.new_axis(table, axis) + jnp.sum(value, axis=1), 0


batching.primitive_batchers[_push_through_p] = _push_through_batch
batching.primitive_batchers[_push_p] = _push_batch
batching.primitive_batchers[_pull_p] = _pull_batch
batching.primitive_batchers[_outer_p] = _outer_batch
