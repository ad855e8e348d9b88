"""What was measured: traces over time, who they belong to, and what happened beside them."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Bool, Float, Float64

from neurojax.recordings.errors import RecordingError, did_you_mean
from neurojax.recordings.labels import exact_columns, mirrored_label

if TYPE_CHECKING:
    import xarray


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class Series:
    """A named stimulus or behaviour beside a recording, on its own clock.

    Arguments:
        times: when each value holds, in seconds, shape (k,); may repeat, must not decrease.
        values: shape (k,) or (k, d); numbers or booleans, `NaN` where unknown.
        unit: of `values`, free text.
        kind: `"behaviour"` or `"stimulus"`.

    Raises:
        RecordingError: a shape, a type or an order is wrong; the message says which.

    Example:
        >>> from neurojax.recordings import Series
        >>> light = Series([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], unit="mW", kind="stimulus")
        >>> light.between(0.5, 1.5).values
        array([1.])
    """

    times: Float64[np.ndarray, " k"]
    values: np.ndarray
    unit: str
    kind: str

    def __init__(self, times: Any, values: Any, unit: str = "", kind: str = "behaviour"):
        times = _clock("times of a series", times, strictly=False)
        values = _numbers("values of a series", values)
        if values.ndim not in (1, 2) or len(values) != len(times):
            raise RecordingError(
                f"values of a series must have shape ({len(times)},) or ({len(times)}, d), one row "
                f"for each of its times, but the shape is {values.shape}"
            )
        if kind not in ("behaviour", "stimulus"):
            raise RecordingError(
                f"kind of a series must be 'behaviour' or 'stimulus', but is {kind!r}"
            )
        _text("unit of a series", unit)
        _put(self, times=times, values=_frozen(values), unit=unit, kind=kind)

    def between(self, start: float | None = None, stop: float | None = None) -> "Series":
        """The part with `start <= t < stop`, in seconds; `None` leaves an end open."""
        part = _span(self.times, start, stop)
        return dataclasses.replace(self, times=self.times[part], values=self.values[part])

    def __repr__(self) -> str:
        unit = f", {self.unit!r}" if self.unit else ""
        return f"Series({self.kind}, shape {self.values.shape}{unit})"


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class Recording:
    """The activity of several neurons of one animal, on the host, checked, read-only.

    Arrays are copied in and cannot be written to; each method returns a new recording. Clocks
    are in seconds as 64-bit floats, as in NWB files (the models of this package speak
    milliseconds).

    Arguments:
        times: frame times, seconds, shape (time,), strictly increasing.
        values: samples, shape (time, neuron). A 32-bit array stays 32-bit, others become 64-bit.
        labels: one per column; `""` is unidentified, a `?` at the end is unsure. A label may
            repeat. Without `labels` all columns are unidentified.
        mask: shape (time, neuron), true where the sample is there. Without `mask` a sample is
            there where it is finite. Missing samples are stored as `NaN`, whatever was given.
        series: stimuli and behaviour by name.
        unit: of `values`, e.g. `"F/F20"`.
        name: of the animal or session.
        metadata: texts by name: source, licence, citation ...
        spikes: spike times in seconds by unit name.
        label_confidence: how sure each label is, shape (neuron,), on the source's own scale;
            `NaN` where nobody said.

    Raises:
        RecordingError: a shape, a type or an order is wrong; the message says which and what to
            do. It is a `ValueError`.

    Example:
        >>> import numpy as np
        >>> from neurojax.recordings import Recording
        >>> recording = Recording(
        ...     times=np.arange(4) * 0.5,
        ...     values=[[1.0, 5.0], [2.0, np.nan], [3.0, 7.0], [4.0, 8.0]],
        ...     labels=["AVAL", "AVAR"],
        ...     unit="F/F0",
        ... )
        >>> recording
        Recording('', 4 frames x 2 neurons (2 identified), 0 to 1.5 s, unit 'F/F0')
        >>> recording.mask[1]
        array([ True, False])
        >>> recording.between(0.5, 1.5).trace("AVAL")
        array([2., 3.])
    """

    times: Float64[np.ndarray, " time"]
    values: Float[np.ndarray, "time neuron"]
    labels: tuple[str, ...]
    mask: Bool[np.ndarray, "time neuron"]
    series: dict[str, Series]
    unit: str
    name: str
    metadata: dict[str, str]
    spikes: dict[str, np.ndarray]
    label_confidence: Float64[np.ndarray, " neuron"]

    def __init__(
        self,
        times: Any,
        values: Any,
        labels: Iterable[str] | None = None,
        mask: Any = None,
        series: Mapping[str, Series] | None = None,
        unit: str = "",
        name: str = "",
        metadata: Mapping[str, str] | None = None,
        spikes: Mapping[str, Any] | None = None,
        label_confidence: Any = None,
    ):
        times = _clock("times", times)
        values = _numbers("values", values)
        if values.ndim != 2 or len(values) != len(times):
            hint = "; give one trace as values[:, None]" if values.ndim == 1 else ""
            if values.ndim == 2 and values.shape[1] == len(times):
                hint = "; they look transposed, give values.T"
            raise RecordingError(
                f"values must have shape (time, neuron) = ({len(times)}, n), one row for each of "
                f"the times, but the shape is {values.shape}{hint}"
            )
        if values.dtype != np.float32:
            values = values.astype(np.float32 if values.dtype == np.float16 else np.float64)
        mask = _checked_mask(mask, values)
        values = np.where(mask, values, values.dtype.type(np.nan))
        labels = _checked_labels(labels, values.shape[1])
        confidence = _checked_confidence(label_confidence, values.shape[1])
        _text("unit", unit)
        _text("name", name)
        _put(
            self,
            times=times,
            values=_frozen(values),
            labels=labels,
            mask=_frozen(mask),
            series=_checked_series(series or {}),
            unit=unit,
            name=name,
            metadata=_checked_metadata(metadata or {}),
            spikes=_checked_spikes(spikes or {}),
            label_confidence=_frozen(confidence),
        )

    # --- who and when ---------------------------------------------------------------------

    @property
    def exact(self) -> tuple[int, ...]:
        """Columns with a label that is not empty, not unsure (`?`) and occurs once."""
        return exact_columns(self.labels)

    @property
    def dt(self) -> float:
        """Median frame interval, s. Raises `RecordingError` below two frames."""
        if len(self.times) < 2:
            raise RecordingError(f"dt needs at least two frames; this has {len(self.times)}")
        return float(np.median(np.diff(self.times)))

    def column(self, label: str) -> int:
        """The number of the column with this label.

        Raises:
            RecordingError: the label is unknown, empty or occurs twice.
        """
        found = [i for i, k in enumerate(self.labels) if k == label]
        if len(found) == 1 and label:
            return found[0]
        if len(found) > 1 and label:
            raise RecordingError(
                f"label {label!r} occurs {len(found)} times, in columns {found}; "
                "choose one by its number"
            )
        raise RecordingError(
            f"no neuron {label!r} in {self!r}" + did_you_mean(str(label), self.labels)
        )

    def trace(self, label: str) -> Float[np.ndarray, " time"]:
        """The samples of one neuron, shape (time,), `NaN` where missing.

        Raises:
            RecordingError: the label is unknown or occurs twice.
        """
        return self.values[:, self.column(label)]

    def homologue(self, label: str) -> str | None:
        """The left-right partner of a neuron, if this recording has it for certain.

        `label` itself need not be in the recording.

        Example:
            >>> from neurojax.recordings import Recording
            >>> pair = Recording([0.0], [[1.0, 2.0]], labels=["IL2DL", "IL2DR"])
            >>> pair.homologue("IL2DL"), pair.homologue("RMDDL")
            ('IL2DR', None)
        """
        partner = mirrored_label(label)
        return partner if partner in {self.labels[i] for i in self.exact} else None

    # --- parts ----------------------------------------------------------------------------

    def between(self, start: float | None = None, stop: float | None = None) -> "Recording":
        """The part with `start <= t < stop`, seconds, its series and spikes cut alike.

        Times are kept, not shifted to zero. `None` leaves an end open.

        Raises:
            RecordingError: no frame lies there.
        """
        part = _span(self.times, start, stop)
        if part.start >= part.stop:
            raise RecordingError(f"no frame lies in [{start}, {stop}) s of {self!r}")
        return dataclasses.replace(
            self,
            times=self.times[part],
            values=self.values[part],
            mask=self.mask[part],
            series={k: s.between(start, stop) for k, s in self.series.items()},
            spikes={k: t[_span(t, start, stop)] for k, t in self.spikes.items()},
        )

    def head(self, fraction: float) -> "Recording":
        """The first `fraction` of the frames: the training part of an honest split in time.

        `head(f)` and `tail(1 - f)` share no frame and leave none out.

        Example:
            >>> from neurojax.recordings import Recording
            >>> recording = Recording([0.0, 1.0, 2.0, 3.0, 4.0], [[1.0]] * 5)
            >>> recording.head(0.6).times, recording.tail(0.4).times
            (array([0., 1., 2.]), array([3., 4.]))
        """
        frames = frames_in(fraction, len(self.times))
        if frames == 0:
            raise RecordingError(f"fraction {fraction} of {self!r} is less than one frame")
        return self if frames == len(self.times) else self.between(None, self.times[frames])

    def tail(self, fraction: float) -> "Recording":
        """The last `fraction` of the frames; see `head`."""
        _checked_fraction(fraction)
        frames = frames_in(1.0 - fraction, len(self.times))
        if frames == len(self.times):
            raise RecordingError(f"fraction {fraction} of {self!r} is less than one frame")
        return self if frames == 0 else self.between(self.times[frames], None)

    def select(self, labels: Iterable[str | int]) -> "Recording":
        """These neurons, in this order; a number picks a column, identified or not.

        Raises:
            RecordingError: a label is unknown or occurs twice, or a column is asked for twice.
        """
        if isinstance(labels, str):
            labels = [labels]
        columns = [k if isinstance(k, str) else _checked_column(k, self) for k in labels]
        columns = [self.column(k) if isinstance(k, str) else k for k in columns]
        if len(set(columns)) != len(columns):
            twice = next(c for c in columns if columns.count(c) > 1)
            raise RecordingError(f"column {twice} ({self.labels[twice]!r}) is selected twice")
        return dataclasses.replace(
            self,
            values=self.values[:, columns],
            mask=self.mask[:, columns],
            labels=tuple(self.labels[c] for c in columns),
            label_confidence=self.label_confidence[columns],
        )

    # --- other versions of the same recording ---------------------------------------------

    def with_values(self, values: Any, mask: Any = None, unit: str | None = None) -> "Recording":
        """The same neurons and frames with other samples, e.g. normalised ones.

        Without `mask`, samples that were missing stay missing, and non-finite new ones become
        missing. Without `unit` the unit stays.
        """
        if mask is None:
            values = _numbers("values", values)
            if values.shape == self.mask.shape:
                mask = self.mask & np.isfinite(values)
        unit = self.unit if unit is None else unit
        return dataclasses.replace(self, values=values, mask=mask, unit=unit)

    def rename(self, labels: Mapping[str, str] | Callable[[str], str]) -> "Recording":
        """Other labels, by a table `{old: new}` or a function of the old label.

        Raises:
            RecordingError: the table has a label that is not in the recording.
        """
        if callable(labels):
            new = tuple(labels(k) for k in self.labels)
        else:
            for old in labels:
                if old not in self.labels:
                    raise RecordingError(
                        f"no label {old!r} to rename" + did_you_mean(str(old), self.labels)
                    )
            new = tuple(labels.get(k, k) for k in self.labels)
        return dataclasses.replace(self, labels=new)

    def resample(self, dt: float, how: str = "linear", max_gap: float | None = None) -> "Recording":
        """The same recording on the regular clock `times[0] + k dt`, up to the last frame.

        See `neurojax.recordings.resample`, which this calls.
        """
        from neurojax.recordings.resampling import resample

        return resample(self, dt, how=how, max_gap=max_gap)

    # --- out ------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Write a compressed `.npz` file, all or nothing; `neurojax.recordings.load` reads it."""
        from neurojax.recordings.storage import save_recording

        save_recording(self, path)

    def to_xarray(self) -> "xarray.Dataset":
        """A labelled `xarray.Dataset`; see `neurojax.interop.to_xarray`."""
        # A layer above this one, and an optional package: imported only when asked for.
        import importlib

        return importlib.import_module("neurojax.interop").to_xarray(self)

    def __repr__(self) -> str:
        time, neuron = self.values.shape
        span = f"{self.times[0]:g} to {self.times[-1]:g} s" if time else "no time"
        extra = f", {len(self.spikes)} spike trains" if self.spikes else ""
        return (
            f"Recording({self.name!r}, {time} frames x {neuron} neurons "
            f"({len(self.exact)} identified), {span}, unit {self.unit!r}{extra})"
        )


# --- checks at the door ---------------------------------------------------------------------


def frames_in(fraction: float, frames: int) -> int:
    """How many of `frames` make up `fraction`, to the nearest, halves up.

    The small term makes 1 - (1 - f) count like f, so that `head` and `tail` never overlap.
    """
    _checked_fraction(fraction)
    return min(frames, int(np.floor(fraction * frames + 0.5 + 1e-9)))


def _checked_fraction(fraction: Any) -> None:
    if not isinstance(fraction, (int, float, np.number)) or not 0 <= fraction <= 1:
        raise RecordingError(f"fraction must be a number from 0 to 1, but is {fraction!r}")


def _put(self: Any, **fields: Any) -> None:
    """Set the fields of a frozen dataclass: for its constructor only."""
    for name, value in fields.items():
        object.__setattr__(self, name, value)


def _frozen(array: np.ndarray) -> np.ndarray:
    """A read-only copy, so that no caller can change a recording from outside."""
    array = np.array(array)
    array.setflags(write=False)
    return array


def _numbers(what: str, array: Any) -> np.ndarray:
    try:
        array = np.asarray(array)
    except (ValueError, TypeError) as error:
        raise RecordingError(f"{what} must be an array of numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise RecordingError(f"{what} must be real numbers, but the type is {array.dtype}")
    return array


def _clock(what: str, times: Any, strictly: bool = True) -> np.ndarray:
    times = _numbers(what, times).astype(np.float64)
    if times.ndim != 1:
        raise RecordingError(f"{what} must have one dimension, but the shape is {times.shape}")
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        raise RecordingError(f"{what} must be finite, but item {bad[0]} is {times[bad[0]]}")
    # Compared, not subtracted: neighbours may lie further apart than the largest float.
    wrong = np.flatnonzero(times[1:] <= times[:-1] if strictly else times[1:] < times[:-1])
    if wrong.size:
        i = wrong[0]
        order = "be strictly increasing" if strictly else "not decrease"
        raise RecordingError(
            f"{what} must {order}, but times[{i + 1}] = {times[i + 1]} follows times[{i}] = "
            f"{times[i]}; sort the frames" + (" and drop repeated ones" if strictly else "")
        )
    return _frozen(times)


def _span(times: np.ndarray, start: float | None, stop: float | None) -> slice:
    first = 0 if start is None else int(np.searchsorted(times, start, side="left"))
    last = len(times) if stop is None else int(np.searchsorted(times, stop, side="left"))
    return slice(first, max(first, last))


def _text(what: str, text: Any) -> None:
    if not isinstance(text, str):
        raise RecordingError(f"{what} must be a text, but is a {type(text).__name__}")


def _checked_mask(mask: Any, values: np.ndarray) -> np.ndarray:
    there = np.isfinite(values)
    if mask is None:
        return there
    mask = np.asarray(mask)
    if mask.dtype != np.bool_:
        raise RecordingError(f"mask must be boolean, but the type is {mask.dtype}")
    if mask.shape != values.shape:
        raise RecordingError(
            f"mask must have the shape of values, {values.shape}, but it is {mask.shape}"
        )
    bad = np.argwhere(mask & ~there)
    if len(bad):
        frame, column = bad[0]
        raise RecordingError(
            f"values[{frame}, {column}] is {values[frame, column]} though the mask says that the "
            f"sample is there ({len(bad)} such samples); mask them out or leave mask out"
        )
    return mask


def _checked_labels(labels: Any, neurons: int) -> tuple[str, ...]:
    if labels is None:
        return ("",) * neurons
    if isinstance(labels, str):
        raise RecordingError(f"labels must be a sequence with one text per column, not {labels!r}")
    labels = tuple(str(k) if isinstance(k, np.str_) else k for k in labels)
    for i, label in enumerate(labels):
        if not isinstance(label, str):
            raise RecordingError(f"labels[{i}] must be a text, but is a {type(label).__name__}")
    if len(labels) != neurons:
        raise RecordingError(f"there are {len(labels)} labels for {neurons} columns of values")
    return labels


def _checked_confidence(confidence: Any, neurons: int) -> np.ndarray:
    if confidence is None:
        return np.full(neurons, np.nan)
    confidence = _numbers("label_confidence", confidence).astype(np.float64)
    if confidence.shape != (neurons,):
        raise RecordingError(
            f"label_confidence must have shape ({neurons},), but it is {confidence.shape}"
        )
    return confidence


def _checked_column(column: Any, recording: Recording) -> int:
    neurons = recording.values.shape[1]
    if not isinstance(column, (int, np.integer)) or isinstance(column, bool):
        raise RecordingError(f"select takes labels and column numbers, but got {column!r}")
    if not 0 <= column < neurons:
        raise RecordingError(f"there is no column {column}; columns run from 0 to {neurons - 1}")
    return int(column)


def _checked_series(series: Any) -> dict[str, Series]:
    for name, item in dict(series).items():
        _text("name of a series", name)
        if not isinstance(item, Series):
            raise RecordingError(
                f"series[{name!r}] must be a Series, but is a {type(item).__name__}"
            )
    return dict(series)


def _checked_metadata(metadata: Any) -> dict[str, str]:
    for name, item in dict(metadata).items():
        _text("name of a metadata entry", name)
        _text(f"metadata[{name!r}]", item)
    return dict(metadata)


def _checked_spikes(spikes: Any) -> dict[str, np.ndarray]:
    for name in dict(spikes):
        _text("name of a spike train", name)
    return {k: _clock(f"spikes[{k!r}]", v, strictly=False) for k, v in dict(spikes).items()}
