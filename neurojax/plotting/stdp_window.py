"""The window of a spike-timing dependent rule."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ._axes import BLUE, GREY, VERMILION, new_axes, open_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def stdp_window(lag: Any, change: Any, *, unit: str = "", ax: "Axes | None" = None) -> "Axes":
    """Draw the change of a weight against the lag of a pair of spikes.

    Lags of either sign are lines of their own: the jump between them is not joined. A single one
    is a dot.

    Arguments:
        lag: t_post - t_pre in ms.
        change: change of the weight for each.
        unit: of the change, for the axis.
        ax: where to draw; by default a new figure.

    Returns:
        The axes drawn on.

    Raises:
        ValueError: the two are not equally long, or a number is not finite.

    Example:
        >>> import numpy as np
        >>> lag = np.arange(-40.0, 41.0)
        >>> ax = stdp_window(lag, np.sign(lag) * np.exp(-np.abs(lag) / 20.0))
        >>> ax.get_xlabel()
        '$t_{post} - t_{pre}$ (ms)'
    """
    lag, change = np.asarray(lag, float), np.asarray(change, float)
    if lag.ndim != 1 or lag.shape != change.shape:
        raise ValueError(
            f"lag and change must be equally long lists, got {lag.shape} and {change.shape}"
        )
    for name, values in (("lag", lag), ("change", change)):
        if not np.all(np.isfinite(values)):
            where = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"{name} must be finite, got {values[where]} at {where}: leave it out")
    if ax is None:
        ax = new_axes(5.2, 3.4)
    order = np.argsort(lag, kind="stable")
    lag, change = lag[order], change[order]
    for part, colour in ((lag < 0, VERMILION), (lag > 0, BLUE)):
        marker = "o" if part.sum() == 1 else None  # a line of one point is not seen
        ax.plot(lag[part], change[part], marker=marker, color=colour, linewidth=1.6)
    together = (lag == 0) & (change != 0)
    ax.plot(lag[together], change[together], "o", color=GREY, markersize=4)
    ax.axhline(0.0, color=GREY, linewidth=0.7, zorder=0)
    ax.axvline(0.0, color=GREY, linewidth=0.7, zorder=0)
    ax.set_xlabel("$t_{post} - t_{pre}$ (ms)")
    ax.set_ylabel(f"change of the weight ({unit})" if unit else "change of the weight")
    open_frame(ax, "left", "bottom")
    return ax
