"""The equations that both forms of the Izhikevich neuron share."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Parameter
from neurojax.core.parameter_checks import check_below

from .integrate_and_fire import AbstractIntegrateAndFire


class AbstractIzhikevich(AbstractIntegrateAndFire):
    """Two variables, and a jump where V is above V_peak."""

    a: eqx.AbstractVar[Parameter]
    b: eqx.AbstractVar[Parameter]
    c: eqx.AbstractVar[Parameter]
    d: eqx.AbstractVar[Parameter]
    V_peak: eqx.AbstractVar[Parameter]

    def __check_init__(self):
        check_below(self, "c", "V_peak")

    def rest(self):
        """Where the paper's program starts: V = -65 mV, u = b V."""
        return {"V_m": jnp.asarray(-65.0), "u": -65.0 * self.b}

    def rates(self, V, state, inputs) -> dict[str, Any]:
        """dV/dt and du/dt in mV/ms at the potential V, and the decay of the receptors."""
        u, drive = state["u"], inputs.get("I_e", 0.0) + self.synaptic_current(state, V, inputs)
        rate = 0.04 * V * V + 5.0 * V + 140.0 - u + drive
        return {"V_m": rate, "u": self.a * (self.b * V - u)} | self.receptor_drifts(state)

    def bounded(self, state):
        """The potential up to the peak, at which the drift reads it."""
        return state | {"V_m": jnp.minimum(state["V_m"], self.V_peak)}

    def threshold(self, state) -> Array:
        """The peak, mV."""
        return self.V_peak

    def scale(self) -> Array:
        """From reset to peak."""
        return self.V_peak - self.c

    def after_spike(self, state, spiked):
        """V is set to c, u rises by d."""
        V_m = jnp.where(spiked, self.c, state["V_m"])
        return {"V_m": V_m, "u": state["u"] + jnp.where(spiked, self.d, 0.0)}
