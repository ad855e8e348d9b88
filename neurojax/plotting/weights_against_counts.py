"""Fitted weights against the numbers of synapses that the connectome counts."""

import itertools
from typing import TYPE_CHECKING

import numpy as np

from neurojax.fitting import Fit, edge_weights

from ._axes import BLUE, GREEN, dark, open_frame
from ._given import check_given

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOT_BIOLOGY = (
    "These weights predict hidden neurons; they are not to be read as the sizes of real synapses."
)


def weights_against_counts(fit: Fit) -> "Figure":
    """Draw the size of each fitted weight over the count of its edge, both logarithmic.

    Left are chemical synapses, right gap junctions. The title gives the correlation of the size
    with log(1 + count); short lines are medians of five groups of edges of about the same number.

    Arguments:
        fit: what `neurojax.fit` returned, for a `ConnectomeCircuit`.

    Returns:
        A figure with two axes.

    Raises:
        ValueError: the circuit has no weights on a connectome's edges.

    Example:
        >>> import jax, neurojax as nj
        >>> worm = nj.recordings.load("dag2023")[0]
        >>> circuit = nj.circuits.ConnectomeCircuit(
        ...     nj.connectomes.cook2019().subset(worm.labels[:9])
        ... )
        >>> fit = nj.fit(circuit, worm, steps=3, progress=False, key=jax.random.key(0))
        >>> len(weights_against_counts(fit).axes)
        2
    """
    check_given("fit", fit, Fit, "what nj.fit returned")
    from matplotlib.figure import Figure

    found = edge_weights(fit.circuit)
    if found is None:
        raise ValueError(
            f"{type(fit.circuit).__name__} has no weights on the edges of a connectome; this "
            "picture is for a ConnectomeCircuit"
        )
    figure = Figure(figsize=(9.0, 4.2), dpi=150, layout="constrained")
    kinds = zip(figure.subplots(1, 2), found.items(), (BLUE, GREEN), strict=True)
    for ax, (kind, edges), colour in kinds:
        sizes = np.abs(edges.weights)
        ax.set_title(f"{kind}: {len(sizes)} edges", loc="left", fontsize=11)
        if len(sizes):
            floor = max(float(np.quantile(sizes, 0.01)), 1e-12)  # a log axis has no place for 0
            ax.scatter(edges.counts, np.maximum(sizes, floor), s=9, color=colour, alpha=0.35,
                       linewidths=0)  # fmt: skip
            ax.set_xscale("log")
            ax.set_yscale("log")
            if np.isfinite(edges.correlation):
                ax.set_title(f"r = {edges.correlation:+.2f}", loc="right", fontsize=11)
            _plain_ticks(ax.xaxis, (1, 2, 5))
            _plain_ticks(ax.yaxis, (1, 3))
            _medians(ax, edges.counts, sizes)
        ax.set_xlabel("count in the connectome (synapses or sections)")
        ax.set_ylabel("fitted |w|" if kind == "chemical" else "fitted g")
        open_frame(ax, "left", "bottom")
    figure.supxlabel(NOT_BIOLOGY, fontsize=9, color=dark())
    return figure


def _plain_ticks(axis, digits: tuple[int, ...]) -> None:
    """Ticks at these digits of each decade, written as plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _medians(ax, counts: np.ndarray, sizes: np.ndarray) -> None:
    """A short line at the median size of each fifth of the edges, in order of count."""
    if len(counts) < 25:
        return
    bounds = np.unique(np.quantile(counts, np.linspace(0, 1, 6)))
    last = len(bounds) - 2
    for k, (low, high) in enumerate(itertools.pairwise(bounds)):
        inside = (counts >= low) & ((counts <= high) if k == last else (counts < high))
        if inside.any():
            ax.hlines(np.median(sizes[inside]), low, high, color=dark(), linewidth=2)
