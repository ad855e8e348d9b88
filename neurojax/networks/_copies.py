"""Copies of modules with other values of fields, as they are: nothing is made anew or checked."""

import dataclasses
from typing import Any, TypeVar

Module = TypeVar("Module")


def copy_of(kind: type[Module], values: dict[str, Any]) -> Module:
    """A module of a class with these values of all its fields, which may be marks."""
    new = object.__new__(kind)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        object.__setattr__(new, field.name, values[field.name])
    return new


def replaced(module: Module, **fields) -> Module:
    """The same module with other values of some fields."""
    return copy_of(type(module), vars(module) | fields)
