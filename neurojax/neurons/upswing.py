"""Exponential upswings: a solver that follows them to the peak, and the reset within a step."""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock, Parameter
from neurojax.core.solvers import AbstractStepper
from neurojax.core.solvers.base import plus, stage

from .integrate_and_fire import AbstractRefractory

_STEEPEST = 70.0  # (V - V_th) / Delta_T whose exponential float32 still holds, with its inverse
_BEYOND = 0.1  # mV above the peak at which a step ends that has reached it


class Runaway(NamedTuple):
    """The potentials between which a membrane runs away, and how sharply, mV."""

    V_th: Any
    Delta_T: Any
    V_peak: Any
    V_reset: Any


class AbstractUpswing(AbstractRefractory):
    """A membrane that runs away exponentially above `V_th` and spikes at `V_peak`.

    With `Upswing` as solver the time of the peak is known within the step, and the share of it that
    was left is in the state (`left`): where the refractory time is below half a step, the membrane
    moves from `V_reset` over that too, together with the next step, so that derivatives follow the
    time of the peak. With other solvers, also where couplings join populations in one, it begins at
    the next step.
    """

    E_L: eqx.AbstractVar[Parameter]
    V_th: eqx.AbstractVar[Parameter]
    Delta_T: eqx.AbstractVar[Parameter]
    V_peak: eqx.AbstractVar[Parameter]
    V_reset: eqx.AbstractVar[Parameter]

    def default_solver(self) -> AbstractStepper:
        """Second order, also in the upswing."""
        return Upswing()

    def runaway(self, state) -> Runaway:
        """What `Upswing` needs to know."""
        return Runaway(self.V_th, self.Delta_T, self.V_peak, self.V_reset)

    def upswing(self, V) -> Array:
        """What is added to the driving force of the leak, mV."""
        return self.Delta_T * jnp.exp(jnp.minimum((V - self.V_th) / self.Delta_T, _STEEPEST))

    def rate(self, state, rate) -> Array:
        """The rate of change of the potential while it is not held, over what was left as well."""
        return self.unless_refractory(state, rate * (1.0 + state["left"]))

    def threshold(self, state) -> Array:
        """The peak, mV."""
        return self.V_peak

    def scale(self) -> Array:
        """From rest to the peak."""
        return self.V_peak - self.E_L

    def begin(self, state, clock: Clock):
        """What the spikes of the last step do; what was left of it stays where nothing is held."""
        begun = super().begin(state, clock)
        moves = self.spiked(state) & (begun["refractory"] == 0)
        return begun | {"left": jnp.where(moves, state["left"], 0.0)}

    def jumped(self, state, jump):
        """The potential after delta impulses; those after the peak, or in refractoriness, are lost.

        An impulse must not undo the spike of its step.
        """
        held = (state["refractory"] > 0) | self.spiked(state)
        return state | {"V_m": state["V_m"] + jnp.where(held, 0.0, jump)}


class Upswing(AbstractStepper):
    r"""Heun's method in $u = e^{-(V - V_{th}) / \Delta_T}$ where V is above $V_{th}$.

    As V runs away, u goes to 0 on a straight line ($\dot u \to -g_L / C$), so that the time of the
    peak is of second order too. A step that reaches the peak ends 0.1 mV above it; the share of the
    step that was left is in the leaf `left` of the state. What else depends on V sees the mean of V
    over such a step: on the way to the peak it is $\Delta_T$ above where it began, after it
    `V_reset`. For `EIF` and `AdEx`, whose default it is, and what they are part of: the model has
    a method `runaway(state)` that gives these parameters.

    Raises:
        TypeError: for a model without this method.

    Example:
        >>> import neurojax as nj
        >>> cell = nj.neurons.EIF(Delta_T=2.0)
        >>> type(cell.solver).__name__
        'Upswing'
    """

    order: ClassVar[int] = 2

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        if not hasattr(f.dynamics, "runaway"):
            raise TypeError(
                f"Upswing solves exponential upswings, such as those of EIF and AdEx; "
                f"{type(f.dynamics).__name__} has none (no method runaway): use nj.solvers.Heun()"
            )
        cell, V, k0 = f.dynamics.runaway(eqx.combine(y, f.rest)), y["V_m"], f(t, y, args)
        steep = cell.V_th < V
        peak = jnp.exp(-jnp.minimum((cell.V_peak - cell.V_th) / cell.Delta_T, _STEEPEST))
        bent = lambda u: cell.V_th - cell.Delta_T * jnp.log(jnp.where(steep, u, 1.0))
        slope = lambda u, rate: -u / cell.Delta_T * rate

        u = jnp.exp((cell.V_th - jnp.where(steep, V, cell.V_th)) / cell.Delta_T)
        u = jnp.maximum(u, peak)
        du = slope(u, k0["V_m"])
        ahead = u + dt * du
        meets = steep & (ahead < peak)
        left = jnp.where(meets, peak - ahead, 0.0) / jnp.where(meets, u - ahead, 1.0)
        mean = (1.0 - left) * (V + cell.Delta_T) + left * cell.V_reset
        V_steep = jnp.where(meets, 2.0 * mean - V, bent(jnp.maximum(ahead, peak)))
        predicted = plus(y, dt, k0)
        predicted = predicted | {"V_m": jnp.where(steep, V_steep, predicted["V_m"])}
        k0, predicted = stage(k0, predicted, f, t, args)
        k1 = f(t + dt, predicted, args)
        end = jax.tree.map(lambda a, b, c: a + 0.5 * dt * (b + c), y, k0, k1)

        corrected = u + 0.5 * dt * (du + slope(jnp.maximum(ahead, peak), k1["V_m"]))
        ahead = jnp.where(meets, ahead, corrected)
        # both go on a straight line through the peak, down or up
        first, last = jnp.where(steep, u, V), jnp.where(steep, ahead, end["V_m"])
        goal = jnp.where(steep, peak, cell.V_peak)
        crossed = jnp.where(steep, last < goal, last > goal)
        left = (last - goal) / jnp.where(crossed, last - first, 1.0)
        V_below = jnp.where(steep, bent(jnp.maximum(ahead, peak)), end["V_m"])
        V_m = jnp.where(crossed, cell.V_peak + _BEYOND, V_below)
        return end | {"V_m": V_m, "left": jnp.where(crossed, left, 0.0)}
