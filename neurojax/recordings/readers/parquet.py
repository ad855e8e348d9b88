"""The homogenised table of *C. elegans* recordings from many labs."""

from os import PathLike
from pathlib import Path

from neurojax.recordings.collection import Recordings
from neurojax.recordings.errors import did_you_mean
from neurojax.recordings.readers._apart import read_apart
from neurojax.recordings.readers._door import (
    MAX_BYTES,
    as_recording,
    check_parquet_signature,
    checked_max_bytes,
    naming,
    require,
)

_WHICH = ("calcium", "original")


def read_parquet(
    path: str | PathLike[str], *, which: str = "calcium", max_bytes: int = MAX_BYTES
) -> Recordings:
    """Read the table of Simeon et al. 2024: whole-brain calcium of many animals in one schema.

    Each row is one neuron of one animal: `source_dataset`, `worm`, `neuron`, `is_labeled_neuron`,
    its samples `calcium_data` on the clock `time_in_seconds`, and both again before resampling as
    `original_calcium_data` and `original_time_in_seconds`.

    An animal is a `worm` of a `source_dataset`: worm ids repeat across sources. The `neuron` of
    an unlabelled row is only a number within its animal, so such columns are unidentified here.
    Rows of one animal may be shorter than others if their times lie on the longest clock; the
    samples that they lack are masked.

    The authors normalise each trace over its whole recording (z-score): a score on held-out
    later frames of such data has seen their mean and variance.

    Arguments:
        path: of the Parquet file.
        which: `"calcium"`, resampled to a common interval, or `"original"`.
        max_bytes: refuse to read arrays of more bytes than this in all.

    Returns:
        One recording per animal, named `source_dataset/worm`, in the order of the file.

    Raises:
        RecordingError: the file is damaged, cut short or has another schema; the message names
            the file and the trouble.
        ImportError: pyarrow is not installed (`pip install 'neurojax-dynamics[recordings]'`).

    Example:
        >>> import pyarrow as pa
        >>> import pyarrow.parquet as pq
        >>> from neurojax.recordings import read_parquet
        >>> table = {
        ...     "source_dataset": ["Kato2015", "Kato2015"],
        ...     "worm": ["worm0", "worm0"],
        ...     "neuron": ["AVAL", "17"],
        ...     "is_labeled_neuron": [True, False],
        ...     "calcium_data": [[0.1, 0.2, 0.3]] * 2,
        ...     "time_in_seconds": [[0.0, 0.333, 0.666]] * 2,
        ... }
        >>> pq.write_table(pa.table(table), "worms.parquet")
        >>> read_parquet("worms.parquet")["Kato2015/worm0"].labels
        ('AVAL', '')
    """
    require("pyarrow")
    max_bytes = checked_max_bytes(max_bytes)
    if which not in _WHICH:
        raise ValueError(f"which must be one of {_WHICH}" + did_you_mean(str(which), _WHICH))
    with naming(path) as file:
        check_parquet_signature(file)
        worms = read_apart("parquet", file, max_bytes, which=which)
        for parts in worms:
            parts["metadata"] |= {"file": Path(file).name}
            parts["unit"] = "z-score"
        return Recordings([as_recording(parts) for parts in worms])
