"""What is known while a function is traced."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def is_traced(value) -> bool:
    """Whether a value is a placeholder inside jit, vmap or grad."""
    return isinstance(value, Tracer)


def known(*values) -> bool:
    """Whether all values are numbers already."""
    return not any(isinstance(value, Tracer) for value in values)


def tracing(*trees) -> bool:
    """Whether we are inside jit, vmap or grad."""
    probe = jnp.zeros(()) + 0.0  # becomes a tracer under jit even if no argument is one
    leaves = [probe, *jax.tree.leaves(trees)]
    return any(is_traced(x) for x in leaves)


def mesh_axes(tree) -> frozenset:
    """The axes of a mesh over which any leaf differs between devices, inside `shard_map`."""
    return frozenset().union(*(_varies(leaf) for leaf in jax.tree.leaves(tree)))


def varying(tree, axes: frozenset):
    """The tree typed as different on every device along `axes`, as a scan wants its carry."""
    if not axes:
        return tree
    return jax.tree.map(lambda x: jax.lax.pcast(x, tuple(axes - _varies(x)), to="varying"), tree)


def alike(tree):
    """The tree with leaves of one type inside `shard_map`, as loops and branches want it."""
    return varying(tree, mesh_axes(tree))


def _varies(leaf) -> frozenset:
    kind = jax.typeof(leaf)
    manual = getattr(kind, "manual_axis_type", None)  # from jax 0.10 on; `vma` otherwise
    return getattr(kind, "vma", frozenset()) if manual is None else frozenset(manual.varying)


def split(tree):
    """What of a tree is static, which can be hashed, and a list of its arrays with `None` holes.

    `f.eval_shape(static, arrays)` of a function with `jax.jit(static_argnums=0)` traces once for
    all trees of the same structure and shapes.
    """
    leaves, structure = jax.tree.flatten(tree)
    is_array = lambda x: isinstance(x, jax.Array | np.ndarray | np.generic)
    arrays = [x if is_array(x) else None for x in leaves]
    return (structure, tuple(None if is_array(x) else x for x in leaves)), arrays


def joined(static, arrays):
    """The tree that `split` took apart."""
    structure, others = static
    leaves = [x if a is None else a for a, x in zip(arrays, others, strict=True)]
    return jax.tree.unflatten(structure, leaves)
