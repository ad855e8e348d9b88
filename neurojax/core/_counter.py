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
    # small seeds differ in the second word alone, and both words must depend on it
    return jnp.stack([_mix(first + second * jnp.uint32(_GOLDEN)), second])


def _hash(words, counter) -> Array:
    """32 mixed bits per element, under the first key word."""
    return _mix(numbers(counter) + words[0])


def numbers(counter) -> Array:
    """The numbers of the elements: 0 to `counter` - 1, or `counter` itself."""
    if isinstance(counter, int):
        return jnp.arange(counter, dtype=jnp.uint32)
    return counter.astype(jnp.uint32)


def _lanes(words, counter) -> tuple[Array, Array]:
    """Two words per element: the hash under the second key word, by a short round for each."""
    first = _hash(words, counter)
    a = (first ^ words[1]) * jnp.uint32(0x2C1B3C6D)
    b = (first + (words[1] * jnp.uint32(_GOLDEN) + jnp.uint32(0x85EBCA6B))) * jnp.uint32(0x297A2D39)
    return a ^ (a >> 15), b ^ (b >> 13)


def _byte_pairs(bits) -> Array:
    """The sums of two pairs of bytes, in 16 bits each."""
    return (bits & jnp.uint32(0x00FF00FF)) + ((bits >> 8) & jnp.uint32(0x00FF00FF))


def normal(words, counter, dtype) -> Array:
    """The standardised sum of eight hashed bytes."""
    first, second = _lanes(words, counter)
    pairs = _byte_pairs(first) + _byte_pairs(second)
    total = ((pairs & jnp.uint32(0xFFFF)) + (pairs >> 16)).astype(jnp.int32)
    mean = 8 * 127.5
    scale = 1.0 / math.sqrt(8 * (256**2 - 1) / 12)
    return (total.astype(dtype) - jnp.asarray(mean, dtype)) * jnp.asarray(scale, dtype)


def uniform(words, counter, dtype) -> Array:
    """24 hashed bits as a fraction in [0, 1)."""
    bits = _mix(_hash(words, counter) ^ words[1]) >> 8
    return bits.astype(jnp.int32).astype(dtype) * jnp.asarray(2.0**-24, dtype)
