"""Products of matrices in the precision of their numbers."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import jax

F = TypeVar("F", bound=Callable[..., Any])


def unrounded(function: F) -> F:
    """The function, with products of 32-bit matrices inside it to 32 bits on every device.

    GPUs and TPUs round the factors to 11 or 8 bits unless they are told not to, as JAX has it by
    default. A network may run so; what solves equations or compares small differences may not.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> product = jax.make_jaxpr(unrounded(jnp.dot))(jnp.ones((2, 2)), jnp.ones(2))
        >>> "HIGHEST" in str(product)
        True
    """

    @wraps(function)
    def within(*args, **kwargs):
        with jax.default_matmul_precision("float32"):
            return function(*args, **kwargs)

    return cast(F, within)
