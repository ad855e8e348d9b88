"""What a coupling reads from the parts, with messages that name them."""

import jax.numpy as jnp

from neurojax.core.errors import suggestion
from neurojax.core.paths import get, leaf_names


def leaf(state, path: str, part: str):
    """A leaf of the visible state of a part."""
    value = get(state, path)
    if value is None:
        raise ValueError(
            f"a coupling reads {path!r} of part {part!r}, which has no such leaf; say leaf=."
            + suggestion(path, leaf_names(state))
        )
    return value


def check_matrix(name: str, matrix, source, target=None) -> None:
    """A matrix of a coupling is (target neuron, source neuron)."""
    shape = jnp.shape(matrix)
    known = len(shape) == 2 and shape[1:] == source.shape
    if not known or (target is not None and shape[:1] != target.shape):
        rows = "target neurons" if target is None else target.shape[0]
        raise ValueError(
            f"{name} of a coupling must be a matrix ({rows}, {source.shape[0]}), got shape {shape}"
        )
