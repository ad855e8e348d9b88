"""Find the time series of an NWB file by their structure, so that extensions need no schema."""

import dataclasses

import h5py

from .hdf5_file import (
    Unreachable,
    address,
    child,
    dataset_at,
    group_at,
    is_numeric,
    names,
    text_attribute,
)
from .refused import Refused

_SECTIONS = ("acquisition", "processing", "analysis", "stimulus/presentation")
_MAX_DEPTH = 12
_MAX_GROUPS = 50_000


@dataclasses.dataclass(frozen=True)
class Found:
    """A group that is a time series.

    `inside` names what the group holds, `place` the groups around it and their types. `trouble`
    says why its data cannot be read, `""` if they can.
    """

    path: str
    group: h5py.Group
    type: str
    inside: frozenset[str]
    place: str
    shape: tuple[int, ...] = ()
    trouble: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def is_stimulus(self) -> bool:
        return self.path.startswith("stimulus/")

    @property
    def is_roi_response(self) -> bool:
        """Fluorescence, dF/F or an extension of it: one column per region of interest."""
        return not self.is_stimulus and (self.type == "RoiResponseSeries" or "rois" in self.inside)

    @property
    def is_electrical(self) -> bool:
        """Voltage of electrodes or a patch-clamp pipette."""
        return bool({"electrodes", "electrode"} & self.inside)

    @property
    def is_behaviour(self) -> bool:
        words = ("behav", "position", "tracking", "spatialseries", "compass")
        return any(w in f"{self.place} {self.type}".lower() for w in words)


def find_series(file: h5py.File) -> list[Found]:
    """All time series in the places where NWB keeps them, in the order of their paths."""
    found: list[Found] = []
    seen: set[int] = set()

    def walk(group: h5py.Group, path: str, place: str, depth: int) -> None:
        if depth > _MAX_DEPTH or len(seen) > _MAX_GROUPS:
            raise Refused(f"{path} is nested too deeply, or there are too many groups in it")
        if address(group) in seen:  # hard links can make circles
            return
        seen.add(address(group))
        here = _series(group, path, place)
        if here is not None:
            found.append(here)
            return
        if "colnames" in group.attrs:  # a table
            return
        place = f"{place} {path.rpartition('/')[2]} {text_attribute(group, 'neurodata_type')}"
        for name in names(group):
            try:
                node = child(group, name)
            except Unreachable:
                continue
            if isinstance(node, h5py.Group):
                walk(node, f"{path}/{name}", place, depth + 1)

    for section in _SECTIONS:
        group = group_at(file, section)
        if group is not None:
            walk(group, section, "", 0)
    return found


def _series(group: h5py.Group, path: str, place: str) -> Found | None:
    inside = frozenset(names(group))
    kind = text_attribute(group, "neurodata_type")
    timed = kind.endswith("Series") or {"timestamps", "starting_time"} & inside
    if "data" not in inside or not timed:
        return None
    found = Found(path, group, kind, inside, place)
    try:
        data = dataset_at(group, "data")
    except Unreachable as reason:
        return dataclasses.replace(found, trouble=str(reason))
    if data is None:
        return dataclasses.replace(found, trouble=f"{path}/data is no dataset")
    # Asking for the shape of a virtual dataset opens the files that it is made of.
    if data.is_virtual or data.external:
        return dataclasses.replace(found, trouble=f"{path}/data is kept in another file")
    if not is_numeric(data) or data.ndim not in (1, 2):
        trouble = f"{path}/data has type {data.dtype} and shape {data.shape}: no traces"
        return dataclasses.replace(found, shape=data.shape or (), trouble=trouble)
    return dataclasses.replace(found, shape=data.shape)
