"""Whether a state is finite, at the cost of few reductions.

XLA compiles each reduction of a long array into several programs; leaves of one shape share one.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from .vector_field import is_float


def all_finite(state) -> Bool[Array, ""]:
    """Whether no number in the floating-point leaves is NaN or infinite."""
    leaves = jax.tree.leaves(state)
    found = [jnp.ones((), bool)]
    for members in _by_shape(leaves).values():
        fine = jnp.isfinite(leaves[members[0]])
        for i in members[1:]:
            fine &= jnp.isfinite(leaves[i])
        found.append(jnp.all(fine))
    return jnp.all(jnp.stack(found))


def first_not_finite(state) -> Int[Array, ""]:
    """The number of the first leaf that is not finite; 0 where all are."""
    leaves = jax.tree.leaves(state)
    bad = jnp.zeros(len(leaves), bool)
    for members in _by_shape(leaves).values():
        fine = jnp.stack([jnp.isfinite(leaves[i]).ravel() for i in members])
        bad = bad.at[jnp.array(members)].set(~jnp.all(fine, axis=1))
    return jnp.argmax(bad)


def _by_shape(leaves) -> dict[tuple[int, ...], list[int]]:
    """Numbers of the floating-point leaves by their shape."""
    found: dict[tuple[int, ...], list[int]] = {}
    for i, leaf in enumerate(leaves):
        if is_float(leaf):
            found.setdefault(leaf.shape, []).append(i)
    return found
