"""Waiting times in whole steps and a fraction of one: nothing is lost over long runs."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def in_steps(time, dt) -> Float[Array, "..."]:
    """A time in steps; what differs from a whole number by rounding only is whole."""
    ratio = time / dt
    whole = jnp.round(ratio)
    near = jnp.abs(ratio - whole) <= 4 * jnp.finfo(ratio.dtype).eps * jnp.abs(ratio)
    return jnp.where(near, whole, ratio)


def waited(
    left: Int[Array, " n"], fraction: Float[Array, " n"], more: Float[Array, " n"]
) -> tuple[Int[Array, " n"], Float[Array, " n"]]:
    """`left + fraction` steps and `more` of them, as whole steps and a fraction in [0, 1)."""
    whole = jnp.floor(more)
    # both fractions are below one, so their sum carries at most one step
    total = fraction + (more - whole)
    carry = jnp.floor(total)
    return left + (whole + carry).astype(left.dtype), total - carry
