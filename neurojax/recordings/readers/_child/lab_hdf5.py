"""The lab HDF5 layout: `gcamp/`, `timing/` and `behavior/`. See `read_hdf5`."""

from typing import Any

import h5py
import numpy as np

from .budget import Budget
from .hdf5_file import (
    Unreachable,
    child,
    dataset_at,
    group_at,
    is_numeric,
    names,
    open_hdf5,
    read_numbers,
    text_attribute,
)
from .refused import Refused

# Known traces and their units, the most useful first.
_UNITS = {
    "traces_array_F_F20": "F/F20",
    "trace_array_original": "F",
    "trace_array": "z-score",
}
_CLOCK = "timing/timestamp_confocal"
_BEHAVIOUR_UNITS = {"velocity": "mm/s", "body_angle": "rad"}


def read(path: str, budget: Budget, traces: str | None) -> list[dict[str, Any]]:
    """One recording, without labels."""
    with open_hdf5(path) as file:
        dataset, name = _traces(file, traces)
        values = read_numbers(dataset, budget)
        times = _clock(file, budget)
        if values.ndim != 2 or len(values) != len(times):
            raise Refused(
                f"gcamp/{name} must have shape (time, neuron) = ({len(times)}, n), one row for "
                f"each entry of {_CLOCK}, but the shape is {values.shape}"
            )
        series, unread = _behaviour(file, times, budget)
        metadata = {"traces": f"gcamp/{name}"}
        if unread:
            metadata["not read"] = ", ".join(unread)
        return [
            {
                "times": times,
                "values": values,
                "unit": _UNITS.get(name, ""),
                "series": series,
                "metadata": metadata,
            }
        ]


def _traces(file: h5py.File, traces: str | None) -> tuple[h5py.Dataset, str]:
    gcamp = group_at(file, "gcamp")
    if gcamp is None:
        hint = "; this is an NWB file: use read_nwb" if text_attribute(file, "nwb_version") else ""
        raise Refused(f"it has no group gcamp/, which this layout needs{hint}")
    if traces is not None:
        dataset = None if "/" in traces else dataset_at(gcamp, traces)
        if dataset is None:
            raise Refused(f"there is no dataset gcamp/{traces}", traces, names(gcamp))
        return dataset, traces
    for name in [k for k in _UNITS if k in names(gcamp)]:
        dataset = dataset_at(gcamp, name)
        if dataset is None:
            raise Refused(f"gcamp/{name} is no dataset")
        return dataset, name
    raise Refused(
        f"gcamp/ has none of {', '.join(_UNITS)}; choose one of what it has with traces=: "
        + (", ".join(names(gcamp)[:12]) or "nothing")
    )


def _clock(file: h5py.File, budget: Budget) -> np.ndarray:
    dataset = dataset_at(file, _CLOCK)
    if dataset is None:
        raise Refused(f"it has no dataset {_CLOCK}, the time of each frame in seconds")
    times = read_numbers(dataset, budget)
    if times.ndim == 2 and 1 in times.shape:
        times = times.ravel()
    if times.ndim != 1:
        raise Refused(f"{_CLOCK} must have one dimension, but its shape is {times.shape}")
    return times


def _behaviour(
    file: h5py.File, times: np.ndarray, budget: Budget
) -> tuple[dict[str, Any], list[str]]:
    """Series with one row per frame; and the names of what is no such series."""
    group = group_at(file, "behavior")
    series: dict[str, Any] = {}
    unread: list[str] = []
    if group is None:
        return series, unread
    for name in names(group):
        try:
            node = child(group, name)
        except Unreachable:
            node = None
        if isinstance(node, h5py.Dataset) and _fits(node, len(times)):
            series[name] = {
                "times": times,
                "values": read_numbers(node, budget),
                "unit": _BEHAVIOUR_UNITS.get(name, ""),
                "kind": "behaviour",
            }
        else:
            unread.append(f"behavior/{name}")
    return series, unread


def _fits(dataset: h5py.Dataset, frames: int) -> bool:
    return is_numeric(dataset) and dataset.ndim in (1, 2) and dataset.shape[0] == frames
