"""Recordings of neural activity: what was measured, how it is read, prepared and kept."""

import importlib
from typing import TYPE_CHECKING, Any

from neurojax.recordings.collection import Recordings as Recordings
from neurojax.recordings.collection import concatenate as concatenate
from neurojax.recordings.embedded import available as available
from neurojax.recordings.embedded import load as load
from neurojax.recordings.errors import RecordingError as RecordingError
from neurojax.recordings.labels import mirrored_label as mirrored_label
from neurojax.recordings.labels import tidy_label as tidy_label
from neurojax.recordings.preprocessing import derivative as derivative
from neurojax.recordings.preprocessing import detrend as detrend
from neurojax.recordings.preprocessing import smooth as smooth
from neurojax.recordings.preprocessing import standardise as standardise
from neurojax.recordings.recording import Recording as Recording
from neurojax.recordings.recording import Series as Series
from neurojax.recordings.resampling import resample as resample
from neurojax.recordings.slots import Slots as Slots
from neurojax.recordings.slots import to_slots as to_slots

if TYPE_CHECKING:
    from neurojax.recordings.readers.csv import read_csv as read_csv
    from neurojax.recordings.readers.hdf5 import read_hdf5 as read_hdf5
    from neurojax.recordings.readers.nwb import read_nwb as read_nwb
    from neurojax.recordings.readers.parquet import read_parquet as read_parquet

__all__ = [
    "Recording",
    "RecordingError",
    "Recordings",
    "Series",
    "Slots",
    "available",
    "concatenate",
    "derivative",
    "detrend",
    "load",
    "mirrored_label",
    "read_csv",
    "read_hdf5",
    "read_nwb",
    "read_parquet",
    "resample",
    "smooth",
    "standardise",
    "tidy_label",
    "to_slots",
]

# Imported when first used: most programs read no foreign file.
_READERS = {"read_csv": "csv", "read_hdf5": "hdf5", "read_nwb": "nwb", "read_parquet": "parquet"}


def __getattr__(name: str) -> Any:
    if name in _READERS:
        module = importlib.import_module(f"neurojax.recordings.readers.{_READERS[name]}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_READERS])
