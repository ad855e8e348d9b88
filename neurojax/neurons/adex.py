"""The adaptive exponential integrate-and-fire neuron."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp

from neurojax.core import Clock, Parameter, parameter
from neurojax.core.parameter_checks import check_below, check_positive
from neurojax.core.solvers import AbstractStepper
from neurojax.core.surrogate import AbstractSurrogate, Triangle
from neurojax.synapses.receptor import AbstractReceptor

from .upswing import AbstractUpswing


@final
class AdEx(AbstractUpswing):
    r"""An exponential upswing with a current of adaptation.

    $C\dot V = -g_L (V - E_L) + g_L \Delta_T \exp\dfrac{V - V_{th}}{\Delta_T} - w
    + \sum I_\mathrm{syn} + I_e$ and $\tau_w \dot w = a (V - E_L) - w$. The neuron spikes where
    $V > V_{peak}$; then V is set to `V_reset`, w rises by b, and V is held for round(t_ref / dt)
    steps while w goes on. A spike bears the end of its step; without refractory steps V goes on
    from the time of the peak within it (`left`), as in NEST. All rates are read at min(V, V_peak):
    beyond it explicit solvers overflow at any step length. With a solver other than `Upswing` each
    spike and reset comes up to two steps late.

    Arguments:
        C_m: capacitance, pF.
        g_L: leak conductance, nS.
        E_L: leak reversal potential, mV.
        V_th: where the upswing begins (V_T of the paper), mV.
        Delta_T: its sharpness, mV.
        a: subthreshold adaptation, nS.
        b: what a spike adds to w, pA.
        tau_w: time constant of adaptation, ms.
        V_peak: where a spike is noted, mV.
        V_reset: reset potential, mV.
        t_ref: refractory time, ms, rounded to whole steps.
        n: number of neurons; parameters are scalars or arrays (n,).
        receptors: receptors by name of the port.
        initial: values or distributions of initial leaves.
        surrogate: the derivative of a spike; its argument is (V - V_peak) / (V_peak - E_L).
        solver: default `Upswing`.

    Input: `I_e`, pA, and impulses at the ports.

    Raises:
        ValueError: for parameters of another shape, C_m, g_L, Delta_T or tau_w that is not
            positive, a negative t_ref, or V_th or V_reset that is not below V_peak.

    Source: Brette and Gerstner (2005), J. Neurophysiol. 94:3637; defaults are its parameters.

    Example:
        >>> import neurojax as nj
        >>> sim = nj.simulate(nj.neurons.AdEx(), duration=400.0, dt=0.1, inputs={"I_e": 1000.0})
        >>> int(sim.stats.spikes[""])
        14
    """

    C_m: Parameter = parameter(281.0)
    g_L: Parameter = parameter(30.0)
    E_L: Parameter = parameter(-70.6)
    V_th: Parameter = parameter(-50.4)
    Delta_T: Parameter = parameter(2.0)
    a: Parameter = parameter(4.0)
    b: Parameter = parameter(80.5)
    tau_w: Parameter = parameter(144.0)
    V_peak: Parameter = parameter(20.0)
    V_reset: Parameter = parameter(-70.6)
    t_ref: Parameter = parameter(0.0)
    n: int = eqx.field(static=True, default=1)
    receptors: dict[str, AbstractReceptor] = eqx.field(default_factory=dict)
    initial: dict[str, Any] = eqx.field(default_factory=dict)
    surrogate: AbstractSurrogate = Triangle(width=1.0, damping=0.3)
    solver: AbstractStepper = None  # type: ignore

    def __check_init__(self):
        check_positive(self, "C_m", "g_L", "Delta_T", "tau_w")
        check_positive(self, "t_ref", zero=True)
        check_below(self, "V_th", "V_peak")
        check_below(self, "V_reset", "V_peak")

    def rest(self):
        """At the leak's reversal potential, not adapted, not refractory."""
        none = {"left": jnp.zeros(()), "refractory": jnp.zeros((), jnp.int32)}
        return {"V_m": self.E_L, "w": jnp.zeros(())} | none

    def drift(self, t, state, inputs):
        """dV/dt in mV/ms, dw/dt in pA/ms, and the decay of the receptors."""
        V, w = jnp.minimum(state["V_m"], self.V_peak), state["w"]
        current = inputs.get("I_e", 0.0) + self.synaptic_current(state, V, inputs) - w
        total = self.g_L * (self.E_L - V + self.upswing(V)) + current
        rate = self.rate(state, total * (1.0 / self.C_m))
        adaptation = (self.a * (V - self.E_L) - w) * (1.0 / self.tau_w)
        own = {"V_m": rate, "w": adaptation, "left": jnp.zeros_like(rate), "refractory": None}
        return own | self.receptor_drifts(state)

    def after_spike(self, state, spiked):
        """The reset of the potential, and the rise of the adaptation."""
        w = state["w"] + jnp.where(spiked, self.b, 0.0)
        return {"V_m": jnp.where(spiked, self.V_reset, state["V_m"]), "w": w}

    def begin(self, state, clock: Clock):
        """As `AbstractUpswing.begin`; the rise of w has decayed since the peak."""
        begun, since = super().begin(state, clock), state["left"] * clock.dt
        fallen = self.b * jnp.expm1(-since / self.tau_w)
        return begun | {"w": begun["w"] + jnp.where(self.spiked(state), fallen, 0.0)}
