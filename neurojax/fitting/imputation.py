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


@eqx.filter_jit
def _predict(estimator: Estimator, values, known, dt):
    return jax.vmap(estimator.prepare().predict)(values, known, dt)


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


def forecast_errors(
    estimator: Estimator,
    aligned: Aligned,
    truth: Aligned,
    animals: list[int],
    first: np.ndarray,
    horizons: tuple[int, ...] = (1, 2, 5, 10, 20),
) -> dict[int, np.ndarray]:
    """Mean squared error of free runs, by horizon (frames), one per animal.

    All neurons are known up to a frame and free after it; starts lie in the scored part.
    """
    longest = max(horizons)
    errors: dict[int, list[float]] = {h: [] for h in horizons}
    for a in animals:
        stop = int(aligned.lengths[a])
        begin = int(first[a])
        starts = np.arange(begin, stop - longest - 1, 3)
        rows = starts[:, None] - _WARM_UP + np.arange(_WARM_UP + longest + 1)
        rows = np.maximum(rows, 0)
        known = aligned.mask[a][rows].copy()
        known[:, _WARM_UP + 1 :] = False
        guess = np.asarray(
            _predict(
                estimator, jnp.asarray(aligned.values[a][rows]), jnp.asarray(known),
                jnp.asarray(aligned.dt[a][rows], jnp.asarray(aligned.values).dtype),
            )
        )  # fmt: skip
        for h in horizons:
            at = _WARM_UP + h
            there = truth.mask[a][rows[:, at]]
            difference = guess[:, at - 1] - truth.values[a][rows[:, at]]
            errors[h].append(float(np.mean(difference[there] ** 2)))
    return {h: np.array(e) for h, e in errors.items()}


def _dt(aligned: Aligned, animal, rows):
    return jnp.asarray(aligned.dt[animal, rows], jnp.asarray(aligned.values).dtype)
