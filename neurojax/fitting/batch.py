"""Windows of recordings, the minibatches of a fit."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .problem import Aligned


class Batch(eqx.Module):
    """A minibatch of windows.

    Arguments:
        values: recorded samples, 0 where missing, (window, frame, neuron).
        observed: where a sample is there and may be used, (window, frame, neuron).
        dt: ms from the frame before, (window, frame).
        animal: the animal of each window, (window,).

    Example:
        >>> import neurojax as nj
        >>> def error(model, batch, key):  # what `fit` calls with the circuit and a batch
        ...     return ((batch.values - model.bias) ** 2 * batch.observed).mean()
    """

    values: Float[Array, "window frame neuron"]
    observed: Bool[Array, "window frame neuron"]
    dt: Float[Array, "window frame"]
    animal: Int[Array, " window"]


class Sessions(NamedTuple):
    """Recordings on the device, with the part that may be drawn from."""

    values: Array  # (animal, time, neuron)
    observed: Array
    dt: Array  # (animal, time), ms
    animals: Array  # numbers of the animals to draw from, padded
    count: Array  # how many of them there are
    start: Array  # (animal,) first frame of the part
    stop: Array  # (animal,) one past its last frame


def sessions(
    aligned: Aligned,
    animals: list[int],
    start: np.ndarray,
    stop: np.ndarray,
    shown: np.ndarray,
) -> Sessions:
    """A part of some animals' recordings, ready to draw from; `shown` masks neurons (n,).

    Arrays have the same shapes whichever animals are chosen, so that all folds of a
    cross-validation share one compiled program.
    """
    padded = np.resize(np.asarray(animals), len(aligned.animals))
    return Sessions(
        jnp.asarray(aligned.values),
        jnp.asarray(aligned.mask & shown),
        jnp.asarray(aligned.dt, jnp.asarray(aligned.values).dtype),
        jnp.asarray(padded, jnp.int32),
        jnp.asarray(len(animals), jnp.int32),
        jnp.asarray(start, jnp.int32),
        jnp.asarray(stop, jnp.int32),
    )


def draw(data: Sessions, key, size: int, frames: int) -> Batch:
    """`size` windows of `frames` frames, uniform over animals and then over starts."""
    which, where = jax.random.split(key)
    animal = data.animals[jax.random.randint(which, (size,), 0, data.count)]
    first, last = data.start[animal], data.stop[animal] - frames
    start = first + jnp.floor(
        jax.random.uniform(where, (size,)) * (last - first + 1).astype(float)
    ).astype(jnp.int32)
    start = jnp.clip(start, first, jnp.maximum(first, last))

    def cut(a, s):
        rows = s + jnp.arange(frames)
        return data.values[a, rows], data.observed[a, rows], data.dt[a, rows]

    values, observed, dt = jax.vmap(cut)(animal, start)
    return Batch(values, observed, dt, animal)
