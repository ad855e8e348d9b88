"""The numbers of `jax.random` in single precision, computed in half the time on a CPU.

JAX rolls the twenty rounds of threefry into loops over arrays; written out they are one pass. The
bits are those of `jax.random.bits`, the normal numbers those of `jax.random.normal` to rounding.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ._counter import numbers

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
# inverse error function for small and large w = -log(1 - x^2): Giles (2012), GPU Computing Gems
_CENTRE = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
           -0.00125372503, -0.00417768164, 0.246640727, 1.50140941)  # fmt: skip
_TAIL = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
         -0.0076224613, 0.00943887047, 1.00167406, 2.83297682)  # fmt: skip


def applies(key, dtype) -> bool:
    """Whether this file has the numbers for a key and a type."""
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    return dtype == jnp.float32 and (
        str(jax.random.key_impl(key)) == "threefry2x32" if typed else key.shape == (2,)
    )


def bits(key, counter) -> Array:
    """32 bits per element: threefry of its number, see `numbers` (Salmon et al., 2011)."""
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    words = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(0x1BD11BDA))
    high = words[0]  # of a 64-bit counter that stays below 2^32
    low = numbers(counter) + words[1]
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            high = high + low
            low = (low << jnp.uint32(rotation)) | (low >> jnp.uint32(32 - rotation))
            low = high ^ low
        high = high + words[(i + 1) % 3]
        low = low + words[(i + 2) % 3] + jnp.uint32(i + 1)
    return high ^ low


def uniform(key, counter) -> Array:
    """Uniform in [0, 1)."""
    mantissa = (bits(key, counter) >> 9) | jnp.uint32(0x3F800000)
    return jax.lax.bitcast_convert_type(mantissa, jnp.float32) - jnp.float32(1)


def normal(key, counter) -> Array:
    """Standard normal numbers by the inverse error function."""
    # the barrier keeps XLA from computing the bits again for both branches below
    fraction = jax.lax.optimization_barrier(uniform(key, counter))
    low = np.nextafter(np.float32(-1), np.float32(0))
    x = jnp.maximum(low, fraction * (np.float32(1) - low) + low)
    w = -jnp.log((1 - x) * (1 + x))
    tail = w >= 5
    v = jnp.where(tail, jnp.sqrt(w) - 3, w - np.float32(2.5))
    p = jnp.where(tail, np.float32(_TAIL[0]), np.float32(_CENTRE[0]))
    for centre, outer in zip(_CENTRE[1:], _TAIL[1:], strict=True):
        p = p * v + jnp.where(tail, np.float32(outer), np.float32(centre))
    return np.float32(math.sqrt(2)) * p * x
