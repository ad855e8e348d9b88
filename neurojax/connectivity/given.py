"""Graphs that are given: edge lists, matrices, networkx graphs, connectomes.

They are taken as they are: self-edges stay, and so do the multi-edges of an edge list.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.connectomes import Connectome
from neurojax.core.errors import UnknownNameError, suggestion

from .builder import Builder
from .edges import Edges, indices, per_edge
from .pairs import Pairs

if TYPE_CHECKING:
    import networkx
    import scipy.sparse


def from_edges(pre: Any, post: Any, weight: Any = None, delay: Any = None) -> Builder:
    """The edges pre[i] -> post[i].

    Arguments:
        pre: indices on the sending side, in any order.
        post: indices on the receiving side.
        weight: a number or one per edge, in the unit of the receptor (nS, pA or mV).
        delay: ms, positive, a number or one per edge. One number is a whole number of steps.

    Raises:
        ValueError: arrays differ in length or hold what is not finite, or a delay is not positive;
            when built, if an index is beyond the number of neurons.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> graph = nj.connectivity.from_edges([2, 0], [1, 1], weight=[0.5, 3.0], delay=1.5)
        >>> edges = graph.build(3, 2, np.random.default_rng(0))
        >>> edges.pre.tolist(), edges.weight.tolist(), edges.delay.tolist()
        ([0, 2], [3.0, 0.5], [1.5, 1.5])
    """
    pre, post = indices("pre", pre), indices("post", post)
    if len(pre) != len(post):
        raise ValueError(f"pre has {len(pre)} entries, but post has {len(post)}")
    values = {}
    for name, value in (("weight", weight), ("delay", delay)):
        if value is not None:
            value = np.full(len(pre), value) if np.ndim(value) == 0 else value
            values[name] = per_edge(name, value, len(pre))
    if delay is not None:
        _check_delays(values["delay"])
        values["delay"] = float(delay) if np.ndim(delay) == 0 else values["delay"]
    return Builder("from_edges", {"pre": pre, "post": post, **values}, _from_edges)


def _from_edges(pairs: Pairs, rng: np.random.Generator, pre, post, delay=None, **values) -> Edges:
    if delay is not None:
        values["delay"] = np.broadcast_to(delay, len(pre))
    return Edges(pre, post, pairs.n_pre, pairs.n_post, **values)


def from_matrix(W: Any) -> Builder:
    """The edges and weights of a matrix W[pre, post]; where it is zero there is no edge.

    Mind the order: row i holds what neuron i sends. (For a matrix in which W[i, j] is what i
    receives from j, give its transpose.)

    Arguments:
        W: [pre, post], finite numbers in the unit of the receptor, or booleans, which give a
            graph without weights.

    Raises:
        TypeError: W is sparse, or a masked array.
        ValueError: W is no finite matrix; when built, if its shape is not that of the two sides.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> graph = nj.connectivity.from_matrix(np.array([[0.0, 2.5], [-1.0, 0.0]]))
        >>> edges = graph.build(2, 2, np.random.default_rng(0))
        >>> edges.pre.tolist(), edges.post.tolist(), edges.weight.tolist()
        ([0, 1], [1, 0], [2.5, -1.0])
    """
    if hasattr(W, "tocoo"):
        raise TypeError("W must be a dense matrix [pre, post]; a sparse one goes to from_scipy")
    if isinstance(W, np.ma.MaskedArray):
        raise TypeError(
            "W is a masked array, whose mask would be lost: give W.filled(0.0), no edge where it "
            "is masked"
        )
    try:
        W = np.asarray(W)
    except ValueError as error:
        raise ValueError(f"W must be a matrix [pre, post], got rows that differ: {W}") from error
    if W.ndim != 2 or W.dtype.kind not in "biuf":
        raise ValueError(f"W must be a matrix [pre, post] of numbers, got {W.dtype}{W.shape}")
    if not np.isfinite(W).all():
        i, j = np.argwhere(~np.isfinite(W))[0]
        raise ValueError(f"W must be finite, but W[{i}, {j}] is {W[i, j]}")
    return Builder("from_matrix", {"W": W.copy()}, _from_matrix)


def _from_matrix(pairs: Pairs, rng: np.random.Generator, W: np.ndarray) -> Edges:
    _check_shape("from_matrix", W.shape, pairs)
    pre, post = np.nonzero(W)
    weight = None if W.dtype == bool else W[pre, post].astype(np.float64)
    return Edges(pre, post, pairs.n_pre, pairs.n_post, weight=weight)


def from_scipy(matrix: "scipy.sparse.sparray | scipy.sparse.spmatrix") -> Builder:
    """The stored entries of a sparse matrix [pre, post], with their values as weights.

    A zero that is stored is an edge of weight 0, except in the format dia, whose diagonals are
    filled up with zeros: there no zero is an edge. (A block of bsr is stored whole, with its
    zeros.) Entries stored twice are added, as scipy does.

    Arguments:
        matrix: any format of `scipy.sparse`; values in the unit of the receptor, or booleans,
            which give a graph without weights.

    Raises:
        TypeError: it is no sparse matrix.
        ValueError: a value is not finite; when built, if the shape is not that of the two sides.

    Example:
        >>> import numpy as np, scipy.sparse, neurojax as nj
        >>> matrix = scipy.sparse.csr_array(np.array([[0.0, 2.5], [-1.0, 0.0]]))
        >>> nj.connectivity.from_scipy(matrix).build(2, 2, np.random.default_rng(0)).weight.tolist()
        [2.5, -1.0]
    """
    from scipy.sparse import csr_array, issparse

    if not issparse(matrix):
        raise TypeError(
            f"matrix must be a scipy.sparse matrix, got {type(matrix).__name__}; "
            "a dense one goes to from_matrix"
        )
    entries: Any = matrix
    if len(entries.shape) != 2:
        raise ValueError(f"matrix must be [pre, post], got one of shape {entries.shape}")
    if entries.dtype.kind in "iuf":
        entries = entries.astype(np.float64)  # before duplicates are added
    rows = csr_array(entries, copy=True)
    rows.sum_duplicates()
    per_edge("values of matrix", rows.data, rows.nnz)
    return Builder("from_scipy", {"matrix": rows}, _from_scipy)


def _from_scipy(pairs: Pairs, rng: np.random.Generator, matrix: Any) -> Edges:
    _check_shape("from_scipy", matrix.shape, pairs)
    pre = np.repeat(np.arange(pairs.n_pre, dtype=np.int32), np.diff(matrix.indptr))
    weight = None if matrix.dtype == bool else matrix.data
    return Edges(pre, matrix.indices, pairs.n_pre, pairs.n_post, weight=weight)


def from_networkx(
    graph: "networkx.Graph", weight: str | None = "weight", delay: str | None = "delay"
) -> Builder:
    """The edges of a networkx graph; neurons are its nodes in the order of `graph.nodes`.

    An undirected edge becomes two directed ones, a self-loop one. Parallel edges of a multigraph
    become multi-edges.

    Arguments:
        graph: any kind of networkx graph.
        weight: name of the attribute of edges that holds the weight; where no edge has a
            `"weight"` the graph is built without weights.
        delay: name of the attribute that holds the delay, ms; likewise.

    Raises:
        TypeError: it is no networkx graph.
        UnknownNameError: no edge has an attribute of another name than these two.
        ValueError: some edges have the attribute and others not, or a delay is not positive; when
            built, if the numbers of neurons are not the number of nodes.

    Example:
        >>> import networkx as nx, numpy as np, neurojax as nj
        >>> graph = nj.connectivity.from_networkx(nx.path_graph(3))
        >>> edges = graph.build(3, 3, np.random.default_rng(0))
        >>> list(zip(edges.pre.tolist(), edges.post.tolist()))
        [(0, 1), (1, 0), (1, 2), (2, 1)]
    """
    if not all(hasattr(graph, part) for part in ("nodes", "edges", "is_directed")):
        raise TypeError(
            f"graph must be a networkx graph, got {type(graph).__name__}; a matrix goes to "
            "from_matrix, a sparse one to from_scipy"
        )
    index = {node: i for i, node in enumerate(graph.nodes)}
    found = list(graph.edges(data=True))
    if not graph.is_directed():
        found += [(b, a, data) for a, b, data in found if a != b]
    values = {}
    for name, attribute in (("weight", weight), ("delay", delay)):
        have = [attribute in data for _, _, data in found]
        if attribute is not None and attribute != name and found and not any(have):
            known = sorted({str(key) for _, _, data in found for key in data})
            raise UnknownNameError(
                f"no edge has the attribute {name}={attribute!r}.{suggestion(attribute, known)}"
            )
        if attribute is None or not any(have):
            continue
        if not all(have):
            a, b, _ = found[have.index(False)]
            raise ValueError(
                f"some edges have the attribute {attribute!r}, but the one from {a!r} to {b!r} "
                f"has not; give it to all, or say {name}=None"
            )
        values[name] = per_edge(name, [data[attribute] for _, _, data in found], len(found))
    if "delay" in values:
        _check_delays(values["delay"])
    arguments = {
        "nodes": len(index),
        "pre": np.array([index[a] for a, _, _ in found], np.int32),
        "post": np.array([index[b] for _, b, _ in found], np.int32),
    }
    return Builder("from_networkx", {**arguments, **values}, _from_networkx)


def _from_networkx(pairs: Pairs, rng: np.random.Generator, nodes: int, **edges) -> Edges:
    _check_shape("from_networkx", (nodes, nodes), pairs)
    return _from_edges(pairs, rng, **edges)


def from_connectome(
    connectome: Connectome, kind: str = "chemical", *, signed: bool = False
) -> Builder:
    """The edges of a connectome, with its numbers of synapses as weights.

    Neurons are in the order of `connectome.names` on both sides. A gap junction between two
    neurons is two edges, there and back; one of a neuron with itself is left out. Where all
    positions of cell bodies are known, edges have the distance between them, um.

    Arguments:
        connectome: such as `nj.connectomes.cook2019()`.
        kind: `"chemical"` or `"gap"`.
        signed: weights of inhibitory edges are negative; chemical only.

    Raises:
        TypeError: it is no connectome.
        ValueError: an unknown kind, `signed` where an edge has no known sign; when built, if the
            numbers of neurons are not that of the connectome.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> worm = nj.connectomes.cook2019()
        >>> graph = nj.connectivity.from_connectome(worm, "gap")
        >>> len(graph.build(302, 302, np.random.default_rng(0))) == 2 * worm.n_gap
        True
    """
    if not isinstance(connectome, Connectome):
        raise TypeError(
            "connectome must be a Connectome, such as nj.connectomes.cook2019(), got "
            f"{type(connectome).__name__}; a matrix goes to from_matrix"
        )
    if kind not in ("chemical", "gap"):
        raise ValueError(f"unknown kind {kind!r}.{suggestion(kind, ['chemical', 'gap'])}")
    if kind == "gap":
        if signed:
            raise ValueError("signed=True is for kind='chemical': a gap junction has no sign")
        i, j = connectome.gap_edges()
        pre, post = np.concatenate([i, j]), np.concatenate([j, i])
        weight = connectome.gap[pre, post]
    else:
        pre, post = connectome.chemical_edges()
        weight = connectome.chemical[pre, post]
        if signed:
            signs = connectome.signs[pre, post]
            if (signs == 0).any():
                e = int(np.argmax(signs == 0))
                a, b = connectome.names[pre[e]], connectome.names[post[e]]
                raise ValueError(
                    f"signed=True, but {np.count_nonzero(signs == 0)} of {len(signs)} edges have "
                    f"no known sign, the one from {a} to {b} among them; give them signs "
                    "with dataclasses.replace(connectome, signs=...)"
                )
            weight = weight * signs
    arguments = {
        "neurons": len(connectome), "kind": kind, "signed": signed, "pre": pre.astype(np.int32),
        "post": post.astype(np.int32), "weight": weight,
    }  # fmt: skip
    if np.isfinite(connectome.positions).all():
        ends = connectome.positions[pre], connectome.positions[post]
        arguments["distance"] = np.sqrt(np.sum((ends[0] - ends[1]) ** 2, axis=1))
    return Builder("from_connectome", arguments, _from_connectome)


def _from_connectome(
    pairs: Pairs, rng: np.random.Generator, neurons: int, kind: str, signed: bool, **edges
) -> Edges:
    _check_shape("from_connectome", (neurons, neurons), pairs)
    return _from_edges(pairs, rng, **edges)


def _check_delays(delay: np.ndarray) -> None:
    if delay.min(initial=np.inf) <= 0:
        raise ValueError(
            f"delay must be positive (ms), got {delay.min():g}: a spike arrives one step later at "
            "the earliest"
        )


def _check_shape(builder: str, shape: tuple[int, ...], pairs: Pairs) -> None:
    if tuple(shape) != (pairs.n_pre, pairs.n_post):
        raise ValueError(
            f"{builder} is a graph from {shape[0]} to {shape[1]} neurons, but the projection is "
            f"from {pairs.n_pre} to {pairs.n_post}"
        )
