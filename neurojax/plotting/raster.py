"""Spikes over time: a raster with the population rate below."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.analysis import spikes
from neurojax.analysis.spikes._events import finite, positive

from ._axes import LINES, colours, inches, new_axes, open_frame, whole_numbers
from ._spikes import Population, populations, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS = 80  # the most neurons whose spikes are drawn as ticks; dots beyond
_GROUPS = 60  # the most bars of the histogram over neurons


def raster(
    source: Any,
    *,
    record: str | None = None,
    rate: bool = True,
    histogram: bool = False,
    bin: float | int = 5.0,
    t_start: float | int | None = None,
    t_stop: float | int | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw every spike as a tick or a dot, populations above each other in colours of their own.

    Below it the firing rate of each population over time; the last bin may be a shorter one. There
    are no rates before the begin of a run and after its end.
    Dots are one image even in a PDF, so a large network makes no large file.

    Arguments:
        source: a simulation, what `nj.open_records` gives, a `SpikeRecord`, or a dictionary of
            them by population.
        record: which record of a simulation; not needed if only one holds spikes.
        rate: whether to draw the rates.
        histogram: whether to draw the rate of each neuron (or group of neighbours) at the right.
        bin: width of the bins of the rate in ms.
        t_start: begin of the picture in ms; default: the begin of the run, or 0 for bare records.
        t_stop: its end; default: the end of the run, or the last spike of bare records.
        ax: where to draw, the raster alone; by default a new figure.

    Returns:
        The axes of the raster; those of the rate and the histogram follow in
        `ax.figure.axes`.

    Raises:
        TypeError: `source` holds no spikes.
        ValueError: several records hold spikes and none is named, or the window is empty.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> fired = nj.SpikeOutput(jnp.array([-60.0, -49.0]), -50.0).packed()
        >>> record = nj.SpikeRecord(jnp.array([7]), fired[None], jnp.array(0.5), 2)
        >>> ax = raster({"E": record}, t_stop=10.0)
        >>> ax.lines[0].get_xydata().tolist()
        [[3.5, 1.0]]
    """
    bin = positive("bin", bin)
    parts = populations(source, record)
    begin, end = span(source) or (None, None)
    start = (begin or 0.0) if t_start is None else finite("t_start", t_start)
    stop = _end(end, parts, start) if t_stop is None else finite("t_stop", t_stop)
    if not stop > start:
        raise ValueError(f"t_stop must be after t_start={start:g} ms, got {stop:g} ms")
    below, beside = None, None
    if ax is None:
        ax, below, beside = _panels(rate, histogram)
    _dots(ax, parts, start, stop)
    # what is known of the window
    first = start if begin is None else max(start, begin)
    last = stop if end is None else min(stop, end)
    if below is not None:
        _rates(below, parts, bin, first, last)
        below.set_xlim(start, stop)
        ax.tick_params(axis="x", labelbottom=False)
        ax.set_xlabel("")
    if beside is not None:
        _bars(beside, parts, first, last)
    return ax


def _end(known: float | None, parts: list[Population], start: float) -> float:
    if known is not None:
        return known
    last = [float(part.times.max()) for part in parts if len(part.times)]
    if not last or max(last) <= start:
        raise ValueError("there is no spike to draw; give t_stop= (ms) for an empty picture")
    return max(last)


def _panels(rate: bool, histogram: bool):
    """The axes of the raster, of the rate below and of the histogram at its right."""
    first = new_axes(8.0, 5.0 if rate else 3.8)
    figure = first.figure
    first.remove()
    grid = figure.add_gridspec(
        2 if rate else 1,
        2 if histogram else 1,
        height_ratios=[3.2, 1.0] if rate else [1.0],
        width_ratios=[6.0, 1.0] if histogram else [1.0],
    )
    ax = figure.add_subplot(grid[0, 0])
    below = figure.add_subplot(grid[1, 0], sharex=ax) if rate else None
    beside = figure.add_subplot(grid[0, 1], sharey=ax) if histogram else None
    return ax, below, beside


def _colour(k: int) -> str:
    return (found := colours())[k % len(found)]


def _dots(ax: "Axes", parts: list[Population], start: float, stop: float) -> None:
    total = sum(part.n for part in parts)
    ticks = total <= _TICKS
    height = 72.0 * inches(ax)[1]
    shape = (
        {"marker": "|", "markersize": max(2.0, 0.7 * height / max(total, 1)), "mew": 0.9}
        if ticks
        else {"marker": ".", "markersize": _dot_size(parts), "mew": 0.0}
    )
    first, middles, names = 0, [], []
    for k, part in enumerate(parts):
        shown = (part.times >= start) & (part.times <= stop)
        ax.plot(
            part.times[shown], part.neurons[shown] + first, linestyle="none", color=_colour(k),
            rasterized=not ticks, label=part.name, **shape,
        )  # fmt: skip
        if k:
            ax.axhline(first - 0.5, color="0.8", linewidth=0.6, zorder=0)
        middles.append(first + 0.5 * (part.n - 1))
        names.append(part.name)
        first += part.n
    ax.set_xlim(start, stop)
    ax.set_ylim(-0.5, first - 0.5)
    ax.set_xlabel("time (ms)")
    if any(names):
        _name_populations(ax, parts, np.array(middles), total / height)
    else:
        ax.set_ylabel("neuron")
        whole_numbers(ax.yaxis)
    open_frame(ax, "left", "bottom")


def _name_populations(ax: "Axes", parts: list[Population], middles, point: float) -> None:
    """Names beside the populations, apart from each other; `point` is 1/72 inch in neurons."""
    size = 10.0
    line = 1.3 * size * point
    roomy = np.all(np.diff(middles) >= 2.0 * line)
    if not roomy:
        top = middles[-1] + 0.5 * parts[-1].n
        fits = min(line, top / (len(parts) - 1))
        size, middles = size * fits / line, _apart(middles, fits, top)
    gap = "\n" if roomy else " "
    ax.set_yticks(middles, [f"{part.name}{gap}({part.n})" for part in parts], fontsize=size)
    ax.tick_params(axis="y", length=0)
    for k, text in enumerate(ax.get_yticklabels()):
        text.set_color(_colour(k))


def _apart(places: np.ndarray, distance: float, top: float) -> np.ndarray:
    """Ascending places moved so that they are this far from each other, and none above `top`."""
    steps = distance * np.arange(len(places))
    return np.minimum(np.maximum.accumulate(places - steps), top - steps[-1]) + steps


def _dot_size(parts: list[Population]) -> float:
    """Smaller dots the more there are, so that dense activity keeps its texture."""
    number = sum(len(part.times) for part in parts)
    return float(np.clip(4.0 * (3000.0 / max(number, 1)) ** 0.3, 0.8, 4.0))


def _rates(ax: "Axes", parts: list[Population], bin, start: float, stop: float) -> None:
    bin = min(bin, stop - start)
    for k, part in enumerate(parts if stop > start else ()):
        source = (part.times, part.neurons, part.n)
        times, rate = spikes.population_rate(source, bin, t_start=start, t_stop=stop)
        edges = np.append(times - 0.5 * bin, times[-1] + 0.5 * bin)
        if stop - edges[-1] > 1e-6 * bin:  # what is left after the whole bins
            last = spikes.mean_rate(source, t_start=edges[-1], t_stop=stop)
            edges, rate = np.append(edges, stop), np.append(rate, last)
        line = LINES[k // len(colours()) % len(LINES)]
        ax.stairs(rate, edges, color=_colour(k), linewidth=1.1, linestyle=line, label=part.name)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("time (ms)")
    ax.set_ylabel("rate (Hz)")
    open_frame(ax, "left", "bottom")


def _bars(ax: "Axes", parts: list[Population], start: float, stop: float) -> None:
    total = sum(part.n for part in parts)
    size = max(1, -(-total // _GROUPS))  # neurons that share a bar
    first = 0
    for k, part in enumerate(parts if stop > start else ()):
        source = (part.times, part.neurons, part.n)
        each = spikes.rates(source, t_start=start, t_stop=stop)
        edges = np.append(np.arange(0, part.n, size), part.n)
        means = [each[a:b].mean() for a, b in pairwise(edges)]
        ax.stairs(
            means, first + edges - 0.5, orientation="horizontal", color=_colour(k), fill=True,
            alpha=0.85,
        )  # fmt: skip
        first += part.n
    ax.set_xlim(left=0.0)
    ax.set_xlabel("rate (Hz)")
    ax.tick_params(axis="y", labelleft=False, length=0)
    open_frame(ax, "bottom")
