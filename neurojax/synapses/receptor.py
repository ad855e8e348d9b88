"""What a receptor is: the kinetics and the current of one port of a population."""

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Float

ReceptorState = dict[str, Array]


class AbstractReceptor(eqx.Module):
    """A port of a population: impulses arrive, a current flows into the membrane.

    All synapses of a port share one state per neuron, since their kinetics are linear. The state
    is a dictionary of arrays (n,); parameters are scalars or arrays (n,), or distributions that
    `population(n, receptors=..., key=...)` draws.
    """

    drawn_later: ClassVar[bool] = True

    @abstractmethod
    def init_state(self, n: int) -> ReceptorState:
        """The state at rest of `n` neurons."""

    @abstractmethod
    def drift(self, state: ReceptorState) -> ReceptorState:
        """The rate of change per ms between impulses."""

    @abstractmethod
    def propagate(self, state: ReceptorState, h) -> ReceptorState:
        """The exact solution of `drift` after `h` ms."""

    @abstractmethod
    def receive(self, state: ReceptorState, impulse: Float[Array, " n"]) -> ReceptorState:
        """Add the weights of the spikes that arrived."""

    @abstractmethod
    def current(self, state: ReceptorState, V_m: Float[Array, " n"]) -> Float[Array, " n"]:
        """The current into the cell in pA, positive when it depolarises."""

    @property
    def is_linear(self) -> bool:
        """Whether the current does not depend on the voltage, so that a `Propagator` is exact."""
        return False

    @property
    def is_conductance(self) -> bool:
        """Whether weights are conductances, which are not negative: `E_rev` is their sign."""
        return False

    @property
    def is_held(self) -> bool:
        """Whether what is given at the port acts during the step, and not as impulses after it."""
        return False

    def held_current(self, value: Float[Array, "*n"], V_m: Float[Array, " n"]) -> Array | float:
        """The current into the cell of what is given at a held port, pA."""
        return 0.0

    def jump(self, impulse: Float[Array, " n"]) -> Float[Array, " n"] | None:
        """What an impulse adds to the membrane potential at once, mV; `None`: nothing."""
        return None
