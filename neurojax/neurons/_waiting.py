"""Waiting times in whole steps and a fraction of one: nothing is lost over long runs."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def in_steps(time, dt) -> Float[Array, "..."]:
    """A time in steps; what differs from a whole or half number by rounding only is that."""
    ratio = time / dt
    half = 0.5 * jnp.round(2.0 * ratio)
    near = jnp.abs(ratio - half) <= 4 * jnp.finfo(ratio.dtype).eps * jnp.abs(ratio)
    return jnp.where(near, half, ratio)


def nearest_steps(time, dt) -> Int[Array, "..."]:
    """The nearest whole number of steps; half a step counts as one, in either precision."""
    steps = in_steps(time, dt)
    whole = jnp.floor(steps)
    return (whole + (steps - whole >= 0.5)).astype(jnp.int32)


def waited(
    left: Int[Array, " n"], fraction: Float[Array, " n"], more: Float[Array, " n"]
) -> tuple[Int[Array, " n"], Float[Array, " n"]]:
    """`left + fraction` steps and `more` of them, as whole steps and a fraction in [0, 1)."""
    whole = jnp.floor(more)
    # both fractions are below one, so their sum carries at most one step
    total = fraction + (more - whole)
    carry = jnp.floor(total)
    return left + (whole + carry).astype(left.dtype), total - carry


def recounted(state, before, dt, late: float) -> dict[str, Array]:
    """`left` and `fraction` of a state of steps of `before` ms in steps of `dt` ms.

    They name a time that is later by `late` steps, of either length, than the spike itself.
    """
    kind = state["fraction"].dtype
    # the whole number is exact where a step holds a whole number of others
    whole = in_steps(state["left"].astype(kind), dt / before)
    rest = (state["fraction"] - late) * (before / dt) + late
    down = jnp.floor(rest)
    left, fraction = waited(down.astype(state["left"].dtype), rest - down, whole)
    return {"left": left, "fraction": fraction.astype(kind)}
