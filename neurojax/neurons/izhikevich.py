"""The Izhikevich neuron: its equations, and the scheme of the paper's program."""

from typing import Any, ClassVar, final

import equinox as eqx
import jax.numpy as jnp

from neurojax.core import Parameter, parameter
from neurojax.core.solvers import AbstractStepper
from neurojax.core.solvers.base import plus
from neurojax.core.surrogate import AbstractSurrogate, Triangle
from neurojax.core.tracing import known
from neurojax.synapses.receptor import AbstractReceptor

from ._izhikevich import AbstractIzhikevich


@final
class Izhikevich(AbstractIzhikevich):
    r"""The equations, solved to second order between spikes.

    $\dot V = 0.04 V^2 + 5 V + 140 - u + I$, $\dot u = a (b V - u)$; where $V > V_{peak}$ a spike is
    noted, V is set to c and u rises by d. The rates are read at min(V, V_peak). Spike and reset
    come at the end of a step, so that the times of spikes are of first order: with I = 10 the fifth
    one is 0.5 ms late at steps of 0.1 ms, 0.05 ms at 0.0125 ms. With I = 10 a regular spiking cell
    fires 12 times in 500 ms here, and 10 times by the scheme of the paper (`IzhikevichPublished`),
    which is another model. With `solver=nj.solvers.Euler()` it is `izhikevich` of NEST, whose port
    takes jumps of V (`nj.synapses.Delta`).

    Arguments:
        a: rate of recovery, 1/ms.
        b: its sensitivity to V.
        c: reset potential, mV.
        d: what a spike adds to u, mV/ms.
        V_peak: where a spike is noted, mV.
        n: number of neurons; parameters are scalars or arrays (n,).
        receptors: receptors by name of the port; their currents count as mV/ms.
        initial: values or distributions of `V_m` and `u`.
        surrogate: the derivative of a spike; its argument is (V - V_peak) / (V_peak - c).
        solver: default `Heun`; use steps of 0.1 ms or so.

    Input: `I_e`, mV/ms (the model has no capacitance), and impulses at the ports.

    Raises:
        ValueError: for parameters of another shape, or c that is not below V_peak.

    Source: Izhikevich (2003), IEEE Trans. Neural Netw. 14:1569.

    Example:
        >>> import neurojax as nj
        >>> cell = nj.neurons.Izhikevich()
        >>> sim = nj.simulate(cell, duration=500.0, dt=0.1, inputs={"I_e": 10.0})
        >>> int(sim.stats.spikes[""])
        12
    """

    a: Parameter = parameter(0.02)
    b: Parameter = parameter(0.2)
    c: Parameter = parameter(-65.0)
    d: Parameter = parameter(8.0)
    V_peak: Parameter = parameter(30.0)
    n: int = eqx.field(static=True, default=1)
    receptors: dict[str, AbstractReceptor] = eqx.field(default_factory=dict)
    initial: dict[str, Any] = eqx.field(default_factory=dict)
    surrogate: AbstractSurrogate = Triangle(width=1.0, damping=0.3)
    solver: AbstractStepper = None  # type: ignore

    def drift(self, t, state, inputs):
        """dV/dt and du/dt in mV/ms, and the decay of the receptors."""
        return self.rates(jnp.minimum(state["V_m"], self.V_peak), state, inputs)


class HalfSteps(AbstractStepper):
    """Two Euler steps of V over half the step each, then one of everything else."""

    order: ClassVar[int] = 1

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        for _ in range(2):
            y = y | {"V_m": y["V_m"] + 0.5 * dt * f(t, y, args)["V_m"]}
        V_m, others = y["V_m"], y | {"V_m": None}
        rates = f(t, y, args) | {"V_m": None}
        return plus(others, dt, rates) | {"V_m": V_m}


@final
class IzhikevichPublished(AbstractIzhikevich):
    r"""The scheme of the program in the paper, at steps of 1 ms only.

    In each step $V \leftarrow V + 0.5\,(0.04 V^2 + 5 V + 140 - u + I)$ twice, then
    $u \leftarrow u + a (b V - u)$ with the new V. This is far from the solution of the equations
    (`Izhikevich`): with I = 10 a regular spiking cell fires 10 times in 500 ms, not 12, a fast
    spiking one about 32 times, not 69 (the map is chaotic: after some hundred steps the last bit
    of a number decides). As in the program, V above V_peak is reset at the beginning of the next
    step. It is NEST's `izhikevich` with `consistent_integration` off, but for spikes that arrive:
    NEST adds their weight in both half steps, a `nj.synapses.Delta` once at the end of the step.

    Arguments:
        a: rate of recovery, 1/ms.
        b: its sensitivity to V.
        c: reset potential, mV.
        d: what a spike adds to u, mV/ms.
        V_peak: where a spike is noted, mV.
        n: number of neurons; parameters are scalars or arrays (n,).
        receptors: receptors by name of the port; their currents count as mV/ms.
        initial: values or distributions of `V_m` and `u`.
        surrogate: the derivative of a spike; its argument is (V - V_peak) / (V_peak - c).
        solver: the scheme; leave it.

    Input: `I_e`, mV/ms, and impulses at the ports.

    Raises:
        ValueError: for a step other than 1 ms, parameters of another shape, or c that is not below
            V_peak.

    Source: Izhikevich (2003), IEEE Trans. Neural Netw. 14:1569.

    Example:
        >>> import neurojax as nj
        >>> cell = nj.neurons.IzhikevichPublished()
        >>> record = {"spikes": nj.Spikes()}
        >>> inputs = {"I_e": 10.0}
        >>> sim = nj.simulate(cell, duration=100.0, dt=1.0, inputs=inputs, record=record)
        >>> sim["spikes"].times.tolist()
        [4.0, 31.0, 79.0]
    """

    a: Parameter = parameter(0.02)
    b: Parameter = parameter(0.2)
    c: Parameter = parameter(-65.0)
    d: Parameter = parameter(8.0)
    V_peak: Parameter = parameter(30.0)
    n: int = eqx.field(static=True, default=1)
    receptors: dict[str, AbstractReceptor] = eqx.field(default_factory=dict)
    initial: dict[str, Any] = eqx.field(default_factory=dict)
    surrogate: AbstractSurrogate = Triangle(width=1.0, damping=0.3)
    solver: AbstractStepper = HalfSteps()

    def drift(self, t, state, inputs):
        """dV/dt and du/dt in mV/ms as in the program, and the decay of the receptors."""
        return self.rates(state["V_m"], state, inputs)

    def on_grid(self, dt: float) -> "IzhikevichPublished":
        """The same model; only steps of 1 ms are what the paper does."""
        if known(dt) and abs(float(dt) - 1.0) > 1e-6:
            raise ValueError(
                f"IzhikevichPublished is a scheme for dt=1.0 ms, got dt={dt}; "
                "nj.neurons.Izhikevich solves the equations at any step"
            )
        return self
