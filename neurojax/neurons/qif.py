"""The quadratic integrate-and-fire neuron."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_below, check_positive
from neurojax.core.solvers import AbstractStepper
from neurojax.core.surrogate import AbstractSurrogate, Triangle
from neurojax.synapses.receptor import AbstractReceptor

from .integrate_and_fire import AbstractRefractory


@final
class QIF(AbstractRefractory):
    r"""A membrane with a quadratic upswing, the normal form of a saddle-node on a circle.

    $C\dot V = g_L \dfrac{(V - E_L)(V - V_{th})}{V_{th} - E_L} + \sum I_\mathrm{syn} + I_e$: $g_L$
    is the conductance at rest, and above $V_{th}$ V runs away by itself. The neuron spikes where
    $V > V_{peak}$; V is then held at `V_reset` for round(t_ref / dt) steps. The rate of change is
    read at min(V, V_peak). Spike and reset come at the end of a step: the equations are solved to
    second order between spikes, the times of spikes are of first order.

    Arguments:
        C_m: capacitance, pF.
        g_L: conductance at rest, nS.
        E_L: resting potential, mV.
        V_th: unstable fixed point, mV.
        V_peak: where a spike is noted, mV.
        V_reset: reset potential, mV.
        t_ref: refractory time, ms, rounded to whole steps (half a step up).
        n: number of neurons; parameters are scalars or arrays (n,).
        receptors: receptors by name of the port.
        initial: values or distributions of initial leaves.
        surrogate: the derivative of a spike; its argument is (V - V_peak) / (V_peak - E_L).
        solver: default `Heun`.

    Input: `I_e`, pA, and impulses at the ports.

    Raises:
        ValueError: for parameters of another shape, C_m or g_L that is not positive, a negative
            t_ref, or potentials in another order than E_L < V_th < V_peak and V_reset < V_peak.

    Source: Latham et al. (2000), J. Neurophysiol. 83:808; Gerstner et al. (2014), Neuronal
    Dynamics, chapter 5.

    Example:
        >>> import neurojax as nj
        >>> sim = nj.simulate(nj.neurons.QIF(), duration=200.0, dt=0.1, inputs={"I_e": 200.0})
        >>> int(sim.stats.spikes[""])
        4
    """

    C_m: Parameter = parameter(250.0)
    g_L: Parameter = parameter(25.0)
    E_L: Parameter = parameter(-70.0)
    V_th: Parameter = parameter(-55.0)
    V_peak: Parameter = parameter(0.0)
    V_reset: Parameter = parameter(-70.0)
    t_ref: Parameter = parameter(0.0)
    n: int = eqx.field(static=True, default=1)
    receptors: dict[str, AbstractReceptor] = eqx.field(default_factory=dict)
    initial: dict[str, Any] = eqx.field(default_factory=dict)
    surrogate: AbstractSurrogate = Triangle(width=1.0, damping=0.3)
    solver: AbstractStepper = None  # type: ignore

    def __check_init__(self):
        check_positive(self, "C_m", "g_L")
        check_positive(self, "t_ref", zero=True)
        check_below(self, "E_L", "V_th")
        check_below(self, "V_th", "V_peak")
        check_below(self, "V_reset", "V_peak")

    def rest(self):
        """At the resting potential, not refractory."""
        return {"V_m": self.E_L, "refractory": jnp.zeros((), jnp.int32)}

    def drift(self, t, state, inputs):
        """dV/dt in mV/ms, and the decay of the receptors."""
        V = jnp.minimum(state["V_m"], self.V_peak)
        own = self.g_L * (V - self.E_L) * (V - self.V_th) / (self.V_th - self.E_L)
        current = inputs.get("I_e", 0.0) + self.synaptic_current(state, V, inputs)
        rate = self.unless_refractory(state, (own + current) * (1.0 / self.C_m))
        return {"V_m": rate, "refractory": None} | self.receptor_drifts(state)

    def bounded(self, state):
        """The potential up to the peak, at which the drift reads it."""
        return state | {"V_m": jnp.minimum(state["V_m"], self.V_peak)}

    def threshold(self, state) -> Array:
        """The peak, mV."""
        return self.V_peak

    def scale(self) -> Array:
        """From rest to the peak."""
        return self.V_peak - self.E_L

    def after_spike(self, state, spiked):
        """The reset of the potential."""
        return {"V_m": jnp.where(spiked, self.V_reset, state["V_m"])}
