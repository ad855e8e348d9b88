"""Activity arrays [sample, unit]: checks at the door and products shared by the measures."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.precision import unrounded

F = TypeVar("F", bound=Callable[..., Any])


def compiled(*static: str) -> Callable[[F], F]:
    """Makes a function one compiled program per shape; arguments named in `static` are constants.

    Nested lists are made arrays first: `jax.jit` would trace every number by itself.
    """

    def array(value):
        return jnp.asarray(value) if isinstance(value, list | tuple) else value

    def decorate(function: F) -> F:
        jitted = jax.jit(unrounded(function), static_argnames=static)

        @functools.wraps(function)
        def call(*args, **kwargs):
            kwargs = {k: array(v) for k, v in kwargs.items()}
            return jitted(*map(array, args), **kwargs)

        return cast(F, call)

    return decorate


def activity(x: Any, name: str, samples: int = 2) -> Float[Array, "sample unit"]:
    """`x` as a real array of [sample, unit], with at least so many samples."""
    x = jnp.asarray(x)
    if x.ndim != 2 or x.shape[0] < samples or x.shape[1] < 1:
        raise ValueError(
            f"{name} must be activity of shape [samples, units] with at least {samples} samples "
            f"and one unit, got shape {x.shape}; put conditions and times on one axis by "
            "x.reshape(-1, units)"
        )
    return real(x, name)


def real(x: Array, name: str) -> Array:
    """`x` in floating point; complex numbers are refused."""
    if jnp.iscomplexobj(x):
        raise ValueError(f"{name} must be real, got {x.dtype}")
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)


def pair(x: Any, y: Any, samples: int = 2) -> tuple[Array, Array]:
    """Two arrays of activity with the same samples."""
    x, y = activity(x, "x", samples), activity(y, "y", samples)
    if x.shape[0] != y.shape[0]:
        raise ValueError(
            f"x and y must have the same samples, in the same order, got {x.shape[0]} and "
            f"{y.shape[0]}"
        )
    return x, y


def centred(x: Float[Array, "sample unit"]) -> Float[Array, "sample unit"]:
    """Every unit without its mean over samples."""
    return x - x.mean(axis=0, keepdims=True)


def dot(a: Array, b: Array) -> Array:
    """A product of matrices in full precision, on accelerators too."""
    return jnp.matmul(a, b, precision="highest")


def gram_inner(x: Float[Array, "sample unit"], y: Float[Array, "sample other"]) -> Float[Array, ""]:
    r"""$\langle X X^\top, Y Y^\top \rangle = \|X^\top Y\|_F^2$, through the smaller matrix."""
    if x.shape[1] * y.shape[1] <= x.shape[0] ** 2:
        return jnp.sum(dot(x.T, y) ** 2)
    return jnp.sum(dot(x, x.T) * dot(y, y.T))


def root(square: Array) -> Array:
    """The square root of what is not negative, NaN of NaN; its derivative at zero is zero."""
    zero = square <= 0
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, square)))


def unit_norm(x: Array) -> Array:
    """`x` over its Frobenius norm; NaN if that is zero."""
    return x / jnp.sqrt(jnp.sum(x**2))
