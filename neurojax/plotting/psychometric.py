"""A psychometric curve."""

from typing import TYPE_CHECKING

import numpy as np

from neurojax.tasks import Psychometric

from ._axes import BLUE, GREY, new_axes, open_frame
from ._given import check_given

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def psychometric(
    table: Psychometric,
    *,
    fit: bool = True,
    label: str | None = None,
    xlabel: str = "evidence",
    colour: str = BLUE,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw how often the positive answer was given, with standard errors, and the fitted curve.

    The curve is left out where a fit is impossible: one level, or one answer throughout.

    Arguments:
        table: of `DecisionTask.psychometric`, or of `neurojax.tasks.psychometric`.
        fit: whether to draw the cumulative normal of the greatest likelihood.
        label: of the curve in a legend.
        xlabel: what the levels are.
        colour: of points and curve.
        ax: where to draw, also a second curve; by default a new figure.

    Returns:
        The axes drawn on.

    Example:
        >>> from neurojax import tasks
        >>> table = tasks.psychometric([-1.0, -1.0, 1.0, 1.0], [False, True, True, True])
        >>> ax = psychometric(table, xlabel="coherence")
        >>> ax.get_ylabel()
        'fraction of positive choices'
    """
    check_given("table", table, Psychometric, "what neurojax.tasks.psychometric returned")
    if ax is None:
        ax = new_axes(4.2, 3.4)
        ax.axhline(0.5, color=GREY, linewidth=0.7, zorder=0)
        ax.axvline(0.0, color=GREY, linewidth=0.7, zorder=0)
    ax.errorbar(
        table.levels, table.fraction, yerr=table.error, fmt="o", color=colour, markersize=4.5,
        elinewidth=1.0, label=label,
    )  # fmt: skip
    positive = table.fraction * table.count
    if fit and len(table.levels) > 1 and 0 < positive.sum() < table.count.sum():
        x = np.linspace(table.levels[0], table.levels[-1], 201)
        ax.plot(x, table.fit()(x), color=colour, linewidth=1.4)
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel(xlabel)
    ax.set_ylabel("fraction of positive choices")
    if label is not None:
        ax.legend(frameon=False)
    open_frame(ax, "left", "bottom")
    return ax
