"""Synapses as dots, with the distributions of in- and out-degrees."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ._axes import BLUE, VERMILION, dark, inches, new_axes, open_frame, whole_numbers
from ._synapses import weights_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def connectivity(source: Any, *, degrees: bool = True, ax: "Axes | None" = None) -> "Axes":
    """Draw who is wired to whom: a dot for each pair with a synapse.

    Rows are presynaptic, columns postsynaptic neurons; where a projection joins parts of
    populations, or several, they are counted from 0 in its order. Pairs whose weight is negative
    are red, all others blue. At the right are histograms of how many synapses neurons receive and
    send.

    Arguments:
        source: a projection of a network (`net.projections["E->I:exc"]`), a network that has one,
            `nj.connectivity.Edges`, or a matrix (presynaptic, postsynaptic) of weights or
            booleans, dense or of scipy.sparse.
        degrees: whether to draw the histograms.
        ax: where to draw, the dots alone; by default a new figure.

    Returns:
        The axes of the dots; those of the in-degrees and out-degrees follow in
        `ax.figure.axes`.

    Raises:
        ValueError: the matrix has not two axes, or a weight is NaN.
        TypeError: a network with several projections, or none, is given, or what is no matrix of
            numbers, such as a builder of `nj.connectivity`.

    Example:
        >>> import numpy as np
        >>> ax = connectivity(np.array([[0.0, 1.0], [-2.0, 0.0]]))
        >>> ax.get_title(loc="left"), ax.lines[0].get_xydata().tolist()
        ('2 synapses, 2 → 2 neurons', [[1.0, 0.0]])
    """
    source = _one_projection(source)
    pre, post, weight, n_pre, n_post = _edges(source)
    right = None
    if ax is None:
        ax, right = _panels(degrees)
    if weight is not None and np.isnan(weight).any():
        raise ValueError(
            f"weights must be numbers, there are {int(np.isnan(weight).sum())} NaN among "
            f"{weight.size}: where there is no synapse a matrix has a 0"
        )
    width, height = inches(ax)
    if n_pre == n_post:
        width = height = min(width, height)
    mark = _mark(width / max(n_post, 1), height / max(n_pre, 1))
    negative = np.zeros(len(pre), bool) if weight is None else weight < 0
    for part, colour, label in ((~negative, BLUE, "w ≥ 0"), (negative, VERMILION, "w < 0")):
        ax.plot(
            post[part], pre[part], linestyle="none", color=colour, rasterized=True, label=label,
            **mark,
        )  # fmt: skip
    ax.set_xlim(-0.5, n_post - 0.5)
    ax.set_ylim(n_pre - 0.5, -0.5)
    ax.set_aspect("auto" if n_pre != n_post else "equal")
    whole_numbers(ax.xaxis, ax.yaxis)
    ax.set_xlabel("postsynaptic neuron" + _part_of(getattr(source, "target", ())))
    ax.set_ylabel("presynaptic neuron" + _part_of(getattr(source, "source", ())))
    ax.set_title(f"{len(pre)} synapses, {n_pre} → {n_post} neurons", loc="left", fontsize=11)
    if negative.any():
        legend = ax.legend(
            frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), handletextpad=0.0,
            borderaxespad=0.0,
        )  # fmt: skip
        for handle in legend.get_lines():  # dots may be too small to tell their colour
            handle.set(marker="s", markersize=6.0, markeredgewidth=0.0)
    if right is not None:
        _histogram(right[0], np.bincount(post, minlength=n_post), "in-degree")
        _histogram(right[1], np.bincount(pre, minlength=n_pre), "out-degree")
    return ax


def _one_projection(source: Any):
    """The projection of a network that has one; anything else as it is."""
    if not hasattr(source, "projections"):
        return source
    if len(source.projections) == 1:
        return next(iter(source.projections.values()))
    names = ", ".join(map(repr, source.projections)) or "none"
    raise TypeError(
        f"the network has {len(source.projections)} projections ({names}): give one, as in "
        "net.projections[name]"
    )


def _mark(width: float, height: float) -> dict[str, Any]:
    """The mark of a synapse in a cell of this size (inches): seen in any, and nowhere large."""
    wide, high = np.clip(0.9 * 72.0 * np.array([width, height]), 0.7, 12.0).tolist()
    if wide == high:
        return {"marker": "s", "markersize": wide, "mew": 0.0}
    return {"marker": "|" if wide < high else "_", "markersize": max(wide, high),
            "mew": min(wide, high)}  # fmt: skip


def _part_of(groups) -> str:
    """Which neurons the side of a projection has."""
    if len(groups) == 1 and groups[0][1] is None:
        return f" of {groups[0][0]}"
    names = ", ".join(name if part is None else f"{name}{part!r}" for name, part in groups)
    return f" (counted within {names})" if names else ""


def _edges(source: Any):
    """Ends of the synapses, their weights or `None`, and the numbers of neurons."""
    if hasattr(source, "edges") and hasattr(source, "weights"):
        edges = source.edges.to_edges() if hasattr(source.edges, "to_edges") else source.edges
        pre, post = np.asarray(edges.pre), np.asarray(edges.post)
        return pre, post, weights_of(source), edges.n_pre, edges.n_post
    if all(hasattr(source, name) for name in ("pre", "post", "n_pre", "n_post")):
        weight = getattr(source, "weight", None)
        weight = None if weight is None else np.asarray(weight)
        return np.asarray(source.pre), np.asarray(source.post), weight, source.n_pre, source.n_post
    if hasattr(source, "tocoo"):
        entries = source.tocoo()
        kept = entries.data != 0
        n_pre, n_post = entries.shape
        return entries.row[kept], entries.col[kept], entries.data[kept].astype(float), n_pre, n_post
    if isinstance(source, np.ma.MaskedArray):
        raise TypeError("source is a masked array: give source.filled(0.0), 0 where it is masked")
    matrix = np.asarray(source)
    if matrix.dtype.kind not in "biuf":
        raise TypeError(
            "source must be a projection, a network, nj.connectivity.Edges or a matrix of numbers, "
            f"got {type(source).__name__}{_hint(source)}"
        )
    if matrix.ndim != 2:
        raise ValueError(
            f"a matrix (presynaptic, postsynaptic) is needed, got an array of shape {matrix.shape}"
        )
    pre, post = np.nonzero(matrix)
    return pre, post, matrix[pre, post].astype(float), *matrix.shape


def _hint(source: Any) -> str:
    """What to give in place of something that knows of synapses, but does not list them."""
    given = {
        "to_edges": "its to_edges()",
        "to_dense": "its to_dense()",
        "build": "what its build() gives, or net.projections[name] of a network that is made of it",
    }
    return next((f": give {what}" for name, what in given.items() if hasattr(source, name)), "")


def _panels(degrees: bool):
    first = new_axes(8.0 if degrees else 5.6, 5.2)
    if not degrees:
        return first, None
    figure = first.figure
    first.remove()
    grid = figure.add_gridspec(2, 2, width_ratios=[2.2, 1.0])
    ax = figure.add_subplot(grid[:, 0])
    return ax, (figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1]))


def _histogram(ax: "Axes", degrees: np.ndarray, name: str) -> None:
    low, high = (int(degrees.min()), int(degrees.max())) if degrees.size else (0, 0)
    width = max(1, -(-(high - low + 1) // 40))  # whole numbers in each bar
    edges = np.arange(low, high + width + 1, width) - 0.5
    counts, _ = np.histogram(degrees, edges)
    ax.stairs(counts, edges, fill=True, color=dark(), alpha=0.75)
    if low == high:
        ax.set_xlim(max(-0.5, low - 5.5), low + 5.5)  # one bar, not a wall
    ax.set_ylim(bottom=0.0)
    whole_numbers(ax.xaxis, ax.yaxis)
    ax.set_xlabel(name)
    ax.set_ylabel("neurons")
    open_frame(ax, "left", "bottom")
