"""Samples that are missing: their weight is 0, and what stands in their place does not matter."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.tracing import known


def without_gaps(name: str, values, weights) -> Any:
    """Values with 0 in place of what is not finite and has no weight.

    NaN times a weight of 0 is NaN, in a sum and in its gradient. Where something counts that is
    not finite, it is an error, or stays as it is while it is traced.

    Arguments:
        name: for the message.
        values: any shape.
        weights: of the same shape, or one that broadcasts to it; a number where all count alike.

    Raises:
        ValueError: if a value is not finite and its weight is not 0.

    Example:
        >>> import numpy as np
        >>> without_gaps("targets", np.array([1.0, np.nan]), np.array([1.0, 0.0])).tolist()
        [1.0, 0.0]
    """
    xp: Any = np if known(values, weights) else jnp
    fine, counts = xp.isfinite(values), xp.broadcast_to(weights, values.shape) > 0
    if xp is np:
        if np.all(fine):
            return values
        if not np.all(fine | ~counts):
            way_out = (
                "give weights of 0 by Trials(mask=) for gaps"
                if np.ndim(weights)
                else "fill or interpolate gaps, since each step drives the circuit"
            )
            raise ValueError(f"{name} must be finite; {way_out}")
    like = jnp if isinstance(values, jnp.ndarray) else np
    return like.where(fine | counts, values, 0.0)
