"""The exponential integrate-and-fire neuron."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_below, check_positive
from neurojax.core.solvers import AbstractStepper
from neurojax.core.surrogate import AbstractSurrogate, Triangle
from neurojax.synapses.receptor import AbstractReceptor

from .upswing import AbstractUpswing


@final
class EIF(AbstractUpswing):
    r"""A leaky membrane with an exponential upswing.

    $C\dot V = -g_L (V - E_L) + g_L \Delta_T \exp\dfrac{V - V_{th}}{\Delta_T} + \sum I_\mathrm{syn}
    + I_e$. The neuron spikes where $V > V_{peak}$; V is then held at `V_reset` for
    round(t_ref / dt) steps. A spike bears the end of its step; without refractory steps V goes on
    from the time of the peak within it (`left`). The rate of change is read at min(V, V_peak), so
    that no step overflows. With a solver other than `Upswing` spikes come up to two steps late.

    Arguments:
        C_m: capacitance, pF.
        g_L: leak conductance, nS.
        E_L: resting potential, mV.
        V_th: where the upswing begins, mV.
        Delta_T: its sharpness, mV.
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
        ValueError: for parameters of another shape, C_m, g_L or Delta_T that is not positive, a
            negative t_ref, or V_th or V_reset that is not below V_peak.

    Source: Fourcaud-Trocme et al. (2003), J. Neurosci. 23:11628; the potentials, Delta_T, t_ref
    and C_m / g_L are those of its fit to the Wang-Buzsaki neuron.

    Example:
        >>> import neurojax as nj
        >>> sim = nj.simulate(nj.neurons.EIF(), duration=200.0, dt=0.05, inputs={"I_e": 200.0})
        >>> int(sim.stats.spikes[""])
        20
    """

    C_m: Parameter = parameter(100.0)
    g_L: Parameter = parameter(10.0)
    E_L: Parameter = parameter(-65.0)
    V_th: Parameter = parameter(-59.9)
    Delta_T: Parameter = parameter(3.48)
    V_peak: Parameter = parameter(0.0)
    V_reset: Parameter = parameter(-68.0)
    t_ref: Parameter = parameter(1.7)
    n: int = eqx.field(static=True, default=1)
    receptors: dict[str, AbstractReceptor] = eqx.field(default_factory=dict)
    initial: dict[str, Any] = eqx.field(default_factory=dict)
    surrogate: AbstractSurrogate = Triangle(width=1.0, damping=0.3)
    solver: AbstractStepper = None  # type: ignore

    def __check_init__(self):
        check_positive(self, "C_m", "g_L", "Delta_T")
        check_positive(self, "t_ref", zero=True)
        check_below(self, "V_th", "V_peak")
        check_below(self, "V_reset", "V_peak")

    def rest(self):
        """At the leak's reversal potential, not refractory."""
        none = {"left": jnp.zeros(()), "refractory": jnp.zeros((), jnp.int32)}
        return {"V_m": self.E_L} | none

    def drift(self, t, state, inputs):
        """dV/dt in mV/ms, and the decay of the receptors."""
        V = jnp.minimum(state["V_m"], self.V_peak)
        current = inputs.get("I_e", 0.0) + self.synaptic_current(state, V, inputs)
        total = self.g_L * (self.E_L - V + self.upswing(V)) + current
        rate = self.rate(state, total * (1.0 / self.C_m))
        own = {"V_m": rate, "left": jnp.zeros_like(rate), "refractory": None}
        return own | self.receptor_drifts(state)

    def after_spike(self, state, spiked):
        """The reset of the potential."""
        return {"V_m": jnp.where(spiked, self.V_reset, state["V_m"])}
