"""Recordings in `.npz` files: written all at once or not at all, read with suspicion.

A file holds `header.npy`, the bytes of a JSON text (schema, labels, names, units, metadata), and
one `.npy` member per array. No member is ever unpickled.
"""

import io
import json
import os
import tempfile
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from neurojax.recordings.errors import RecordingError
from neurojax.recordings.recording import Recording, Series

_SCHEMA = "neurojax-recording"
_VERSION = 1
# A small file that unpacks to more than this, and to over 100 times its size, is refused.
_UNPACKED_AT_LEAST = 256 * 2**20
_UNPACKED_TIMES = 100


def save_recording(recording: Recording, path: str | PathLike[str]) -> None:
    """Write one recording to a `.npz` file, atomically; see `Recording.save`.

    Arguments:
        recording: all of it is kept.
        path: must end in `.npz`; a file that is there is replaced, once the new one is complete.

    Raises:
        RecordingError: the path ends otherwise.
        OSError: the folder is not there or cannot be written to.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise RecordingError(f"path must end in .npz, but is {str(path)!r}")
    header = {
        "schema": _SCHEMA,
        "version": _VERSION,
        "name": recording.name,
        "unit": recording.unit,
        "labels": list(recording.labels),
        "metadata": recording.metadata,
        "series": [
            {"name": k, "unit": s.unit, "kind": s.kind} for k, s in recording.series.items()
        ],
        "spikes": list(recording.spikes),
    }
    text = json.dumps(header).encode()
    arrays = {
        "header": np.frombuffer(text, np.uint8),
        "times": recording.times,
        "values": recording.values,
        "mask": recording.mask,
        "label_confidence": recording.label_confidence,
    }
    for i, series in enumerate(recording.series.values()):
        arrays[f"series_{i}_times"], arrays[f"series_{i}_values"] = series.times, series.values
    for i, train in enumerate(recording.spikes.values()):
        arrays[f"spikes_{i}"] = train
    # Large ones are stored plain, so that the reader's check of sizes never refuses our own file.
    small = sum(a.nbytes + 1024 for a in arrays.values()) < _UNPACKED_AT_LEAST
    write = np.savez_compressed if small else np.savez
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_recording(path: str | PathLike[str]) -> Recording:
    """Read a file that `Recording.save` wrote.

    Whatever the bytes are, nothing in them is executed or unpickled, and the memory used stays
    within 256 MiB or 100 times the size of the file.

    Arguments:
        path: of the file.

    Raises:
        RecordingError: the file is not such a file, is damaged, or unpacks to far more than its
            size; the message names the file and the trouble.
        OSError: the file is not there or cannot be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _read(file, size)
    except OSError as error:
        if error.filename is not None:  # not there, not ours, a folder: the system's words do
            raise
        raise RecordingError(f"{path} is not a readable recording: {error}") from error
    except RecordingError as error:
        raise RecordingError(f"{path} is not a readable recording: {error}") from error
    except Exception as error:  # damaged bytes raise nearly anything in zipfile, zlib, json, numpy
        trouble = f"{type(error).__name__}: {error}"
        raise RecordingError(f"{path} is damaged or no recording ({trouble})") from error


def _read(file, size: int) -> Recording:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        names = [m.filename for m in members]
        if len(set(names)) != len(names):
            raise RecordingError("a member occurs twice")
        unpacked = sum(m.file_size for m in members)
        if unpacked > max(_UNPACKED_AT_LEAST, _UNPACKED_TIMES * size):
            raise RecordingError(f"its {size} bytes claim to unpack to {unpacked}")
        if "header.npy" not in names:
            raise RecordingError("it has no header; was it written by Recording.save?")
        header = _header(_array(archive, "header"))
        expected = {"header", "times", "values", "mask", "label_confidence"}
        expected |= {
            f"series_{i}_{k}" for i in range(len(header["series"])) for k in ("times", "values")
        }
        expected |= {f"spikes_{i}" for i in range(len(header["spikes"]))}
        found = {n.removesuffix(".npy") for n in names}
        if found != expected:
            raise RecordingError(
                f"members missing: {sorted(expected - found)[:5]}, "
                f"not expected: {sorted(found - expected)[:5]}"
            )
        return Recording(
            times=_array(archive, "times"),
            values=_array(archive, "values"),
            labels=header["labels"],
            mask=_array(archive, "mask"),
            series={
                s["name"]: Series(
                    _array(archive, f"series_{i}_times"),
                    _array(archive, f"series_{i}_values"),
                    s["unit"],
                    s["kind"],
                )
                for i, s in enumerate(header["series"])
            },
            unit=header["unit"],
            name=header["name"],
            metadata=header["metadata"],
            spikes={k: _array(archive, f"spikes_{i}") for i, k in enumerate(header["spikes"])},
            label_confidence=_array(archive, "label_confidence"),
        )


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """One member as an array, its declared shape checked against its bytes first."""
    data = archive.read(name + ".npy")  # at most the declared size, which was checked
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise RecordingError(f"member {name} is of npy version {version}, not (1, 0)")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject or dtype.kind not in "fiub":
        raise RecordingError(f"member {name} holds {dtype}, not plain numbers")
    count = 1
    for n in shape:  # Python's integers: no overflow
        count *= n
    body = memoryview(data)[stream.tell() :]
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(body):
        raise RecordingError(
            f"member {name} declares shape {shape} of {dtype} but has {len(body)} bytes"
        )
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")


def _header(raw: np.ndarray) -> dict[str, Any]:
    header = json.loads(raw.tobytes().decode())
    if not isinstance(header, dict) or header.get("schema") != _SCHEMA:
        raise RecordingError(f"its schema is not {_SCHEMA!r}; was it written by Recording.save?")
    if header.get("version") != _VERSION:
        raise RecordingError(
            f"it has version {header.get('version')!r} of the schema and this neurojax reads "
            f"version {_VERSION}; a newer neurojax may read it"
        )
    shapes = {"name": str, "unit": str, "labels": list, "metadata": dict, "series": list}
    for key, kind in {**shapes, "spikes": list}.items():
        if not isinstance(header.get(key), kind):
            raise RecordingError(f"entry {key!r} of its header is not a {kind.__name__}")
    for item in header["series"]:
        if not isinstance(item, dict) or set(item) != {"name", "unit", "kind"}:
            raise RecordingError("an entry of 'series' in its header is not name, unit and kind")
        if not all(isinstance(text, str) for text in item.values()):
            raise RecordingError("an entry of 'series' in its header is not text")
    for key in ("labels", "spikes"):
        if not all(isinstance(text, str) for text in header[key]):
            raise RecordingError(f"entry {key!r} of its header is not a list of texts")
    if not all(isinstance(text, str) for text in header["metadata"].values()):
        raise RecordingError("entry 'metadata' of its header is not a table of texts")
    return header


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
