"""Poisson-distributed counts of one step."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from . import _counter
from .clock import Clock
from .tracing import alike

_PIECE = 60.0  # the largest mean that is inverted at once: exp(-60) is a number in single precision


def poisson_counts(mean, shape: tuple[int, ...], clock: Clock, name: str) -> Array:
    """Independent counts with the given mean for the noise source `name`, as floats.

    By inversion: one uniform number each, and as many rounds as the largest count. Means above 60
    are split into equal parts, whose counts add up.

    Raises:
        ValueError: if the clock has no key.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> clock = nj.Clock(0, 0.1, jax.random.key(0))
        >>> nj.core.counts.poisson_counts(jnp.array(2.0), (3,), clock, "arrivals").shape
        (3,)
    """
    mean = jnp.asarray(mean)
    pieces = jnp.maximum(jnp.ceil(mean / _PIECE), 1.0)
    part, pieces, clock = alike((jnp.broadcast_to(mean / pieces, shape), pieces, clock))

    def add(i, total):
        u = _part(clock, i).uniform(name, shape, part.dtype)
        # an element has as many parts as it needs itself, whatever the others need
        return total + _by_inversion(jnp.where(i < pieces, part, 0.0), u)

    most = jnp.max(pieces, initial=1.0).astype(jnp.int32)
    return jax.lax.fori_loop(0, most, add, jnp.zeros_like(part))


def _part(clock: Clock, i) -> Clock:
    """The same time with another stream of random numbers for each whole number."""
    if clock.key is None:
        return clock
    fold = _counter.fold if clock.noise == "counter" else jax.random.fold_in
    return eqx.tree_at(lambda c: c.key, clock, fold(clock.key, i))


def _by_inversion(mean: Array, u: Array) -> Array:
    """The smallest k for which the chance of more than k is at most u, u centred in its cell."""
    mean, u = alike((mean, u + 0.5 * jnp.finfo(u.dtype).eps))
    # the chance of more than k is summed from above, where u resolves rare counts best
    more = -jnp.expm1(-mean)
    # where the rest of the sum is lost in rounding, a count must not run away
    negligible = 0.01 * jnp.finfo(u.dtype).eps
    is_more = lambda k, more, chance: (u < more) & ((chance > negligible) | (k < mean))

    def going(carry):
        return jnp.any(is_more(*carry))

    def count(carry):
        k, more, chance = carry
        higher = is_more(*carry)
        k = k + higher
        chance = jnp.where(higher, chance * mean / jnp.maximum(k, 1.0), chance)
        return k, jnp.where(higher, more - chance, more), chance

    return jax.lax.while_loop(going, count, (jnp.zeros_like(u), more, jnp.exp(-mean)))[0]
