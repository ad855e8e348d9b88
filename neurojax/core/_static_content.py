"""What of a model is no array but says what its arrays mean, as text that a file can keep."""

import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import numpy as np

from .dynamics import Dynamics
from .solvers.base import AbstractStepper
from .surrogate import AbstractSurrogate

_LONGEST = 80  # characters that a message shows; longer texts are compared by their digest
_DIGITS = 2.0**20  # of numbers in arrays: their last bits differ between machines
_UNKNOWN = "\0"  # functions and what is not ours: not compared; never in the text of a str
_HOW = AbstractStepper, AbstractSurrogate  # of a run and its gradient, not what the model is


def static_content(model) -> dict[str, str]:
    """The static content of all `Dynamics` in a pytree, by dotted name.

    Sizes, options, names, graphs and fixed delays. Not what is a function, and not the options of
    solvers and surrogate gradients, by which a model may well be run otherwise. Arrays are told by
    a digest of all their numbers, floating point ones to six digits.
    """
    found: dict[str, str] = {}
    for name, value in _static(model, "", False):
        for own, text in _entries(name, value):
            if _UNKNOWN not in text:
                found[own] = text if len(text) <= _LONGEST else _digest(text.encode())
    return found


def differences(stored: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """What differs, in words; names that only one side knows came or went with a version."""
    found = []
    for name, here in wanted.items():
        there = stored.get(name, here)
        if there != here:
            shown = f" ({there} there, {here} in like=)"
            found.append(name + ("" if "#" in there + here else shown))
    return found


def _static(node, name: str, inside: bool) -> Iterator[tuple[str, Any]]:
    """The static fields of the modules in a tree that are part of a `Dynamics`."""
    joined = lambda own: f"{name}.{own}" if name else str(own)
    if isinstance(node, _HOW):
        return
    if isinstance(node, eqx.Module):
        inside = inside or isinstance(node, Dynamics)
        for field in dataclasses.fields(node):
            value = getattr(node, field.name, None)
            if not field.metadata.get("static", False):
                yield from _static(value, joined(field.name), inside)
            elif inside:
                yield joined(field.name), value
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _static(value, joined(key), inside)
    elif isinstance(node, list | tuple):
        for i, value in enumerate(node):
            yield from _static(value, joined(i), inside)


def _entries(name: str, value) -> Iterator[tuple[str, str]]:
    """A static value as text; an object as one entry for each of its attributes."""
    own = _attributes(value)
    if own is None:
        yield name, _text(value)
        return
    yield name, "given"  # None is something else
    for attribute, inner in own.items():
        yield from _entries(f"{name}.{attribute}", inner)


def _attributes(value) -> dict[str, Any] | None:
    """What an object holds, of those that are compared by it."""
    ours = type(value).__module__.partition(".")[0] == __name__.partition(".")[0]
    if callable(value) or isinstance(value, tuple) or not hasattr(value, "__dict__"):
        return None
    if not (ours or dataclasses.is_dataclass(value)):
        return None
    return {name: inner for name, inner in vars(value).items() if not name.startswith("_")}


def _text(value) -> str:
    """The same text for the same content, whatever machine and version of Python."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return repr(value)
    if isinstance(value, float | complex):
        return f"{value:.12g}"
    if isinstance(value, slice):
        return _text((value.start, value.stop, value.step))
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_text, value))})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_text(value[key])}' for key in sorted(value, key=str))}}}"
    if isinstance(value, np.ndarray):
        return _of_array(value)
    own = _attributes(value)
    return _UNKNOWN if own is None else _text(own)


def _of_array(array: np.ndarray) -> str:
    if array.dtype.kind not in "biuf":
        return _UNKNOWN
    if not array.ndim:
        return _text(float(f"{float(array):.6g}") if array.dtype.kind == "f" else array.item())
    if array.dtype.kind == "f":
        mantissa, exponent = np.frexp(array.astype(np.float64))
        rounded = np.round(mantissa * _DIGITS) / _DIGITS
        array = np.ldexp(rounded, exponent) + 0.0  # one zero, without a sign
        array = array.astype("<f8")
    else:
        array = array.astype("<i8")
    return f"{array.shape} {_digest(np.ascontiguousarray(array).tobytes())}"


def _digest(data: bytes) -> str:
    return "#" + hashlib.blake2b(data, digest_size=16).hexdigest()
