"""Held-out scores of a circuit beside its controls and the baselines."""

from typing import TYPE_CHECKING

import numpy as np

from neurojax.fitting import Fit, Scores, average
from neurojax.fitting.scores import one_row_per_kind

from ._axes import BLUE, GREY, ORANGE, dark, new_axes, open_frame
from ._given import check_given

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def score_bars(fit: Fit, protocol: str | None = None, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the mean correlation of hidden neurons with their recording, by method.

    Blue is the circuit, orange its controls (the shuffled connectomes as one bar, their mean),
    grey the baselines; a point is an animal.

    Arguments:
        fit: what `neurojax.fit` returned.
        protocol: a key of `fit.rows`; by default the strictest there is.
        ax: where to draw; by default a new figure.

    Returns:
        The axes drawn on.

    Raises:
        ValueError: the fit has no scores, or none of this protocol.

    Example:
        >>> import jax, neurojax as nj
        >>> worm = nj.recordings.load("dag2023")[0]
        >>> circuit = nj.circuits.ConnectomeCircuit(
        ...     nj.connectomes.cook2019().subset(worm.labels[:9])
        ... )
        >>> fit = nj.fit(circuit, worm, steps=3, progress=False, key=jax.random.key(0))
        >>> score_bars(fit, "later time").get_yticklabels()[0].get_text()
        'circuit'
    """
    check_given("fit", fit, Fit, "what nj.fit returned")
    fit.scores(protocol)  # says what is wrong if there are none
    protocol = list(fit.rows)[-1] if protocol is None else protocol
    circuit, *controls = _own(fit, protocol)
    rows = [(circuit, BLUE)]
    rows += [(row, ORANGE) for row in controls]
    baselines = [row for row in fit.baselines.get(protocol, []) if row.name != "train mean"]
    rows += [(row, GREY) for row in one_row_per_kind(baselines)]
    if ax is None:
        ax = new_axes(7.5, 1.1 + 0.36 * len(rows))
    for place, (row, colour) in enumerate(rows):
        ax.barh(place, row.mean, height=0.68, color=colour, alpha=0.85, zorder=1)
        points = row.r_by_animal[np.isfinite(row.r_by_animal)]
        jitter = np.linspace(-0.18, 0.18, len(points)) if len(points) > 1 else np.zeros(len(points))
        ax.plot(
            points, place + jitter, "o", color="white", markeredgecolor=dark(), markersize=4,
            markeredgewidth=0.8, zorder=3,
        )  # fmt: skip
    right = max([0.0] + [float(np.nanmax(row.r_by_animal)) for row, _ in rows])
    left = min([0.0] + [float(np.nanmin(row.r_by_animal)) for row, _ in rows])
    for place, (row, _) in enumerate(rows):
        weight = "bold" if place == 0 else "normal"
        ax.text(right * 1.04 + 0.005, place, f"{row.mean:.3f}", va="center", fontweight=weight)
    ax.axvline(circuit.mean, color=BLUE, linewidth=0.9, linestyle=(0, (4, 3)), zorder=2)
    ax.set_yticks(range(len(rows)), [row.name for row, _ in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(min(0.0, left * 1.1), right * 1.16 + 0.01)
    ax.set_xlabel("correlation r of hidden neurons with their recording")
    ax.set_title(protocol, loc="left", fontsize=11)
    ax.tick_params(axis="y", length=0)
    open_frame(ax, "bottom")
    return ax


def _own(fit: Fit, protocol: str) -> list[Scores]:
    """The circuit and its controls; shuffled connectomes as one row, their mean."""
    by_method = {m: average(seeds, m) for m, seeds in fit.rows[protocol].items()}
    shuffled = [row for name, row in by_method.items() if name.startswith("shuffled")]
    rows = [row for name, row in by_method.items() if not name.startswith("shuffled")]
    if shuffled:
        name = f"shuffled connectome (mean of {len(shuffled)})" if len(shuffled) > 1 else (
            "shuffled connectome"
        )  # fmt: skip
        rows.insert(1, average(shuffled, name))
    return rows
