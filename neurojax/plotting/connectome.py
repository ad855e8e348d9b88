"""A connectome as a matrix, its neurons ordered by type and class."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from neurojax.connectomes import Connectome

from ._given import check_given

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TYPES = ("sensory", "inter", "motor", "pharyngeal")  # in the order of the flow; others follow
_NAMED = 60  # the most neurons whose names can be read along the axes


def connectome(c: Connectome, *, kind: str = "chemical", ax: "Axes | None" = None) -> "Axes":
    """Draw who is wired to whom.

    Rows are presynaptic, columns postsynaptic neurons, both ordered by type (sensory, inter,
    motor, pharyngeal, others), within it by class and name; lines part the types. Each edge is a
    square, coloured by its weight on a logarithmic scale. Up to 60 neurons are named.

    Arguments:
        c: the connectome.
        kind: `chemical` or `gap`.
        ax: where to draw; by default a new figure.

    Returns:
        The axes drawn on; `ax.figure.savefig(...)` keeps the picture.

    Raises:
        ValueError: unknown kind.

    Example:
        >>> from neurojax.connectomes import cook2019
        >>> ax = connectome(cook2019())
        >>> ax.get_ylabel()
        'presynaptic'
    """
    check_given("c", c, Connectome, "a Connectome, such as nj.connectomes.cook2019()")
    if kind not in ("chemical", "gap"):
        raise ValueError(f"kind must be 'chemical' or 'gap', got {kind!r}")
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm

    order = _order(c)
    matrix = (c.chemical if kind == "chemical" else c.gap)[np.ix_(order, order)]
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(8.0, 7.2), dpi=150, layout="constrained").add_subplot()
    weights = matrix[matrix > 0]
    lowest, highest = (weights.min(), weights.max()) if weights.size else (1.0, 1.0)
    image = ax.imshow(
        np.ma.masked_equal(matrix, 0.0),
        norm=LogNorm(lowest, max(highest, 10.0 * lowest)),
        # Without the pale end, which cannot be told from white in single squares.
        cmap=ListedColormap(colormaps["magma_r"](np.linspace(0.25, 1.0, 256))),
        interpolation="nearest",
    )
    ax.figure.colorbar(image, ax=ax, label="weight (synapses or sections)", shrink=0.8)
    if len(c) <= _NAMED:
        ax.set_yticks(range(len(c)), [c.names[i] for i in order])
        ax.set_xticks(range(len(c)), [c.names[i] for i in order], rotation=90)
    _part_types(ax, [c.types[i] for i in order], named=len(c) <= _NAMED)
    count = f"{c.n_chemical} chemical edges" if kind == "chemical" else f"{c.n_gap} gap pairs"
    ax.set_title(f"{len(c)} neurons, {count}")
    ax.set_ylabel("presynaptic" if kind == "chemical" else "neuron")
    ax.set_xlabel("postsynaptic" if kind == "chemical" else "neuron")
    return ax


def _order(c: Connectome) -> Int[np.ndarray, " neuron"]:
    """Positions of the neurons sorted by type, class and name."""
    rank = [_TYPES.index(t) if t in _TYPES else len(_TYPES) for t in c.types]
    lengths = map(len, c.names)  # VA2 before VA10
    keys = list(zip(rank, c.types, c.classes, lengths, c.names, strict=True))
    return np.array(sorted(range(len(c)), key=keys.__getitem__))


def _part_types(ax: "Axes", types: list[str], named: bool) -> None:
    """Lines between the blocks of a type and, unless each neuron is named, the types' names."""
    starts = [i for i, t in enumerate(types) if i == 0 or t != types[i - 1]]
    for start in starts[1:]:
        ax.axhline(start - 0.5, color="0.6", linewidth=0.6)
        ax.axvline(start - 0.5, color="0.6", linewidth=0.6)
    ax.tick_params(length=0)
    if named:
        return
    blocks = list(zip(starts, [*starts[1:], len(types)], strict=True))
    wide = [(a, b) for a, b in blocks if b - a > 0.05 * len(types)]  # the names need room
    middles = [(a + b - 1) / 2 for a, b in wide]
    names = [types[a] for a, _ in wide]
    ax.set_yticks(middles, names, rotation=90, va="center")
    ax.set_xticks(middles, names)
