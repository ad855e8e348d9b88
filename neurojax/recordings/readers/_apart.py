"""Read a file in a process of its own, so that a damaged one cannot take this one with it.

On about one in a thousand NWB files with a few wrong bytes, the HDF5 library (2.0) dies by a
segmentation fault or never returns; on one in ten thousand Parquet files, the Arrow library (26)
aborts. Python can catch none of these. A short child process (`_child`, no jax, about a third of
a second) reads the file under limits of processor time and memory, and sends plain arrays back.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from neurojax.recordings.errors import RecordingError, did_you_mean

# Not `-m`: that would import the whole package. The folder goes last on the path, so that no
# module in it can stand in for one of Python's.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from _child.main import main; main()"
)

_SECONDS = 20  # of processor time, and more for large files:
_BYTES_PER_SECOND = 20_000_000
_WALL_FACTOR = 10  # a busy machine or a slow disk is no reason to give up

# Pools of threads and memory reserve address space that counts against the limit.
_FRUGAL = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
# Address space that Python and the libraries reserve before they read anything.
_ADDRESS_SPACE = 2**30
_BEST_COMPRESSION = 1100  # see _child/budget.py


def read_apart(format: str, path: str, max_bytes: int, **options: Any) -> list[dict[str, Any]]:
    """Let a child process read a file.

    Arguments:
        format: the module of `_child` that reads it.
        path: of the file.
        max_bytes: of arrays read in all.
        options: for its `read`, anything that JSON can hold.

    Returns:
        One dictionary per recording, with the arguments of `Recording`.

    Raises:
        RecordingError: the file is refused, or the child crashed or reached a limit. The message
            does not name the file; the caller does.
    """
    size = os.path.getsize(path)
    request = {
        "format": format,
        "path": os.path.abspath(path),
        "options": options,
        "max_bytes": max_bytes,
        "seconds": _SECONDS + size // _BYTES_PER_SECOND,
        "address_space": _ADDRESS_SPACE + 4 * min(max_bytes, _BEST_COMPRESSION * size),
    }
    answer = _ask_child(request)
    if "error" in answer:
        near = did_you_mean(answer["unknown"], answer["known"]) if answer["unknown"] else ""
        raise RecordingError(answer["error"] + near)
    return answer["recordings"]


def _ask_child(request: dict[str, Any]) -> dict[str, Any]:
    """Start a child process, wait for its end, and return what it answered."""
    seconds = request["seconds"]
    where = json.dumps([*sys.path, str(Path(__file__).parent)])
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-c", _PROGRAM, where],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=_WALL_FACTOR * seconds,
            env={**os.environ, **_FRUGAL},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RecordingError(f"reading it did not end within {_WALL_FACTOR * seconds} s") from None
    if child.returncode != 0:
        raise RecordingError(_cause_of_death(child.returncode, child.stderr, seconds))
    return _read_answer(child.stdout)


def _cause_of_death(code: int, stderr: bytes, seconds: int) -> str:
    if code == -getattr(signal, "SIGXCPU", 0):
        return f"reading it did not end within {seconds} s of processor time; it is damaged"
    if code < 0:
        return f"the library that reads it crashed (signal {-code}); the file is damaged"
    last = stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
    return f"the process that reads it failed with exit code {code} ({last[0][:300]})"


def _read_answer(data: bytes) -> dict[str, Any]:
    """The counterpart of `_child/answer.py`."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    arrays = []
    for kind in header["arrays"]:
        dtype, shape = np.dtype(kind["dtype"]), tuple(kind["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        arrays.append(np.frombuffer(data, dtype, count, start).reshape(shape))
        start += count * dtype.itemsize

    def filled(part: Any) -> Any:
        if isinstance(part, dict):
            if part.keys() == {"array"} and isinstance(part["array"], int):
                return arrays[part["array"]]
            return {k: filled(v) for k, v in part.items()}
        if isinstance(part, list):
            return [filled(v) for v in part]
        return part

    return filled(header["tree"])
