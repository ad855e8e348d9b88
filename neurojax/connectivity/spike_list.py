"""From packed spikes to a list of rows: rank and select, without a scatter.

Bit b of word w stands for row 32 w + b of a table. The number of set bits before each word is one
cumulative sum; entry r of the list is found by a search in these sums and five halvings of a word.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, UInt32

BITS = 32


def set_bits_before(words: UInt32[Array, " words"]) -> tuple[Array, Array]:
    """Set bits of each word, and of each word together with all earlier ones."""
    counts = jax.lax.population_count(words).astype(jnp.int32)
    return counts, jnp.cumsum(counts, dtype=jnp.int32)


def rows(words: UInt32[Array, " words"], counts, ends, first, length: int) -> Int[Array, " length"]:
    """Rows of the set bits number `first` to `first + length`; beyond the last: rows past the end.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.connectivity.spike_list import rows, set_bits_before
        >>> words = jnp.array([0b101, 0, 0b1000], jnp.uint32)
        >>> rows(words, *set_bits_before(words), 0, 4).tolist()
        [0, 2, 67, 96]
    """
    rank = first + jnp.arange(length, dtype=jnp.int32)
    word = _number_up_to(ends, rank)
    inside = jnp.minimum(word, words.shape[0] - 1)
    bit = _select(words[inside], rank - (ends[inside] - counts[inside]))
    return jnp.where(word < words.shape[0], BITS * inside + bit, BITS * words.shape[0])


def _number_up_to(ends, rank):
    """How many of the sorted `ends` are not above each rank, by looking at about two roots of them.

    Two comparisons with many numbers each are two short programs; halving would be a dozen.
    """
    side = math.isqrt(max(ends.shape[0] - 1, 0)) + 1
    blocks = -(-ends.shape[0] // side)
    # padding with the last, so that what is past the end comes out past the end
    padded = jnp.pad(ends, (0, blocks * side - ends.shape[0]), mode="edge").reshape(blocks, side)
    block = jnp.sum(padded[None, :, -1] <= rank[:, None], axis=1, dtype=jnp.int32)
    own = padded[jnp.minimum(block, blocks - 1)]
    inside = jnp.sum(own <= rank[:, None], axis=1, dtype=jnp.int32)
    return jnp.where(block < blocks, side * block + inside, blocks * side)


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
