"""Starts for a search, drawn from where a circuit has been."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core import unwrap
from neurojax.core.keys import check_key
from neurojax.core.vector_field import is_float

from ._field import state_shapes


def sample_states(
    circuit: Any, trajectories: Any, count: int, *, noise: float = 0.0, key: Any
) -> Any:
    r"""States drawn from recorded ones, with noise.

    $$x = x_{k} + \mathrm{noise}\,\sigma\,\xi, \qquad \xi \sim N(0, 1)$$

    with k uniform without replacement (with, if more are asked for than there are), and $\sigma$
    the standard deviation of each leaf over all recorded states and units.

    Arguments:
        circuit: the model whose states they are.
        trajectories: recorded states with any number of axes before those of a state, such as
            [trial, time]: the `states` of `nj.fitting.unroll`, or, since
            `nj.simulate(..., record={"x": "x"})` gives one leaf, `{"x": sim["x"]}`.
        count: how many are drawn.
        noise: in standard deviations.
        key: `jax.random.key`.

    Returns:
        States with a leading axis of length `count`.

    Raises:
        ValueError: for a count below one, negative noise, or leaves that are not states of the
            circuit with the same axes before.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> circuit = nj.circuits.RateRNN(3)
        >>> drawn = sample_states(circuit, {"x": jnp.ones((20, 50, 3))}, 4, key=jax.random.key(0))
        >>> drawn["x"].shape
        (4, 3)
    """
    shapes = state_shapes(unwrap(circuit))
    recorded = jax.tree.map(jnp.asarray, trajectories)
    if jax.tree.structure(recorded) != jax.tree.structure(shapes):
        raise ValueError(
            f"trajectories must be a tree like a state of {type(circuit).__name__}: "
            f"{jax.tree.structure(shapes)}, got {jax.tree.structure(recorded)}"
        )
    leaves, tree = jax.tree.flatten(recorded)
    owns = [own.shape for own in jax.tree.leaves(shapes)]
    leads = {
        x.shape[: x.ndim - len(own)] if x.shape[x.ndim - len(own) :] == own else None
        for x, own in zip(leaves, owns, strict=True)
    }
    if len(leads) != 1 or None in leads or () in leads:
        raise ValueError(
            "trajectories need the same axes before those of a state in every leaf; a state has "
            f"the shapes {owns}, got {[x.shape for x in leaves]}"
        )
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise ValueError(f"count must be a whole number of at least 1, got {count!r}")
    if not noise >= 0:
        raise ValueError(f"noise must not be negative (standard deviations), got {noise!r}")
    total = math.prod(leads.pop() or ())
    if total == 0:
        raise ValueError("trajectories hold no state: one of their axes has length 0")
    check_key(key)
    which, *keys = jax.random.split(key, len(leaves) + 1)
    rows = jax.random.choice(which, total, (int(count),), replace=count > total)
    drawn = []
    for x, own, k in zip(leaves, owns, keys, strict=True):
        part = x.reshape(total, *own)[rows]
        if is_float(x) and noise > 0:
            part = part + noise * jnp.std(x) * jax.random.normal(k, part.shape, x.dtype)
        drawn.append(part)
    return jax.tree.unflatten(tree, drawn)
