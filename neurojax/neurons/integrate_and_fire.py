"""What integrate-and-fire neurons share: a threshold that is crossed, and a jump after it."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock, Output, Parameter, SpikeOutput
from neurojax.core.surrogate import AbstractSurrogate

from .neuron import AbstractNeuron


class AbstractIntegrateAndFire(AbstractNeuron):
    """A neuron that spikes where `V_m` is above its `threshold` at the end of a step.

    The state keeps V as it was before the reset, so that a spike is a function of the state; what
    a spike does (`after_spike`) happens at the beginning of the next step, and `visible` shows it
    done. A neuron that starts above threshold is reset in the first step and emits nothing.

    The surrogate gives the derivative of what a spike does to others (and of a record of
    `"spikes"`); a reset has none by the time of the spike, so that the voltage of a neuron alone
    has no derivative by its threshold, unless the time is known within a step (`EIF`, `AdEx`).
    """

    surrogate: eqx.AbstractVar[AbstractSurrogate]

    def __check_init__(self):
        if not isinstance(self.surrogate, AbstractSurrogate):
            raise TypeError(
                f"surrogate of {type(self).__name__} must be one of nj.surrogate, such as "
                f"FastSigmoid(), got {self.surrogate!r}"
            )

    @abstractmethod
    def threshold(self, state) -> Array:
        """The potential above which the neuron spikes, mV."""

    @abstractmethod
    def scale(self) -> Array:
        """The distance in mV that is 1 in the argument of the surrogate."""

    @abstractmethod
    def after_spike(self, state, spiked: Array) -> dict[str, Any]:
        """The leaves that a spike changes, with their new values."""

    def armed(self, state) -> Array | None:
        """Which neurons may spike at all; `None`: every one."""
        return None

    def spiked(self, state) -> Array:
        """Which neurons have crossed the threshold, and have not been reset."""
        above, armed = state["V_m"] > self.threshold(state), self.armed(state)
        return above if armed is None else above & armed

    def begin(self, state, clock: Clock):
        """What the spikes of the last step do."""
        return state | self.after_spike(state, self.spiked(state))

    def emit(self, state, clock: Clock):
        """Spikes of the step that ends."""
        spikes = SpikeOutput(
            state["V_m"], self.threshold(state), self.armed(state), self.surrogate, self.scale()
        )
        return Output(spikes=spikes)

    def visible(self, state):
        """The state with the pending jumps applied."""
        return state | self.after_spike(state, self.spiked(state))


class AbstractRefractory(AbstractIntegrateAndFire):
    """An integrate-and-fire neuron whose membrane is held for round(t_ref / dt) steps.

    Half a step is rounded up: 0.15 ms are two steps of 0.1 ms, 0.04 ms are none. The receptors go
    on; delta impulses that arrive meanwhile are ignored. The steps that are left are the leaf
    `refractory`, an integer: `rest` gives `jnp.zeros((), jnp.int32)` for it, `drift` gives `None`.
    """

    t_ref: eqx.AbstractVar[Parameter]

    def begin(self, state, clock: Clock):
        """What the spikes of the last step do; count the refractory steps."""
        spiked = self.spiked(state)
        refractory = self.begin_refractory(state, spiked, self.t_ref, clock)
        return state | self.after_spike(state, spiked) | {"refractory": refractory}

    def hold(self, before, after):
        """A refractory membrane does not move."""
        V_m = jnp.where(before["refractory"] > 0, before["V_m"], after["V_m"])
        return after | {"V_m": V_m}

    def jumped(self, state, jump):
        """The membrane potential after delta impulses, which refractory neurons ignore."""
        return state | {"V_m": state["V_m"] + jnp.where(state["refractory"] > 0, 0.0, jump)}

    def unless_refractory(self, state, rate) -> Array:
        """A rate of change that is zero while the membrane is held, for nonlinear drifts."""
        return jnp.where(state["refractory"] > 0, 0.0, rate)
