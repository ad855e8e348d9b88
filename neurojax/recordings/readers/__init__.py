"""Readers of recordings, one file per format: NWB, Parquet, HDF5, CSV.

Each takes a path and returns a `Recording` (or `Recordings`), or raises `RecordingError` with the
name of the file and what is wrong with it. HDF5 and Parquet files are read in a child process
(`_apart`), since the C libraries for them can crash or hang on damaged files.
"""

from neurojax.recordings.readers.csv import read_csv as read_csv
from neurojax.recordings.readers.hdf5 import read_hdf5 as read_hdf5
from neurojax.recordings.readers.nwb import read_nwb as read_nwb
from neurojax.recordings.readers.parquet import read_parquet as read_parquet
