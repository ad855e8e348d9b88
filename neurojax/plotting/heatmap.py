"""A recording as a picture: neurons by time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neurojax.recordings import Recording

from ._axes import PALE, dark, inches, new_axes
from ._columns import picked
from ._given import check_given

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED = 110  # the most neurons whose names can be read at the side
_LIMIT = 3.0  # standard deviations at the ends of the colour scale


def heatmap(
    recording: Recording,
    neurons: Sequence[str | int] | None = None,
    *,
    shade: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw all neurons over time, each in units of its own standard deviation.

    Rows are ordered by their weight in the first principal component, so that neurons that rise
    and fall together lie together. Missing samples are grey. Times at which the series `shade`
    is positive, such as reversals, are marked above the picture.

    Arguments:
        recording: what to draw.
        neurons: labels or numbers of columns; by default all identified ones, or all columns if
            none is. Neurons that are not identified are named by their column, such as `#3`.
        shade: name of a series of the recording; by default `"reversal"` where there is one.
        ax: where to draw; by default a new figure.

    Returns:
        The axes drawn on.

    Raises:
        ValueError: there is no such series, or nothing is to be drawn.

    Example:
        >>> import neurojax as nj
        >>> ax = heatmap(nj.recordings.load("dag2023")[0])
        >>> ax.get_xlabel()
        'time (s)'
    """
    check_given("recording", recording, Recording, "a Recording")
    if shade is not None and shade not in recording.series:
        raise ValueError(f"no series {shade!r}; there are {sorted(recording.series)}")
    part, names = picked(recording, neurons)
    if not names:
        raise ValueError("there is no neuron to draw")
    scaled = _scaled(part.values.astype(float))
    order = _order(scaled)
    if ax is None:
        ax = new_axes(9.0, 2.2 + min(9.0, max(0.8, 0.085 * len(order))))
    from matplotlib import colormaps

    image = ax.pcolormesh(
        _edges(part.times),
        np.arange(len(order) + 1) - 0.5,
        np.ma.masked_invalid(scaled[:, order].T),
        vmin=-_LIMIT,
        vmax=_LIMIT,
        cmap=colormaps["RdBu_r"].with_extremes(bad=PALE),
        rasterized=True,
    )
    ax.invert_yaxis()
    low = inches(ax)[1] < 4.0
    bar = ax.figure.colorbar(image, ax=ax, extend="both", shrink=1.0 if low else 0.6, pad=0.02)
    bar.set_label(
        "standard deviations\nfrom the mean" if low else "standard deviations from the mean"
    )
    ax.set_xlabel("time (s)")
    ax.set_ylabel("neuron")
    if len(order) <= _NAMED:
        names = [names[i] for i in order]
        ax.set_yticks(range(len(order)), names, fontsize=9 if len(order) <= 40 else 5)
        ax.tick_params(axis="y", length=0)
    if shade is None:
        shade = next((k for k in recording.series if "reversal" in k.lower()), None)
    if shade is not None:
        _mark(ax, recording, shade)
    return ax


def _scaled(values: np.ndarray) -> np.ndarray:
    """Each column less its mean over its standard deviation; `NaN` stays."""
    there = np.isfinite(values)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, values, 0.0).sum(axis=0) / count
    deviation = np.where(there, values - mean, np.nan)
    sd = np.sqrt(np.nansum(deviation**2, axis=0) / count)
    return deviation / np.where(sd > 0, sd, 1.0)


def _order(scaled: np.ndarray) -> np.ndarray:
    """Columns by falling weight in the first principal component, the top ones rising first."""
    _, _, directions = np.linalg.svd(np.nan_to_num(scaled), full_matrices=False)
    weights = directions[0]
    weights = weights * (np.sign(weights[np.abs(weights).argmax()]) or 1.0)
    return np.argsort(-weights, kind="stable")


def _edges(times: np.ndarray) -> np.ndarray:
    """Boundaries of frames: halfway between them."""
    if len(times) < 2:
        return np.array([times[0] - 0.5, times[0] + 0.5])
    middle = (times[1:] + times[:-1]) / 2
    return np.concatenate([[2 * times[0] - middle[0]], middle, [2 * times[-1] - middle[-1]]])


def _mark(ax: "Axes", recording: Recording, shade: str) -> None:
    """Bars above the picture where a series is positive."""
    series = recording.series[shade]
    values = series.values if series.values.ndim == 1 else series.values[:, 0]
    on = np.nan_to_num(values.astype(float)) > 0
    if on.any():
        ax.fill_between(
            series.times, 1.005, 1.025, where=on.tolist(), step="mid", color=dark(), linewidth=0,
            transform=ax.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
    ax.set_title(
        f"marked: {shade.replace('_', ' ')}",
        loc="left",
        fontsize=9,
        pad=5.0 + 0.025 * 72.0 * inches(ax)[1],
    )
