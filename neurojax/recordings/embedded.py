"""Recordings that come with the package, and the one door to all files."""

from importlib.resources import as_file, files
from os import PathLike
from pathlib import Path

from neurojax.recordings.collection import Recordings
from neurojax.recordings.errors import RecordingError, did_you_mean
from neurojax.recordings.recording import Recording
from neurojax.recordings.storage import load_recording

_EMBEDDED = {
    "dag2023": "five adult C. elegans, whole-brain calcium with identified neurons and behaviour, "
    "freely moving on food; 8 minutes each (Dag et al. 2023)",
}
_READERS = {
    ".nwb": "read_nwb",
    ".parquet": "read_parquet",
    ".h5": "read_hdf5",
    ".hdf5": "read_hdf5",
    ".csv": "read_csv",
}


def available() -> dict[str, str]:
    """Names of the embedded sets of recordings, each with a line on what it is.

    Source, citation and licence of each recording are in its `metadata`.

    Example:
        >>> from neurojax.recordings import available
        >>> sorted(available())
        ['dag2023']
    """
    return dict(_EMBEDDED)


def load(name_or_path: str | PathLike[str]) -> Recordings:
    """An embedded set of recordings by its name, or the recordings of a file by its path.

    Arguments:
        name_or_path: a name of `available()`; or a path to a `.npz` file that `Recording.save`
            wrote, or to a `.nwb`, `.parquet`, `.h5` or `.csv` file, which goes to its reader
            with the reader's defaults.

    Returns:
        One or several recordings.

    Raises:
        RecordingError: there is no such name or file, its ending is unknown, or what is in it is
            no recording.

    Example:
        >>> from neurojax.recordings import load
        >>> worms = load("dag2023")
        >>> len(worms), len(worms.labels)
        (5, 129)
        >>> worms[0]
        Recording('2022-07-26-31', 800 frames x 146 neurons (99 identified), 0 to 480.665 s, unit 'F/F20')
    """  # noqa: E501
    if isinstance(name_or_path, str) and name_or_path in _EMBEDDED:
        return _embedded(name_or_path)
    path = Path(name_or_path)
    if not path.is_file():
        raise RecordingError(
            f"there is no embedded recording and no file {str(name_or_path)!r}"
            + did_you_mean(str(name_or_path), _EMBEDDED)
        )
    ending = path.suffix.lower()
    if ending == ".npz":
        return Recordings([load_recording(path)])
    if ending in _READERS:
        import neurojax.recordings

        found = getattr(neurojax.recordings, _READERS[ending])(path)
        return Recordings([found] if isinstance(found, Recording) else found)
    raise RecordingError(
        f"{path} ends in {ending!r}; known endings are .npz, " + ", ".join(_READERS)
    )


def _embedded(name: str) -> Recordings:
    folder = files("neurojax.recordings") / "data"
    found = sorted(f.name for f in folder.iterdir() if f.name.startswith(name + "_"))
    recordings = []
    for file in found:
        with as_file(folder / file) as path:
            recordings.append(load_recording(path))
    return Recordings(recordings)
