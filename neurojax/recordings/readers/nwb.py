"""NWB (Neurodata Without Borders), the format of the DANDI archive."""

from os import PathLike
from pathlib import Path

from neurojax.recordings.readers._apart import read_apart
from neurojax.recordings.readers._door import (
    MAX_BYTES,
    as_recording,
    check_hdf5_signature,
    check_text,
    checked_max_bytes,
    naming,
    require,
)
from neurojax.recordings.recording import Recording


def read_nwb(
    path: str | PathLike[str],
    *,
    series: str | None = None,
    label_column: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Recording:
    """Read traces, spike times, stimuli and behaviour from an NWB 2 file (HDF5).

    - **Traces**: the `RoiResponseSeries` of the file, wherever it is (`Fluorescence`, `DfOverF`,
      a processing module, an extension of these types). If there is none, its `ElectricalSeries`;
      else its two-dimensional `TimeSeries` that is neither stimulus nor behaviour. A file with
      several needs `series`. Values are `data * conversion + offset` in the unit of the file;
      times come from `timestamps`, or from `starting_time` and `rate`. `NaN` samples are missing.
    - **Labels**: a text column of the table of regions or electrodes (`ID_labels`, `label`,
      `neuron_name`, `channel_name` ...), or the list of labels in the same processing module that
      *C. elegans* files have. Neurons that nothing names are unidentified.
    - **Spike times**: the `units` table; a unit is named by its `unit_name` or `label`, or by
      its id. A file with spike times alone gives a recording without frames.
    - **Series**: `stimulus/presentation` gives stimuli, other time series give behaviour. Images
      and neural data that were not chosen are listed in `metadata["not read"]`.

    Session texts become metadata. Types are recognised by what they hold, not by the schemas
    stored in the file, so that files with extensions need no extension installed. Links into
    other files are not followed.

    Arguments:
        path: of the file.
        series: which series holds the traces: its name, its path, or the name of its container
            (`"DfOverF"`). `"units"` reads spike times without traces.
        label_column: which column of the table of regions or electrodes names the neurons.
        max_bytes: refuse to read arrays of more bytes than this in all.

    Returns:
        The recording; its name is the `identifier` of the session, else that of the file.

    Raises:
        RecordingError: the file is damaged, cut short or no NWB 2, the choice of a series is
            missing or wrong; the message names the file and the trouble.
        ImportError: h5py is not installed (`pip install 'neurojax-dynamics[recordings]'`).

    Example:
        >>> import datetime
        >>> import numpy as np
        >>> import pynwb
        >>> from neurojax.recordings import read_nwb
        >>> session = pynwb.NWBFile("a test", "worm 1", datetime.datetime.now(datetime.UTC))
        >>> voltage = pynwb.TimeSeries(
        ...     name="voltage", data=np.ones((4, 2)), unit="V", rate=10.0, conversion=1e-3
        ... )
        >>> session.add_acquisition(voltage)
        >>> with pynwb.NWBHDF5IO("worm.nwb", "w") as io:
        ...     io.write(session)
        >>> read_nwb("worm.nwb")
        Recording('worm 1', 4 frames x 2 neurons (0 identified), 0 to 0.3 s, unit 'V')
    """
    require("h5py")
    max_bytes = checked_max_bytes(max_bytes)
    check_text("series", series)
    check_text("label_column", label_column)
    with naming(path) as file:
        check_hdf5_signature(file)
        [parts] = read_apart("nwb", file, max_bytes, series=series, label_column=label_column)
        parts["name"] = parts["name"] or Path(file).stem
        parts["metadata"] = {"source": Path(file).name, **parts["metadata"]}
        return as_recording(parts)
