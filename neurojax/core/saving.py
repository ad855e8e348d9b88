"""Models on disk: one file, versioned, written atomically, without pickle."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._static_content import differences, static_content
from .paths import leaf_names

_FORMAT = "neurojax model"
_VERSION = 1


def save(path: str | os.PathLike, model) -> None:
    """Write the arrays of a model (any pytree) to one file.

    Trainable wrappers are kept as they are, so training can go on from the file. With the arrays
    goes a fingerprint of what is static in a `Dynamics` and says what they mean (graphs, delays,
    sizes, options), by which `load` knows other models. The file appears under its name only when
    it is complete.

    Arguments:
        path: file name; `.npz` is customary.
        model: a pytree whose leaves are arrays and numbers.

    Raises:
        TypeError: if a leaf is neither an array nor a number nor the function of a wrapper.

    Example:
        >>> import tempfile, pathlib, neurojax as nj
        >>> model = nj.solvers.Heun(), 1.5
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.npz"
        >>> nj.save(path, model)
        >>> float(nj.load(path, like=model)[1])
        1.5
    """
    leaves = _leaves(model)
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "kind": type(model).__name__,
        "leaves": [[leaf.name, leaf.kind] for leaf in leaves],
        "static": static_content(model),
    }
    buffer = io.BytesIO()
    members: dict[str, Any] = {f"leaf{i}": leaf.array for i, leaf in enumerate(leaves)}
    np.savez(buffer, header=np.asarray(json.dumps(header)), **members)
    write_atomically(path, buffer.getvalue())


def load(path: str | os.PathLike, like):
    """Read a file written by `save` into a model of the same structure.

    Only arrays are read. What is static comes from `like` and is compared with the saved model: a
    network must have the same graphs and delays, drawn with the same key, and every `Dynamics` the
    same sizes and options. Solvers, surrogate gradients and functions may be others. Where other
    options are wanted, load into a model like the saved one, then give the arrays to the other:
    `jax.tree.unflatten(jax.tree.structure(other), jax.tree.leaves(loaded))`. Files from before
    version 0.12 know nothing of what is static; they load, and `like` must be right.

    Arguments:
        path: the file.
        like: a model built as the saved one was; its arrays give structure, shapes and dtypes,
            and are arrays of JAX or of NumPy as those that are read.

    Raises:
        ValueError: if the file is not such a file, is damaged, or does not fit `like`; what is
            static and differs is named, such as `projections.E->E:exc.edges.post`.
        FileNotFoundError: if there is no such file.

    Example:
        >>> import tempfile, pathlib, jax.numpy as jnp, neurojax as nj
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "weights.npz"
        >>> nj.save(path, {"w": jnp.arange(3.0)})
        >>> nj.load(path, like={"w": jnp.zeros(3)})["w"].tolist()
        [0.0, 1.0, 2.0]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no saved model at {str(path)!r}")
    kind, static, stored = _read(path)
    wanted = _leaves(like)
    found, expected = [leaf.name for leaf in stored], [leaf.name for leaf in wanted]
    if found != expected:
        missing = [name for name in expected if name not in found]
        extra = [name for name in found if name not in expected]
        raise ValueError(
            f"{str(path)!r} holds a {kind} whose leaves differ from like=: missing {missing[:5]}, "
            f"not expected {extra[:5]}"
        )
    if differing := differences(static, static_content(like)):
        raise ValueError(
            f"{str(path)!r} holds a {kind} that is another model than like=: it differs in "
            f"{', '.join(differing[:5])}{', ...' if len(differing) > 5 else ''}. Build like= as "
            "the saved one was, a network with its graphs, delays and key"
        )
    leaves = [_restored(path, *pair) for pair in zip(stored, wanted, strict=True)]
    kept, functions = _kept(like)
    return eqx.combine(jax.tree.unflatten(jax.tree.structure(kept), leaves), functions)


class _Leaf(NamedTuple):
    """A leaf on the host. `kind` is a dtype, or `key:` and the name of a generator.

    `made` makes what is no array of JAX: a number of Python, or an array or number of NumPy.
    """

    name: str
    kind: str
    array: np.ndarray
    made: Callable | None = None


def _read(path: Path) -> tuple[str, dict[str, str], list[_Leaf]]:
    """Kind, static content and leaves in a file; whatever is wrong with it is a ValueError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header["format"] != _FORMAT:
                raise ValueError("it was not written by neurojax.save")
            if header["version"] != _VERSION:
                raise ValueError(
                    f"it has format version {header['version']}, this neurojax reads {_VERSION}"
                )
            named = [(str(name), str(kind)) for name, kind in header["leaves"]]
            leaves = [_Leaf(*both, file[f"leaf{i}"]) for i, both in enumerate(named)]
            # files from before version 0.12 have none
            static = {str(k): str(v) for k, v in header.get("static", {}).items()}
            return str(header["kind"]), static, leaves
    except Exception as error:  # numpy, zip and json raise many kinds for damaged bytes
        raise ValueError(f"{str(path)!r} is not a readable neurojax model file: {error}") from error


def _restored(path: Path, stored: _Leaf, like: _Leaf):
    """A stored leaf in the dtype of `like`."""
    same = stored.kind.startswith("key:") == like.kind.startswith("key:")
    array, other = stored.array, like.array
    if array.shape != other.shape:
        raise ValueError(
            f"leaf {like.name!r} has shape {array.shape} in {str(path)!r} and shape "
            f"{other.shape} in like="
        )
    if like.kind.startswith("key:") and same and stored.kind == like.kind:
        if array.dtype == other.dtype:
            return jax.random.wrap_key_data(jnp.asarray(array), impl=like.kind[4:])
        same = False
    if same and not like.kind.startswith("key:"):
        try:
            array = array.view(jnp.dtype(stored.kind))  # numpy stores bfloat16 as raw bytes
            same = array.shape == other.shape and np.can_cast(array.dtype, like.kind, "same_kind")
        except (TypeError, ValueError):
            same = False
        if same:
            return (like.made or jnp.asarray)(array.astype(like.kind))
    raise ValueError(
        f"leaf {like.name!r} is of type {stored.kind} in {str(path)!r} and {like.kind} in like="
    )


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


def _kept(model):
    """What is written, and the functions of trainable wrappers, which `like` brings along."""
    number = lambda leaf: isinstance(leaf, float | complex) and not isinstance(leaf, np.generic)
    model = jax.tree.map(lambda leaf: jnp.asarray(leaf) if number(leaf) else leaf, model)
    return eqx.partition(model, lambda leaf: not callable(leaf))


def _leaves(model) -> list[_Leaf]:
    """Every leaf of a model that is written, on the host."""
    (model, _), found = _kept(model), []
    for name, leaf in zip(leaf_names(model), jax.tree.leaves(model), strict=True):
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data = np.asarray(jax.random.key_data(leaf))
            found.append(_Leaf(name, f"key:{jax.random.key_impl(leaf)}", data))
        elif isinstance(leaf, jax.Array | np.ndarray | int | np.generic):
            array = np.asarray(leaf)
            made: Any = type(leaf) if isinstance(leaf, int) else None
            if isinstance(leaf, np.ndarray | np.generic):
                made = np.asarray if isinstance(leaf, np.ndarray) else lambda x: x[()]
            found.append(_Leaf(name, str(array.dtype), array, made))
        else:
            raise TypeError(
                f"leaf {name!r} is a {type(leaf).__name__}; a model is saved as arrays and "
                "numbers, so declare it with eqx.field(static=True)"
            )
    return found
