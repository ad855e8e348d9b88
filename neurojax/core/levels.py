"""How a run is nested: levels for the strides of recorders, blocks after which it is looked at."""

import math
from typing import Any

import jax
import jax.numpy as jnp


def levels(strides: list[int]) -> list[int]:
    """A chain of strides from 1, each a multiple of the one before, on which recorders can sit.

    Example:
        >>> from neurojax.core.levels import levels
        >>> levels([10, 25, 100])
        [1, 5, 10, 100]
    """
    chain = [1]
    if strides and (common := math.gcd(*strides)) > 1:
        chain.append(common)
    for stride in sorted(set(strides)):
        if stride > chain[-1] and stride % chain[-1] == 0:
            chain.append(stride)
    return chain


def seat(chain: list[int], stride: int) -> int:
    """The place in the chain of the largest level whose samples include those of `stride`."""
    return max(i for i, level in enumerate(chain) if stride % level == 0)


def taken(begin: int, steps: int, every: int) -> int:
    """How many of the steps after number `begin` have a number that is a multiple of `every`."""
    return (begin + steps) // every - begin // every


def rows(shape, n: int):
    """Room for `n` samples of a shape."""
    return jax.tree.map(lambda x: jnp.zeros((n, *x.shape), x.dtype), shape)


def block_length(steps: int, stride: int, target: int) -> int:
    """A block length near `target` that is a multiple of `stride` and divides `steps` if it can."""
    fits = [b for b in range(stride, min(steps, 8 * target) + 1, stride) if steps % b == 0]
    near = lambda b: abs(math.log(b / target))
    if fits and near(min(fits, key=near)) < math.log(6):
        return min(fits, key=near)
    return max(stride, target // stride * stride) if steps > 4 * target else max(steps, 1)


def joined(pieces) -> dict[str, Any]:
    """Samples of successive stretches of a run, end to end."""
    whole: dict[str, Any] = {}
    for name in {n: None for piece in pieces for n in piece}:
        parts = [piece[name] for piece in pieces if name in piece]
        whole[name] = (
            parts[0] if len(parts) == 1 else jax.tree.map(lambda *x: jnp.concatenate(x), *parts)
        )
    return whole


def unstacked(samples):
    """Samples [block, sample, ...] of a scan over blocks as [sample, ...]."""
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), samples)
