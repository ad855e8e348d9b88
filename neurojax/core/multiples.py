"""A step count times a ratio of two durations, exact however late."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

_TERMS = 12  # of a continued fraction: enough for whole numbers below 2**24
LARGEST = 2.0**24  # whole number that float32 holds, with all below it
PRODUCT = 2.0**30  # of both numbers of a ratio, so that 32-bit products do not overflow


def multiple(step: Array, ratio, numbers=None) -> tuple[Array, Array]:
    r"""$\mathrm{step} \cdot \mathrm{ratio}$ as a whole number and a rest in about [0, 1).

    In 32 bits the product would lose what lies within a step after some ten thousand of them. A
    ratio that is one of two whole numbers but for its rounding (0.1 / 0.7, 50 Hz times 0.1 ms)
    counts as that; for others what is left beyond the nearest one is a small product. Derivatives
    by the ratio are those of the product.

    Arguments:
        step: whole numbers, not negative.
        ratio: of durations.
        numbers: `two_whole_numbers(ratio)`, where that is known before a loop over steps; also with
            what is left beyond their ratio, where that is known in double precision.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.core.multiples import multiple
        >>> whole, rest = multiple(jnp.asarray(10_000_003), jnp.float32(0.1) / jnp.float32(0.7))
        >>> int(whole), round(float(rest), 6)  # 10000003 / 7
        (1428571, 0.857143)
    """
    ratio = jnp.asarray(ratio)
    p, q, *beyond = two_whole_numbers(ratio) if numbers is None else numbers
    sign, p = jnp.sign(p).astype(step.dtype), jnp.abs(p).astype(step.dtype)
    q = q.astype(step.dtype)
    turns, left = step // q, step % q
    whole = sign * (turns * p + left * p // q)
    part = sign * ((left * p) % q).astype(ratio.dtype) / q.astype(ratio.dtype)
    rest = ratio - (sign * p).astype(ratio.dtype) / q.astype(ratio.dtype)
    rounding = 4.0 * jnp.finfo(ratio.dtype).eps * jnp.abs(ratio)
    rest = rest - jnp.where(jnp.abs(rest) <= rounding, jax.lax.stop_gradient(rest), 0.0)
    if beyond:
        rest = rest - jax.lax.stop_gradient(rest) + beyond[0]
    return whole, part + rest * step.astype(ratio.dtype)


def two_whole_numbers(ratio) -> tuple[Array, Array]:
    """The first convergent p / q of the continued fraction that is the ratio but for rounding."""
    ratio = jax.lax.stop_gradient(jnp.asarray(ratio))
    size, sign = jnp.abs(ratio), jnp.where(ratio < 0, -1.0, 1.0).astype(ratio.dtype)
    tolerance = 4.0 * jnp.finfo(ratio.dtype).eps * size
    one, zero = jnp.ones_like(size), jnp.zeros_like(size)

    def next_term(_, carry):
        (p, q), (p_before, q_before), rest, done = carry
        term = jnp.floor(rest)
        p_next, q_next = term * p + p_before, term * q + q_before
        fits = (jnp.maximum(p_next, q_next) <= LARGEST) & (p_next * q_next <= PRODUCT)
        takes = ~done & fits
        before = jnp.where(takes, p, p_before), jnp.where(takes, q, q_before)
        p, q = jnp.where(takes, p_next, p), jnp.where(takes, q_next, q)
        rest = rest - term
        near = jnp.abs(size - p / jnp.maximum(q, 1.0)) <= tolerance
        done = done | ~fits | near | (rest <= 0)
        return (p, q), before, 1.0 / jnp.where(rest > 0, rest, 1.0), done

    start = (one, zero), (zero, one), size, size < 0
    (p, q), *_ = jax.lax.fori_loop(0, _TERMS, next_term, start)
    # a number beyond all that fit is no ratio
    return jnp.where(q > 0, sign * p, 0.0), jnp.maximum(q, 1.0)
