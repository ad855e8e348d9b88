"""Starts for a search, drawn from where a circuit has been."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.vector_field import is_float


def sample_states(trajectories: Any, count: int, *, noise: float = 0.0, key: Any) -> Any:
    r"""States drawn from recorded ones, with noise.

    $$x = x_{k} + \mathrm{noise}\,\sigma\,\xi, \qquad \xi \sim N(0, 1)$$

    with k uniform without replacement (with, if more are asked for than there are), and $\sigma$
    the standard deviation of each leaf over all recorded states and units.

    Arguments:
        trajectories: recorded states with a leading axis, for example stacked over time and
            trials: `nj.simulate(..., record={"x": nj.Trace("x")})` gives one leaf, so
            `{"x": sim["x"]}`.
        count: how many are drawn.
        noise: in standard deviations.
        key: `jax.random.key`.

    Returns:
        States with a leading axis of length `count`.

    Raises:
        ValueError: for a count below one, negative noise, or leaves without one first axis.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> drawn = sample_states({"x": jnp.ones((50, 3))}, 4, key=jax.random.key(0))
        >>> drawn["x"].shape
        (4, 3)
    """
    leaves, tree = jax.tree.flatten(jax.tree.map(jnp.asarray, trajectories))
    lengths = {x.shape[0] if x.ndim else 0 for x in leaves}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            "trajectories need the same first axis in every leaf, got shapes "
            f"{[x.shape for x in leaves]}"
        )
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise ValueError(f"count must be a whole number of at least 1, got {count!r}")
    if not noise >= 0:
        raise ValueError(f"noise must not be negative (standard deviations), got {noise!r}")
    total = int(lengths.pop())
    which, *keys = jax.random.split(key, len(leaves) + 1)
    rows = jax.random.choice(which, total, (int(count),), replace=count > total)
    drawn = []
    for x, k in zip(leaves, keys, strict=True):
        part = x[rows]
        if is_float(x) and noise > 0:
            part = part + noise * jnp.std(x) * jax.random.normal(k, part.shape, x.dtype)
        drawn.append(part)
    return jax.tree.unflatten(tree, drawn)
