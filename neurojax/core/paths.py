"""Dotted names of the leaves of a state: `"E.V_m"`."""

from typing import Any

import jax
import numpy as np

from .errors import UnknownNameError, suggestion


def _name(entry) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(entry, attribute):
            return str(getattr(entry, attribute))
    return str(entry)


def leaf_names(tree) -> tuple[str, ...]:
    """The dotted name of every leaf, in the order of the leaves."""
    flat = jax.tree_util.tree_flatten_with_path(tree)[0]
    return tuple(".".join(_name(entry) for entry in path) for path, _ in flat)


def _child(tree, name: str):
    if isinstance(tree, dict):
        return tree.get(name)
    if isinstance(tree, list | tuple) and not hasattr(tree, "_fields"):
        return tree[int(name)] if name.isdigit() and int(name) < len(tree) else None
    if isinstance(tree, jax.Array | np.ndarray | jax.ShapeDtypeStruct):
        return None  # V_m.shape is no part of a state
    return getattr(tree, name, None)


def get(tree, path: str) -> Any:
    """The part of a tree at a dotted path, or `None`."""
    for name in path.split(".") if path else ():
        tree = _child(tree, name)
        if tree is None:
            return None
    return tree


def unknown(path: str, *trees, what: str) -> UnknownNameError:
    """The error for a path that is in none of the trees."""
    known = [name for tree in trees for name in leaf_names(tree)]
    return UnknownNameError(f"{what} {path!r} is not part of this model.{suggestion(path, known)}")
