"""What is kept away from a fit and scored afterwards."""

import dataclasses
from abc import ABC, abstractmethod
from typing import final

import jax
import numpy as np

from neurojax.core.random import host_generator

from .problem import Aligned


@dataclasses.dataclass(frozen=True)
class Split:
    """One fit of a cross-validation.

    Arguments:
        name: of the split.
        train: numbers of the animals whose training part the fit may use.
        test: numbers of the animals whose test part it is scored on.
        shown: booleans per neuron of the circuit: which ones the fit may see.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> nj.fitting.Split("without c", train=(0, 1), test=(2,), shown=np.ones(302, bool)).test
        (2,)
    """

    name: str
    train: tuple[int, ...]
    test: tuple[int, ...]
    shown: np.ndarray


class AbstractHoldOut(ABC):
    """How recordings are divided into what is fitted and what is scored.

    Attributes:
        train: fraction of frames at the beginning of each recording that may be fitted; scores
            are taken on the rest.
    """

    train: float

    @abstractmethod
    def splits(self, aligned: Aligned, key) -> list[Split]:
        """The fits that are needed, the one on all animals first."""


def _everyone(aligned: Aligned) -> tuple[int, ...]:
    return tuple(range(len(aligned.animals)))


def _check_fraction(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} must be a fraction between 0 and 1, got {value}")


@final
@dataclasses.dataclass(frozen=True)
class LaterTime(AbstractHoldOut):
    """Fit the beginning of every recording, score the rest of the same animals.

    Arguments:
        train: fraction of frames for the fit.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.LaterTime(0.6).train
        0.6
    """

    train: float = 0.6

    def __post_init__(self):
        _check_fraction("train", self.train)

    def splits(self, aligned: Aligned, key) -> list[Split]:
        """One fit on all animals."""
        everyone = _everyone(aligned)
        shown = np.ones(len(aligned.names), bool)
        return [Split("later time", everyone, everyone, shown)]


@final
@dataclasses.dataclass(frozen=True)
class LeaveOneAnimalOut(AbstractHoldOut):
    """Fit all animals but one and score the one that was left out, in turn.

    A first fit on all animals gives the circuit that is kept, and its scores on later time.

    Arguments:
        train: fraction of frames for the fit; the animal that is left out is scored on the same
            later part, so both scores are about the same data.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.LeaveOneAnimalOut().train
        0.6
    """

    train: float = 0.6

    def __post_init__(self):
        _check_fraction("train", self.train)

    def splits(self, aligned: Aligned, key) -> list[Split]:
        """A fit on all animals, and one without each animal."""
        everyone = _everyone(aligned)
        if len(everyone) < 2:
            raise ValueError(
                "LeaveOneAnimalOut needs at least two recordings, got one; use LaterTime()"
            )
        shown = np.ones(len(aligned.names), bool)
        splits = [Split("later time", everyone, everyone, shown)]
        for left in everyone:
            others = tuple(a for a in everyone if a != left)
            splits.append(Split(f"without {aligned.animals[left]}", others, (left,), shown))
        return splits


@final
@dataclasses.dataclass(frozen=True)
class HeldOutNeurons(AbstractHoldOut):
    """Never show the fit a random set of neurons, in any animal, and score just those.

    What the fit can know of them it knows from the connectome.

    Arguments:
        fraction: of the neurons that are recorded in any animal.
        train: fraction of frames for the fit.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.HeldOutNeurons(0.2).fraction
        0.2
    """

    fraction: float = 0.2
    train: float = 0.6

    def __post_init__(self):
        _check_fraction("fraction", self.fraction)
        _check_fraction("train", self.train)

    def splits(self, aligned: Aligned, key) -> list[Split]:
        """One fit on all animals without these neurons."""
        recorded = np.flatnonzero(aligned.labelled.any(axis=0))
        count = max(1, round(self.fraction * len(recorded)))
        if count >= len(recorded):
            raise ValueError(f"fraction={self.fraction} would hide all {len(recorded)} neurons")
        rng = host_generator(jax.random.fold_in(key, 7))
        shown = np.ones(len(aligned.names), bool)
        shown[rng.choice(recorded, count, replace=False)] = False
        everyone = _everyone(aligned)
        return [Split("held-out neurons", everyone, everyone, shown)]
