"""What pictures are given, checked at the door."""

from typing import Any

import numpy as np

from neurojax.core import Simulation
from neurojax.core.open_records import Records
from neurojax.core.tracing import known


def check_given(name: str, value: Any, kind: type | tuple[type, ...], wanted: str) -> None:
    """An argument is of the kind that a picture is drawn from.

    Raises:
        TypeError: it is something else; the message names the argument and what is wanted.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {wanted}, got {type(value).__name__}")


def check_one_run(name: str, source: Any) -> None:
    """A simulation is no batch of runs."""
    steps = source.stats.steps if isinstance(source, Simulation) else 0
    if known(steps) and np.ndim(steps):
        raise ValueError(
            f"{name} holds a batch of runs (vmap); pick one first, for example "
            f"jax.tree.map(lambda x: x[0], {name})"
        )


def array_records(sim: Simulation | Records) -> list[str]:
    """The names of the records that are arrays over time."""
    return [k for k, r in sim.records.items() if hasattr(r, "ndim") and k in sim.sample_times]


def over_time(sim: Simulation | Records, record: str) -> np.ndarray:
    """The values of a record, [time, column].

    Raises:
        ValueError: there is no sample.
    """
    values = np.asarray(sim[record], float)
    if not len(values):
        raise ValueError(f"record {record!r} has no samples: the run was shorter than its stride")
    return values.reshape(len(values), -1)
