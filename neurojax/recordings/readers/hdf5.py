"""The HDF5 layout in which labs share whole-brain recordings of freely moving *C. elegans*."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from neurojax.recordings.errors import RecordingError
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


def read_hdf5(
    path: str | PathLike[str],
    labels: Mapping[int, str] | Sequence[str] | None = None,
    *,
    traces: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Recording:
    """Read a whole-brain recording in the layout of Dag et al. 2023 (Cell 186:2574).

    | dataset | shape | what |
    |---|---|---|
    | `gcamp/traces_array_F_F20` | (time, neuron) | fluorescence over its 20th percentile |
    | `gcamp/trace_array_original` | (time, neuron) | fluorescence |
    | `gcamp/trace_array` | (time, neuron) | its z-score over the whole recording |
    | `timing/timestamp_confocal` | (time,) | time of each frame, s |
    | `behavior/*` | (time,) or (time, d) | velocity, head angle, ...: become `series` |

    What `behavior/` holds in other shapes is listed in `metadata["not read"]`. Links into other
    files are not followed.

    The identities of the neurons are not in such a file but in a separate Julia (JLD2)
    dictionary, which is not read here: give them as `labels`. That dictionary counts columns
    from 1, `labels` from 0.

    Arguments:
        path: of the file. The name of the recording is that of the file, without `-data`.
        labels: `{column: label}` with columns from 0, others being unidentified; or one label
            for each column.
        traces: which dataset of `gcamp/`; without it, the first of the table that is there.
        max_bytes: refuse to read arrays of more bytes than this in all.

    Returns:
        The recording, in the unit `"F/F20"`, `"F"` or `"z-score"`.

    Raises:
        RecordingError: the file is damaged, cut short or laid out otherwise, or `labels` do not
            fit; the message names the file and the trouble.
        ImportError: h5py is not installed (`pip install 'neurojax-dynamics[recordings]'`).

    Example:
        >>> import h5py
        >>> import numpy as np
        >>> from neurojax.recordings import read_hdf5
        >>> with h5py.File("worm-data.h5", "w") as file:
        ...     file["gcamp/traces_array_F_F20"] = np.ones((5, 3))
        ...     file["timing/timestamp_confocal"] = 0.6 * np.arange(5)
        ...     file["behavior/velocity"] = np.zeros(5)
        >>> worm = read_hdf5("worm-data.h5", labels={0: "AVAL", 2: "AVAR"})
        >>> worm.name, worm.labels, worm.series
        ('worm', ('AVAL', '', 'AVAR'), {'velocity': Series(behaviour, shape (5,), 'mm/s')})
    """
    require("h5py")
    max_bytes = checked_max_bytes(max_bytes)
    check_text("traces", traces)
    with naming(path) as file:
        check_hdf5_signature(file)
        [parts] = read_apart("lab_hdf5", file, max_bytes, traces=traces)
        parts["name"] = Path(file).stem.removesuffix("-data")
        parts["metadata"] = {"source": Path(file).name, **parts["metadata"]}
        parts["labels"] = _per_column(labels, parts["values"].shape[1])
        return as_recording(parts)


def _per_column(labels: Mapping[int, str] | Sequence[str] | None, columns: int) -> Sequence[str]:
    if labels is None:
        return [""] * columns
    if not isinstance(labels, Mapping):
        return labels
    full = [""] * columns
    for column, label in labels.items():
        if isinstance(column, bool) or not hasattr(column, "__index__"):
            raise RecordingError(f"labels must have column numbers as keys, but has {column!r}")
        if not 0 <= column < columns:
            hint = "; subtract 1 if they count from 1" if column == columns else ""
            raise RecordingError(
                f"labels names column {column}, but columns run from 0 to {columns - 1}{hint}"
            )
        full[column] = label
    return full
