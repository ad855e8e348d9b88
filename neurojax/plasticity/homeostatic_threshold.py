"""Intrinsic plasticity: a threshold that finds the rate of its neuron."""

import dataclasses
from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import paramax
from jaxtyping import Array

from neurojax.core import Clock, ContinuousDynamics, Parameter, SpikeOutput, parameter
from neurojax.core.inputs import MS_HZ
from neurojax.core.parameter_checks import (
    check_below,
    check_no_nan,
    check_positive,
    check_shapes,
    refuse_distributions,
)
from neurojax.core.solvers import AbstractStepper
from neurojax.core.tracing import known
from neurojax.neurons.integrate_and_fire import AbstractIntegrateAndFire


@final
class HomeostaticThreshold(ContinuousDynamics):
    r"""Neurons whose threshold rises with each spike and sinks in between, towards a rate.

    The threshold of the cell is $V_{th} + \vartheta$ with

    $$\dot\vartheta = \eta\,(S(t) - \rho_0),$$

    where $S$ are the neuron's own spikes: each adds $\eta$, at the beginning of the next step. As
    long as no bound is met $\vartheta$ changes by $\eta\,(N - \rho_0 T)$ with N spikes in a time T,
    so the rate of a threshold that has settled is $\rho_0$. A small $\eta$ is homeostasis, slow
    beside the dynamics; a large one also adapts the neuron from spike to spike.

    It is a population like any other: `nj.Network({"E": HomeostaticThreshold(cell, ...)}, ...)`.
    Its state is that of the cell and the shift `theta_h`. All that depends on `V_th` moves with it:
    in `AdEx`, `EIF` and `QIF` the beginning of the upswing, in cells with escape noise the level of
    the rate, from the next step on.

    Arguments:
        cell: an integrate-and-fire population with a field `V_th`.
        eta: rise of the threshold with a spike, mV.
        rho0: target rate, Hz.
        theta_min: lower bound of $\vartheta$, mV, so that a silent neuron does not end up with a
            threshold below its reset.
        theta_max: upper bound, mV.
        theta: $\vartheta$ in the beginning, mV.

    Raises:
        TypeError: if `cell` is no integrate-and-fire population with a threshold `V_th`, or a
            parameter is a distribution.
        ValueError: for a rate or eta that is not positive, bounds in the wrong order, `theta`
            outside of them, a `theta_min` with which the threshold may fall to the reset, or
            parameters that are not scalars or arrays (n,).

    Source: the rule of a neuron's threshold in Diehl and Cook (2015), Front. Comput. Neurosci.
    9:99, with a constant decay towards a target rate instead of an exponential one.

    Example:
        >>> import neurojax as nj
        >>> cell = nj.neurons.LIF(n=2)
        >>> slow = nj.plasticity.HomeostaticThreshold(cell, eta=0.2, rho0=20.0)
        >>> sim = nj.simulate(slow, duration=2000.0, dt=0.1, inputs={"I_e": 600.0})
        >>> late = nj.simulate(
        ...     slow, duration=1000.0, dt=0.1, inputs={"I_e": 600.0}, state=sim.final_state
        ... )
        >>> 18 <= int(late.stats.spikes[""]) / 2 <= 22  # without: 85
        True
    """

    cell: Any
    eta: Parameter = parameter(0.1)
    rho0: Parameter = parameter(5.0)
    theta_min: Parameter = parameter(-5.0)
    theta_max: Parameter = parameter(jnp.inf)
    theta: Parameter = parameter(0.0)

    def __check_init__(self):
        if not isinstance(self.cell, AbstractIntegrateAndFire) or not hasattr(self.cell, "V_th"):
            raise TypeError(
                "cell of HomeostaticThreshold must be an integrate-and-fire population with a "
                f"threshold V_th, such as nj.neurons.LIF(n=100), got {self.cell!r}"
            )
        refuse_distributions(self, "draw from it, as in law.sample(jax.random.key(0), (n,))")
        check_no_nan(self)
        check_positive(self, "eta", "rho0")
        check_below(self, "theta_min", "theta_max")
        check_shapes(self, self.n)
        bounds = [paramax.unwrap(x) for x in (self.theta_min, self.theta, self.theta_max)]
        if known(*bounds):
            low, theta, high = map(np.asarray, bounds)
            if np.any((theta < low) | (theta > high)):
                raise ValueError(
                    "theta of HomeostaticThreshold must lie between theta_min and theta_max, got "
                    f"theta={theta}, theta_min={low} and theta_max={high}"
                )
        _check_lowest(self.cell, bounds[0])

    @property
    def n(self) -> int:
        """Number of neurons."""
        return self.cell.n

    @property
    def receptors(self) -> dict[str, Any]:
        """The receptors of the cell by port."""
        return self.cell.receptors

    @property
    def solver(self) -> AbstractStepper:
        """That of the cell."""
        return self.cell.solver

    def _parts(self, state):
        """The cell with its present threshold, and its own state."""
        moved = eqx.tree_at(lambda cell: cell.V_th, self.cell, self.cell.V_th + state["theta_h"])
        return moved, {name: x for name, x in state.items() if name != "theta_h"}

    def _with_spikes(self, state, sunk=0.0) -> Array:
        """The shift of the threshold after the spikes that the state shows."""
        cell, own = self._parts(state)
        above, threshold = own["V_m"], cell.threshold(own)
        spikes = SpikeOutput(above, threshold, cell.armed(own), cell.surrogate, cell.scale())
        moved = state["theta_h"] + self.eta * (spikes.values() - sunk)
        return jnp.clip(moved, self.theta_min, self.theta_max)

    def init_state(self, *, key=None):
        """That of the cell, and the shift."""
        theta = jnp.asarray(self.theta, float)
        return self.cell.init_state(key=key) | {"theta_h": jnp.broadcast_to(theta, (self.n,))}

    def begin(self, state, clock: Clock):
        """The reset by the threshold that was crossed, then the new threshold."""
        cell, own = self._parts(state)
        theta = self._with_spikes(state, MS_HZ * self.rho0 * clock.dt)
        return cell.begin(own, clock) | {"theta_h": theta}

    def drift(self, t, state, inputs):
        """That of the cell; the threshold moves between steps."""
        cell, own = self._parts(state)
        return cell.drift(t, own, inputs) | {"theta_h": jnp.zeros_like(state["theta_h"])}

    def runaway(self, state):
        """Of a cell with an exponential upswing, for its solver."""
        cell, own = self._parts(state)
        return cell.runaway(own)

    def bounded(self, state):
        """The bounds of the cell."""
        cell, own = self._parts(state)
        return cell.bounded(own) | {"theta_h": state["theta_h"]}

    def hold(self, before, after):
        """That of the cell."""
        cell, own = self._parts(before)
        held = cell.hold(own, self._parts(after)[1])
        return held | {"theta_h": after["theta_h"]}

    def propagate(self, state, h):
        """The exact flows of the cell; the threshold is no business of the solver."""
        cell, own = self._parts(state)
        exact = cell.propagate(own, h)
        exact = dict.fromkeys(own) if exact is None else exact
        return exact | {"theta_h": state["theta_h"]}

    def receive(self, state, inputs):
        """Impulses to the receptors of the cell."""
        cell, own = self._parts(state)
        return cell.receive(own, inputs) | {"theta_h": state["theta_h"]}

    def emit(self, state, clock: Clock):
        """Spikes above the present threshold."""
        cell, own = self._parts(state)
        return cell.emit(own, clock)

    def visible(self, state):
        """The state after the reset, and with the threshold risen."""
        cell, own = self._parts(state)
        return cell.visible(own) | {"theta_h": self._with_spikes(state)}


def _check_lowest(cell: Any, theta_min) -> None:
    """The cell could have the lowest threshold that it may come to."""
    V_th = paramax.unwrap(cell.V_th)
    if not known(V_th, theta_min):
        return
    try:
        dataclasses.replace(cell, V_th=np.asarray(V_th) + np.asarray(theta_min))
    except ValueError as error:
        raise ValueError(
            f"theta_min={np.asarray(theta_min)} of HomeostaticThreshold is too low for its cell: "
            f"{error}"
        ) from error
