"""Keys of random numbers at the door."""

from typing import Any

import jax
import jax.numpy as jnp


def check_key(key) -> None:
    """One key, new style or the two words of the old style.

    Raises:
        TypeError: for a number, several keys, or anything else.
    """
    dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", None)
    typed = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)
    if not (typed and shape == ()) and not (dtype == jnp.uint32 and shape == (2,)):
        what = f"an array of shape {shape}" if typed else repr(key)
        raise TypeError(f"key must be one key, for example jax.random.key(0), got {what}")


def own_or_first(key) -> Any:
    """The key that is given, or key 0."""
    if key is None:
        return jax.random.key(0)
    check_key(key)
    return key
