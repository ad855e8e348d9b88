"""Recordings of several animals side by side, one column per neuron of a circuit."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from neurojax.recordings import Recording, Recordings
from neurojax.recordings.labels import tidy_label
from neurojax.recordings.recording import frames_in

_MS_PER_S = 1e3


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Aligned:
    """What a circuit is fitted to and scored on: one array for all animals.

    `align` makes it. Shorter recordings are padded at the end; padding is never observed.

    Arguments:
        values: samples, 0 where missing, shape (animal, time, neuron).
        mask: true where the sample is there, shape (animal, time, neuron).
        dt: ms from the frame before, shape (animal, time); the animal's median at frame 0 and in
            the padding.
        lengths: frames of each animal, shape (animal,).
        names: neurons of the circuit, in its order.
        animals: one name per animal.
        unknown: labels of each animal that are no neuron of the circuit; they were dropped.
        unidentified: how many columns of each animal have no label that is certain; they were
            dropped as well.

    Example:
        >>> import neurojax as nj
        >>> worms = nj.recordings.load("dag2023")[:2]
        >>> nj.fitting.align(worms, ["AVAL", "AVAR", "AVBL"]).labelled.tolist()
        [[True, True, False], [True, True, True]]
    """

    values: Float[np.ndarray, "animal time neuron"]
    mask: Bool[np.ndarray, "animal time neuron"]
    dt: Float[np.ndarray, "animal time"]
    lengths: Int[np.ndarray, " animal"]
    names: tuple[str, ...]
    animals: tuple[str, ...]
    unknown: tuple[tuple[str, ...], ...]
    unidentified: tuple[int, ...]

    @property
    def labelled(self) -> Bool[np.ndarray, "animal neuron"]:
        """True where an animal has any sample of a neuron; the other neurons are latent there."""
        return self.mask.any(axis=1)

    @property
    def frames(self) -> Bool[np.ndarray, "animal time"]:
        """True where there is a frame, false in the padding."""
        return np.arange(self.mask.shape[1]) < self.lengths[:, None]

    def split(
        self, fraction: float = 0.6
    ) -> tuple[Bool[np.ndarray, "animal time"], Bool[np.ndarray, "animal time"]]:
        """The first `fraction` of each animal's frames for training, the rest for testing.

        Returns:
            Two masks of frames, (train, test), as `Recording.head` and `Recording.tail` cut.

        Raises:
            ValueError: one of the parts would be empty in some animal.
        """
        first = np.array([frames_in(fraction, int(n)) for n in self.lengths])
        for animal, n, k in zip(self.animals, self.lengths, first, strict=True):
            if not 0 < k < n:
                raise ValueError(
                    f"fraction = {fraction} leaves {k} of the {n} frames of {animal!r} for "
                    "training; both parts need at least one frame"
                )
        train = np.arange(self.mask.shape[1]) < first[:, None]
        return train, self.frames & ~train

    def clipped(self, limit: float) -> "Aligned":
        """The same with all samples limited to `[-limit, limit]`.

        Raises:
            ValueError: `limit` is not positive.
        """
        if not limit > 0:
            raise ValueError(f"limit must be positive, got {limit}")
        return dataclasses.replace(self, values=np.clip(self.values, -limit, limit))

    def __repr__(self) -> str:
        known = self.labelled.sum(axis=1)
        return (
            f"Aligned({len(self.animals)} animals x {self.mask.shape[1]} frames x "
            f"{len(self.names)} neurons; {known.min()} to {known.max()} labelled in an animal, "
            f"{int(self.labelled.any(axis=0).sum())} in any; dropped "
            f"{sum(map(len, self.unknown))} traces of other neurons and {sum(self.unidentified)} "
            "unidentified ones)"
        )


def align(recordings: Recording | Iterable[Recording], names: Sequence[str]) -> Aligned:
    """Put the traces of several animals into the slots of a circuit's neurons.

    A trace is used if its label is certain (`Recording.exact`) and names a neuron of the circuit,
    zero-padded spelling (`VA01` for `VA1`) included. Other traces are dropped and counted.
    Neurons of the circuit that an animal has no trace of are latent there: all missing.

    Arguments:
        recordings: one or several, already normalised as the fit shall see them.
        names: neurons of the circuit, in its order.

    Returns:
        The animals in order; see `Aligned`.

    Raises:
        ValueError: no recording, a name twice, a recording with fewer than two frames, or with no
            trace of any of the neurons.

    Example:
        >>> import numpy as np
        >>> from neurojax.recordings import Recording
        >>> worm = Recording(
        ...     times=[0.0, 0.5, 1.1],
        ...     values=[[1.0, 4.0, 7.0], [2.0, 5.0, 8.0], [3.0, 6.0, 9.0]],
        ...     labels=["RIML", "", "AVAL"],
        ... )
        >>> both = align(worm, ["AVAL", "AVAR", "RIML"])
        >>> both.values[0, 0], both.labelled[0]
        (array([7., 0., 1.], dtype=float32), array([ True, False,  True]))
        >>> both.dt[0].round()
        array([550., 500., 600.])
    """
    animals = Recordings(recordings)
    names = tuple(names)
    if not len(animals):
        raise ValueError("recordings is empty; give at least one")
    slots = {name: i for i, name in enumerate(names)}
    if len(slots) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise ValueError(f"names has {twice!r} twice; each neuron needs one slot")
    shape = (len(animals), max(len(r.times) for r in animals), len(names))
    values, mask = np.zeros(shape, np.float32), np.zeros(shape, bool)
    dt, unknown = np.empty(shape[:2]), []
    for a, recording in enumerate(animals):
        n = len(recording.times)
        if n < 2:
            raise ValueError(f"recording {recording.name!r} has {n} frames; at least 2 are needed")
        columns, places, others = _matches(recording, slots)
        if not columns:
            raise ValueError(
                f"recording {recording.name!r} has no trace of any of the {len(names)} neurons; "
                f"its certain labels are {', '.join(others[:8]) or 'none'}"
                f"{' ...' if len(others) > 8 else ''}"
            )
        here = recording.mask[:, columns]
        mask[a, :n, places] = here.T
        values[a, :n, places] = np.where(here, recording.values[:, columns], 0).T
        dt[a] = recording.dt * _MS_PER_S
        dt[a, 1:n] = np.diff(recording.times) * _MS_PER_S
        unknown.append(others)
    return Aligned(
        values=values,
        mask=mask,
        dt=dt,
        lengths=np.array([len(r.times) for r in animals]),
        names=names,
        animals=animals.names,
        unknown=tuple(unknown),
        unidentified=tuple(len(r.labels) - len(r.exact) for r in animals),
    )


def _matches(recording, slots):
    """Columns with a neuron of the circuit, their slots, and certain labels that have none."""
    certain = [recording.labels[c] for c in recording.exact]
    tidy = Counter(tidy_label(label) for label in certain)
    columns, places, others = [], [], []
    for label, column in zip(certain, recording.exact, strict=True):
        # A padded name is the same neuron, unless another trace claims it as well.
        name = label if label in slots or tidy[tidy_label(label)] > 1 else tidy_label(label)
        if name in slots:
            columns.append(column)
            places.append(slots[name])
        else:
            others.append(label)
    return columns, places, tuple(others)
