"""NWB files (Neurodata Without Borders 2): traces, spike times, stimuli, behaviour."""

from typing import Any

import h5py
import numpy as np

from .budget import Budget
from .hdf5_file import (
    Unreachable,
    attribute,
    dataset_at,
    group_at,
    is_text,
    number_attribute,
    open_hdf5,
    read_numbers,
    read_texts,
    read_whole,
    text_attribute,
)
from .nwb_labels import column_labels, row_names
from .nwb_series import Found, find_series
from .refused import Refused

_METADATA = {
    "identifier": "identifier",
    "session_start_time": "session_start_time",
    "session_description": "session_description",
    "general/session_id": "session_id",
    "general/experiment_description": "experiment_description",
    "general/experimenter": "experimenter",
    "general/institution": "institution",
    "general/lab": "lab",
    "general/related_publications": "citation",
    "general/keywords": "keywords",
    "general/notes": "notes",
    "general/license": "licence",
    "general/licence": "licence",
    "general/subject/subject_id": "subject_id",
    "general/subject/species": "species",
    "general/subject/strain": "strain",
    "general/subject/genotype": "genotype",
    "general/subject/sex": "sex",
    "general/subject/age": "age",
}
_SPIKES_ALONE = "units"


def read(
    path: str, budget: Budget, series: str | None, label_column: str | None
) -> list[dict[str, Any]]:
    """One recording."""
    with open_hdf5(path) as file:
        _check_version(file)
        found = find_series(file)
        metadata = _metadata(file, budget)
        main = _chosen(found, series, has_units=_units(file) is not None)
        spikes = _spikes(file, budget)
        if main is None and not spikes and series is None:
            raise Refused(
                "it has no traces (a RoiResponseSeries or a two-dimensional TimeSeries) and no "
                "spike times; it has: " + (", ".join(f.path for f in found) or "no time series")
            )
        recording: dict[str, Any] = {
            "times": np.zeros(0),
            "values": np.zeros((0, 0)),
            "labels": [],
            "name": metadata.get("identifier", ""),
            "spikes": spikes,
        }
        if main is not None:
            times, values, unit = _samples(main, budget)
            values = values[:, None] if values.ndim == 1 else values
            labels = column_labels(file, main, values.shape[1], label_column, budget)
            recording |= {"times": times, "values": values, "unit": unit, "labels": labels}
            metadata["traces"] = main.path
        elif label_column is not None:
            raise Refused("label_column names a column for traces, but none are read")
        recording["series"], unread = _beside(found, main, budget)
        if unread:
            metadata["not read"] = ", ".join(unread)
        return [recording | {"metadata": metadata}]


def _check_version(file: h5py.File) -> None:
    version = text_attribute(file, "nwb_version")
    if not version:
        old = dataset_at(file, "nwb_version") is not None
        lab = group_at(file, "gcamp") is not None
        hint = " (NWB 1 is not read)" if old else "; try read_hdf5" if lab else ""
        raise Refused(f"it is no NWB file: the attribute nwb_version is missing{hint}")
    if not version.startswith("2."):
        raise Refused(f"it is NWB {version}, but NWB 2 is read")


# --- which series is the recording ----------------------------------------------------------


def _chosen(found: list[Found], wanted: str | None, has_units: bool) -> Found | None:
    """The series that holds the traces; `None` to read spike times alone."""
    if wanted is not None:
        return _named(found, wanted, has_units)
    neural = [f for f in found if f.is_roi_response]
    if not neural:
        neural = [f for f in found if f.is_electrical and len(f.shape) == 2]
    if not neural:
        neural = [
            f for f in found if len(f.shape) == 2 and not f.is_stimulus and not f.is_behaviour
        ]
    # Some cannot be read (images, say), but if none can, the reason is what the user needs.
    neural = [f for f in neural if not f.trouble] or neural
    if len(neural) > 1:
        paths = [f.path for f in neural] + [_SPIKES_ALONE] * has_units
        raise Refused("it has several series of traces; choose one with series=: " + _list(paths))
    return _readable(neural[0]) if neural else None


def _named(found: list[Found], wanted: str, has_units: bool) -> Found | None:
    key = wanted.strip("/")
    fits = [f for f in found if f"/{f.path}".endswith(f"/{key}")]
    fits = [f for f in fits if f.path == key] or fits
    # The name of a container, such as DfOverF, stands for what is in it.
    fits = fits or [f for f in found if f"/{key}/" in f"/{f.path}"]
    if len(fits) == 1:
        return _readable(fits[0])
    if fits:
        raise Refused(f"series={wanted!r} may mean " + _list([f.path for f in fits]))
    if key == _SPIKES_ALONE and has_units:
        return None
    known = [f.path for f in found] + [_SPIKES_ALONE] * has_units
    raise Refused(f"it has no series {wanted!r}", wanted, known)


def _readable(series: Found) -> Found:
    if series.trouble:
        raise Refused(series.trouble)
    return series


def _list(paths: list[str]) -> str:
    return ", ".join(repr(p) for p in paths[:20]) + (" ..." if len(paths) > 20 else "")


# --- samples on their clock -------------------------------------------------------------------


def _samples(series: Found, budget: Budget) -> tuple[np.ndarray, np.ndarray, str]:
    """Times (s), values in their unit, the unit."""
    data = dataset_at(series.group, "data")
    assert data is not None  # a Found without trouble has them
    values = read_numbers(data, budget)
    factor = number_attribute(data, "conversion", 1.0)
    offset = number_attribute(data, "offset", 0.0)
    if factor != 1.0 or offset != 0.0:
        values = values.astype(np.float64) * factor + offset
    channels = dataset_at(series.group, "channel_conversion")
    if channels is not None:
        factors = read_numbers(channels, budget)
        if factors.shape != values.shape[1:]:
            raise Refused(
                f"{series.path}/channel_conversion must have shape {values.shape[1:]}, one factor "
                f"per column, but it is {factors.shape}"
            )
        values = values.astype(np.float64) * factors
    times = _times(series, len(values), budget)
    if len(times) != len(values):
        turned = values.ndim == 2 and values.shape[1] == len(times)
        hint = "; it is transposed, NWB has time first" if turned else ""
        raise Refused(
            f"{series.path}/data has shape {values.shape} for {len(times)} timestamps{hint}"
        )
    return times, values, text_attribute(data, "unit")


def _times(series: Found, frames: int, budget: Budget) -> np.ndarray:
    stamps = dataset_at(series.group, "timestamps")
    if stamps is not None:
        times = read_numbers(stamps, budget)
        if times.ndim != 1:
            raise Refused(f"{series.path}/timestamps must have one dimension, not {times.shape}")
        return times
    start = dataset_at(series.group, "starting_time")
    if start is None:
        raise Refused(f"{series.path} has neither timestamps nor starting_time")
    first = read_numbers(start, budget)
    rate = number_attribute(start, "rate", None)
    if first.size != 1 or not np.isfinite(first).all():
        raise Refused(f"{series.path}/starting_time must be one finite number")
    if rate <= 0.0:
        raise Refused(f"the rate of {series.path} must be positive, but it is {rate} Hz")
    budget.spend(f"the clock of {series.path}", (frames,), 8)
    return float(first.reshape(())) + np.arange(frames) / rate


# --- beside the traces ------------------------------------------------------------------------


def _beside(
    found: list[Found], main: Found | None, budget: Budget
) -> tuple[dict[str, Any], list[str]]:
    """Stimuli and behaviour by name, and the paths of what is neither."""
    chosen: list[Found] = []
    unread: list[str] = []
    for f in found:
        if f is main:
            continue
        neural = f.is_roi_response or (f.is_electrical and not f.is_stimulus)
        (unread.append(f.path) if f.trouble or neural else chosen.append(f))
    often = [f.name for f in chosen]
    series = {}
    for f in chosen:
        try:
            times, values, unit = _samples(f, budget)
        except Unreachable:
            unread.append(f.path)
            continue
        name = f.path if often.count(f.name) > 1 else f.name
        kind = "stimulus" if f.is_stimulus else "behaviour"
        series[name] = {"times": times, "values": values, "unit": unit, "kind": kind}
    return series, unread


def _units(file: h5py.File) -> h5py.Group | None:
    units = group_at(file, "units")
    return units if units is not None and dataset_at(units, "spike_times") is not None else None


def _spikes(file: h5py.File, budget: Budget) -> dict[str, np.ndarray]:
    """Spike times (s) by the name of the unit."""
    units = _units(file)
    if units is None:
        return {}
    times = dataset_at(units, "spike_times")
    ends = dataset_at(units, "spike_times_index")
    if times is None or ends is None:
        raise Refused("units/spike_times has no spike_times_index, so it is unknown whose they are")
    spikes = read_numbers(times, budget)
    stops = read_whole(ends, budget)
    starts = np.concatenate([[0], stops.ravel()[:-1]]) if stops.size else stops
    good = spikes.ndim == 1 and stops.ndim == 1 and (stops >= starts).all()
    if not good or (stops > spikes.size).any():
        raise Refused(
            f"units/spike_times_index must rise from 0 to at most {spikes.size}, the number of "
            "spike times"
        )
    rows = row_names(units, len(stops), budget)
    return {k: spikes[a:b] for k, a, b in zip(rows, starts, stops, strict=True)}


def _metadata(file: h5py.File, budget: Budget) -> dict[str, str]:
    texts = {}
    for path, key in _METADATA.items():
        try:
            dataset = dataset_at(file, path)
            if dataset is not None and is_text(dataset):
                texts[key] = "; ".join(read_texts(dataset, budget))
        except Unreachable:
            continue
    texts["nwb_version"] = str(attribute(file, "nwb_version"))
    return {k: v for k, v in texts.items() if v}
