"""The entry of the child process: one request on stdin, one answer on stdout."""

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from .answer import write_answer
from .budget import Budget
from .refused import Refused

_FORMATS = ("lab_hdf5", "nwb", "parquet")


def main() -> None:
    """Read the file that stdin asks for; every trouble becomes a sentence in the answer."""
    # What libraries print must not mix with the answer.
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    _limit(request["seconds"], request["address_space"])
    write_answer(stream, answer(request))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The recordings that a file holds, or an error with what is wrong with it."""
    assert request["format"] in _FORMATS
    reader = importlib.import_module("." + request["format"], __package__)
    path = request["path"]
    try:
        budget = Budget(request["max_bytes"], os.path.getsize(path))
        return {"recordings": reader.read(path, budget, **request["options"])}
    except Refused as refused:
        return _error(str(refused), refused.unknown, refused.known)
    except MemoryError:
        return _error("reading it needs more memory than a file of its size should")
    except RecursionError:
        return _error("it is nested too deeply")
    except Exception as error:  # h5py and pyarrow raise almost anything on a damaged file
        lines = str(error).strip().splitlines() or ["no reason given"]
        return _error(f"it is damaged or not of this format ({lines[0][:300]})")


def _error(message: str, unknown: str = "", known: Sequence[str] = ()) -> dict[str, Any]:
    return {"error": message, "unknown": unknown, "known": list(known)}


def _limit(seconds: int, address_space: int) -> None:
    """Bound the processor time and the memory of this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, seconds, seconds + 5),  # SIGXCPU, then SIGKILL
        (resource.RLIMIT_AS, address_space, address_space),
    ):
        with contextlib.suppress(ValueError, OSError):  # a stricter limit is already there
            resource.setrlimit(kind, (soft, hard))
