"""Models on disk: one file, versioned, written atomically, without pickle."""

import io
import json
import os
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from .parameters import arrays_only
from .paths import leaf_names

_FORMAT = "neurojax model"
_VERSION = 1


def save(path: str | os.PathLike, model) -> None:
    """Write the arrays of a model (any pytree) to one file.

    Trainable wrappers are kept as they are, so training can go on from the file. The file
    appears under its name only when it is complete.

    Arguments:
        path: file name; `.npz` is customary.
        model: a pytree whose leaves are arrays and numbers.

    Raises:
        TypeError: if a leaf is neither an array nor a number.

    Example:
        >>> import tempfile, pathlib, neurojax as nj
        >>> model = nj.solvers.Heun(), 1.5
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.npz"
        >>> nj.save(path, model)
        >>> float(nj.load(path, like=model)[1])
        1.5
    """
    arrays = _named_arrays(model)
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "kind": type(model).__name__,
        "leaves": [[name, str(kind)] for name, kind, _ in arrays],
    }
    buffer = io.BytesIO()
    members = {f"leaf{i}": array for i, (_, _, array) in enumerate(arrays)}
    np.savez(buffer, header=np.asarray(json.dumps(header)), **members)
    write_atomically(path, buffer.getvalue())


def load(path: str | os.PathLike, like):
    """Read a file written by `save` into a model of the same structure.

    Arguments:
        path: the file.
        like: a model built as the saved one was; its arrays give structure, shapes and dtypes.

    Raises:
        ValueError: if the file is not such a file, is damaged, or does not fit `like`.
        FileNotFoundError: if there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no saved model at {str(path)!r}")
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            stored = [file[f"leaf{i}"] for i in range(len(header["leaves"]))]
            names = [name for name, _ in header["leaves"]]
            kinds = [kind for _, kind in header["leaves"]]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, MemoryError,
            NotImplementedError, OverflowError) as error:  # fmt: skip
        raise ValueError(f"{str(path)!r} is not a readable neurojax model file: {error}") from error
    if header.get("format") != _FORMAT:
        raise ValueError(f"{str(path)!r} is an npz file, but not one written by neurojax.save")
    if header.get("version") != _VERSION:
        raise ValueError(
            f"{str(path)!r} has format version {header.get('version')}, this neurojax reads {_VERSION}"
        )
    expected = _named_arrays(like)
    if names != [name for name, _, _ in expected]:
        missing = sorted({n for n, _, _ in expected} - set(names))
        extra = sorted(set(names) - {n for n, _, _ in expected})
        raise ValueError(
            f"{str(path)!r} holds a {header.get('kind')} whose leaves differ from like=: "
            f"missing {missing[:5]}, not expected {extra[:5]}"
        )
    leaves = []
    for name, kind, array, (_, _, other) in zip(names, kinds, stored, expected, strict=True):
        if array.shape != other.shape:
            raise ValueError(
                f"leaf {name!r} has shape {array.shape} in {str(path)!r} and {other.shape} in like="
            )
        leaves.append(
            jax.random.wrap_key_data(jnp.asarray(array), impl=kind[4:])
            if kind.startswith("key:")
            else jnp.asarray(array, other.dtype)
        )
    return jax.tree.unflatten(jax.tree.structure(arrays_only(like)), leaves)


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Write a file so that it is either complete or absent, whatever happens in between."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _named_arrays(model) -> list[tuple[str, str, np.ndarray]]:
    """Name, kind and host array of every leaf."""
    model = arrays_only(model)
    found = []
    for name, leaf in zip(leaf_names(model), jax.tree.leaves(model), strict=True):
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data = np.asarray(jax.random.key_data(leaf))
            found.append((name, f"key:{jax.random.key_impl(leaf)}", data))
        elif isinstance(leaf, jax.Array | np.ndarray | int | bool | np.generic):
            found.append((name, "array", np.asarray(leaf)))
        else:
            raise TypeError(
                f"leaf {name!r} is a {type(leaf).__name__}; a model is saved as arrays and "
                "numbers, so declare it with eqx.field(static=True)"
            )
    return found
