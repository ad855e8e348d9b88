"""Traces of a recording or a simulation, one above the other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neurojax.core import Simulation
from neurojax.core.open_records import Records
from neurojax.core.paths import leaf_names
from neurojax.recordings import Recording

from ._axes import BLUE, dark, new_axes, open_frame
from ._columns import checked_columns, like_voltage, picked
from ._given import array_records, check_given, check_one_run, over_time
from ._spikes import is_spikes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 12  # traces that are drawn if none are named


def traces(
    source: Recording | Simulation | Records,
    neurons: Sequence[str | int] | None = None,
    *,
    record: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw traces one above the other, on one scale.

    Each baseline is the mean of its trace; missing samples are gaps. The bar at the right shows
    the scale.

    Arguments:
        source: a recording, a simulation, or what `nj.open_records` gives.
        neurons: labels or numbers of columns; by default the first 12 that are identified.
            A simulation knows numbers only.
        record: which record of a simulation; not needed if only one is an array over time.
        ax: where to draw; by default a new figure.

    Returns:
        The axes drawn on.

    Raises:
        ValueError: a record has to be named, is not an array over time, has no such column, or
            nothing is to be drawn.

    Example:
        >>> import neurojax as nj
        >>> worm = nj.recordings.load("dag2023")[0]
        >>> ax = traces(worm, ["AVAL", "AVAR", "RIMR"])
        >>> [text.get_text() for text in ax.get_yticklabels()]
        ['AVAL', 'AVAR', 'RIMR']
    """
    wanted = "a Recording, a Simulation or what open_records gives"
    check_given("source", source, (Recording, Simulation, Records), wanted)
    check_one_run("source", source)
    if isinstance(source, Recording):
        times, values, names, unit = _of_recording(source, neurons)
    else:
        times, values, names, unit = _of_simulation(source, neurons, record)
    if not names:
        raise ValueError("there is no trace to draw")
    values = values - np.nanmean(values, axis=0)
    step = _apart(values)
    if ax is None:
        ax = new_axes(8.0, 1.2 + 0.45 * len(names))
    for k, trace in enumerate(values.T):
        ax.plot(times, trace - k * step, color=BLUE if k % 2 == 0 else dark(), linewidth=0.9)
    ax.set_yticks([-k * step for k in range(len(names))], names)
    ax.set_xlim(times[0], times[-1])
    ax.set_xlabel("time (s)" if isinstance(source, Recording) else "time (ms)")
    ax.tick_params(axis="y", length=0)
    open_frame(ax, "bottom")
    _scale_bar(ax, step, unit)
    return ax


def _of_recording(recording: Recording, neurons):
    part, names = picked(recording, neurons, _MOST)
    return part.times, part.values.astype(float), names, part.unit


def _of_simulation(sim: Simulation | Records, neurons, record: str | None):
    known = array_records(sim)
    if record is None:
        if len(known) != 1:
            which = (
                f"there are {sorted(known)}; name one with record=" if known else "there is none"
            )
            raise ValueError(f"a record that is an array over time is needed, {which}")
        record = known[0]
    values = sim[record]
    if record not in known:
        raise ValueError(
            f"record {record!r} is no array over time: "
            + ("nj.plotting.raster draws spikes" if is_spikes(values) else "record its parts")
        )
    times = np.asarray(sim.times(record))
    values = over_time(sim, record)
    n = values.shape[1]
    columns = list(range(n))[:_MOST] if neurons is None else checked_columns("neurons", neurons, n)
    names = [record] if values.shape[1] == 1 else [f"{record}[{c}]" for c in columns]
    return times, values[:, columns], names, _unit(sim, record)


def _unit(sim: Simulation | Records, record: str) -> str:
    """The unit: mV of what is named like a voltage, in runs of models that have a `V_m`."""
    state = sim.final_state.state if isinstance(sim, Simulation) else None
    leaves = [*leaf_names(state), record]
    if like_voltage(record) and any(leaf.split(".")[-1] == "V_m" for leaf in leaves):
        return "mV"
    return f"(unit of {record})"


def _apart(values: np.ndarray) -> float:
    """The distance of baselines: most traces then stay clear of their neighbours."""
    reach = np.nanpercentile(values, 99.0, axis=0) - np.nanpercentile(values, 1.0, axis=0)
    step = float(np.nanmax(reach)) if np.isfinite(reach).any() else 0.0
    return step if step > 0 else 1.0


def _scale_bar(ax: "Axes", step: float, unit: str) -> None:
    """A vertical bar of a round length, just right of the traces."""
    magnitude = 10.0 ** np.floor(np.log10(step))
    size = magnitude * max(m for m in (1.0, 2.0, 5.0) if m * magnitude <= step)
    where = ax.get_yaxis_transform()
    ax.plot([1.01, 1.01], [0.0, size], transform=where, color=dark(), linewidth=2, clip_on=False)
    ax.text(1.02, size / 2, f"{size:g} {unit}".strip(), transform=where, va="center", rotation=90)
