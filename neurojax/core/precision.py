"""Products of matrices in the precision of their numbers."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax

P, R = ParamSpec("P"), TypeVar("R")


def unrounded(function: Callable[P, R]) -> Callable[P, R]:
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
    def within(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.default_matmul_precision("float32"):
            return function(*args, **kwargs)

    return within
