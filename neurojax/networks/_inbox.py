"""The inbox: impulses that are under way, a ring with one turn per step of delay."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

PADS = 32  # dummy places at the end of each turn, so that padding is spread


def take(inbox: Array, step, size: int, steps: int) -> tuple[Array, Array]:
    """The inbox, and the impulses that arrive in this step."""
    begin = turn(step, size, steps)
    if begin is None:
        return inbox, inbox
    arrived = jax.lax.dynamic_slice(inbox, (begin,), (size,))
    # tied together, or XLA copies the whole ring to read it before it is changed
    return jax.lax.optimization_barrier((inbox, arrived))


def cleared(inbox: Array, step, size: int, steps: int) -> Array:
    """The inbox without what has arrived, in place and also where it was NaN."""
    begin = turn(step, size, steps)
    if begin is not None:
        return jax.lax.dynamic_update_slice(inbox, jnp.zeros(size, inbox.dtype), (begin,))
    words = jnp.dtype(f"uint{8 * inbox.dtype.itemsize}")
    # a plain zero would be a fill and a copy: XLA does not know that this is one
    nothing = jax.lax.optimization_barrier(jnp.zeros((), words))
    bits = jax.lax.bitcast_convert_type(inbox, words) & nothing
    return jax.lax.bitcast_convert_type(bits, inbox.dtype)


def most(counts: str) -> int:
    """How many spikes under way a state may have at a place, and how many may come to them."""
    return int(jnp.iinfo(counts).max) // 2


def narrowed(state, layout) -> tuple[Any, Any]:
    """The state with an inbox of whole numbers of few bytes, where spikes alone are counted.

    And whether these are what it held, but for its dummy places. A step then moves a quarter of the
    memory. On CPUs alone: others add bytes slowly.
    """
    if layout.counts is None or jax.default_backend() != "cpu":
        return state, True
    turns = state["inbox"].reshape(layout.steps, layout.size)
    real = jnp.arange(layout.size)[None] < layout.size - PADS
    counts = jnp.where(real, turns, 0.0).astype(layout.counts)
    kept = (counts.astype(turns.dtype) == turns) & (counts <= most(layout.counts))
    same = jnp.all(jnp.where(real, kept, True))
    return state | {"inbox": counts.reshape(-1)}, same


def added(inbox: Array, arrived: Array, place: int, turn) -> Array:
    """The inbox with values added from a place on, which the ring has turned."""
    start = jnp.asarray(place, jnp.int32)
    start = start if turn is None else (start + turn) % inbox.size
    part = jax.lax.dynamic_slice(inbox, (start,), arrived.shape)
    return jax.lax.dynamic_update_slice(inbox, part + arrived, (start,))


def turn(step, size: int, steps: int) -> Array | None:
    """By how much the ring is turned in this step; `None` where it holds one step only."""
    if steps == 1:
        return None
    return ((step % steps) * size).astype(jnp.int32)
