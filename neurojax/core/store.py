"""Samples of a chunked run on their way to the host or to disk."""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np


class Store:
    """Collects samples by name; with a folder they are written as .npy files while the run goes on.

    The files are written beside the folder and moved into place at the end, so a folder that is
    there is complete.
    """

    def __init__(self, folder: str | os.PathLike | None):
        self.folder = None if folder is None else Path(folder)
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
                tempfile.mkdtemp(prefix=f".{self.folder.name}.", dir=self.folder.parent)
            )

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

    def close(self) -> None:
        """Write headers and move the folder into place."""
        if self.folder is None:
            return
        for file in self.files.values():
            file.close()
        index = {name: file.path.name for name, file in self.files.items()}
        (self.partial / "index.json").write_text(json.dumps(index, indent=1))
        os.replace(self.partial, self.folder)

    def discard(self) -> None:
        """Remove what was written of a run that failed."""
        if self.folder is not None:
            for file in self.files.values():
                file.close()
            shutil.rmtree(self.partial, ignore_errors=True)

    def get(self, name: str) -> np.ndarray:
        """An array by name, memory-mapped if it was streamed."""
        if self.folder is None:
            return np.concatenate(self.chunks[name])
        path = self.folder / self.files[name].path.name
        if self.files[name].rows == 0:
            return np.load(path, allow_pickle=False)
        return np.load(path, mmap_mode="r", allow_pickle=False)

    def get_tree(self, name: str):
        """A tree by name."""
        if name in self.kept:
            return self.kept[name]
        tree = self.trees[name]
        count = tree.num_leaves
        return jax.tree.unflatten(tree, [self.get(_leaf(name, i, count)) for i in range(count)])


def _leaf(name: str, i: int, count: int) -> str:
    return name if count == 1 else f"{name}/{i}"


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

    def close(self) -> None:
        if not self.handle.closed:
            self._header()
            self.handle.flush()
            os.fsync(self.handle.fileno())
            self.handle.close()
