"""One trial of a task: what goes in, what should come out, and what does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.tasks import Trials
from neurojax.tasks.scores import checked_outputs

from ._axes import PALE, colours, new_axes, open_frame
from ._given import check_given

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHTS = {"inputs": 1.0, "outputs": 1.2, "recorded unit": 1.0}


def trial(
    trials: Trials,
    outputs: Any = None,
    index: int = 0,
    axes: "Sequence[Axes] | None" = None,
) -> "list[Axes]":
    """Draw inputs, targets and outputs of one trial over time, and its recorded activity below.

    Targets are wide and pale, outputs thin lines of the same colours. Steps that do not count
    have a grey ground. Recorded units are rows of an image, each scaled to its own range; missing
    samples are left white.

    Arguments:
        trials: one trial or a batch.
        outputs: of a circuit, shaped like the targets.
        index: which trial of a batch.
        axes: where to draw: one for each panel (inputs, if there are any; outputs; recorded
            units, if there are any). By default a new figure.

    Returns:
        The axes drawn on, from top to bottom.

    Raises:
        IndexError: there is no such trial.
        ValueError: outputs are not shaped like the targets, the number of axes does not fit,
            or the batch has several axes.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> batch = tasks.FlipFlop().trials(jax.random.key(0), 2)
        >>> top, below = trial(batch, index=1)
        >>> below.get_xlabel()
        'time (ms)'
    """
    check_given("trials", trials, Trials, "Trials, as those of task.trials(key, n)")
    if outputs is not None:
        outputs = np.asarray(checked_outputs(trials, outputs))
    if len(trials.batch) > 1:
        raise ValueError(f"trials must be one or a batch along one axis, got {trials.batch}")
    if trials.batch:
        trials = trials[index]
        outputs = None if outputs is None else outputs[index]
    panels = [
        *(["inputs"] if trials.inputs.shape[-1] else []),
        "outputs",
        *(["recorded unit"] if trials.activity is not None else []),
    ]
    axes = _panels(panels) if axes is None else list(axes)
    if len(axes) != len(panels):
        raise ValueError(f"axes must be {len(panels)}, for {', '.join(panels)}, got {len(axes)}")
    edges = np.arange(trials.steps + 1) * trials.dt
    for name, ax in zip(panels, axes, strict=True):
        if name == "inputs":
            _lines(ax, edges, np.asarray(trials.inputs), 1.2)
        elif name == "outputs":
            _shade(ax, edges, np.asarray(trials.mask))
            _outputs(ax, edges, np.asarray(trials.targets), outputs)
        else:
            _image(ax, edges, np.asarray(trials.activity), np.asarray(trials.activity_mask))
        ax.set_xlim(edges[0], edges[-1])
        ax.set_ylabel(name)
        open_frame(ax, "left", "bottom")
    for ax in axes[:-1]:
        ax.tick_params(axis="x", labelbottom=False)
    axes[-1].set_xlabel("time (ms)")
    return axes


def _panels(names: list[str]) -> "list[Axes]":
    first = new_axes(7.0, 0.6 + 1.5 * sum(_HEIGHTS[name] for name in names))
    figure = first.figure
    first.remove()
    grid = figure.add_gridspec(len(names), 1, height_ratios=[_HEIGHTS[name] for name in names])
    axes = [figure.add_subplot(grid[0])]
    return axes + [figure.add_subplot(grid[k], sharex=axes[0]) for k in range(1, len(names))]


def _lines(ax: "Axes", edges, values, width: float, **style) -> None:
    # a sample holds for its step
    held = np.concatenate([values, values[-1:]])
    several = colours()
    for k in range(values.shape[-1]):
        colour = several[k % len(several)]
        ax.plot(edges, held[:, k], drawstyle="steps-post", color=colour, linewidth=width, **style)


def _outputs(ax: "Axes", edges, targets, outputs) -> None:
    if outputs is None:
        _lines(ax, edges, targets, 1.4)
        return
    _lines(ax, edges, targets, 3.5, alpha=0.35, solid_capstyle="butt")
    _lines(ax, edges, outputs, 1.2)


def _shade(ax: "Axes", edges, mask) -> None:
    ignored = np.concatenate([[0], (mask == 0).astype(int), [0]])
    change = np.diff(ignored)
    for begin, end in zip(np.flatnonzero(change == 1), np.flatnonzero(change == -1), strict=True):
        ax.axvspan(edges[begin], edges[end], color=PALE, alpha=0.6, linewidth=0, zorder=0)


def _image(ax: "Axes", edges, activity, there) -> None:
    values = np.where(there > 0, activity, np.nan)
    seen = (there > 0).any(axis=0)
    low, high = np.zeros(len(seen)), np.ones(len(seen))
    low[seen], high[seen] = np.nanmin(values[:, seen], axis=0), np.nanmax(values[:, seen], axis=0)
    scaled = (values - low) / np.where(high > low, high - low, 1.0)
    extent = (edges[0], edges[-1], values.shape[1] - 0.5, -0.5)
    ax.imshow(scaled.T, aspect="auto", interpolation="nearest", cmap="viridis", extent=extent)
