"""The contract of an observation: what an instrument sees of a model."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array


class AbstractObservation(eqx.Module):
    """How recorded values follow from a leaf of the model's state, frame by frame.

    Attributes:
        leaf: dotted name of the state leaf that is seen, for example `"V"`.
    """

    leaf: eqx.AbstractVar[str]

    @abstractmethod
    def begin(self, V: Array) -> Any:
        """The indicator's memory at the first frame, for a state leaf `V` (neuron,)."""

    @abstractmethod
    def advance(self, memory: Any, V: Array, dt: Array) -> Any:
        """The indicator's memory after a frame of `dt` ms that ends with `V`."""

    @abstractmethod
    def read(self, memory: Any) -> Array:
        """The recorded values for a memory."""

    @abstractmethod
    def set_known(self, memory: Any, values: Array, known: Array) -> Any:
        """The memory with the neurons in `known` at their recorded values."""

    @abstractmethod
    def invert(self, memory: Any, values: Array, dt: Array) -> Array:
        """The state leaf that explains `values` after `memory`."""
