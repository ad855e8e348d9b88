"""Finding spikes in what a picture is given."""

from typing import Any, NamedTuple

import numpy as np

from neurojax.core import Simulation, SpikeRecord
from neurojax.core.errors import UnknownNameError, suggestion
from neurojax.core.open_records import Records
from neurojax.core.spikes import shortest


class Population(NamedTuple):
    """The spikes of one population: its name, times in ms, neurons, their number and the step."""

    name: str
    times: np.ndarray
    neurons: np.ndarray
    n: int
    dt: float


def populations(
    source: Any, record: str | None = None, argument: str = "source"
) -> list[Population]:
    """The populations of a run, a dictionary of records or one record."""
    if isinstance(source, Simulation | Records):
        source = _record(source, record)
    if isinstance(source, SpikeRecord):
        source = {"": source}
    if not isinstance(source, dict) or not source:
        raise TypeError(
            f"{argument} must be a Simulation, what open_records gives, a SpikeRecord or a "
            f"dictionary of SpikeRecords by population, got {type(source).__name__}"
        )
    for name, part in source.items():
        if not isinstance(part, SpikeRecord):
            raise TypeError(f"population {name!r} must be a SpikeRecord, got {type(part).__name__}")
    return [
        Population(str(k), part.times, part.neurons, part.n, float(part.dt))
        for k, part in source.items()
    ]


def span(source: Any) -> tuple[float, float] | None:
    """The times in ms at which a run began and ended; `None` if they are not known."""
    if isinstance(source, Records):
        return source.t0, source.t0 + source.steps * source.dt
    if not isinstance(source, Simulation) or source.final_state.dt is None:
        return None
    end, dt = int(source.final_state.step), shortest(source.final_state.dt)
    return (end - int(source.stats.steps)) * dt, end * dt


def is_spikes(record: Any) -> bool:
    """Whether a record of a simulation holds spikes."""
    parts = list(record.values()) if isinstance(record, dict) else [record]
    return bool(parts) and all(isinstance(part, SpikeRecord) for part in parts)


def _record(sim: Simulation | Records, name: str | None):
    known = [k for k, record in sim.records.items() if is_spikes(record)]
    if name is None:
        if len(known) != 1:
            found = f"there are {known}; name one of them" if known else "there is none"
            raise ValueError(f"a record of spikes (nj.Spikes) is needed, {found}")
        return sim.records[known[0]]
    if name not in known:
        raise UnknownNameError(f"no record of spikes {name!r}.{suggestion(name, known)}")
    return sim.records[name]
