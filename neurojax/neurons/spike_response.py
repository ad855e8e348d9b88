"""The spike response model."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock, Parameter, parameter
from neurojax.core.parameter_checks import check_choice, check_positive
from neurojax.core.solvers import AbstractStepper
from neurojax.core.surrogate import AbstractSurrogate, Triangle
from neurojax.synapses.receptor import AbstractReceptor

from .escape import escape_level
from .integrate_and_fire import AbstractRefractory


@final
class SpikeResponse(AbstractRefractory):
    r"""The potential as a sum of responses, to input and to the neuron's own spikes.

    $V(t) = E_L + \int_0^\infty \tfrac{1}{C} e^{-s/\tau_m} I(t - s)\,ds
    + \sum_{\hat t} \eta_0\, e^{-(t - \hat t)/\tau_\eta}$, where $\hat t$ are the neuron's spikes.
    Both kernels are exponential, so that they are filters with one state each: `V_m` and `eta`,
    the last sum. The neuron spikes where $V > V_{th}$, or with `noise="escape"` at random, at the
    rate $\rho_0\, e^{(V - V_{th}) / \Delta_V}$; not within round(t_ref / dt) steps of a spike,
    during which V goes on. With $\tau_\eta = \tau_m$ and $\eta_0 = V_{reset} - V_{th}$ it is
    `LIF` with subtractive reset, where t_ref is zero.

    Arguments:
        C_m: capacitance, pF.
        tau_m: time constant of the response to input, ms.
        E_L: resting potential, mV.
        V_th: threshold, mV.
        eta_0: the jump of V after a spike, mV; negative.
        tau_eta: its decay time, ms.
        t_ref: time without spikes after a spike, ms, rounded to whole steps (half a step up).
        rho_0: rate at V_th with `noise="escape"`, Hz.
        Delta_V: width of the threshold, mV.
        memory: `"all"`: the responses to all spikes add up; `"last"`: only that to the last spike
            counts (the model called SRM0).
        noise: `"none"` or `"escape"`; the latter needs a key.
        n: number of neurons; parameters are scalars or arrays (n,).
        receptors: receptors by name of the port, current-based ones only.
        initial: values or distributions of initial leaves.
        surrogate: the derivative of a spike; its argument is the distance to the threshold (or to
            the level that was drawn), divided by |V_th - E_L|.
        solver: default `Propagator`.

    Input: `I_e`, pA, and impulses at the ports.

    Raises:
        ValueError: for parameters of another shape, unknown names, time constants or widths that
            are not positive, or a receptor that is a conductance.

    Source: Gerstner et al. (2014), Neuronal Dynamics, sections 6.4 and 9.1.

    Example:
        >>> import neurojax as nj
        >>> cell = nj.neurons.SpikeResponse(eta_0=-20.0, tau_eta=30.0)
        >>> sim = nj.simulate(cell, duration=200.0, dt=0.1, inputs={"I_e": 500.0})
        >>> int(sim.stats.spikes[""])
        4
    """

    C_m: Parameter = parameter(250.0)
    tau_m: Parameter = parameter(10.0)
    E_L: Parameter = parameter(-70.0)
    V_th: Parameter = parameter(-55.0)
    eta_0: Parameter = parameter(-15.0)
    tau_eta: Parameter = parameter(10.0)
    t_ref: Parameter = parameter(2.0)
    rho_0: Parameter = parameter(100.0)
    Delta_V: Parameter = parameter(2.0)
    memory: str = eqx.field(static=True, default="all")
    noise: str = eqx.field(static=True, default="none")
    n: int = eqx.field(static=True, default=1)
    receptors: dict[str, AbstractReceptor] = eqx.field(default_factory=dict)
    initial: dict[str, Any] = eqx.field(default_factory=dict)
    surrogate: AbstractSurrogate = Triangle(width=1.0, damping=0.3)
    solver: AbstractStepper = None  # type: ignore

    def __check_init__(self):
        check_choice(self, "memory", ("all", "last"))
        check_choice(self, "noise", ("none", "escape"))
        check_positive(self, "C_m", "tau_m", "tau_eta", "rho_0", "Delta_V")
        check_positive(self, "t_ref", zero=True)
        for port, receptor in self.receptors.items():
            if not receptor.is_linear:
                raise ValueError(
                    f"receptors[{port!r}] of SpikeResponse is a conductance, to which the response "
                    "has no fixed kernel; use a current-based receptor"
                )

    @property
    def has_linear_membrane(self) -> bool:
        """True."""
        return True

    def rest(self):
        """At the resting potential, no spikes before."""
        state = {"V_m": self.E_L, "eta": jnp.zeros(()), "refractory": jnp.zeros((), jnp.int32)}
        return state | ({"theta": self.V_th} if self.noise == "escape" else {})

    def begin(self, state, clock: Clock):
        """The response to a spike, the refractory count, the level of this step."""
        new = super().begin(state, clock)
        if self.noise == "none":
            return new
        return new | {"theta": escape_level(clock, self.V_th, self.Delta_V, self.rho_0, self.n)}

    def drift(self, t, state, inputs):
        """dV/dt in mV/ms, the decay of the response to spikes and of the receptors."""
        V_m, eta = state["V_m"], state["eta"]
        current = inputs.get("I_e", 0.0) + self.synaptic_current(state, V_m, inputs)
        decay = -eta / self.tau_eta
        rate = (self.E_L + eta - V_m) / self.tau_m + decay + current / self.C_m
        rates = {"V_m": rate, "eta": decay, "refractory": None} | self.receptor_drifts(state)
        return rates | ({"theta": jnp.zeros_like(V_m)} if self.noise == "escape" else {})

    def hold(self, before, after):
        """Nothing is held: the responses go on."""
        return after

    def jumped(self, state, jump):
        """The potential after delta impulses."""
        return state | {"V_m": state["V_m"] + jump}

    def threshold(self, state) -> Array:
        """The threshold, or the level of this step, mV."""
        return self.V_th if self.noise == "none" else state["theta"]

    def scale(self) -> Array:
        """From rest to threshold."""
        return jnp.abs(self.V_th - self.E_L)  # a resting potential may lie above the threshold

    def armed(self, state) -> Array:
        """A refractory neuron may lie above threshold."""
        return state["refractory"] == 0

    def after_spike(self, state, spiked):
        """The response to a spike."""
        jump = self.eta_0 - (state["eta"] if self.memory == "last" else 0.0)
        jump = jnp.where(spiked, jump, 0.0)
        return {"V_m": state["V_m"] + jump, "eta": state["eta"] + jump}
