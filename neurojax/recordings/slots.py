"""A recording in the fixed order of all neurons of the animal."""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from neurojax.recordings.errors import RecordingError
from neurojax.recordings.labels import exact_columns, tidy_label
from neurojax.recordings.recording import Recording


class Slots(NamedTuple):
    """A recording whose column i belongs to the i-th neuron of a list.

    Arguments:
        recording: one column per slot; the mask is false all along an empty one. The label is the
            slot's name, or `""` where an unidentified neuron sits.
        named: slots that hold the neuron they are named after.
        unknown: slots that hold an unidentified neuron.

    Example:
        >>> import neurojax as nj
        >>> worm = nj.recordings.load("dag2023")[0]
        >>> nj.recordings.to_slots(worm, names=["AVAL", "AVAR"]).named.tolist()
        [True, True]
    """

    recording: Recording
    named: Bool[np.ndarray, " slot"]
    unknown: Bool[np.ndarray, " slot"]


def to_slots(
    recording: Recording, names: Iterable[str] | None = None, unknown: bool = False
) -> Slots:
    """Order the neurons into fixed slots, so that recordings of several animals line up.

    A neuron goes to the slot of its label if that is certain (`Recording.exact`), after
    `tidy_label` if the label as it stands is not among the names. All other columns are
    left out, or with `unknown=True` fill the free slots from the first one on, in their order;
    such a slot's position says nothing about the neuron.

    Arguments:
        recording: one animal.
        names: of the slots, each once. By default the 302 neurons of the hermaphrodite
            *C. elegans* in alphabetical order.
        unknown: keep neurons that have no slot of their own.

    Returns:
        The recording in slots and two masks over the slots.

    Raises:
        RecordingError: names repeat, or there are more unknown neurons than free slots.

    Example:
        >>> from neurojax.recordings import Recording, to_slots
        >>> recording = Recording([0.0], [[1.0, 2.0, 3.0]], labels=["AVAR", "", "AVAL"])
        >>> slots = to_slots(recording, names=["AVAL", "AVAR", "RIS"])
        >>> slots.recording.values, slots.named
        (array([[ 3.,  1., nan]]), array([ True,  True, False]))
        >>> to_slots(recording, names=["AVAL", "AVAR", "RIS"], unknown=True).recording.values
        array([[3., 1., 2.]])
    """
    names = _worm_names() if names is None else tuple(names)
    if len(set(names)) != len(names):
        twice = next(k for k in names if names.count(k) > 1)
        raise RecordingError(f"names of the slots must differ, but {twice!r} occurs twice")
    tidy = [k if k in names else tidy_label(k) for k in recording.labels]
    slot = {name: i for i, name in enumerate(names)}
    column_of = {slot[tidy[c]]: c for c in exact_columns(tidy) if tidy[c] in slot}
    named = np.isin(np.arange(len(names)), list(column_of))
    rest = [c for c in range(len(tidy)) if c not in set(column_of.values())]
    free = [s for s in range(len(names)) if s not in column_of]
    if unknown:
        if len(rest) > len(free):
            raise RecordingError(
                f"{len(rest)} unidentified neurons do not fit into {len(free)} free slots"
            )
        column_of.update(zip(free, rest, strict=False))
    slots, columns = list(column_of), list(column_of.values())
    frames = len(recording.times)
    values = np.full((frames, len(names)), np.nan, recording.values.dtype)
    values[:, slots] = recording.values[:, columns]
    confidence = np.full(len(names), np.nan)
    confidence[slots] = recording.label_confidence[columns]
    filled = np.isin(np.arange(len(names)), slots)
    ordered = dataclasses.replace(
        recording,
        values=values,
        mask=None,
        labels=tuple("" if filled[i] and not named[i] else k for i, k in enumerate(names)),
        label_confidence=confidence,
    )
    return Slots(ordered, named, filled & ~named)


def _worm_names() -> tuple[str, ...]:
    from neurojax.connectomes import neurons

    return neurons().names
