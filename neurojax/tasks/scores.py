"""Scores that several tasks share."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from .trials import Trials


def checked_outputs(trials: Trials, outputs: Any) -> Array:
    """The outputs as an array, if they are shaped like the targets.

    Raises:
        ValueError: if they are not.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax import tasks
        >>> trials = tasks.Trials(jnp.zeros((50, 3)), jnp.ones((50, 1)), dt=10.0)
        >>> tasks.scores.checked_outputs(trials, jnp.ones((50, 1))).shape
        (50, 1)
    """
    outputs = jnp.asarray(outputs)
    if outputs.shape != trials.targets.shape:
        raise ValueError(
            f"outputs must be shaped like the targets, {trials.targets.shape}, got {outputs.shape}"
        )
    return outputs


def r2(trials: Trials, outputs: Any) -> Array:
    r"""Share of the variance of the targets that outputs explain, for each trial.

    $$R^2 = 1 - \frac{\sum_{t,k} m_t (z_{tk} - z^*_{tk})^2}
                     {\sum_{t,k} m_t (z^*_{tk} - \bar z^*_k)^2}$$

    with the mask $m$ and the weighted mean $\bar z^*_k$ of each target over the trial. It is 1 if
    outputs equal the targets where the mask is not 0, and may be negative. A trial whose targets
    do not vary has no variance to explain: its score is 1 if the error is exactly 0, and minus
    infinity otherwise.

    Arguments:
        trials: one trial or a batch.
        outputs: shaped like the targets.

    Returns:
        Shape: the leading axes of the trials.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax import tasks
        >>> target = jnp.array([[0.0], [1.0], [2.0], [3.0]])
        >>> trial = tasks.Trials(jnp.zeros((4, 1)), target, dt=1.0)
        >>> float(tasks.r2(trial, target)), float(tasks.r2(trial, target + 1.0))
        (1.0, 0.19999998807907104)
    """
    outputs = checked_outputs(trials, outputs)
    weight = trials.mask[..., None]
    total = jnp.maximum(jnp.sum(weight, axis=-2, keepdims=True), jnp.finfo(weight.dtype).tiny)
    # targets and outputs may be NaN where nothing counts
    targets, outputs = (jnp.where(weight > 0, x, 0.0) for x in (trials.targets, outputs))
    mean = jnp.sum(weight * targets, axis=-2, keepdims=True) / total
    error = jnp.sum(weight * (outputs - targets) ** 2, axis=(-2, -1))
    spread = jnp.sum(weight * (targets - mean) ** 2, axis=(-2, -1))
    flat = spread <= 0
    ratio = error / jnp.where(flat, 1.0, spread)
    return 1.0 - jnp.where(flat, jnp.where(error > 0, jnp.inf, 0.0), ratio)
