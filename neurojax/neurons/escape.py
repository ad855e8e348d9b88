"""The leaky integrate-and-fire neuron with a noisy threshold."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock, Parameter, parameter
from neurojax.core.inputs import MS_HZ
from neurojax.core.parameter_checks import check_choice, check_positive
from neurojax.core.solvers import AbstractStepper
from neurojax.core.surrogate import AbstractSurrogate, Triangle
from neurojax.synapses.receptor import AbstractReceptor

from .leaky import AbstractLeaky


def escape_level(clock: Clock, V_th, Delta_V, rho_0, n: int) -> Array:
    r"""The potential above which a neuron spikes in this step, drawn anew, shape (n,).

    A spike in a step of hazard $\rho\,dt$ has probability $1 - e^{-\rho\,dt}$: it happens where a
    standard exponential number E is below $\rho\,dt$, that is where V is above
    $V_{th} + \Delta_V \log(E / (\rho_0\,dt))$.
    """
    u = clock.uniform("escape", (n,))
    smallest = 2.0**-25  # half the resolution of u in single precision
    exponential = jnp.maximum(-jnp.log1p(-u), smallest)
    # a difference of logarithms: the derivative of a quotient overflows where rho_0 is small
    return V_th + Delta_V * (jnp.log(exponential) - jnp.log(rho_0 * MS_HZ * clock.dt))


@final
class EscapeLIF(AbstractLeaky):
    r"""A leaky membrane that spikes at random, at the rate $\rho_0\, e^{(V - V_{th}) / \Delta_V}$.

    At the end of each step a neuron that is not refractory spikes with probability
    $1 - e^{-\rho(V)\,dt}$. This is drawn at the beginning of the step as the level `theta` that V
    has to pass, so that a spike is a function of the state, and its surrogate gradient that of
    V - theta. In single precision probabilities below 1e-7 a step are not resolved. This is NEST's
    `gif_psc_exp` without adaptation: V_th is V_T_star, rho_0 is lambda_0 (1/s).

    Arguments:
        C_m: capacitance, pF.
        g_L: leak conductance, nS.
        E_L: resting potential, mV.
        V_th: where the rate is rho_0, mV.
        V_reset: reset potential, mV.
        t_ref: refractory time, ms, rounded to whole steps (half a step up).
        rho_0: rate at V_th, Hz.
        Delta_V: width of the threshold, mV; the smaller, the closer to `LIF`.
        reset: `"hard"` or `"subtract"`, see `LIF`.
        refractory_input: see `LIF`.
        n: number of neurons; parameters are scalars or arrays (n,).
        receptors: receptors by name of the port.
        initial: values or distributions of initial leaves.
        surrogate: the derivative of a spike; its argument is (V - theta) / (V_th - V_reset).
        solver: default `Propagator` with current-based receptors, else `Heun`.

    Input: `I_e`, pA, and impulses at the ports. Needs a key.

    Raises:
        ValueError: as `LIF`, and for rho_0 or Delta_V that is not positive.

    Source: Gerstner et al. (2014), Neuronal Dynamics, chapter 9; Plesser and Gerstner (2000),
    Neural Computation 12:367.

    Example:
        >>> import jax, neurojax as nj
        >>> cell = nj.neurons.EscapeLIF(n=100)
        >>> key = jax.random.key(0)
        >>> sim = nj.simulate(cell, duration=100.0, dt=0.1, inputs={"I_e": 300.0}, key=key)
        >>> 50 < int(sim.stats.spikes[""]) < 250
        True
    """

    C_m: Parameter = parameter(250.0)
    g_L: Parameter = parameter(25.0)
    E_L: Parameter = parameter(-70.0)
    V_th: Parameter = parameter(-55.0)
    V_reset: Parameter = parameter(-70.0)
    t_ref: Parameter = parameter(2.0)
    rho_0: Parameter = parameter(100.0)
    Delta_V: Parameter = parameter(2.0)
    reset: str = eqx.field(static=True, default="hard")
    refractory_input: str = eqx.field(static=True, default="ignore")
    n: int = eqx.field(static=True, default=1)
    receptors: dict[str, AbstractReceptor] = eqx.field(default_factory=dict)
    initial: dict[str, Any] = eqx.field(default_factory=dict)
    surrogate: AbstractSurrogate = Triangle(width=1.0, damping=0.3)
    solver: AbstractStepper = None  # type: ignore

    def __check_init__(self):
        check_choice(self, "reset", ("hard", "subtract"))
        check_positive(self, "rho_0", "Delta_V")

    @property
    def has_linear_membrane(self) -> bool:
        """True."""
        return True

    def rest(self):
        """At the resting potential, not refractory."""
        return self.membrane_at_rest() | {"theta": self.V_th}

    def begin(self, state, clock: Clock):
        """Reset, count the refractory steps, draw the level to be passed in this step."""
        theta = escape_level(clock, self.V_th, self.Delta_V, self.rho_0, self.n)
        return super().begin(state, clock) | {"theta": theta}

    def drift(self, t, state, inputs):
        """dV/dt in mV/ms, and the decay of the receptors."""
        return self.membrane_drift(state, inputs) | {"theta": jnp.zeros_like(state["theta"])}

    def threshold(self, state) -> Array:
        """The level of this step, mV."""
        return state["theta"]

    def armed(self, state) -> Array:
        """A refractory neuron may lie above its level by chance."""
        return state["refractory"] == 0
