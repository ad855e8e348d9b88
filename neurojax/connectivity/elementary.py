"""Graphs without chance: all-to-all and one-to-one."""

import numpy as np

from .builder import Builder
from .edges import Edges
from .pairs import Pairs


def all_to_all(*, self_edges: bool = False) -> Builder:
    """Every neuron of the sending side to every one of the receiving side.

    Arguments:
        self_edges: whether a neuron that stands on both sides is joined to itself.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> ids = np.arange(3)
        >>> edges = nj.connectivity.all_to_all().build(
        ...     3, 3, np.random.default_rng(0), pre_ids=ids, post_ids=ids
        ... )
        >>> list(zip(edges.pre.tolist(), edges.post.tolist()))
        [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    """
    return Builder("all_to_all", {"self_edges": self_edges}, _all_to_all)


def _all_to_all(pairs: Pairs, rng: np.random.Generator, self_edges: bool) -> Edges:
    pre = np.repeat(np.arange(pairs.n_pre, dtype=np.int32), pairs.n_post)
    post = np.tile(np.arange(pairs.n_post, dtype=np.int32), pairs.n_pre)
    if not self_edges and pairs.n_self:
        kept = pairs.differ(pre, post)
        pre, post = pre[kept], post[kept]
    return Edges(pre, post, pairs.n_pre, pairs.n_post)


def one_to_one(*, self_edges: bool = False) -> Builder:
    """The neuron with index i to the one with index i; both sides have as many neurons.

    Within one population these are self-edges, which must be asked for.

    Arguments:
        self_edges: whether a neuron may be joined to itself.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> edges = nj.connectivity.one_to_one().build(3, 3, np.random.default_rng(0))
        >>> list(zip(edges.pre.tolist(), edges.post.tolist()))
        [(0, 0), (1, 1), (2, 2)]
    """
    return Builder("one_to_one", {"self_edges": self_edges}, _one_to_one)


def _one_to_one(pairs: Pairs, rng: np.random.Generator, self_edges: bool) -> Edges:
    if pairs.n_pre != pairs.n_post:
        raise ValueError(
            f"one_to_one needs as many neurons on both sides, but there are {pairs.n_pre} and "
            f"{pairs.n_post}"
        )
    index = np.arange(pairs.n_pre, dtype=np.int32)
    if not self_edges and not pairs.differ(index, index).all():
        raise ValueError(
            "one_to_one would join neurons to themselves; if that is meant, say self_edges=True"
        )
    return Edges(index, index, pairs.n_pre, pairs.n_post)
