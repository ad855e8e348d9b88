"""Records that a run wrote to a folder, read back."""

import json
import math
import os
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .given_times import GivenTimes
from .recorders import Trace
from .simulation import record_of, times_of
from .spikes import SpikeRecord
from .store import FORMAT, INDEX, VERSION, Entry, as_folder, mapped


class Records(eqx.Module):
    """The records of a streamed run, read back by `open_records`.

    Arguments:
        records: as in `Simulation`: by name, arrays with time as first axis, `SpikeRecord`s.
        sample_times: times of the samples in ms by name of record.
        dt: step length in ms.
        t0: the time in ms at which the run began.
        steps: number of steps of the run, or of its part that was written.
    """

    records: dict[str, Any]
    sample_times: dict[str, np.ndarray]
    dt: float
    t0: float
    steps: int

    def __getitem__(self, name: str):
        """A record by name."""
        return record_of(self.records, name)

    def times(self, name: str) -> np.ndarray:
        """Times in ms of a record: of its samples, or of its spikes."""
        return times_of(self.records, self.sample_times, name)


def open_records(folder: str | os.PathLike) -> Records:
    """Read back what `simulate(..., stream_to=folder)` wrote, also in another process.

    Arrays are memory-mapped and read-only, so opening a long run costs no memory. Nothing in the
    folder is executed.

    Arguments:
        folder: the folder that was given as `stream_to=`, or the one beside it,
            `folder.partial-...`, of a run that failed, was stopped or was killed.

    Returns:
        The records as the simulation had them: `[name]`, `times(name)`, `dt`, `t0`, the time at
        which the run began, and its number of `steps`. The final state and the counters of a run
        are not in the folder. A record whose tree has nodes other than dictionaries, lists and
        tuples comes back as a dictionary by dotted name.

    Raises:
        FileNotFoundError: if the folder, its index or one of its files is not there.
        ValueError: if the index or a file is damaged or was written by an earlier version.

    Example:
        >>> import pathlib, tempfile, neurojax as nj
        >>> worm = nj.circuits.ConnectomeCircuit(nj.connectomes.varshney2011())
        >>> folder = pathlib.Path(tempfile.mkdtemp()) / "run"
        >>> run = {"duration": 50.0, "dt": 5.0, "record": {"V": nj.Trace("V", every=5)}}
        >>> _ = nj.simulate(worm, **run, stream_to=folder)
        >>> records = nj.open_records(folder)
        >>> records["V"].shape, records.times("V").tolist()
        ((2, 279), [25.0, 50.0])
    """
    folder = as_folder("folder", folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no folder {str(folder)!r}; give the one that was stream_to= of nj.simulate"
        )
    index = _read_index(folder / INDEX)
    try:
        entries = {name: _read_entry(about) for name, about in index["files"].items()}
    except Exception as error:  # whatever damaged bytes lead to
        raise ValueError(_damaged(folder / INDEX, error)) from error
    growing = "planned_steps" in index
    arrays = {name: _read_array(folder, name, entry, growing) for name, entry in entries.items()}
    try:
        return _assembled(index, arrays)
    except Exception as error:
        raise ValueError(_damaged(folder / INDEX, error)) from error


def _damaged(path: Path, error: Exception) -> str:
    return f"{str(path)!r} is damaged ({type(error).__name__}: {error}); the run must be repeated"


def _read_entry(about) -> Entry:
    file, dtype, shape = about["file"], jnp.dtype(str(about["dtype"])), tuple(about["shape"])
    if Path(file).name != file or dtype.hasobject:
        raise ValueError(f"{about} is no array beside the index")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"{about} has no shape")
    return Entry(file, dtype, shape)


def _read_array(folder: Path, name: str, entry: Entry, growing: bool) -> np.ndarray:
    path = folder / entry.file
    if not path.is_file():
        raise FileNotFoundError(f"{str(path)!r} is missing: it holds {name!r} of the run")
    try:
        return mapped(folder, entry, growing)
    except Exception as error:  # numpy raises many kinds for damaged bytes
        raise ValueError(_damaged(path, error)) from error


def _read_index(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(
            f"{str(path)!r} is missing: the folder is not one of stream_to=, or not all of it"
        )
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(_damaged(path, error)) from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise ValueError(
            f"{str(path)!r} was written by an earlier neurojax, or by something else: it does not "
            "say which file is which record; read the .npy files beside it with "
            "numpy.load(file, mmap_mode='r')"
        )
    if index.get("version") != VERSION:
        raise ValueError(
            f"{str(path)!r} has format version {index.get('version')!r}, this neurojax reads "
            f"{VERSION}"
        )
    return index


def _assembled(index: dict[str, Any], arrays: dict[str, np.ndarray]) -> Records:
    """The records from their arrays; whatever does not fit is an exception of some kind."""
    dt, first, steps = float(index["dt"]), int(index["first_step"]), int(index["steps"])
    planned = int(index.get("planned_steps", steps))
    if not (math.isfinite(dt) and dt > 0 and 0 < steps <= planned):
        raise ValueError(f"dt={dt}, steps={steps} of {planned}")
    records, times = {}, {}
    for name, about in dict(index["records"]).items():
        if "neurons" in about:
            found = {
                part: _spikes(arrays, f"{name}/{part}", int(n), dt)
                for part, n in about["neurons"].items()
            }
            records[name] = found if about["several"] else next(iter(found.values()))
            continue
        tree = _read_tree(about["tree"], arrays)
        lengths = {len(leaf) for leaf in jax.tree.leaves(tree)}
        if len(lengths) != 1:
            raise ValueError(f"arrays of {name!r} have the lengths {sorted(lengths)}")
        rows = lengths.pop()
        if "at" in about:
            wanted = GivenTimes(name, Trace("", at=about["at"]), first, planned, dt)
            if rows != np.sum(wanted.kept <= steps):
                raise ValueError(f"{name!r} has {rows} samples, its times {len(wanted.kept)}")
            records[name], times[name] = wanted.until(steps, tree)
            continue
        every = int(about["every"])
        if every < 1 or rows > steps // every + 1:
            raise ValueError(f"{name!r} has {rows} samples, one in {every} of {steps} steps")
        # labels count from time zero, as in the run
        times[name] = (first // every + 1 + np.arange(rows)) * every * dt
        records[name] = tree
    return Records(records, times, dt, first * dt, steps)


def _spikes(arrays: dict[str, np.ndarray], name: str, n: int, dt: float) -> SpikeRecord:
    steps, words = arrays[f"{name}/steps"], arrays[f"{name}/words"]
    integers = np.issubdtype(steps.dtype, np.integer) and words.dtype == np.uint32
    if not integers or n < 1 or words.shape != (*steps.shape, -(-n // 32)) or steps.ndim != 1:
        raise ValueError(f"spikes of {n} neurons in shapes {steps.shape} and {words.shape}")
    return SpikeRecord(steps, words, np.asarray(dt), n)


def _read_tree(node, arrays: dict[str, np.ndarray]) -> Any:
    """The tree that `_written` described."""
    if node is None:
        return None
    if isinstance(node, str):
        return arrays[node]
    ((kind, children),) = node.items()
    if kind == "dict":
        return {key: _read_tree(child, arrays) for key, child in children.items()}
    return {"list": list, "tuple": tuple}[kind](_read_tree(child, arrays) for child in children)
