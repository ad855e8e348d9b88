"""What leaky integrate-and-fire neurons share: the membrane and the modes of reset."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock, Parameter
from neurojax.core.parameter_checks import check_below, check_choice, check_positive

from .integrate_and_fire import AbstractRefractory

RESETS = ("hard", "subtract", "none")
REFRACTORY_INPUTS = ("ignore", "integrate")


class AbstractLeaky(AbstractRefractory):
    """A leaky membrane, with its modes of reset and of input while refractory.

    - `reset="hard"`: V starts at `V_reset`. `"subtract"`: V falls by `V_th - V_reset`, what it was
      above threshold is kept; if it is still above, the neuron spikes again when it is no longer
      refractory. `"none"`: V goes on as if nothing had happened, also while refractory; the neuron
      spikes where V crosses the threshold from below and it is not refractory.
    - `refractory_input="ignore"`: delta impulses that arrive while the membrane is held are lost.
      `"integrate"`: they decay with the membrane time constant and are added when it is free
      again. Other receptors go on in either case.
    """

    C_m: eqx.AbstractVar[Parameter]
    g_L: eqx.AbstractVar[Parameter]
    E_L: eqx.AbstractVar[Parameter]
    V_th: eqx.AbstractVar[Parameter]
    V_reset: eqx.AbstractVar[Parameter]
    reset: eqx.AbstractVar[str]
    refractory_input: eqx.AbstractVar[str]

    def __check_init__(self):
        check_choice(self, "reset", RESETS)
        check_choice(self, "refractory_input", REFRACTORY_INPUTS)
        check_positive(self, "C_m", "g_L")
        check_positive(self, "t_ref", zero=True)
        check_below(self, "V_reset", "V_th")

    def membrane_at_rest(self) -> dict[str, Any]:
        """The leaves of the membrane at the resting potential, not refractory."""
        state = {"V_m": self.E_L, "refractory": jnp.zeros((), jnp.int32)}
        if self.reset == "none":
            state["armed"] = jnp.zeros((), bool)
        if self.refractory_input == "integrate":
            state["waiting"] = jnp.zeros(())
        return state

    def membrane_drift(self, state, inputs, current: Array | float = 0.0) -> dict[str, Any]:
        """The rates of those leaves, with another current in pA, and of the receptors."""
        V_m = state["V_m"]
        current = current + inputs.get("I_e", 0.0) + self.synaptic_current(state, V_m, inputs)
        rates = {"V_m": (current - self.g_L * (V_m - self.E_L)) * (1.0 / self.C_m)}
        rates["refractory"] = None
        if self.reset == "none":
            rates["armed"] = None
        if self.refractory_input == "integrate":
            rates["waiting"] = jnp.zeros_like(V_m)
        return rates | self.receptor_drifts(state)

    def scale(self) -> Array:
        """From reset to threshold."""
        return self.V_th - self.V_reset

    def armed(self, state) -> Array | None:
        """After a hard reset no neuron is above threshold, so all may spike."""
        if self.reset == "hard":
            return None
        return state["armed"] if self.reset == "none" else state["refractory"] == 0

    def after_spike(self, state, spiked):
        """The reset of the potential."""
        if self.reset == "none":
            return {}
        V_m = state["V_m"]
        low = self.V_reset if self.reset == "hard" else V_m - (self.V_th - self.V_reset)
        return {"V_m": jnp.where(spiked, low, V_m)}

    def begin(self, state, clock: Clock):
        """Reset, count the refractory steps, see who may cross the threshold."""
        new = super().begin(state, clock)
        if self.reset == "none":
            below = new["V_m"] <= self.threshold(new)
            new = new | {"armed": below & (new["refractory"] == 0)}
        if self.refractory_input == "integrate":
            decay = jnp.exp(-clock.dt * self.g_L / self.C_m)
            new = new | {"waiting": state["waiting"] * decay}
        return new

    def hold(self, before, after):
        """A refractory membrane does not move, unless there is no reset."""
        return after if self.reset == "none" else super().hold(before, after)

    def jumped(self, state, jump):
        """The membrane potential after delta impulses."""
        if self.reset == "none":
            return state | {"V_m": state["V_m"] + jump}
        if self.refractory_input == "ignore":
            return super().jumped(state, jump)
        total, held = state["waiting"] + jump, state["refractory"] > 0
        V_m = state["V_m"] + jnp.where(held, 0.0, total)
        return state | {"V_m": V_m, "waiting": jnp.where(held, total, 0.0)}
