"""The leaky integrate-and-fire neuron with an adaptive threshold."""

from typing import Any, ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_components, check_positive, components
from neurojax.core.solvers import AbstractStepper
from neurojax.core.surrogate import AbstractSurrogate, Triangle
from neurojax.synapses.receptor import AbstractReceptor

from .leaky import AbstractLeaky


@final
class ALIF(AbstractLeaky):
    r"""A leaky membrane whose threshold rises with every spike, $V > V_{th} + \sum_k \theta_k$.

    $\tau_k \dot\theta_k = -\theta_k$, and a spike adds $b_k$ to $\theta_k$, at the time of the
    reset. The membrane is that of `LIF`. The thresholds decay while the neuron is refractory.

    With `reset="none"` it is NEST's `mat2_psc_exp` (V_th is omega, b is alpha_1 and alpha_2), as
    long as each spike lifts the threshold above V: where V stays above, that model spikes again
    after every refractory time, and this one waits for a crossing from below.

    Arguments:
        C_m: capacitance, pF.
        g_L: leak conductance, nS.
        E_L: resting potential, mV.
        V_th: threshold of a neuron that has been silent, mV.
        V_reset: reset potential, mV.
        t_ref: refractory time, ms, rounded to whole steps (half a step up).
        b: what a spike adds to the threshold, mV; a tuple for several components.
        tau_b: their decay times, ms; a tuple of the same length.
        reset: see `LIF`; `"subtract"` takes V_th - V_reset, without the adaptation.
        refractory_input: see `LIF`.
        n: number of neurons; parameters, or their components, are scalars or arrays (n,).
        receptors: receptors by name of the port.
        initial: values or distributions of initial leaves (`V_m`, `theta_1`, ...).
        surrogate: the derivative of a spike; its argument is the distance to the present
            threshold, divided by V_th - V_reset.
        solver: default `Propagator` with current-based receptors, else `Heun`.

    Input: `I_e`, pA, and impulses at the ports.

    Raises:
        ValueError: as `LIF`, and if `b` and `tau_b` have different numbers of components.

    Source: Bellec et al. (2018), Advances in Neural Information Processing Systems 31; several
    components as in Kobayashi et al. (2009), Front. Comput. Neurosci. 3:9.

    Example:
        >>> import neurojax as nj
        >>> cell = nj.neurons.ALIF(b=(2.0, 0.5), tau_b=(20.0, 200.0))
        >>> sim = nj.simulate(cell, duration=200.0, dt=0.1, inputs={"I_e": 500.0})
        >>> int(sim.stats.spikes[""])
        9
    """

    in_components: ClassVar[tuple[str, ...]] = ("b", "tau_b")

    C_m: Parameter = parameter(250.0)
    g_L: Parameter = parameter(25.0)
    E_L: Parameter = parameter(-70.0)
    V_th: Parameter = parameter(-55.0)
    V_reset: Parameter = parameter(-70.0)
    t_ref: Parameter = parameter(2.0)
    b: Parameter = parameter(1.0)
    tau_b: Parameter = parameter(100.0)
    reset: str = eqx.field(static=True, default="hard")
    refractory_input: str = eqx.field(static=True, default="ignore")
    n: int = eqx.field(static=True, default=1)
    receptors: dict[str, AbstractReceptor] = eqx.field(default_factory=dict)
    initial: dict[str, Any] = eqx.field(default_factory=dict)
    surrogate: AbstractSurrogate = Triangle(width=1.0, damping=0.3)
    solver: AbstractStepper = None  # type: ignore

    def __check_init__(self):
        check_components(self)
        check_positive(self, "tau_b")

    @property
    def has_linear_membrane(self) -> bool:
        """True."""
        return True

    def _adaptive(self) -> dict[str, Any]:
        """What a spike adds, and the decay time, by the name of the leaf."""
        pairs = zip(components(self.b), components(self.tau_b), strict=True)
        return {f"theta_{k}": pair for k, pair in enumerate(pairs, start=1)}

    def rest(self):
        """At the resting potential, without adaptation."""
        return self.membrane_at_rest() | {name: jnp.zeros(()) for name in self._adaptive()}

    def drift(self, t, state, inputs):
        """dV/dt in mV/ms, the decay of the thresholds and of the receptors."""
        decay = {name: -state[name] * (1.0 / tau) for name, (_, tau) in self._adaptive().items()}
        return self.membrane_drift(state, inputs) | decay

    def threshold(self, state) -> Array:
        """The present threshold, mV."""
        return self.V_th + sum(state[name] for name in self._adaptive())

    def after_spike(self, state, spiked):
        """The reset of the potential, and the rise of the thresholds."""
        risen = {
            name: state[name] + jnp.where(spiked, b, 0.0)
            for name, (b, _) in self._adaptive().items()
        }
        return super().after_spike(state, spiked) | risen
