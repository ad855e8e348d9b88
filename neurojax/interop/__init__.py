"""Bridges to other libraries; each is imported only when it is used."""

from neurojax.interop.pynapple import from_pynapple as from_pynapple
from neurojax.interop.xarray import from_xarray as from_xarray
from neurojax.interop.xarray import to_xarray as to_xarray

__all__ = ["from_pynapple", "from_xarray", "to_xarray"]
