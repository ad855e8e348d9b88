"""Whether a state is finite, at the cost of few reductions.

XLA compiles each reduction of a long array into several programs; leaves of one shape share one.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

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


def finite_leaves(state) -> Bool[Array, "leaf"]:
    """For every leaf, whether no number in it is NaN or infinite; of no leaves, as if of one."""
    leaves = jax.tree.leaves(state)
    finite = [jnp.ones((), bool)] * max(1, len(leaves))
    for members in _by_shape(leaves).values():
        fine = jnp.all(jnp.stack([jnp.isfinite(leaves[i]).ravel() for i in members]), axis=1)
        for i, each in zip(members, fine, strict=True):
            finite[i] = each
    return jnp.stack(finite)


def _by_shape(leaves) -> dict[tuple[int, ...], list[int]]:
    """Numbers of the floating-point leaves by their shape."""
    found: dict[tuple[int, ...], list[int]] = {}
    for i, leaf in enumerate(leaves):
        if is_float(leaf):
            found.setdefault(leaf.shape, []).append(i)
    return found
