"""Spikes to the targets of their synapses, with the surrogate's derivative."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import SpikeOutput
from neurojax.core.spikes import distance, pack
from neurojax.core.surrogate import AbstractSurrogate, Triangle
from neurojax.core.symbolic_zeros import instantiated, is_zero

from .event_products import push, push_through
from .spike_list import BITS


def deliver(
    buffer: Array, amplitude, weights, words: Array, targets: Array, turn, spikes: list[SpikeOutput]
) -> Array:
    """`deliver_through` without the weights."""
    return deliver_through(buffer, amplitude, weights, None, words, targets, turn, spikes)[0]


def deliver_through(
    buffer: Array, amplitude, weights, through, words: Array, targets: Array, turn,
    spikes: list[SpikeOutput],
) -> tuple[Array, Array | None]:  # fmt: skip
    r"""The buffer with $a_i w_{ik}$ added at target $t_{ik}$ of every spiking row $i$.

    The cost follows the number of spikes and none is dropped. The derivative by the membrane
    potential is that of $s_i a_i w_{ik}$ with the surrogate's slope for $ds_i$; where all
    surrogates have compact support, its cost follows the number of neurons near their threshold.

    Arguments:
        buffer: shape (elements,).
        amplitude: of each row's spike, shape (rows,), or 1.
        weights: shape (rows + 1, width), or 1.
        through: the same weights as a loop over time carries them, or `None`; it is given back. All
            derivatives by the weights go through it, see `event_products.push_through`.
        words: the packed spikes of all sources, one after the other.
        targets: shape (rows + 1, width).
        turn: see `event_products`.
        spikes: the outputs of the sources, in the order of `words`.
    """
    surrogates = tuple(s.surrogate or Triangle() for s in spikes)
    drives = tuple((s.value, s.threshold, s.scale) for s in spikes)
    armed = tuple(s.armed for s in spikes)

    @jax.custom_jvp
    def run(buffer, amplitude, weights, through, drives, armed, words, targets, turn):
        found = push(buffer[None], _trial(amplitude), weights, words[None], targets, turn)[0]
        return found, through

    def derivative(primals, tangents):
        buffer, amplitude, weights, _, drives, armed, words, targets, turn = primals
        moved, d_amplitude, d_weights, d_through, d_drives = tangents[:5]
        add = lambda moved, x, w, words, every=False: push(
            moved, _trial(x), w, words[None], targets, turn, every
        )
        value = run(*primals)
        moved = instantiated(buffer, moved)[None]
        if through is None and not is_zero(d_weights):
            moved = add(moved, amplitude, d_weights, words)
        if not is_zero(d_through):
            moved, d_through = push_through(
                moved, _trial(amplitude), d_through, words[None], targets, turn
            )
        if not is_zero(d_amplitude):
            moved = add(moved, d_amplitude, weights, words)
        if not all(map(is_zero, jax.tree.leaves(d_drives))):
            distances, d_distances = _distances(drives, d_drives)
            near, change = _near(surrogates, distances, d_distances, armed)
            every = all(surrogate.support is None for surrogate in surrogates)
            moved = add(moved, amplitude * change, weights, near, every)
        return value, (moved[0], d_through)

    run.defjvp(derivative, symbolic_zeros=True)
    amplitude = jnp.asarray(amplitude, buffer.dtype)
    weights = jnp.asarray(weights, buffer.dtype)
    if through is not None:
        through = jnp.asarray(through, buffer.dtype)
    return run(buffer, amplitude, weights, through, drives, armed, words, targets, turn)


def in_rows(values: Array) -> Array:
    """Values of the neurons of one source, shape (n,), in the order of its packed bits."""
    words = -(-values.shape[0] // BITS)
    padded = jnp.pad(values, (0, words * BITS - values.shape[0]))
    return padded.reshape(BITS, words).T.ravel()


def _distances(drives, tangents):
    """The distances from threshold and their tangents, `None` where these are zero."""
    values, moves = [], []
    for drive, moved in zip(drives, tangents, strict=True):
        if all(map(is_zero, moved)):
            values.append(distance(*drive))
            moves.append(None)
            continue
        full = tuple(
            None if x is None else instantiated(x, t) for x, t in zip(drive, moved, strict=True)
        )
        value, move = jax.jvp(distance, drive, full)
        values.append(value)
        moves.append(move)
    return values, moves


def _near(surrogates: tuple[AbstractSurrogate, ...], distances, tangents, armed):
    """Rows with a slope that is not zero, and the change of their spikes."""
    near, change = [], []
    for surrogate, x, dx, on in zip(surrogates, distances, tangents, armed, strict=True):
        support = surrogate.support
        close = jnp.ones(x.shape, bool) if support is None else jnp.abs(x) < support
        close = close if on is None else close & on
        if is_zero(dx):
            close, dx = jnp.zeros(x.shape, bool), jnp.zeros_like(x)
        near.append(pack(lambda part, close=close: close[part], x.shape[0]))
        change.append(in_rows(jnp.where(close, surrogate.slope(x) * dx, 0.0)))
    return jnp.concatenate(near), jnp.concatenate(change)


def _trial(x):
    """One trial of the event products."""
    return x if jnp.ndim(x) == 0 else x[None]
