"""Small-world graphs."""

import numpy as np

from ._draws import redraw_duplicates
from .builder import Builder
from .edges import Edges, whole_number
from .homogeneous import probability
from .pairs import Pairs


def small_world(k: int, p: float | int) -> Builder:
    """A ring on which each neuron sends to its k nearest neighbours, some edges rewired.

    The directed form of Watts and Strogatz: neuron i sends to i ± 1, ..., i ± k/2. Each of these
    edges by itself is rewired with probability p: the neuron keeps it, its target becomes a
    uniform one among those that are neither the neuron nor a target that it has kept. So every
    out-degree is k, there are no self-edges and no multi-edges, p = 0 is the ring and p = 1 is
    `fixed_outdegree(k)`. Edges have no distance; for one see `distance_dependent`.

    Arguments:
        k: number of targets of a neuron, even.
        p: probability that an edge is rewired.

    Raises:
        ValueError: k is odd; when built, if the sides are not one population or k is not less
            than its number of neurons.

    Source: Watts and Strogatz (1998), Nature 393:440.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> ring = nj.connectivity.small_world(k=4, p=0.0).build(10, 10, np.random.default_rng(0))
        >>> ring.post[ring.pre == 0].tolist()
        [1, 2, 8, 9]
    """
    k = whole_number("k", k, 0)
    if k % 2:
        raise ValueError(f"small_world needs an even k, half of it on either side, got {k}")
    return Builder("small_world", {"k": k, "p": probability("p", p)}, _small_world)


def _small_world(pairs: Pairs, rng: np.random.Generator, k: int, p: float) -> Edges:
    n = pairs.one_population("small_world")
    if k >= n:
        raise ValueError(f"small_world(k={k}) needs more than {k} neurons, but there are {n}")
    # Targets as steps round the ring, 1 to n - 1; the last bit marks what is rewired, so that in
    # a sorted row a kept target comes before a rewired one that equals it.
    half = np.arange(1, k // 2 + 1, dtype=np.int64)
    near = 2 * np.concatenate([half, n - half[::-1]])
    coded = np.tile(near, (n, 1))
    rewired = rng.random((n, k)) < p
    draw = lambda count: 2 * rng.integers(1, n, count, dtype=np.int64) + 1
    coded[rewired] = draw(int(np.count_nonzero(rewired)))
    coded.sort(axis=1)
    redraw_duplicates(coded, draw, lambda code: code >> 1)
    pre = np.repeat(np.arange(n, dtype=np.int32), k)
    post = (pre.astype(np.int64) + (coded.ravel() >> 1)) % n
    return Edges(pre, post.astype(np.int32), n, n)
