"""Which columns of a record a picture shows, and in which unit."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from neurojax.recordings import Recording


def checked_columns(name: str, columns: Any, n: int, what: str = "column") -> list[int]:
    """The numbers of columns (or of `what` they are); negative ones count from the end.

    Raises:
        ValueError: if one is no whole number or is out of range.
        TypeError: if they are not listed.
    """
    check_listed(name, columns, f"numbers of {what}s")
    columns = list(columns)
    for c in columns:
        if isinstance(c, bool) or not isinstance(c, int | np.integer):
            raise ValueError(
                f"{name}: a simulation knows its neurons by number; give numbers of {what}s, "
                f"got {c!r}"
            )
        if not -n <= c < n:
            raise ValueError(f"{name}: there is no {what} {c}; {what}s run from 0 to {n - 1}")
    return [int(c) for c in columns]


def check_listed(name: str, given: Any, wanted: str) -> None:
    """Columns come as a list.

    Raises:
        TypeError: if it is one number, a slice or the like.
    """
    if not isinstance(given, Iterable) or getattr(given, "ndim", 1) == 0:
        raise TypeError(f"{name} must be a list of {wanted}, such as [0, 1], got {given!r}")


def picked(
    recording: Recording, neurons: Any, most: int | None = None
) -> tuple[Recording, list[str]]:
    """These neurons of a recording and their names, by number where they are not identified.

    By default the first `most` of those that are identified, or of all if none is.
    """
    if neurons is None:
        neurons = (recording.exact or tuple(range(len(recording.labels))))[:most]
    if isinstance(neurons, str):
        neurons = [neurons]
    check_listed("neurons", neurons, "labels or numbers of columns")
    neurons = list(neurons)
    part = recording.select(neurons)
    return part, [label or f"#{c}" for label, c in zip(part.labels, neurons, strict=True)]


def like_voltage(name: str) -> bool:
    """Whether a record has the name of a voltage, such as `V`, `V_m` or `E.V_m`."""
    return name.split(".")[-1][:1] in ("V", "v")
