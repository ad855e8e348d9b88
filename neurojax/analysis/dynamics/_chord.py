"""Steps with the Jacobian of a known point: no matrix work, all starts in one product."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

_MOST = 40  # steps
_SAME = 0.5  # each shortens |F| to this part at least, as Newton steps nearby do


@eqx.filter_jit
def chord(
    field: Any,
    inverse: Float[Array, "n n"],
    starts: Float[Array, "start n"],
    goal: Float[Array, ""],
    active: Bool[Array, " start"],
) -> tuple[Float[Array, "start n"], Float[Array, " start"]]:
    """From each start by the inverse Jacobian of one point: the ends and |F| there.

    While each step shortens |F| Newton's method would go the same way.
    """
    fields = jax.vmap(field)

    def step(carry):
        x, F, going, n = carry
        speed = norms(F)
        y = x + newton_like(inverse, F)
        G = fields(y)
        better = going & (norms(G) < _SAME * speed)
        x, F = jnp.where(better[:, None], y, x), jnp.where(better[:, None], G, F)
        return x, F, better & (norms(F) > goal), n + 1

    F = fields(starts)
    begun = (starts, F, active & (norms(F) > goal), jnp.zeros((), int))
    x, F, _, _ = jax.lax.while_loop(lambda c: jnp.any(c[2]) & (c[3] < _MOST), step, begun)
    return x, norms(F)


def newton_like(inverse, F):
    """-J^-1 F for each row: the inverse is of 32 bits, F may be smaller than they can hold."""
    size = jnp.maximum(norms(F), jnp.finfo(F.dtype).tiny)[:, None]
    return -size * ((F / size).astype(inverse.dtype) @ inverse.T).astype(F.dtype)


def norms(rows) -> Float[Array, "*row"]:
    """The Euclidean norm of each row."""
    return jnp.sqrt(jnp.sum(rows * rows, axis=-1))
