"""The leaky integrate-and-fire neuron."""

from typing import Any, final

import equinox as eqx
from jaxtyping import Array

from neurojax.core import Parameter, parameter
from neurojax.core.solvers import AbstractStepper
from neurojax.core.surrogate import AbstractSurrogate, Triangle
from neurojax.synapses.receptor import AbstractReceptor

from .leaky import AbstractLeaky


@final
class LIF(AbstractLeaky):
    r"""A leaky membrane with a threshold, $C\dot V = -g_L (V - E_L) + \sum I_\mathrm{syn} + I_e$.

    Where $V > V_{th}$ at the end of a step the neuron spikes; in the next step V starts at
    `V_reset` and is held there for round(t_ref / dt) steps, while the receptors go on. With
    current-based receptors every step is exact (`Propagator`), with conductances second order
    (`Heun`).

    Beside other simulators: NEST spikes at V >= V_th, also in the first step of a neuron that
    starts there (here it is reset and emits nothing), and rounds t_ref up to whole steps. Brian2's
    `refractory=t` holds V for t / dt - 1 steps: t_ref is t - dt.

    Arguments:
        C_m: capacitance, pF.
        g_L: leak conductance, nS; the membrane time constant is C_m / g_L.
        E_L: resting potential, mV.
        V_th: threshold, mV.
        V_reset: reset potential, mV.
        t_ref: refractory time, ms, rounded to whole steps.
        reset: `"hard"`: V starts again at `V_reset`. `"subtract"`: V falls by V_th - V_reset, and
            what it was above threshold is kept. `"none"`: V goes on, also while refractory; the
            neuron spikes where V crosses the threshold from below.
        refractory_input: what becomes of delta impulses (voltage jumps) that arrive while V is
            held: `"ignore"` loses them; `"integrate"` adds them when V is free again, decayed with
            the membrane time constant. All other receptors go on in either case.
        n: number of neurons; parameters are scalars or arrays (n,).
        receptors: receptors by name of the port.
        initial: values or distributions of initial leaves, such as `{"V_m": nj.random.Uniform(
            -65.0, -50.0)}`.
        surrogate: the derivative of a spike; its argument is (V - V_th) / (V_th - V_reset).
        solver: default as said above.

    Input: `I_e`, pA, and impulses at the ports.

    Raises:
        ValueError: for parameters of another shape, an unknown mode, C_m or g_L that is not
            positive, a negative t_ref, or V_reset that is not below V_th.

    Source: Gerstner et al. (2014), Neuronal Dynamics, chapter 1; conventions of time as in
    Rotter and Diesmann (1999), Biol. Cybern. 81:381.

    Example:
        >>> import neurojax as nj
        >>> cell = nj.neurons.LIF(C_m=250.0, g_L=25.0, E_L=-70.0, V_th=-55.0, V_reset=-70.0)
        >>> sim = nj.simulate(cell, duration=200.0, dt=0.1, inputs={"I_e": 500.0})
        >>> int(sim.stats.spikes[""])
        12
    """

    C_m: Parameter = parameter(250.0)
    g_L: Parameter = parameter(25.0)
    E_L: Parameter = parameter(-70.0)
    V_th: Parameter = parameter(-55.0)
    V_reset: Parameter = parameter(-70.0)
    t_ref: Parameter = parameter(2.0)
    reset: str = eqx.field(static=True, default="hard")
    refractory_input: str = eqx.field(static=True, default="ignore")
    n: int = eqx.field(static=True, default=1)
    receptors: dict[str, AbstractReceptor] = eqx.field(default_factory=dict)
    initial: dict[str, Any] = eqx.field(default_factory=dict)
    surrogate: AbstractSurrogate = Triangle(width=1.0, damping=0.3)
    solver: AbstractStepper = None  # type: ignore

    @property
    def has_linear_membrane(self) -> bool:
        """True."""
        return True

    def rest(self):
        """At the resting potential, not refractory."""
        return self.membrane_at_rest()

    def drift(self, t, state, inputs):
        """dV/dt in mV/ms, and the decay of the receptors."""
        return self.membrane_drift(state, inputs)

    def threshold(self, state) -> Array:
        """The threshold, mV."""
        return self.V_th
