"""Samples of a chunked run on their way to the host or to disk."""

import json
import math
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from .paths import leaf_names

FORMAT = "neurojax records"
VERSION = 1
INDEX = "index.json"


def as_folder(name: str, value) -> Path:
    """A folder that an argument names.

    Raises:
        TypeError: for what is no path.
        ValueError: for an empty one.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be a folder, a string or a path, got {value!r}")
    if not os.fspath(value):
        raise ValueError(f"{name} must be the name of a folder, got {value!r}")
    return Path(value).expanduser()


class Stream(NamedTuple):
    """Where a run is written, and what the files alone do not say.

    Arguments:
        folder: the new folder.
        run: `dt`, `first_step` and `steps`.
        records: by name of record its `every`, its times `at`, or its `neurons` by population.
    """

    folder: str | os.PathLike
    run: dict[str, Any]
    records: dict[str, dict[str, Any]]


class Entry(NamedTuple):
    """An array in a folder, as the index knows it."""

    file: str
    dtype: np.dtype
    shape: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        return {"file": self.file, "dtype": str(self.dtype), "shape": list(self.shape)}


class Store:
    """Collects samples by name; with a folder they are written as .npy files while the run goes on.

    The files are written into a folder beside it, `folder.partial-...`, which is moved into place
    at the end: a folder that is there is complete. What `checkpoint` has seen can be read there
    also if the run ends before, in whatever way.
    """

    def __init__(self, stream: Stream | None):
        self.stream = stream
        self.folder = None if stream is None else as_folder("stream_to", stream.folder)
        self.chunks: dict[str, list[np.ndarray]] = {}
        self.kept: dict[str, Any] = {}
        self.trees: dict[str, Any] = {}
        self.files: dict[str, _GrowingFile] = {}
        if self.folder is not None:
            if self.folder.exists():
                raise FileExistsError(
                    f"stream_to={str(self.folder)!r} exists already; name a new folder"
                )
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self.partial = Path(
                tempfile.mkdtemp(prefix=f"{self.folder.name}.partial-", dir=self.folder.parent)
            )
            self.steps = 0  # that `checkpoint` has seen

    def append(self, name: str, rows: np.ndarray) -> None:
        """Add rows to an array."""
        if self.folder is None:
            self.chunks.setdefault(name, []).append(rows)
            return
        if name not in self.files:
            safe = re.sub(r"[^\w.-]+", ".", name).strip(".") or "record"
            taken = {file.path.name for file in self.files.values()}
            free = (f"{safe}{n or ''}.npy" for n in range(len(taken) + 1))
            path = self.partial / next(f for f in free if f.lower() not in map(str.lower, taken))
            self.files[name] = _GrowingFile(path, rows)
        self.files[name].append(rows)

    def append_tree(self, name: str, rows) -> None:
        """Add rows to every leaf of a tree."""
        leaves, self.trees[name] = jax.tree.flatten(rows)
        for i, leaf in enumerate(leaves):
            self.append(_leaf(name, i, len(leaves)), leaf)

    def keep(self, name: str, tree) -> None:
        """A record that came in one piece, left as it is."""
        self.kept[name] = tree

    def checkpoint(self, steps: int) -> None:
        """Make what was recorded of the first steps readable."""
        if self.folder is None or self.stream is None:
            return
        for file in self.files.values():
            file.flush()
        self._write_index({"steps": steps, "planned_steps": self.stream.run["steps"]})
        self.steps = steps

    def close(self) -> None:
        """Write headers and move the folder into place."""
        if self.folder is None:
            return
        for file in self.files.values():
            file.close()
        self._write_index({})
        os.replace(self.partial, self.folder)

    def _write_index(self, so_far: dict[str, int]) -> None:
        stream: Any = self.stream
        records = {
            name: about | ({"tree": _written(name, self.trees[name])} if name in self.trees else {})
            for name, about in stream.records.items()
        }
        index = {
            "format": FORMAT, "version": VERSION, **stream.run, **so_far,
            "files": {name: file.entry().as_json() for name, file in self.files.items()},
            "records": records,
        }  # fmt: skip
        new = self.partial / f"{INDEX}.new"
        new.write_text(json.dumps(index, indent=1), encoding="utf-8")
        os.replace(new, self.partial / INDEX)

    def abandon(self, error: BaseException) -> None:
        """Keep what a run that failed has recorded, and say where."""
        if self.folder is None:
            return
        for file in self.files.values():
            file.close()
        if self.steps == 0:
            shutil.rmtree(self.partial, ignore_errors=True)
            error.add_note(
                f"Nothing is kept in {str(self.folder)!r}: the run ended before its first part was "
                "written."
            )
            return
        error.add_note(
            f"What was recorded of the first {self.steps} steps is in {str(self.partial)!r}; "
            "nj.open_records reads it."
        )

    def get(self, name: str) -> np.ndarray:
        """An array by name, memory-mapped if it was streamed."""
        if self.folder is None:
            return np.concatenate(self.chunks[name])
        return mapped(self.folder, self.files[name].entry())

    def get_tree(self, name: str):
        """A tree by name."""
        if name in self.kept:
            return self.kept[name]
        tree = self.trees[name]
        count = tree.num_leaves
        return jax.tree.unflatten(tree, [self.get(_leaf(name, i, count)) for i in range(count)])


def _leaf(name: str, i: int, count: int) -> str:
    return name if count == 1 else f"{name}/{i}"


def _written(name: str, tree) -> Any:
    """The structure of a record for JSON: nodes as `{kind: children}`, leaves by key of file."""
    count = tree.num_leaves
    named = jax.tree.unflatten(tree, [_leaf(name, i, count) for i in range(count)])
    try:
        return _as_json(named)
    except TypeError:
        # some other node, which only its own class could build
        flat = zip(leaf_names(named), jax.tree.leaves(named), strict=True)
        return {"dict": dict(flat)}


def _as_json(node) -> Any:
    if node is None or type(node) is str:
        return node
    if type(node) is dict and all(type(key) is str for key in node):
        return {"dict": {key: _as_json(child) for key, child in node.items()}}
    if type(node) in (list, tuple):
        return {type(node).__name__: [_as_json(child) for child in node]}
    raise TypeError(f"{type(node).__name__} is no node for JSON")


def mapped(folder: Path, entry: Entry, growing: bool = False) -> np.ndarray:
    """An array of a folder, read-only; its file must be what the index says.

    Where it is `growing`, a run that was killed may have written more than the index knows.
    """
    file, dtype, shape = entry
    path = folder / file
    with path.open("rb") as handle:
        if np.lib.format.read_magic(handle) != (2, 0):
            raise ValueError("it is no .npy file of version 2.0")
        found_shape, fortran, found = np.lib.format.read_array_header_2_0(handle)
        start = handle.tell()
    # numpy writes types that it does not know, such as bfloat16, as raw bytes
    same = found == dtype or (found.kind == "V" and found.itemsize == dtype.itemsize)
    fits = found_shape == shape
    if growing:
        fits = found_shape[1:] == shape[1:] and found_shape[0] >= shape[0]
    if fortran or not same or not fits:
        raise ValueError(f"it holds {found} {found_shape}, the index says {dtype} {shape}")
    wanted, size = start + math.prod(shape) * dtype.itemsize, path.stat().st_size
    if size < wanted or (size > wanted and not growing):
        raise ValueError(f"it has {size} bytes instead of {wanted}")
    if 0 in shape:
        return np.zeros(shape, dtype)  # nothing that could be mapped
    return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape)


class _GrowingFile:
    """A .npy file whose first axis grows; numpy leaves room in the header for that."""

    def __init__(self, path: Path, like: np.ndarray):
        self.path, self.rows = path, 0
        self.dtype, self.shape = like.dtype, like.shape[1:]
        self.handle = path.open("w+b")
        self._header()

    def _header(self) -> None:
        description = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.rows, *self.shape),
        }
        self.handle.seek(0)
        np.lib.format.write_array_header_2_0(self.handle, description)

    def append(self, rows: np.ndarray) -> None:
        self.handle.write(np.ascontiguousarray(rows).tobytes())
        self.rows += len(rows)

    def flush(self) -> None:
        self._header()
        self.handle.seek(0, os.SEEK_END)
        self.handle.flush()

    def entry(self) -> Entry:
        return Entry(self.path.name, self.dtype, (self.rows, *self.shape))

    def close(self) -> None:
        if not self.handle.closed:
            self._header()
            self.handle.flush()
            os.fsync(self.handle.fileno())
            self.handle.close()
