"""Which labelled neurons are hidden together when a fit is scored by imputation."""

import dataclasses
from collections.abc import Iterable, Sequence

import jax
import numpy as np
from jaxtyping import Bool, Int

from neurojax.core.random import host_generator
from neurojax.recordings.labels import mirrored_label


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Folds:
    """Sets of neurons to hide, each in one animal.

    Arguments:
        animal: the animal of each fold, shape (fold,).
        hidden: true for the neurons that it hides, shape (fold, neuron).

    Example:
        >>> import numpy as np, neurojax as nj
        >>> nj.fitting.Folds(np.array([0, 0]), np.eye(2, dtype=bool))
        Folds(2 folds of 1 animals, 2 times a neuron is hidden)
    """

    animal: Int[np.ndarray, " fold"]
    hidden: Bool[np.ndarray, "fold neuron"]

    def __len__(self) -> int:
        return len(self.animal)

    def of(self, animals: int | Iterable[int]) -> "Folds":
        """The folds of one or several animals, given by number."""
        wanted = [animals] if isinstance(animals, int | np.integer) else list(animals)
        kept = np.isin(self.animal, wanted)
        return Folds(self.animal[kept], self.hidden[kept])

    def __repr__(self) -> str:
        return (
            f"Folds({len(self)} folds of {len(np.unique(self.animal))} animals, "
            f"{int(self.hidden.sum())} times a neuron is hidden)"
        )


def neuron_folds(
    labelled: Bool[np.ndarray, "animal neuron"],
    n_folds: int = 5,
    *,
    key: jax.Array,
    repeats: int = 1,
    homologues: Sequence[tuple[int, int]] = (),
) -> Folds:
    """Split the labelled neurons of each animal at random into folds that are hidden in turn.

    Within a repeat each labelled neuron of an animal is hidden exactly once, and the folds of an
    animal differ in size by one unit at most.

    Arguments:
        labelled: true where an animal has a trace of a neuron, e.g. `Aligned.labelled`.
        n_folds: folds per animal and repeat.
        key: a jax key; an animal's folds depend on it and on the animal's number alone.
        repeats: how often to draw all the folds anew.
        homologues: pairs of neurons (by number, e.g. from `homologue_indices`) that are always
            hidden together: a unit is then a pair or a lone neuron. Left-right partners are
            active alike, so these folds are stricter.

    Returns:
        Folds ordered by animal, then repeat.

    Raises:
        ValueError: `n_folds` or `repeats` is too small, an animal has fewer units than folds, or
            a neuron is in two pairs.

    Example:
        >>> folds = neuron_folds(np.ones((2, 6), bool), 3, key=jax.random.key(0))
        >>> folds
        Folds(6 folds of 2 animals, 12 times a neuron is hidden)
        >>> folds.of(1).hidden.sum(axis=0)
        array([1, 1, 1, 1, 1, 1])
    """
    if n_folds < 2:
        raise ValueError(f"n_folds must be at least 2, got {n_folds}: all neurons would be hidden")
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    unit = _units(labelled.shape[1], homologues)
    animal, hidden = [], []
    for a, here in enumerate(labelled):
        units = np.unique(unit[here])
        if len(units) < n_folds:
            what = "labelled neurons or pairs" if len(homologues) else "labelled neurons"
            raise ValueError(
                f"animal {a} has {len(units)} {what}, fewer than n_folds = {n_folds}; "
                "use fewer folds or leave the animal out"
            )
        for repeat in range(repeats):
            rng = host_generator(jax.random.fold_in(jax.random.fold_in(key, a), repeat))
            order = rng.permutation(units)
            for fold in range(n_folds):
                animal.append(a)
                hidden.append(here & np.isin(unit, order[fold::n_folds]))
    return Folds(np.array(animal, int), np.array(hidden, bool).reshape(len(animal), -1))


def homologue_indices(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """The left-right pairs among some neurons, by number, for `neuron_folds`.

    Arguments:
        names: names of neurons that end in `L` or `R` if they have a side.

    Example:
        >>> homologue_indices(["AVAL", "AVL", "RMDDR", "AVAR", "RMDDL"])
        ((0, 3), (2, 4))
    """
    place = {name: i for i, name in enumerate(names)}
    mirror = [place.get(mirrored_label(name) or "") for name in names]
    return tuple((i, j) for i, j in enumerate(mirror) if j is not None and i < j)


def _units(neurons, homologues):
    """The number of the unit that each neuron belongs to: that of the first of its pair."""
    unit = np.arange(neurons)
    flat = [i for pair in homologues for i in pair]
    if len(set(flat)) < len(flat):
        twice = next(i for i in flat if flat.count(i) > 1)
        raise ValueError(f"homologues has neuron {twice} in two pairs")
    for i, j in homologues:
        unit[j] = unit[i]
    return unit
