"""Generalised leaky integrate-and-fire neurons, five levels."""

from typing import Any, ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import (
    check_choice,
    check_components,
    check_positive,
    components,
)
from neurojax.core.solvers import AbstractStepper
from neurojax.core.surrogate import AbstractSurrogate, Triangle
from neurojax.synapses.receptor import AbstractReceptor

from .integrate_and_fire import AbstractRefractory


@final
class GLIF(AbstractRefractory):
    r"""Leaky integrate-and-fire with what five levels add to it.

    $C\dot V = -g (V - E_L) + \sum_j I_j + \sum I_\mathrm{syn} + I_e$; a spike where
    $V > V_{th} + \theta_s + \theta_v$.

    - level 1: nothing is added; reset to $V_{reset}$.
    - level 2: $\dot\theta_s = -b_s\theta_s$; a spike sets $\theta_s$ to
      $\theta_s e^{-b_s t_{ref}} + \delta\theta_s$, and V to $E_L + f_v (V - E_L) + \delta V$.
    - level 3: $\dot I_j = -k_j I_j$; a spike sets $I_j$ to $r_j I_j e^{-k_j t_{ref}} + \delta I_j$,
      and V to $V_{reset}$.
    - level 4: both, with the reset of level 2.
    - level 5: as 4, and $\dot\theta_v = a_v (V - E_L) - b_v \theta_v$, which a spike leaves alone.

    After a spike all of these are held for round(t_ref / dt) steps; the decay over the refractory
    time is part of the rules above. Receptors go on. A neuron that is still above its threshold
    after the reset spikes again when it is no longer refractory.

    NEST's `glif_psc` has these equations at another order of accuracy: its reset of levels 2, 4
    and 5 takes V from before the step of the spike, here it is that at the end of it; it drives V
    with the mean of the after-spike currents over a step, and leaves synaptic currents out of the
    step of theta_v, both of which are exact here. Level 1 agrees to rounding.

    Arguments:
        C_m: capacitance, pF.
        g: leak conductance, nS.
        E_L: resting potential, mV.
        V_th: threshold at rest, mV.
        V_reset: reset potential of levels 1 and 3, mV.
        t_ref: refractory time, ms, rounded to whole steps (half a step up).
        th_spike_add: $\delta\theta_s$, mV.
        th_spike_decay: $b_s$, 1/ms.
        voltage_reset_fraction: $f_v$.
        voltage_reset_add: $\delta V$, mV; the paper subtracts it.
        asc_amps: $\delta I_j$, pA; a tuple for several after-spike currents.
        asc_decay: $k_j$, 1/ms; a tuple of the same length.
        asc_r: $r_j$; a tuple of the same length.
        th_voltage_index: $a_v$, 1/ms.
        th_voltage_decay: $b_v$, 1/ms.
        level: 1 to 5.
        n: number of neurons; parameters, or their components, are scalars or arrays (n,).
        receptors: receptors by name of the port.
        initial: values or distributions of initial leaves (`V_m`, `theta_s`, `I_1`, ...).
        surrogate: the derivative of a spike; its argument is the distance to the present
            threshold, divided by |V_th - E_L|.
        solver: default `Propagator` with current-based receptors, else `Heun`.

    Input: `I_e`, pA, and impulses at the ports.

    Raises:
        ValueError: for an unknown level, parameters of another shape, different numbers of
            after-spike currents, a capacitance or conductance that is not positive, or a negative
            t_ref or rate of decay.

    Source: Teeter et al. (2018), Nature Communications 9:709; parameters are named as in NEST.

    Example:
        >>> import neurojax as nj
        >>> cell = nj.neurons.GLIF(level=3)
        >>> sim = nj.simulate(cell, duration=200.0, dt=0.1, inputs={"I_e": 500.0})
        >>> int(sim.stats.spikes[""])
        14
    """

    in_components: ClassVar[tuple[str, ...]] = ("asc_amps", "asc_decay", "asc_r")

    C_m: Parameter = parameter(58.72)
    g: Parameter = parameter(9.43)
    E_L: Parameter = parameter(-78.85)
    V_th: Parameter = parameter(-51.68)
    V_reset: Parameter = parameter(-78.85)
    t_ref: Parameter = parameter(3.75)
    th_spike_add: Parameter = parameter(0.37)
    th_spike_decay: Parameter = parameter(0.009)
    voltage_reset_fraction: Parameter = parameter(0.2)
    voltage_reset_add: Parameter = parameter(18.51)
    asc_amps: Parameter = parameter((-9.18, -198.94))
    asc_decay: Parameter = parameter((0.003, 0.1))
    asc_r: Parameter = parameter((1.0, 1.0))
    th_voltage_index: Parameter = parameter(0.005)
    th_voltage_decay: Parameter = parameter(0.09)
    level: int = eqx.field(static=True, default=5)
    n: int = eqx.field(static=True, default=1)
    receptors: dict[str, AbstractReceptor] = eqx.field(default_factory=dict)
    initial: dict[str, Any] = eqx.field(default_factory=dict)
    surrogate: AbstractSurrogate = Triangle(width=1.0, damping=0.3)
    solver: AbstractStepper = None  # type: ignore

    def __check_init__(self):
        check_choice(self, "level", (1, 2, 3, 4, 5))
        check_components(self)
        check_positive(self, "C_m", "g")
        check_positive(self, "t_ref", "th_spike_decay", "asc_decay", "th_voltage_decay", zero=True)

    @property
    def has_linear_membrane(self) -> bool:
        """True."""
        return True

    @property
    def _has_spike_threshold(self) -> bool:
        return self.level in (2, 4, 5)

    def _currents(self) -> dict[str, Any]:
        """Amplitude, decay rate and fraction kept of each after-spike current, by its leaf."""
        if self.level in (1, 2):
            return {}
        parts = (components(x) for x in (self.asc_amps, self.asc_decay, self.asc_r))
        return {f"I_{j}": part for j, part in enumerate(zip(*parts, strict=True), start=1)}

    def rest(self):
        """At the resting potential, nothing adapted."""
        names = [*self._currents()]
        names += ["theta_s"] if self._has_spike_threshold else []
        names += ["theta_v"] if self.level == 5 else []
        state = {"V_m": self.E_L, "refractory": jnp.zeros((), jnp.int32)}
        return state | {name: jnp.zeros(()) for name in names}

    def drift(self, t, state, inputs):
        """The rates of the membrane, the thresholds, the after-spike currents, the receptors."""
        V_m = state["V_m"]
        above = V_m - self.E_L
        total = inputs.get("I_e", 0.0) + self.synaptic_current(state, V_m, inputs)
        rates = {}
        for name, (_, decay, _) in self._currents().items():
            total = total + state[name]
            rates[name] = -decay * state[name]
        if self._has_spike_threshold:
            rates["theta_s"] = -self.th_spike_decay * state["theta_s"]
        if self.level == 5:
            falls = self.th_voltage_decay * state["theta_v"]
            rates["theta_v"] = self.th_voltage_index * above - falls
        rates |= {"V_m": (total - self.g * above) * (1.0 / self.C_m), "refractory": None}
        return rates | self.receptor_drifts(state)

    def hold(self, before, after):
        """Nothing of a refractory neuron moves but its receptors."""
        held = before["refractory"] > 0
        own = sorted(set(after) - set(self.receptors) - {"refractory"})
        return after | {name: jnp.where(held, before[name], after[name]) for name in own}

    def threshold(self, state) -> Array:
        """The present threshold, mV."""
        adapted = [state[name] for name in ("theta_s", "theta_v") if name in state]
        return self.V_th + sum(adapted)

    def scale(self) -> Array:
        """From rest to threshold."""
        return jnp.abs(self.V_th - self.E_L)  # a resting potential may lie above the threshold

    def armed(self, state) -> Array:
        """The reset may leave a neuron above threshold, so refractory ones are told apart."""
        return state["refractory"] == 0

    def after_spike(self, state, spiked):
        """The rules of reset."""
        new = {"V_m": self.V_reset}
        for name, (add, decay, kept) in self._currents().items():
            new[name] = kept * state[name] * jnp.exp(-decay * self.t_ref) + add
        if self._has_spike_threshold:
            above = state["V_m"] - self.E_L
            new["V_m"] = self.E_L + self.voltage_reset_fraction * above + self.voltage_reset_add
            kept = jnp.exp(-self.th_spike_decay * self.t_ref)
            new["theta_s"] = state["theta_s"] * kept + self.th_spike_add
        return {name: jnp.where(spiked, value, state[name]) for name, value in new.items()}
