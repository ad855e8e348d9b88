"""Voltage traces with their spikes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.core import Simulation
from neurojax.core.errors import UnknownNameError, suggestion
from neurojax.core.open_records import Records
from neurojax.core.recorders import chosen

from ._axes import BLUE, dark, new_axes, open_frame
from ._columns import checked_columns, like_voltage
from ._given import array_records, check_given, check_one_run, over_time
from ._spikes import is_spikes, populations

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 8  # traces that are drawn if none are named


def voltage(
    sim: Simulation | Records,
    columns: Sequence[int] | None = None,
    *,
    record: str | None = None,
    spikes: Any = None,
    neurons: Sequence[int] | None = None,
    peak: float | int | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw voltage traces one above the other, each spike as a line up to `peak`.

    A model that is reset has no spike in its voltage: the line stands where one would be. With
    one trace the axis shows mV, with several a bar shows the scale; records whose names do not
    begin with a v have a unit of their own.

    Arguments:
        sim: a simulation, or what `nj.open_records` gives, with a record of voltages and one of
            spikes.
        columns: which columns of the record of voltages; by default the first 8.
        record: name of the record of voltages; not needed if only one is an array.
        spikes: name of the record of spikes, or a `SpikeRecord`; not needed if there is only one:
            of several populations a simulation knows the one whose voltages these are.
        neurons: which neuron each *drawn* trace is in the record of spikes. A simulation knows
            where its `Trace` had an `index=`; it is needed for a part of the neurons otherwise.
        peak: mV up to which spikes reach, above all voltages drawn; by default as far above the
            highest voltage as that is above the lowest.
        ax: where to draw; by default a new figure.

    Returns:
        The axes drawn on.

    Raises:
        ValueError: a record has to be named, has no sample or no such column, the spikes are
            those of another population, `neurons` is needed or does not fit the traces, or `peak`
            is below them.
        UnknownNameError: there is no such record.
        TypeError: `sim` is no run, or `spikes` holds no spikes.

    Example:
        >>> import jax.numpy as jnp, numpy as np, neurojax as nj
        >>> fired = nj.SpikeOutput(jnp.array([-49.0]), -50.0).packed()
        >>> record = nj.SpikeRecord(jnp.array([2]), fired[None], jnp.array(0.5), 1)
        >>> volts, times = jnp.array([[-60.0], [-65.0]]), jnp.array([0.5, 1.0])
        >>> none, no = np.array(-1), np.array(False)
        >>> stats = nj.Stats(np.array(2), {"": np.array(1)}, none, none, no)
        >>> sim = nj.Simulation({"v": volts, "s": record}, nj.SimState(0, 2), stats, {"v": times})
        >>> [line.get_label() for line in voltage(sim).lines]
        ['v[0]', 'spikes of v[0]']
    """
    check_given("sim", sim, (Simulation, Records), "a Simulation or what open_records gives")
    check_one_run("sim", sim)
    name = _array_record(sim, record)
    times = np.asarray(sim.times(name), float)
    values = over_time(sim, name)
    n = values.shape[1]
    shown = list(range(n))[:_MOST] if columns is None else checked_columns("columns", columns, n)
    if not shown:
        raise ValueError("there is no trace to draw")
    found = _spike_record(sim, spikes, name)
    index = sim.indices.get(name) if isinstance(sim, Simulation) else None
    recorded = None if index is None else chosen(index, found.n)[shown]
    who = _neurons(recorded if neurons is None else neurons, shown, n, found.n, name)
    values = values[:, shown]
    low, high = np.nanmin(values), np.nanmax(values)
    top = high + (high - low or 1.0) if peak is None else float(peak)
    if peak is not None and not top > high:
        raise ValueError(f"peak must be above all voltages drawn, up to {high:g} mV, got {peak!r}")
    step = 1.08 * (max(top, high) - low)
    if ax is None:
        ax = new_axes(8.0, 2.6 if len(shown) == 1 else 0.9 + 0.85 * len(shown))
    for k, trace in enumerate(values.T):
        colour = BLUE if k % 2 == 0 else dark()
        label = f"{name}[{shown[k]}]"
        ax.plot(times, trace - k * step, color=colour, linewidth=0.9, label=label)
        mine = found.times[found.neurons == who[k]]
        mine = mine[(mine >= times[0]) & (mine <= times[-1])]
        _ticks(
            ax,
            mine,
            _before(times, trace, mine, found.dt) - k * step,
            top - k * step,
            colour,
            label,
        )
    ax.set_xlim(times[0], times[-1])
    ax.set_xlabel("time (ms)")
    if len(shown) == 1:
        ax.set_ylabel(f"{name} (mV)" if like_voltage(name) else name)
        open_frame(ax, "left", "bottom")
    else:
        ax.set_yticks(
            [np.median(v) - k * step for k, v in enumerate(values.T)],
            [f"{name}[{c}]" for c in shown],
        )
        ax.tick_params(axis="y", length=0)
        open_frame(ax, "bottom")
        unit = "mV" if like_voltage(name) else f"(unit of {name})"
        _scale_bar(ax, high - (len(shown) - 1) * step, top - high, unit)
    return ax


def _array_record(sim: Simulation | Records, name: str | None) -> str:
    known = array_records(sim)
    if not known:
        raise ValueError(
            "a record of voltages is needed, there is none: add one to record=, such as "
            "{'V': nj.Trace('V_m')}"
        )
    if name is None and len(known) == 1:
        return known[0]
    if name is None:
        raise ValueError(f"name the record of voltages: record= one of {known}")
    if name not in known:
        raise UnknownNameError(f"no record of voltages {name!r}.{suggestion(name, known)}")
    return name


def _spike_record(sim: Simulation | Records, spikes: Any, voltages: str):
    """The spikes of the population whose voltages are drawn, as far as a run knows which it is."""
    if spikes is not None and not isinstance(spikes, str):
        found, record = populations(spikes, argument="spikes"), "spikes"
    else:
        found, record = populations(sim, spikes), spikes
        if record is None:
            record = next(k for k, r in sim.records.items() if is_spikes(r))
        asked = dict(sim.asked) if isinstance(sim, Simulation) else {}
        (path,), names = asked.get(voltages, ("",)), asked.get(record, ())
        own = [name for name in names if path.startswith(f"{name}.")]
        if "." in path and all(names) and names and not own:
            raise ValueError(
                f"record {voltages!r} is {path!r}, and {record!r} holds the spikes of "
                f"{', '.join(map(repr, names))}: record those of its population, as in "
                f"nj.Spikes({path.split('.')[0]!r}), or give spikes= a record of them"
            )
        if len(own) == 1 and len(found) > 1:
            found = [part for part in found if part.name == own[0]]
    if len(found) != 1:
        names = [part.name for part in found]
        raise ValueError(
            f"the record of spikes holds the populations {names}; give the one whose voltage it "
            f"is, as in spikes=sim[{record!r}][{names[0]!r}]"
        )
    return found[0]


def _neurons(given, shown: list[int], columns: int, n: int, name: str) -> list[int]:
    """Which of the `n` neurons each trace is that is shown."""
    if given is None and columns != n:
        first = [c % columns for c in shown]
        raise ValueError(
            f"record {name!r} holds {columns} traces, the record of spikes {n} neurons: say with "
            f"neurons= which neuron each drawn trace is (neurons={first} if it holds the first)"
        )
    who = checked_columns("neurons", shown if given is None else given, n, "neuron")
    if len(who) != len(shown):
        raise ValueError(f"neurons must name {len(shown)}, one for each trace, got {len(who)}")
    return [i % n for i in who]


def _before(times, trace, spikes, dt: float):
    """The voltage as drawn just before each spike, a step earlier: there its line rises."""
    rounding = np.minimum(1e-6 + 1e-7 * spikes, 0.1 * np.diff(times).min(initial=np.inf))
    last = np.clip(np.searchsorted(times, spikes - rounding) - 1, 0, len(times) - 1)
    apart = times[np.minimum(last + 1, len(times) - 1)] - times[last]
    return np.where(apart < 1.5 * dt, trace[last], np.interp(spikes - dt, times, trace))


def _ticks(ax: "Axes", spikes, low, top, colour: str, label: str) -> None:
    """All lines as one artist, parted by gaps."""
    x = np.repeat(spikes, 3)
    y = np.stack([low, np.full_like(low, top), np.full_like(low, np.nan)], axis=1).ravel()
    ax.plot(x, y, color=colour, linewidth=0.9, label=f"spikes of {label}")


def _scale_bar(ax: "Axes", bottom: float, room: float, unit: str) -> None:
    """A vertical bar of a round length at the right."""
    magnitude = 10.0 ** np.floor(np.log10(room))
    size = magnitude * max(m for m in (1.0, 2.0, 5.0) if m * magnitude <= room)
    where = ax.get_yaxis_transform()
    ax.plot(
        [1.01, 1.01], [bottom, bottom + size], transform=where, color=dark(), linewidth=2,
        clip_on=False, label="_scale",
    )  # fmt: skip
    ax.text(1.02, bottom + size / 2, f"{size:g} {unit}", transform=where, va="center")
