"""Circuits that the fitted one is compared with."""

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, final

import jax

from neurojax.core import Dynamics


class AbstractControl(ABC):
    """Other circuits, fitted and scored exactly as the real one."""

    @abstractmethod
    def circuits(self, circuit: Dynamics, key) -> list[tuple[str, Dynamics]]:
        """Names and circuits."""


@final
@dataclasses.dataclass(frozen=True)
class Shuffled(AbstractControl):
    """The circuit on degree-preserving shuffles of its connectome.

    Arguments:
        count: how many.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.Shuffled(3).count
        3
    """

    count: int = 2

    def __post_init__(self):
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")

    def circuits(self, circuit: Any, key) -> list[tuple[str, Dynamics]]:
        """One circuit per shuffle."""
        _needs(circuit, "shuffled")
        keys = [jax.random.fold_in(key, i) for i in range(self.count)]
        return [(f"shuffled {i + 1}", circuit.shuffled(k)) for i, k in enumerate(keys)]


@final
@dataclasses.dataclass(frozen=True)
class WithoutHomologues(AbstractControl):
    """The circuit without the edges between left-right partners, which are active alike.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.WithoutHomologues()
        WithoutHomologues()
    """

    def circuits(self, circuit: Any, key) -> list[tuple[str, Dynamics]]:
        """One circuit."""
        _needs(circuit, "without_homologues")
        return [("no homologue edges", circuit.without_homologues())]


def _needs(circuit, method: str) -> None:
    if not hasattr(circuit, method):
        raise TypeError(
            f"this control needs a circuit with a connectome (ConnectomeCircuit); "
            f"{type(circuit).__name__} has no {method}()"
        )
