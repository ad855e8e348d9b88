"""What a coupling reads from the parts, with messages that name them."""

import jax.numpy as jnp

from neurojax.core.errors import suggestion
from neurojax.core.paths import get, leaf_names

_VOLTAGES = ("V_m", "V")  # point neurons, circuits


def leaf(state, path: str | None, part: str):
    """A leaf of the visible state of a part; without a path its voltage."""
    for name in _VOLTAGES if path is None else (path,):
        value = get(state, name)
        if value is not None:
            return value
    wanted = " or ".join(map(repr, _VOLTAGES)) if path is None else repr(path)
    raise ValueError(
        f"a coupling reads {wanted} of part {part!r}, which has no such leaf; say leaf=."
        + suggestion(path or _VOLTAGES[0], leaf_names(state))
    )


def check_matrix(name: str, matrix, source, target=None) -> None:
    """A matrix of a coupling is (target neuron, source neuron)."""
    shape = jnp.shape(matrix)
    known = len(shape) == 2 and shape[1:] == source.shape
    if not known or (target is not None and shape[:1] != target.shape):
        rows = "target neurons" if target is None else target.shape[0]
        raise ValueError(
            f"{name} of a coupling must be a matrix ({rows}, {source.shape[0]}), got shape {shape}"
        )
