"""Held-out scores of an estimator: hidden neurons reconstructed on later frames."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .estimator import Estimator
from .folds import Folds
from .problem import Aligned

_WARM_UP = 30  # frames before the scored ones, in which hidden neurons find their way


@eqx.filter_jit
def _filter(estimator: Estimator, values, seen, dt):
    return jax.vmap(estimator.prepare().filter)(values, seen, dt)


def reconstruct(
    estimator: Estimator, aligned: Aligned, folds: Folds, first: np.ndarray, hidden_always=None
) -> np.ndarray:
    """What the estimator makes of every fold, (fold, time, neuron); `NaN` before the scored part.

    Arguments:
        estimator: fitted.
        aligned: recordings as the fit sees them (clipped).
        folds: who is hidden.
        first: first scored frame of each animal.
        hidden_always: booleans (neuron,) of neurons that are never seen.
    """
    last = aligned.mask.shape[1]
    begin = np.maximum(first - _WARM_UP, 0)[folds.animal]
    length = int((aligned.lengths[folds.animal] - begin).max())
    rows = np.minimum(begin[:, None] + np.arange(length), last - 1)
    animal = folds.animal[:, None]
    values = aligned.values[animal, rows]
    seen = aligned.mask[animal, rows] & ~folds.hidden[:, None, :]
    if hidden_always is not None:
        seen &= ~hidden_always
    estimates = np.asarray(
        _filter(estimator, jnp.asarray(values), jnp.asarray(seen), _dt(aligned, animal, rows))
    )
    out = np.full((len(folds), last, aligned.mask.shape[2]), np.nan, np.float32)
    for fold, start in enumerate(begin):
        frames = min(length - 1, last - start - 1)
        out[fold, start + 1 : start + 1 + frames] = estimates[fold, :frames]
    return out


def _dt(aligned: Aligned, animal, rows):
    return jnp.asarray(aligned.dt[animal, rows], jnp.asarray(aligned.values).dtype)
