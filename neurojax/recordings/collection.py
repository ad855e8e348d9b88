"""Several recordings together: a sequence of animals, and sessions joined in time."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import final, overload

import numpy as np

from neurojax.recordings.errors import RecordingError, did_you_mean
from neurojax.recordings.recording import Recording, Series


@final
class Recordings(Sequence[Recording]):
    """Several animals or sessions, in order, found by position, slice or name.

    Arguments:
        recordings: `Recording`s. Names must differ; one without a name gets `"recording 0"`,
            numbered by its position.

    Raises:
        RecordingError: two have the same name, or something is not a `Recording`.

    Example:
        >>> from neurojax.recordings import Recording, Recordings
        >>> a = Recording([0.0], [[1.0, 2.0]], labels=["AVAL", "AVAR"], name="a")
        >>> b = Recording([0.0], [[1.0, 2.0]], labels=["RIS", "AVAL"], name="b")
        >>> worms = Recordings([a, b])
        >>> worms.labels
        ('AVAL', 'AVAR', 'RIS')
        >>> worms["b"].labels
        ('RIS', 'AVAL')
    """

    def __init__(self, recordings: Recording | Iterable[Recording]):
        if isinstance(recordings, Recording):
            recordings = [recordings]
        items = []
        for i, recording in enumerate(recordings):
            if not isinstance(recording, Recording):
                raise RecordingError(
                    f"recordings must hold Recording objects, but item {i} is a "
                    f"{type(recording).__name__}"
                )
            if not recording.name:
                recording = dataclasses.replace(recording, name=f"recording {i}")
            items.append(recording)
        names = [r.name for r in items]
        for name in names:
            if names.count(name) > 1:
                raise RecordingError(
                    f"two recordings are named {name!r}; rename one by "
                    "dataclasses.replace(recording, name=...)"
                )
        self._items = tuple(items)

    @property
    def names(self) -> tuple[str, ...]:
        """One name per recording, in order."""
        return tuple(r.name for r in self._items)

    @property
    def labels(self) -> tuple[str, ...]:
        """Sorted union of the labels that are certain in at least one recording."""
        return tuple(sorted({r.labels[i] for r in self._items for i in r.exact}))

    def map(self, function: Callable[[Recording], Recording]) -> "Recordings":
        """`function` of each recording: `worms.map(nj.recordings.detrend)`."""
        return Recordings([function(r) for r in self._items])

    @overload
    def __getitem__(self, index: int | str) -> Recording: ...
    @overload
    def __getitem__(self, index: slice) -> "Recordings": ...
    def __getitem__(self, index: int | str | slice) -> "Recording | Recordings":
        if isinstance(index, str):
            if index not in self.names:
                raise KeyError(f"no recording {index!r}" + did_you_mean(index, self.names))
            return self._items[self.names.index(index)]
        if isinstance(index, slice):
            return Recordings(self._items[index])
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._items)

    def __repr__(self) -> str:
        return "Recordings([" + "".join(f"\n    {r!r}," for r in self._items) + "\n])"


def concatenate(recordings: Iterable[Recording], gap: float | None = None) -> Recording:
    """Sessions of one animal, joined in time; neurons may differ between sessions.

    A neuron is followed across sessions only by a label that is certain (`Recording.exact`), and
    is missing where a session does not have it. Every other column (unidentified, unsure,
    repeated) stays a column of its own, missing outside its session; a repeated label that is
    certain in another session gets a `?`, so that the certain one stays so.

    Arguments:
        recordings: in order of time, all in the same unit.
        gap: seconds between the last frame of one session and the first of the next; sessions
            are shifted to make it so, series and spikes with them. `None` keeps all times, which
            must then go on increasing.

    Returns:
        One recording: neurons in order of first appearance; series and spikes joined by name;
        metadata entries that differ are joined by `"; "`, names by `" + "`.

    Raises:
        RecordingError: nothing to join, units differ, times overlap, or two series of one name
            differ in unit, kind or width.

    Example:
        >>> from neurojax.recordings import Recording, concatenate
        >>> a = Recording([0.0, 1.0], [[1.0, 2.0], [3.0, 4.0]], labels=["AVAL", "RIS"])
        >>> b = Recording([0.0, 1.0], [[5.0, 6.0], [7.0, 8.0]], labels=["RIS", "AVAR"])
        >>> both = concatenate([a, b], gap=10.0)
        >>> both.times
        array([ 0.,  1., 11., 12.])
        >>> both.labels, both.trace("RIS"), both.trace("AVAR")
        (('AVAL', 'RIS', 'AVAR'), array([2., 4., 5., 7.]), array([nan, nan,  6.,  8.]))
    """
    sessions = list(recordings)
    if not sessions:
        raise RecordingError("recordings is empty; there is nothing to concatenate")
    units = sorted({r.unit for r in sessions})
    if len(units) > 1:
        raise RecordingError(f"recordings have different units, {units}; convert them first")
    shifts = _shifts(sessions, gap)
    columns, labels = _union(sessions)
    frames = sum(len(r.times) for r in sessions)
    values = np.full((frames, len(labels)), np.nan, np.result_type(*(r.values for r in sessions)))
    confidence = np.full(len(labels), np.nan)
    first = 0
    for recording, where in zip(sessions, columns, strict=True):
        values[first : first + len(recording.times), where] = recording.values
        first += len(recording.times)
        confidence[where] = np.fmax(confidence[where], recording.label_confidence)
    return Recording(
        times=np.concatenate([r.times + s for r, s in zip(sessions, shifts, strict=True)]),
        values=values,
        labels=labels,
        series=_joined_series(sessions, shifts),
        unit=units[0],
        name=" + ".join(_different(r.name for r in sessions)),
        metadata={
            k: "; ".join(_different(r.metadata[k] for r in sessions if k in r.metadata))
            for k in _different(k for r in sessions for k in r.metadata)
        },
        spikes={
            k: np.sort(
                np.concatenate(
                    [
                        r.spikes[k] + s
                        for r, s in zip(sessions, shifts, strict=True)
                        if k in r.spikes
                    ]
                )
            )
            for k in _different(k for r in sessions for k in r.spikes)
        },
        label_confidence=confidence,
    )


def _shifts(sessions: list[Recording], gap: float | None) -> list[float]:
    """Seconds to add to the clock of each session."""
    shifts = [0.0]
    for i, (before, after) in enumerate(itertools.pairwise(sessions)):
        if not (len(before.times) and len(after.times)):
            raise RecordingError(f"recordings {i} and {i + 1} need at least one frame each")
        end = before.times[-1] + shifts[-1]
        if gap is None:
            if after.times[0] <= end:
                raise RecordingError(
                    f"recording {i + 1} begins at {after.times[0]:g} s, before recording {i} ends "
                    f"at {end:g} s; give gap= (seconds) to put one behind the other"
                )
            shifts.append(0.0)
        elif gap > 0 and np.isfinite(gap):
            shifts.append(float(end + gap - after.times[0]))
        else:
            raise RecordingError(f"gap must be a positive number of seconds, but is {gap}")
    return shifts


def _union(sessions: list[Recording]) -> tuple[list[list[int]], list[str]]:
    """For each session the columns of the joined recording, and the labels of these."""
    certain = {r.labels[i] for r in sessions for i in r.exact}
    labels: list[str] = []
    place: dict[str, int] = {}
    columns = []
    for recording in sessions:
        exact = set(recording.exact)
        where = []
        for i, label in enumerate(recording.labels):
            if i in exact and label in place:
                where.append(place[label])
                continue
            if i in exact:
                place[label] = len(labels)
            where.append(len(labels))
            labels.append(label if i in exact or label not in certain else label + "?")
        columns.append(where)
    return columns, labels


def _joined_series(sessions: list[Recording], shifts: list[float]) -> dict[str, Series]:
    joined = {}
    for name in _different(k for r in sessions for k in r.series):
        parts = [
            (r.series[name], s) for r, s in zip(sessions, shifts, strict=True) if name in r.series
        ]
        kinds = {(p.unit, p.kind, p.values.shape[1:]) for p, _ in parts}
        if len(kinds) > 1:
            raise RecordingError(
                f"series {name!r} differs between recordings in unit, kind or width: "
                f"{sorted(map(str, kinds))}; rename or drop one"
            )
        times = np.concatenate([p.times + s for p, s in parts])
        order = np.argsort(times, kind="stable")  # a series may run on after its last frame
        values = np.concatenate([p.values for p, _ in parts])
        joined[name] = dataclasses.replace(parts[0][0], times=times[order], values=values[order])
    return joined


def _different(items: Iterable[str]) -> list[str]:
    """Each non-empty text once, in order."""
    return [k for k in dict.fromkeys(items) if k]
