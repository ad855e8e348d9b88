"""A counter-based hash generator: random numbers as a pure function of (key, index)."""

import math

import jax.numpy as jnp
from jaxtyping import Array, UInt32

_GOLDEN = 0x9E3779B9


def _mix(x):
    """An invertible 32-bit finaliser with low bias (xorshift and multiply, three rounds)."""
    x = x ^ (x >> 16)
    x = x * jnp.uint32(0x7FEB352D)
    x = x ^ (x >> 15)
    x = x * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def fold(words: UInt32[Array, "2"], value) -> UInt32[Array, "2"]:
    """Two new key words from two key words and an integer."""
    # a hash of a name may exceed a signed 32-bit integer
    value = jnp.uint32(value) if isinstance(value, int) else jnp.asarray(value).astype(jnp.uint32)
    first = _mix(words[0] ^ _mix(value + jnp.uint32(_GOLDEN)))
    second = _mix(words[1] + first + value * jnp.uint32(_GOLDEN))
    return jnp.stack([first, second])


def _bits(words, shape, lane: int):
    """32 bits per element; the two lanes share the first round and differ in the second."""
    index = jnp.arange(math.prod(shape), dtype=jnp.uint32).reshape(shape)
    # two rounds with different key words: neighbouring counters share no structure
    first = _mix(index + words[0])
    if lane == 0:
        return _mix(first ^ words[1])
    return _mix(first + (words[1] * jnp.uint32(_GOLDEN) + jnp.uint32(0x85EBCA6B)))


def _byte_sum(bits):
    pairs = (bits & jnp.uint32(0x00FF00FF)) + ((bits >> 8) & jnp.uint32(0x00FF00FF))
    return pairs


def normal(words, shape, dtype) -> Array:
    """The standardised sum of eight hashed bytes."""
    pairs = _byte_sum(_bits(words, shape, 0)) + _byte_sum(_bits(words, shape, 1))
    total = (pairs & jnp.uint32(0xFFFF)) + (pairs >> 16)
    mean = 8 * 127.5
    scale = 1.0 / math.sqrt(8 * (256**2 - 1) / 12)
    return (total.astype(dtype) - jnp.asarray(mean, dtype)) * jnp.asarray(scale, dtype)


def uniform(words, shape, dtype) -> Array:
    """24 hashed bits as a fraction in [0, 1)."""
    bits = _bits(words, shape, 0) >> 8
    return bits.astype(dtype) * jnp.asarray(2.0**-24, dtype)
