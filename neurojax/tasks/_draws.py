"""The random numbers of a trial: one draw of normal and one of uniform numbers, no more.

Drawn through a clock, which has the faster generator on CPUs.
"""

import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock
from neurojax.core.keys import check_key

_WINDOW = 100.0  # ms, over which the strength of noise is stated


def uniforms(key, shape: tuple[int, ...]) -> Array:
    """Uniform numbers in [0, 1)."""
    check_key(key)
    return Clock(0, 1.0, key).uniform("uniform", shape)


def normals(key, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers."""
    check_key(key)
    return Clock(0, 1.0, key).normal("normal", shape)


def white(key, shape: tuple[int, ...], level: Array, dt: float) -> Array:
    """White noise whose mean over 100 ms has the standard deviation `level`, whatever dt is."""
    return level * jnp.sqrt(_WINDOW / dt) * normals(key, shape)


def whole(u: Array, low: int, high: int) -> Array:
    """A whole number from `low` to `high`, both included, by a uniform number."""
    # a number just below 1 may be rounded up to it
    return jnp.minimum(low + jnp.floor(u * (high - low + 1)).astype(jnp.int32), high)


def sign(u: Array) -> Array:
    """-1 or 1 by a uniform number."""
    return jnp.where(u < 0.5, -1.0, 1.0).astype(u.dtype)
