"""Which columns of a record a picture shows."""

from collections.abc import Iterable

import numpy as np


def checked_columns(name: str, columns: Iterable, n: int, what: str = "column") -> list[int]:
    """The numbers of columns (or of `what` they are); negative ones count from the end.

    Raises:
        ValueError: if one is no whole number or is out of range.
    """
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
