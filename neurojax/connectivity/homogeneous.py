"""Random graphs in which all neurons are alike: independent pairs, fixed degrees, fixed total."""

from typing import Any

import numpy as np

from ._draws import (
    bernoulli_cells,
    cells_with_repeats,
    distinct_cells,
    from_cells,
    rows_of_partners,
)
from ._ordering import transpose
from .builder import Builder
from .edges import Edges, whole_number
from .pairs import Pairs


def probability(name: str, value: Any) -> float:
    """`value` as a float between 0 and 1, or an error that names the argument."""
    if isinstance(value, bool | np.bool_) or not np.isscalar(value) or isinstance(value, str):
        raise TypeError(f"{name} must be a number between 0 and 1, got {value!r}")
    if not 0 <= value <= 1:  # type: ignore
        raise ValueError(f"{name} must be between 0 and 1, got {value}")
    return float(value)  # type: ignore


def bernoulli(p: float | int, *, self_edges: bool = False) -> Builder:
    r"""Every pair by itself with probability p: a directed Erdős-Rényi graph.

    Degrees vary: an in-degree is binomial, $K \sim B(N_\mathrm{pre}, p)$. There are no
    multi-edges.

    Arguments:
        p: probability of an edge.
        self_edges: whether a neuron that stands on both sides may be joined to itself.

    Source: Gilbert (1959), Ann. Math. Statist. 30:1141.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> graph = nj.connectivity.bernoulli(0.02)
        >>> graph
        bernoulli(p=0.02)
        >>> 19000 < len(graph.build(1000, 1000, np.random.default_rng(0))) < 21000
        True
    """
    arguments = {"p": probability("p", p), "self_edges": self_edges}
    return Builder("bernoulli", arguments, _bernoulli)


def _bernoulli(pairs: Pairs, rng: np.random.Generator, p: float, self_edges: bool) -> Edges:
    cells = bernoulli_cells(pairs.n_cells, p, rng)
    pre, post = from_cells(cells, pairs.n_pre, pairs.n_post)
    if not self_edges and pairs.n_self:
        kept = pairs.differ(pre, post)
        pre, post = pre[kept], post[kept]
    return Edges(pre, post, pairs.n_pre, pairs.n_post)


def fixed_indegree(k: Any, *, self_edges: bool = False, multi_edges: bool = False) -> Builder:
    """Every neuron of the receiving side gets exactly k edges, from uniform partners.

    Arguments:
        k: number of edges, one for all or one per receiving neuron.
        self_edges: whether a neuron that stands on both sides may be among its own partners.
        multi_edges: False: the partners are different, a uniform set. True: each is drawn by
            itself, so one may be drawn more than once (the default of NEST).

    Raises:
        ValueError: when built, if there are fewer than k partners.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> graph = nj.connectivity.fixed_indegree(80)
        >>> set(graph.build(500, 30, np.random.default_rng(0)).in_degrees().tolist())
        {80}
    """
    arguments = {"k": _degree(k), "self_edges": self_edges, "multi_edges": multi_edges}
    return Builder("fixed_indegree", arguments, _fixed_indegree)


def _fixed_indegree(
    pairs: Pairs, rng: np.random.Generator, k: Any, self_edges: bool, multi_edges: bool
) -> Edges:
    hole = _holes(pairs.self_of_post, self_edges)
    k = _degrees("fixed_indegree", "sources", k, pairs.n_pre, hole, multi_edges)
    indptr, partners = rows_of_partners(k, pairs.n_pre, hole, not multi_edges, rng)
    pre, post = transpose(indptr, partners, pairs.n_pre)
    return Edges(pre, post, pairs.n_pre, pairs.n_post)


def fixed_outdegree(k: Any, *, self_edges: bool = False, multi_edges: bool = False) -> Builder:
    """Every neuron of the sending side has exactly k edges, to uniform partners.

    Arguments:
        k: number of edges, one for all or one per sending neuron.
        self_edges: whether a neuron that stands on both sides may be among its own partners.
        multi_edges: False: the partners are different, a uniform set. True: each is drawn by
            itself, so one may be drawn more than once (the default of NEST).

    Raises:
        ValueError: when built, if there are fewer than k partners.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> graph = nj.connectivity.fixed_outdegree([1, 0, 3])
        >>> graph.build(3, 8, np.random.default_rng(0)).out_degrees().tolist()
        [1, 0, 3]
    """
    arguments = {"k": _degree(k), "self_edges": self_edges, "multi_edges": multi_edges}
    return Builder("fixed_outdegree", arguments, _fixed_outdegree)


def _fixed_outdegree(
    pairs: Pairs, rng: np.random.Generator, k: Any, self_edges: bool, multi_edges: bool
) -> Edges:
    hole = _holes(pairs.self_of_pre, self_edges)
    k = _degrees("fixed_outdegree", "targets", k, pairs.n_post, hole, multi_edges)
    _, post = rows_of_partners(k, pairs.n_post, hole, not multi_edges, rng)
    pre = np.repeat(np.arange(pairs.n_pre, dtype=np.int32), k)
    return Edges(pre, post, pairs.n_pre, pairs.n_post)


def fixed_total(n: int, *, self_edges: bool = False, multi_edges: bool = False) -> Builder:
    """Exactly n edges between uniform pairs.

    Arguments:
        n: number of edges.
        self_edges: whether a neuron that stands on both sides may be joined to itself.
        multi_edges: False: the pairs are different, a uniform set. True: each is drawn by itself,
            so one may be drawn more than once (as in NEST).

    Raises:
        ValueError: when built, if there are fewer than n pairs.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> len(nj.connectivity.fixed_total(120).build(50, 40, np.random.default_rng(0)))
        120
    """
    arguments = {
        "n": whole_number("n", n, 0), "self_edges": self_edges, "multi_edges": multi_edges,
    }  # fmt: skip
    return Builder("fixed_total", arguments, _fixed_total)


def _fixed_total(
    pairs: Pairs, rng: np.random.Generator, n: int, self_edges: bool, multi_edges: bool
) -> Edges:
    excluded = 0 if self_edges else pairs.n_self
    permitted = pairs.n_cells - excluded
    if n > (permitted if not multi_edges or permitted == 0 else n):
        raise ValueError(
            f"fixed_total(n={n}) needs {n} different pairs, but between {pairs.n_pre} and "
            f"{pairs.n_post} neurons there are {permitted}"
            + _advice("n", n, permitted, excluded, multi_edges)
        )
    draw = cells_with_repeats if multi_edges else distinct_cells
    pre, post = from_cells(draw(n, pairs, self_edges, rng), pairs.n_pre, pairs.n_post)
    return Edges(pre, post, pairs.n_pre, pairs.n_post)


def _degree(k: Any) -> int | np.ndarray:
    if np.ndim(k) == 0:
        return whole_number("k", k.item() if isinstance(k, np.ndarray) else k, 0, 2**31 - 1)
    k = np.asarray(k)
    if k.ndim != 1 or k.dtype.kind not in "iu":
        raise TypeError(f"k must be a whole number or a vector of them, got {k.dtype}{k.shape}")
    if k.min(initial=0) < 0:
        raise ValueError(f"k must not be negative, got {k.min()}")
    return k.astype(np.int64)


def _holes(partner: np.ndarray, self_edges: bool) -> np.ndarray:
    return np.full_like(partner, -1) if self_edges else partner


def _degrees(
    builder: str, side: str, k: Any, n: int, hole: np.ndarray, multi_edges: bool
) -> np.ndarray:
    """One degree per neuron, each of which can be had."""
    if np.ndim(k) == 1 and len(k) != len(hole):
        raise ValueError(f"{builder}: k has {len(k)} entries, but there are {len(hole)} neurons")
    k = np.broadcast_to(np.asarray(k, np.int64), hole.shape)
    there = n - (hole >= 0)
    short = (k > 0) & (there == 0) if multi_edges else k > there
    if short.any():
        i = int(np.argmax(short))
        raise ValueError(
            f"{builder}(k={k[i]}) needs {k[i]} different {side} for a neuron, but there are "
            f"{there[i]}" + _advice("k", k[i], there[i], n - there[i], multi_edges)
        )
    return k


def _advice(name: str, wanted, there, excluded, multi_edges: bool) -> str:
    """How to get as many edges as are wanted, where self-edges are excluded and others there."""
    ways = []
    if there and not multi_edges:
        ways.append("multi_edges=True")
    if excluded and (multi_edges or wanted <= there + excluded):
        ways.append("self_edges=True")
    say = f", or say {' or '.join(ways)}" if ways else ""
    return f"{' without self-edges' if excluded else ''}; lower {name}{say}"
