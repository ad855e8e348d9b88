"""What release is: the part of its weight that a spike brings along."""

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from neurojax.core import Clock

ReleaseState = dict[str, Array]


class AbstractRelease(eqx.Module):
    """Short-term dynamics of presynaptic terminals, one state per presynaptic neuron.

    A projection multiplies the weights of a spike by the amplitude that `release` gives. The
    terminals see a spike at its label (the end of the step in which it was fired); the delay of the
    projection comes after that. Parameters are scalars or arrays (n,), or distributions that the
    network draws.
    """

    drawn_later: ClassVar[bool] = True

    @abstractmethod
    def init_state(self, n: int) -> ReleaseState:
        """The state of the terminals of `n` neurons that have been silent for long."""

    @abstractmethod
    def release(
        self, state: ReleaseState, fired: Bool[Array, " n"], clock: Clock
    ) -> tuple[Float[Array, " n"], ReleaseState]:
        """Move over the step, then let those that fired release.

        Arguments:
            state: as it was at the end of the last step.
            fired: who spikes at the end of this step.
            clock: the time of the step.

        Returns:
            The amplitude for each neuron, which counts only where it fired, and the new state.
        """

    def visible(self, state: ReleaseState) -> ReleaseState:
        """What recorders see of the state at the end of a step, after the release of a spike there.

        A network shows it as `projections.<name>.release`; by default the state itself.
        """
        return state


def left_after(tau, dt) -> Array:
    """exp(-dt / tau); 0, with a finite gradient, where tau is 0."""
    positive = tau > 0
    return jnp.where(positive, jnp.exp(-dt / jnp.where(positive, tau, 1.0)), 0.0)


def gone_after(tau, dt) -> Array:
    """1 - exp(-dt / tau) without cancellation; 1, with a finite gradient, where tau is 0."""
    positive = tau > 0
    return jnp.where(positive, -jnp.expm1(-dt / jnp.where(positive, tau, 1.0)), 1.0)
