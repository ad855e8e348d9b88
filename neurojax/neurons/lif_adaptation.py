"""The leaky integrate-and-fire neuron with spike-frequency adaptation."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_choice, check_positive
from neurojax.core.solvers import AbstractStepper
from neurojax.core.surrogate import AbstractSurrogate, Triangle
from neurojax.synapses.receptor import AbstractReceptor

from .leaky import AbstractLeaky


@final
class LIFAdaptation(AbstractLeaky):
    r"""A leaky membrane with a potassium conductance that every spike opens.

    $C\dot V = -g_L (V - E_L) - g_{sfa} (V - E_{sfa}) + \sum I_\mathrm{syn} + I_e$,
    $\tau_{sfa}\, \dot g_{sfa} = -g_{sfa}$, and a spike adds $q_{sfa}$ to $g_{sfa}$ at the time of
    the reset. With `adaptation="current"` the conductance's current is replaced by $-w$,
    $\tau_{sfa}\, \dot w = -w$, and a spike adds $q_{sfa}$ (pA) to $w$. Adaptation decays while the
    neuron is refractory.

    Arguments:
        C_m: capacitance, pF.
        g_L: leak conductance, nS.
        E_L: resting potential, mV.
        V_th: threshold, mV.
        V_reset: reset potential, mV.
        t_ref: refractory time, ms, rounded to whole steps (half a step up).
        q_sfa: what a spike adds, nS (a current: pA).
        tau_sfa: decay time of the adaptation, ms.
        E_sfa: reversal potential of the conductance, mV; not read for a current.
        adaptation: `"conductance"` or `"current"`.
        reset: see `LIF`.
        refractory_input: see `LIF`.
        n: number of neurons; parameters are scalars or arrays (n,).
        receptors: receptors by name of the port.
        initial: values or distributions of initial leaves (`V_m`, and `g_sfa` or `w`).
        surrogate: the derivative of a spike; its argument is (V - V_th) / (V_th - V_reset).
        solver: default `Heun`; `Propagator` for a current with current-based receptors.

    Input: `I_e`, pA, and impulses at the ports.

    Raises:
        ValueError: as `LIF`, and for an unknown kind of adaptation, tau_sfa that is not positive,
            or a conductance with a negative q_sfa.

    Source: Treves (1993), Network: Computation in Neural Systems 4:259; default conductance of
    Muller et al. (2007), Neural Computation 19:2958.

    Example:
        >>> import neurojax as nj
        >>> cell = nj.neurons.LIFAdaptation(q_sfa=2.0)
        >>> sim = nj.simulate(cell, duration=200.0, dt=0.1, inputs={"I_e": 500.0})
        >>> int(sim.stats.spikes[""])
        9
    """

    C_m: Parameter = parameter(250.0)
    g_L: Parameter = parameter(25.0)
    E_L: Parameter = parameter(-70.0)
    V_th: Parameter = parameter(-55.0)
    V_reset: Parameter = parameter(-70.0)
    t_ref: Parameter = parameter(2.0)
    q_sfa: Parameter = parameter(14.48)
    tau_sfa: Parameter = parameter(110.0)
    E_sfa: Parameter = parameter(-70.0)
    adaptation: str = eqx.field(static=True, default="conductance")
    reset: str = eqx.field(static=True, default="hard")
    refractory_input: str = eqx.field(static=True, default="ignore")
    n: int = eqx.field(static=True, default=1)
    receptors: dict[str, AbstractReceptor] = eqx.field(default_factory=dict)
    initial: dict[str, Any] = eqx.field(default_factory=dict)
    surrogate: AbstractSurrogate = Triangle(width=1.0, damping=0.3)
    solver: AbstractStepper = None  # type: ignore

    def __check_init__(self):
        check_choice(self, "adaptation", ("conductance", "current"))
        check_positive(self, "tau_sfa")
        if self.adaptation == "conductance":
            check_positive(self, "q_sfa", zero=True)

    @property
    def has_linear_membrane(self) -> bool:
        """True for a current."""
        return self.adaptation == "current"

    @property
    def _leaf(self) -> str:
        return "w" if self.adaptation == "current" else "g_sfa"

    def rest(self):
        """At the resting potential, without adaptation."""
        return self.membrane_at_rest() | {self._leaf: jnp.zeros(())}

    def drift(self, t, state, inputs):
        """dV/dt in mV/ms, the decay of the adaptation and of the receptors."""
        x = state[self._leaf]
        current = -x if self.adaptation == "current" else x * (self.E_sfa - state["V_m"])
        return self.membrane_drift(state, inputs, current) | {self._leaf: -x * (1.0 / self.tau_sfa)}

    def threshold(self, state) -> Array:
        """The threshold, mV."""
        return self.V_th

    def after_spike(self, state, spiked):
        """The reset of the potential, and the rise of the adaptation."""
        risen = state[self._leaf] + jnp.where(spiked, self.q_sfa, 0.0)
        return super().after_spike(state, spiked) | {self._leaf: risen}
