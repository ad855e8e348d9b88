"""From packed spikes to a list of rows: rank and select, without a scatter.

Bit b of word w stands for row 32 w + b of a table. Set bits are counted in eights of words, in
eights of these, and so on; entry r of the list is found by going down, eight at a time, and by five
halvings of a word.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt32

BITS = 32
_SIDE = 8  # parts that are looked through one by one; a power of 2
_SHIFT = _SIDE.bit_length() - 1
_TOP = 64  # parts that are all compared with every rank


class SpikeCounts(NamedTuple):
    """Numbers of set bits of packed words.

    Arguments:
        levels: of each eight words, of each eight of these, ...; at most 64 at the end.
        ends: of each of the last level together with all before it.
        total: of all.
    """

    levels: tuple[Array, ...]
    ends: Array
    total: Array


def count_spikes(words: UInt32[Array, " words"]) -> SpikeCounts:
    """The numbers of set bits by which `rows` finds them."""
    counts, levels = jax.lax.population_count(words).astype(jnp.int32), []
    while counts.shape[0] > _TOP or not levels:
        padded = jnp.pad(counts, (0, -counts.shape[0] % _SIDE))
        counts = jnp.sum(padded.reshape(-1, _SIDE), axis=1, dtype=jnp.int32)
        levels.append(counts)
    # a cumulative sum of so few is quickest as a sum over all that are not later
    place = jnp.arange(counts.shape[0])
    earlier = place[:, None] <= place[None]
    ends = jnp.sum(jnp.where(earlier, counts[:, None], 0), axis=0, dtype=jnp.int32)
    return SpikeCounts(tuple(levels), ends, ends[-1])


def rows(words: UInt32[Array, " words"], counts: SpikeCounts, first, length: int):
    """Rows of the set bits number `first` to `first + length`; beyond the last: rows past the end.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.connectivity.spike_list import count_spikes, rows
        >>> words = jnp.array([0b101, 0, 0b1000], jnp.uint32)
        >>> rows(words, count_spikes(words), 0, 4).tolist()
        [0, 2, 67, 96]
    """
    wanted = first + jnp.arange(length, dtype=jnp.int32)
    part = jnp.sum(counts.ends[None] <= wanted[:, None], axis=1, dtype=jnp.int32)
    part = jnp.minimum(part, counts.ends.shape[0] - 1)
    rank = wanted - (counts.ends[part] - counts.levels[-1][part])
    for level in reversed(counts.levels[:-1]):
        part, rank = _down(level, part, rank)
    part, rank = _down(words, part, rank)
    bit = _select(_read(words, part), rank)
    return jnp.where(wanted < counts.total, BITS * part + bit, BITS * words.shape[0])


def neurons(row, words: int, n: int) -> tuple[Array, Array]:
    """The neuron of each row of one population of `n`, and whether there is one.

    Past the end of a list, and of the population, are rows that no neuron has: the last stands in.
    """
    neuron = row // BITS + (row % BITS) * words
    return jnp.minimum(neuron, n - 1), (row < BITS * words) & (neuron < n)


def _down(level, part, rank):
    """Which of the eight that a part is made of holds the bit of this rank, and its rank there."""
    total, found = jnp.zeros_like(rank), jnp.zeros_like(rank)
    for i in range(_SIDE - 1):
        count = _read(level, jnp.minimum(_SIDE * part + i, level.shape[0] - 1))
        if count.dtype == jnp.uint32:
            count = jax.lax.population_count(count).astype(rank.dtype)
        total = total + count
        # both results in one number: XLA would go down once for each
        found = jnp.where(total <= rank, _SIDE * total + i + 1, found)
    found = jax.lax.optimization_barrier(found)
    part = jnp.minimum(_SIDE * part + (found & (_SIDE - 1)), level.shape[0] - 1)
    return part, rank - (found >> _SHIFT)


def _read(values, place):
    return values.at[place].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _select(word, rank):
    """The position of the set bit with `rank` set bits below it."""
    position = jnp.zeros_like(rank)
    for width in (16, 8, 4, 2, 1):
        low = word & jnp.uint32((1 << width) - 1)
        below = jax.lax.population_count(low).astype(jnp.int32)
        up = rank >= below
        rank = jnp.where(up, rank - below, rank)
        word = jnp.where(up, word >> width, low)
        position = jnp.where(up, position + width, position)
    return position
