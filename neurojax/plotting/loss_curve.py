"""The loss of a fit over its steps."""

from typing import TYPE_CHECKING

import numpy as np

from neurojax.fitting import Fit

from ._axes import BLUE, new_axes, open_frame
from ._given import check_given

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def loss_curve(fit: Fit, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the training loss of the circuit's fit to all animals, one line per seed.

    Pale points are single steps, each with a minibatch of its own; the line is their mean over
    the last 2 % of the steps, at least five.

    Arguments:
        fit: what `neurojax.fit` returned.
        ax: where to draw; by default a new figure.

    Returns:
        The axes drawn on.

    Example:
        >>> import jax, neurojax as nj
        >>> worm = nj.recordings.load("dag2023")[0]
        >>> circuit = nj.circuits.ConnectomeCircuit(
        ...     nj.connectomes.cook2019().subset(worm.labels[:4])
        ... )
        >>> fit = nj.fit(circuit, worm, steps=3, progress=False, key=jax.random.key(0))
        >>> loss_curve(fit).get_xlabel()
        'step'
    """
    check_given("fit", fit, Fit, "what nj.fit returned")
    if ax is None:
        ax = new_axes(7.0, 3.4)
    steps = np.arange(1, len(fit.losses) + 1)
    for seed, losses in enumerate(fit.losses.T):
        best = seed == fit.best_seed
        colour = BLUE if best else "#A6A6A6"
        ax.plot(steps, losses, ".", color=colour, alpha=0.25, markersize=3, zorder=1 + best)
        label = None
        if fit.losses.shape[1] > 1:
            label = f"seed {seed}, kept" if best else f"seed {seed}"
        smooth = _running_mean(losses, max(5, len(losses) // 50))
        ax.plot(steps, smooth, color=colour, linewidth=1.8, zorder=3 + best, label=label)
    ax.set_xlabel("step")
    ax.set_ylabel("loss")
    ax.set_xlim(0, len(steps) + 1)
    finite = fit.losses[np.isfinite(fit.losses)]
    if finite.size and finite.min() > 0 and finite.max() > 10 * finite.min():
        ax.set_yscale("log")
    if fit.losses.shape[1] > 1:
        ax.legend(frameon=False, ncols=min(4, fit.losses.shape[1]))
    open_frame(ax, "left", "bottom")
    return ax


def _running_mean(losses: np.ndarray, width: int) -> np.ndarray:
    """Mean of the finite ones among the last `width` losses."""
    there = np.isfinite(losses)
    sums = np.cumsum(np.where(there, losses, 0.0), dtype=np.float64)
    counts = np.cumsum(there)
    sums[width:], counts[width:] = sums[width:] - sums[:-width], counts[width:] - counts[:-width]
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
