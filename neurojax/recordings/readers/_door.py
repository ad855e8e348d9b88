"""What every reader does first and last: look at the path, and name the file in each error."""

import contextlib
import dataclasses
import importlib.util
import os
import stat
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

from neurojax.recordings.errors import RecordingError
from neurojax.recordings.recording import Recording, Series

MAX_BYTES = 2**31

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_PARQUET_SIGNATURE = b"PAR1"


@contextlib.contextmanager
def naming(path: str | PathLike[str]) -> Iterator[str]:
    """Inside, the path is that of a regular file, and each `RecordingError` names it."""
    try:
        yield _checked_path(path)
    except RecordingError as error:
        raise RecordingError(f"cannot read {os.fspath(path)!r}: {error}") from None


def require(package: str) -> None:
    """Raises `ImportError` with the command that installs an optional package."""
    if importlib.util.find_spec(package) is None:
        raise ImportError(
            f"reading this format needs {package}, which is not installed: "
            "pip install 'neurojax-dynamics[recordings]'"
        )


def checked_max_bytes(max_bytes: int) -> int:
    """A positive whole number of bytes."""
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes <= 0:
        raise ValueError(f"max_bytes must be a positive whole number, but is {max_bytes!r}")
    return max_bytes


def check_text(argument: str, value: Any) -> None:
    """Raises `TypeError` unless the value of an argument is a text or `None`."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{argument} must be a str or None, but is {value!r}")


def check_hdf5_signature(path: str) -> None:
    """Raises `RecordingError` unless the file begins like HDF5, perhaps after a user block."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        at = 0
        while at < size:
            file.seek(at)
            if file.read(8) == _HDF5_SIGNATURE:
                return
            at = 2 * at or 512
    raise RecordingError("it is no HDF5 file: the signature is missing")


def check_parquet_signature(path: str) -> None:
    """Raises `RecordingError` unless the file begins and ends like Parquet."""
    with open(path, "rb") as file:
        if file.read(4) != _PARQUET_SIGNATURE:
            raise RecordingError("it is no Parquet file: the signature is missing")
        file.seek(max(os.path.getsize(path) - 4, 0))
        if file.read(4) != _PARQUET_SIGNATURE:
            raise RecordingError("it is cut short: a Parquet file ends with its signature")


def as_recording(parts: Mapping[str, Any]) -> Recording:
    """A `Recording` from what a child process sent."""
    parts = dict(parts)
    beside = parts.pop("series", {})
    recording = Recording(**parts)  # first, since its own clock is often that of the series
    series = {}
    for name, item in beside.items():
        try:
            series[name] = Series(**item)
        except RecordingError as error:
            raise RecordingError(f"in series {name!r}: {error}") from error
    return dataclasses.replace(recording, series=series) if series else recording


def _checked_path(path: str | PathLike[str]) -> str:
    path = os.fspath(path)
    if not isinstance(path, str):
        raise TypeError(f"path must be a str or a PathLike[str], but is {path!r}")
    mode = os.stat(path).st_mode  # FileNotFoundError names the file by itself
    if stat.S_ISDIR(mode):
        raise RecordingError("it is a folder; a file is needed")
    if not stat.S_ISREG(mode):  # reading a pipe or a device may never end
        raise RecordingError("it is no regular file")
    if os.path.getsize(path) == 0:
        raise RecordingError("it is empty")
    return path
