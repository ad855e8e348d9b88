"""HDF5 files that nobody has checked: links are followed by hand, sizes known before reading."""

import contextlib
from collections.abc import Iterator
from typing import Any

import h5py
import h5py.h5o
import numpy as np

from .budget import Budget
from .refused import Refused

_MAX_HOPS = 16  # of soft links
_MAX_CHILDREN = 100_000

Node = h5py.Group | h5py.Dataset


class Unreachable(Refused):
    """The path leads into another file, which is never opened, or in a circle."""


@contextlib.contextmanager
def open_hdf5(path: str) -> Iterator[h5py.File]:
    """The file, for reading."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise Refused(f"it is not a readable HDF5 file ({error})") from error
    with file:
        yield file


def names(group: h5py.Group) -> list[str]:
    """What a group holds; names that are not UTF-8 cannot be asked for and are left out."""
    if len(group) > _MAX_CHILDREN:
        raise Refused(f"{group.name} holds {len(group):,} objects; at most {_MAX_CHILDREN:,}")
    return [k for k in group if isinstance(k, str) and k.isprintable()]


def child(group: h5py.Group, name: str, hops: int = 0) -> Node | None:
    """One object of a group, `None` if it is not there or a soft link dangles.

    h5py would follow soft links through external ones into other files; here they are walked
    name by name.

    Raises:
        Unreachable: a link points into another file or in a circle.
    """
    link = group.get(name, default=None, getlink=True)
    if link is None:
        return None
    if isinstance(link, h5py.HardLink):
        node = group[name]
        return node if isinstance(node, h5py.Group | h5py.Dataset) else None
    where = f"{group.name}/{name}".replace("//", "/")
    if not isinstance(link, h5py.SoftLink):
        raise Unreachable(f"{where} is a link into another file; such links are not followed")
    if hops >= _MAX_HOPS:
        raise Unreachable(f"{where} is a link that leads in a circle")
    start = h5py.Group(group.file.id) if link.path.startswith("/") else group
    return descend(start, link.path, hops + 1)


def descend(group: h5py.Group, path: str, hops: int = 0) -> Node | None:
    """The object at a path below a group, or `None`."""
    node: Node | None = group
    for name in path.split("/"):
        if name in ("", "."):
            continue
        if not isinstance(node, h5py.Group):
            return None
        node = child(node, name, hops)
    return node


def group_at(group: h5py.Group, path: str) -> h5py.Group | None:
    """The group at a path, or `None`."""
    node = descend(group, path)
    return node if isinstance(node, h5py.Group) else None


def dataset_at(group: h5py.Group, path: str) -> h5py.Dataset | None:
    """The dataset at a path, or `None`."""
    node = descend(group, path)
    return node if isinstance(node, h5py.Dataset) else None


def address(node: Node) -> int:
    """The same for two paths that lead to the same object."""
    return int(h5py.h5o.get_info(node.id).addr)


def is_numeric(dataset: h5py.Dataset) -> bool:
    """Whether it holds real numbers or booleans."""
    return dataset.shape is not None and dataset.dtype.kind in "fiub"


def read_numbers(dataset: h5py.Dataset, budget: Budget) -> np.ndarray:
    """All of a numeric dataset: 32-bit floats stay, booleans too, the rest becomes float64."""
    what = _checked_storage(dataset)
    if not is_numeric(dataset):
        raise Refused(f"{what} must hold numbers, but its type is {dataset.dtype}")
    budget.spend(what, dataset.shape, dataset.dtype.itemsize)
    array = np.asarray(_read(dataset, what))
    if array.dtype.kind == "b" or array.dtype == np.float32:
        return array
    return array.astype(np.float64, copy=False)


def read_whole(dataset: h5py.Dataset, budget: Budget) -> np.ndarray:
    """All of a dataset of integers, as int64."""
    what = _checked_storage(dataset)
    if dataset.shape is None or dataset.dtype.kind not in "iu":
        raise Refused(f"{what} must hold integers, but its type is {dataset.dtype}")
    budget.spend(what, dataset.shape, 8)
    array = np.asarray(_read(dataset, what))
    if array.size and array.max() > np.iinfo(np.int64).max:
        raise Refused(f"{what} holds the number {array.max()}, which is no index")
    return array.astype(np.int64, copy=False)


def is_text(dataset: h5py.Dataset) -> bool:
    """Whether it holds strings."""
    return dataset.shape is not None and h5py.check_string_dtype(dataset.dtype) is not None


def read_texts(dataset: h5py.Dataset, budget: Budget) -> list[str]:
    """All of a dataset of strings, flattened; they must be UTF-8."""
    what = _checked_storage(dataset)
    if not is_text(dataset):
        raise Refused(f"{what} must hold texts, but its type is {dataset.dtype}")
    budget.spend(what, dataset.shape, dataset.dtype.itemsize)
    items = np.asarray(_read(dataset, what)).ravel().tolist()
    return [_decoded(item, f"{what}[{i}]") for i, item in enumerate(items)]


def attribute(node: Node, name: str) -> Any:
    """The value of an attribute: a text, a number, an array, a reference; `None` if absent."""
    if name not in node.attrs:
        return None
    value = node.attrs[name]
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind != "O":
        value = value.ravel()[0]
    if isinstance(value, bytes | np.bytes_):
        return _decoded(bytes(value), f"attribute {name} of {node.name}")
    return value


def text_attribute(node: Node, name: str) -> str:
    """A text attribute, `""` if it is absent or something else."""
    value = attribute(node, name)
    return value if isinstance(value, str) else ""


def number_attribute(node: Node, name: str, default: float | None) -> float:
    """A finite number; without `default` it must be there."""
    value = attribute(node, name)
    if value is None and default is not None:
        return default
    good = isinstance(value, int | float | np.integer | np.floating)
    if not good or not np.isfinite(value):
        raise Refused(f"attribute {name} of {node.name} must be a finite number, but is {value!r}")
    return float(value)


def _checked_storage(dataset: h5py.Dataset) -> str:
    """The name of a dataset whose bytes are all in this file."""
    what = str(dataset.name)
    if dataset.is_virtual or dataset.external:
        raise Unreachable(f"{what} keeps its numbers in another file, which is not opened")
    return what


def _read(dataset: h5py.Dataset, what: str) -> Any:
    try:
        return dataset[()]
    except MemoryError:
        raise
    except Exception as error:  # whatever h5py makes of an error of the C library
        raise Refused(f"{what} cannot be read ({error})") from error


def _decoded(item: Any, what: str) -> str:
    if isinstance(item, str):
        return item
    try:
        return bytes(item).decode("utf-8")
    except (UnicodeDecodeError, TypeError) as error:
        raise Refused(f"{what} is not UTF-8 text ({error})") from error
