"""Distances of states against the distances of the inputs that led to them."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._activity import activity, real


class Distances(NamedTuple):
    """Root-mean-square distances of all pairs.

    Arguments:
        inputs: [pair], of inputs.
        states: [pair], of states.
        gain: how many times further apart states are than inputs: the slope of the line through
            the origin, by least squares.

    Example:
        >>> distances([[0.0], [1.0]], [[0.0], [3.0]]).gain.item()
        3.0
    """

    inputs: Float[Array, " pair"]
    states: Float[Array, " pair"]
    gain: Float[Array, ""]


def distances(inputs: Any, states: Any) -> Distances:
    r"""The distance of states against the distance of inputs, for all pairs of samples.

    $$d(a, b) = \Big(\frac{1}{n} \sum_i (a_i - b_i)^2\Big)^{1/2}$$

    The separation property of a liquid is that states differ where inputs do; a gain above 1
    pulls inputs apart, below 1 together.

    Arguments:
        inputs: [sample, ...]: an input series, or anything else with one axis of samples.
        states: [sample, unit]: the states that they led to.

    Returns:
        Distances of pairs (0, 1), (0, 2), ..., (1, 2), ..., and the gain.

    Raises:
        ValueError: for numbers of samples that differ, or fewer than two.

    Source:
        Maass, Natschläger and Markram (2002), Neural Computation 14:2531.

    Example:
        >>> distances([[0.0], [1.0], [3.0]], [[0.0], [2.0], [6.0]]).states.tolist()
        [2.0, 6.0, 4.0]
    """
    y = activity(states, "states")
    x = jnp.asarray(inputs)
    if x.ndim < 1 or x.shape[0] != y.shape[0]:
        raise ValueError(f"inputs must have {y.shape[0]} samples as the states, got {x.shape}")
    x = real(x.reshape(x.shape[0], -1), "inputs").astype(y.dtype)
    i, j = np.triu_indices(y.shape[0], k=1)
    apart = lambda a: jnp.sqrt(jnp.mean((a[i] - a[j]) ** 2, axis=1))
    of_inputs, of_states = apart(x), apart(y)
    square = jnp.sum(of_inputs**2)
    gain = jnp.sum(of_inputs * of_states) / jnp.where(square > 0, square, jnp.nan)
    return Distances(of_inputs, of_states, gain)
