"""Targets and activity with mean 0 and standard deviation 1."""

import equinox as eqx
import jax.numpy as jnp

from .trials import Trials


def standardise(trials: Trials, by: Trials | None = None) -> Trials:
    """Scale each output and each recorded unit by its mean and standard deviation.

    Only samples with weight are counted. What is missing stays 0. A channel that does not vary is
    only centred.

    Arguments:
        trials: one trial or a batch.
        by: trials whose means and deviations are used; default `trials` themselves. Give the
            training part here when you scale the test part, so that nothing leaks.

    Raises:
        ValueError: if the two have other numbers of outputs or recorded units.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax import tasks
        >>> trials = tasks.Trials(
        ...     jnp.zeros((4, 1)), jnp.array([[3.0], [5.0], [3.0], [5.0]]), dt=1.0
        ... )
        >>> tasks.standardise(trials).targets[:, 0].tolist()
        [-1.0, 1.0, -1.0, 1.0]
    """
    by = trials if by is None else by
    if by.targets.shape[-1] != trials.targets.shape[-1]:
        raise ValueError(
            f"by has {by.targets.shape[-1]} outputs and the trials {trials.targets.shape[-1]}"
        )
    weight = lambda t: jnp.broadcast_to(t.mask[..., None], t.targets.shape)
    targets = _scaled(trials.targets, weight(trials), by.targets, weight(by))
    result = eqx.tree_at(lambda t: t.targets, trials, targets)
    if trials.activity is None:
        return result
    if by.activity is None or by.activity.shape[-1] != trials.activity.shape[-1]:
        raise ValueError("by must have activity of the same recorded units as the trials")
    activity = _scaled(trials.activity, trials.activity_mask, by.activity, by.activity_mask)
    return eqx.tree_at(lambda t: t.activity, result, activity)


def _scaled(values, weight, known, known_weight):
    axes = tuple(range(known.ndim - 1))
    total = jnp.maximum(jnp.sum(known_weight, axis=axes), jnp.finfo(known.dtype).tiny)
    mean = jnp.sum(known_weight * known, axis=axes) / total
    lift = lambda x, ndim: jnp.reshape(x, (1,) * (ndim - 1) + x.shape)
    spread = (known - lift(mean, known.ndim)) ** 2
    sd = jnp.sqrt(jnp.sum(known_weight * spread, axis=axes) / total)
    sd = jnp.where(sd > 0, sd, 1.0)
    moved = (values - lift(mean, values.ndim)) / lift(sd, values.ndim)
    return jnp.where(weight > 0, moved, 0.0)
