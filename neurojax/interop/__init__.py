"""Bridges to other libraries; each is imported only when it is used."""

import importlib
from typing import TYPE_CHECKING, Any

from neurojax.interop.pynapple import from_pynapple as from_pynapple
from neurojax.interop.reservoirpy import from_reservoirpy as from_reservoirpy
from neurojax.interop.xarray import from_xarray as from_xarray
from neurojax.interop.xarray import to_xarray as to_xarray

if TYPE_CHECKING:
    from neurojax.interop.scikit_learn import ReservoirRegressor as ReservoirRegressor

# a class of scikit-learn's own kind cannot be made without scikit-learn
_LATE = {"ReservoirRegressor": "scikit_learn"}

__all__ = [
    "ReservoirRegressor",
    "from_pynapple",
    "from_reservoirpy",
    "from_xarray",
    "to_xarray",
]


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(importlib.import_module(f"neurojax.interop.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATE])
