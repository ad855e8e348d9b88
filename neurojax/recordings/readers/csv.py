"""Plain text: a header with the names of the neurons, one row per frame."""

import array
import csv
import math
import os
import re
from collections import Counter
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

import numpy as np

from neurojax.recordings.errors import RecordingError, did_you_mean
from neurojax.recordings.readers._door import checked_max_bytes, naming
from neurojax.recordings.recording import Recording

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none"})
# float() takes more than numbers as people write them: 1_000, infinity, other scripts' digits.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TIME_NAMES = frozenset(
    {"time", "times", "t", "time_s", "times_s", "time (s)", "time [s]", "t (s)", "seconds"}
    | {"time_in_seconds", "time_seconds"}
)


def read_csv(
    path: str | PathLike[str],
    *,
    time_column: str | int | None = None,
    unit: str = "",
    delimiter: str = ",",
    max_bytes: int = 2**28,
) -> Recording:
    """Read a table of traces: a header row with labels, then one row per frame.

    One column holds the time of each frame in seconds, the others one neuron each; their headers
    become the labels, an empty header an unidentified neuron. Empty cells and `NaN` are missing
    samples. Empty lines are skipped.

    Arguments:
        path: of the text file, in UTF-8.
        time_column: the header or the number (from 0) of the column of times. Without it, the
            one that is called `time`, `t`, `time_s`, `time (s)`, `seconds` or the like.
        unit: of the values.
        delimiter: the character between cells, such as `";"` or `"\\t"`.
        max_bytes: refuse files of more bytes than this.

    Returns:
        The recording, named like the file without its extension.

    Raises:
        RecordingError: a row has too few or too many cells, a cell is no number, a label occurs
            twice, times do not increase ...; the message names the file and the line.

    Example:
        >>> from pathlib import Path
        >>> from neurojax.recordings import read_csv
        >>> text = "time,AVAL,AVAR\\n0.0,1.5,2.0\\n0.6,,2.5\\n"
        >>> characters = Path("worm.csv").write_text(text)
        >>> worm = read_csv("worm.csv", unit="F/F0")
        >>> worm.labels, worm.trace("AVAL")
        (('AVAL', 'AVAR'), array([1.5, nan]))
    """
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"':
        raise ValueError(f"delimiter must be one character between cells, but is {delimiter!r}")
    max_bytes = checked_max_bytes(max_bytes)
    with naming(path) as file:
        size = os.path.getsize(file)
        if size > max_bytes:
            raise RecordingError(f"it has {size:,} bytes, more than max_bytes={max_bytes:,}")
        try:
            with open(file, encoding="utf-8-sig", newline="") as lines:
                header, numbers = _table(lines, delimiter)
        except UnicodeDecodeError as error:
            raise RecordingError(f"it is not UTF-8 text ({error})") from error
        clock = _clock_column(header, time_column)
        labels = [k for i, k in enumerate(header) if i != clock]
        _check_repeats(labels)
        return Recording(
            times=numbers[:, clock],
            values=np.delete(numbers, clock, axis=1),
            labels=labels,
            unit=unit,
            name=Path(file).stem,
            metadata={"source": Path(file).name},
        )


def _table(lines: Iterable[str], delimiter: str) -> tuple[list[str], np.ndarray]:
    """The header, and the cells below it, shape (row, column)."""
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    numbers = array.array("d")
    header: list[str] = []
    try:
        for row in rows:
            if not row:
                continue
            if not header:
                header = [cell.strip() for cell in row]
                _check_header(header, delimiter)
                continue
            if len(row) != len(header):
                raise RecordingError(
                    f"line {rows.line_num} has {len(row)} cells, but the header has {len(header)}"
                )
            numbers.extend([_number(cell, rows.line_num) for cell in row])
    except csv.Error as error:
        raise RecordingError(f"line {rows.line_num} is malformed ({error})") from error
    if not numbers:
        raise RecordingError("it has no rows below the header" if header else "it has no rows")
    return header, np.frombuffer(numbers, np.float64).reshape(-1, len(header))


def _check_header(header: list[str], delimiter: str) -> None:
    if all(_NUMBER.fullmatch(cell) for cell in header):
        raise RecordingError("the first row must name the columns, but has numbers")
    if len(header) < 2:
        other = next((d for d in ",;\t" if d != delimiter and d in header[0]), None)
        hint = f"; is the delimiter {other!r}?" if other else ""
        raise RecordingError(
            f"it has one column, {header[0][:40]!r}, but times and at least one neuron are "
            f"needed{hint}"
        )


def _number(cell: str, line: int) -> float:
    cell = cell.strip()
    if _NUMBER.fullmatch(cell):
        number = float(cell)
        if math.isfinite(number):
            return number
    elif cell.lower() in _MISSING:
        return math.nan
    raise RecordingError(f"line {line} has {cell[:40]!r} where a finite number must be")


def _clock_column(header: list[str], time_column: str | int | None) -> int:
    if isinstance(time_column, int):
        if not 0 <= time_column < len(header):
            raise RecordingError(
                f"there is no column {time_column}; columns run from 0 to {len(header) - 1}"
            )
        return int(time_column)
    if time_column is None:
        fits = [i for i, k in enumerate(header) if k.lower() in _TIME_NAMES]
        asked = "called 'time' or the like"
    else:
        fits = [i for i, k in enumerate(header) if k == time_column]
        asked = f"{time_column!r}"
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise RecordingError(f"columns {fits} are all {asked}; give one number as time_column=")
    raise RecordingError(f"no column is {asked}" + did_you_mean(time_column or "time", header))


def _check_repeats(labels: list[str]) -> None:
    """A label may repeat only where it is empty or unsure (`?`)."""
    for label, count in Counter(labels).items():
        if count > 1 and label and not label.endswith("?"):
            raise RecordingError(f"{count} columns are called {label!r}; names must differ")
