"""Graphs of groups: stochastic block models and modules."""

from typing import Any

import numpy as np

from ._draws import bernoulli_cells, from_cells
from .builder import Builder
from .edges import Edges, whole_number
from .homogeneous import probability
from .pairs import Pairs


def block(
    probabilities: Any,
    sizes: Any = None,
    post_sizes: Any = None,
    *,
    labels: Any = None,
    post_labels: Any = None,
    self_edges: bool = False,
) -> Builder:
    r"""Stochastic block model: every pair by itself, with a probability that its groups set.

    $P(i \to j) = p_{a(i)\,b(j)}$ with the groups a of i and b of j. The groups are given by their
    sizes, one after another, or by a label for each neuron.

    For a graph that obeys Dale's law give it weights by `Dale(dale_signs(n, labels=...))`.

    Arguments:
        probabilities: [group of pre, group of post].
        sizes: number of neurons in each group of the sending side.
        post_sizes: likewise for the receiving side; default as on the sending side.
        labels: instead of sizes, the group (0, 1, ...) of each neuron of the sending side.
        post_labels: likewise for the receiving side.
        self_edges: whether a neuron that stands on both sides may be joined to itself.

    Raises:
        ValueError: probabilities are no matrix of numbers from 0 to 1, or do not fit the groups;
            when built, if the groups do not fit the numbers of neurons.

    Source: Holland, Laskey and Leinhardt (1983), Social Networks 5:109.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> graph = nj.connectivity.block([[1.0, 0.0], [0.0, 1.0]], sizes=[2, 1])
        >>> edges = graph.build(3, 3, np.random.default_rng(0))
        >>> list(zip(edges.pre.tolist(), edges.post.tolist()))
        [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)]
    """
    p = np.asarray(probabilities)
    if p.ndim != 2 or p.dtype.kind not in "biuf" or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(
            "probabilities must be a matrix [group of pre, group of post] of numbers from 0 to 1, "
            f"got {probabilities!r}"
        )
    if (sizes is None) == (labels is None):
        raise ValueError("block needs the groups of the sending side: give either sizes or labels")
    if post_sizes is not None and post_labels is not None:
        raise ValueError("block: give either post_sizes or post_labels, not both")
    before = _labels("sizes", sizes, "labels", labels, p.shape[0])
    if post_sizes is None and post_labels is None:
        if p.shape[0] != p.shape[1]:
            raise ValueError(
                f"probabilities are for {p.shape[1]} groups of the receiving side: give "
                "post_sizes or post_labels"
            )
        after = before
    else:
        after = _labels("post_sizes", post_sizes, "post_labels", post_labels, p.shape[1])
    arguments = {
        "probabilities": p.astype(np.float64), "labels": before, "post_labels": after,
        "self_edges": self_edges,
    }  # fmt: skip
    return Builder("block", arguments, _block)


def _block(
    pairs: Pairs,
    rng: np.random.Generator,
    probabilities: np.ndarray,
    labels: np.ndarray,
    post_labels: np.ndarray,
    self_edges: bool,
) -> Edges:
    for side, given, n in (("pre", labels, pairs.n_pre), ("post", post_labels, pairs.n_post)):
        if len(given) != n:
            raise ValueError(
                f"block has groups for {len(given)} neurons on the {side} side, but there are {n}"
            )
    before = _members(labels, probabilities.shape[0])
    after = _members(post_labels, probabilities.shape[1])
    found = [(np.zeros(0, np.int32), np.zeros(0, np.int32))]
    for a, sources in enumerate(before):
        for b, targets in enumerate(after):
            n = len(sources) * len(targets)
            cells = bernoulli_cells(n, float(probabilities[a, b]), rng) if n else np.zeros(0)
            if len(cells):
                row, column = from_cells(cells, len(sources), len(targets))
                found.append((sources[row], targets[column]))
    pre, post = (np.concatenate(ends) for ends in zip(*found, strict=True))
    if not self_edges and pairs.n_self:
        kept = pairs.differ(pre, post)
        pre, post = pre[kept], post[kept]
    return Edges(pre, post, pairs.n_pre, pairs.n_post)


def modular(
    groups: int, p_in: float | int, p_out: float | int, *, self_edges: bool = False
) -> Builder:
    """Equal groups with more edges within than between: a block model with two probabilities.

    Each side is cut into groups of neighbours in the index; where the number of neurons is no
    multiple of `groups`, the first groups have one more. The group of i is
    `group_labels(n, groups)[i]`. For groups of different sizes see `block`.

    Arguments:
        groups: number of groups.
        p_in: probability of an edge within a group.
        p_out: probability of an edge between two groups.
        self_edges: whether a neuron that stands on both sides may be joined to itself.

    Raises:
        ValueError: a probability is not between 0 and 1; when built, if there are fewer neurons
            than groups.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> edges = nj.connectivity.modular(2, 1.0, 0.0).build(4, 4, np.random.default_rng(0))
        >>> edges.post.tolist()
        [0, 1, 0, 1, 2, 3, 2, 3]
    """
    arguments = {
        "groups": whole_number("groups", groups, 1), "p_in": probability("p_in", p_in),
        "p_out": probability("p_out", p_out), "self_edges": self_edges,
    }  # fmt: skip
    return Builder("modular", arguments, _modular)


def _modular(
    pairs: Pairs, rng: np.random.Generator, groups: int, p_in: float, p_out: float, self_edges: bool
) -> Edges:
    p = np.where(np.eye(groups, dtype=bool), p_in, p_out)
    before, after = group_labels(pairs.n_pre, groups), group_labels(pairs.n_post, groups)
    return _block(pairs, rng, p, before, after, self_edges)


def group_labels(n: int, groups: int) -> np.ndarray:
    """The group of each of n neurons that are cut into equal groups, as `modular` does.

    Arguments:
        n: number of neurons.
        groups: number of groups; the first n modulo `groups` of them have one neuron more.

    Raises:
        ValueError: there are fewer neurons than groups.

    Example:
        >>> import neurojax as nj
        >>> nj.connectivity.group_labels(5, 2).tolist()
        [0, 0, 0, 1, 1]
    """
    n, groups = whole_number("n", n, 1), whole_number("groups", groups, 1)
    if n < groups:
        raise ValueError(f"{n} neurons cannot be cut into {groups} groups; give fewer groups")
    size, rest = divmod(n, groups)
    sizes = np.full(groups, size, np.int64)
    sizes[:rest] += 1
    return np.repeat(np.arange(groups, dtype=np.int32), sizes)


def _labels(name: str, sizes: Any, other: str, labels: Any, groups: int) -> np.ndarray:
    given = np.asarray(labels if sizes is None else sizes)
    argument = other if sizes is None else name
    if given.ndim != 1 or given.dtype.kind not in "iu" or given.min(initial=0) < 0:
        raise ValueError(f"{argument} must be a vector of non-negative integers, got {given!r}")
    if sizes is None:
        if given.max(initial=0) >= groups:
            raise ValueError(
                f"{argument} has the group {given.max()}, but probabilities are for {groups}: "
                f"0 to {groups - 1}"
            )
        return given.astype(np.int32)
    if len(given) != groups:
        raise ValueError(f"{argument} has {len(given)} groups, but probabilities are for {groups}")
    return np.repeat(np.arange(groups, dtype=np.int32), given.astype(np.int64))


def _members(labels: np.ndarray, groups: int) -> list[np.ndarray]:
    """The neurons of each group."""
    order = np.argsort(labels, kind="stable").astype(np.int32)
    return np.split(order, np.searchsorted(labels[order], np.arange(1, groups)))
