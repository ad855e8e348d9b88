"""Random rewiring of an edge list, on the host.

The swap chains draw two edges and exchange ends unless that would make a self edge or a second
edge between the same neurons. All moves are symmetric, so the chain leaves the uniform
distribution over graphs with these degrees unchanged.
"""

import jax
import numpy as np

# Measured on the Cook and Varshney graphs: from about 5 attempts per edge on, as many edges are
# where they were as in a long chain.
_ATTEMPTS_PER_EDGE = 20


def generator(key: jax.Array) -> np.random.Generator:
    """A numpy generator seeded by all bits of one jax key."""
    try:
        words = np.asarray(jax.random.key_data(key))
    except TypeError as error:
        raise TypeError(
            f"key must be a jax key such as jax.random.key(0), got {type(key).__name__}"
        ) from error
    if words.ndim != 1:
        raise ValueError(f"key must be one key, got an array of keys of shape {words.shape[:-1]}")
    return np.random.default_rng(words)


def swap_directed(
    pre: np.ndarray, post: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Edges i -> j and k -> l become i -> l and k -> j. Each edge keeps its source."""
    source, target = pre.tolist(), post.tolist()
    taken = _taken(source, target, n)
    for a, b in _pairs(len(source), rng).tolist():
        i, j, k, l = source[a], target[a], source[b], target[b]
        if i == l or k == j or taken[i * n + l] or taken[k * n + j]:
            continue
        taken[i * n + j] = taken[k * n + l] = 0
        taken[i * n + l] = taken[k * n + j] = 1
        target[a], target[b] = l, j
    return pre.copy(), np.array(target, dtype=post.dtype)


def swap_undirected(
    left: np.ndarray, right: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs i - j and k - l become i - l and k - j, or i - k and l - j, each as often."""
    first, second = left.tolist(), right.tolist()
    taken = _taken(first + second, second + first, n)
    pairs = _pairs(len(first), rng)
    turned = rng.integers(2, size=len(pairs))
    for (a, b), turn in zip(pairs.tolist(), turned.tolist(), strict=True):
        i, j, k, l = first[a], second[a], first[b], second[b]
        if turn:
            k, l = l, k
        if i == l or k == j or taken[i * n + l] or taken[k * n + j]:
            continue
        for p, q, there in ((i, j, 0), (k, l, 0), (i, l, 1), (k, j, 1)):
            taken[p * n + q] = taken[q * n + p] = there
        second[a] = l
        first[b], second[b] = k, j
    ends = np.array([first, second], dtype=left.dtype)
    return ends.min(axis=0), ends.max(axis=0)


def place_directed(count: int, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`count` different ordered pairs of different neurons, all equally likely."""
    if count == 0:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    pre, post = np.divmod(rng.choice(n * (n - 1), size=count, replace=False), n - 1)
    return pre, post + (post >= pre)  # leaves the diagonal out


def place_undirected(count: int, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`count` different pairs of different neurons, all equally likely."""
    left, right = np.triu_indices(n, k=1)
    if count == 0:
        return left[:0], right[:0]
    chosen = rng.choice(len(left), size=count, replace=False)
    return left[chosen], right[chosen]


def _pairs(edges: int, rng: np.random.Generator) -> np.ndarray:
    """The two edges of every attempt; drawing the same one twice changes nothing."""
    return rng.integers(max(edges, 1), size=(_ATTEMPTS_PER_EDGE * edges, 2))


def _taken(source: list[int], target: list[int], n: int) -> bytearray:
    """A flat [n, n] table of 1 where there is an edge: quick to look up one by one."""
    table = bytearray(n * n)
    for i, j in zip(source, target, strict=True):
        table[i * n + j] = 1
    return table
