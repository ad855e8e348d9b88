"""Exponential upswings: a solver that follows them to the peak, and the reset within a step."""

import math
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
_VISIBLE = 8.0  # (V - V_th) / Delta_T up to which the other rates are read beside the exponential
_FURTHEST = 40.0  # (V_th - V) / Delta_T from which on the exponential counts
_ROUND = 6.0 / math.pi**2  # in the mean of a path that is nearly straight until the peak


class Runaway(NamedTuple):
    """Where a membrane runs away, how sharply, and between which potentials it does."""

    V_th: Any  # mV
    Delta_T: Any  # mV
    gain: Any  # dV/dt at V_th by the exponential alone, mV/ms
    V_peak: Any  # mV
    V_reset: Any  # mV


class AbstractUpswing(AbstractRefractory):
    """A membrane that runs away exponentially above `V_th` and spikes at `V_peak`.

    With `Upswing` as solver the time of the peak is known within the step, and the share of it that
    was left is in the state (`left`): where the refractory time is below half a step, the membrane
    moves from `V_reset` over that too, together with the next step, so that derivatives follow the
    time of the peak. With other solvers it begins at the next step. Where couplings join
    populations, `nj.solvers.PartByPart` leaves each its own solver.
    """

    C_m: eqx.AbstractVar[Parameter]
    g_L: eqx.AbstractVar[Parameter]
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
        gain = self.rate(state, self.g_L * self.Delta_T / self.C_m)
        return Runaway(self.V_th, self.Delta_T, gain, self.V_peak, self.V_reset)

    def upswing(self, V) -> Array:
        """What is added to the driving force of the leak, mV."""
        return self.Delta_T * jnp.exp(jnp.minimum((V - self.V_th) / self.Delta_T, _STEEPEST))

    def rate(self, state, rate) -> Array:
        """The rate of change of the potential while it is not held, over what was left as well."""
        return self.unless_refractory(state, rate * (1.0 + state["left"]))

    def recounted(self, state, before, dt):
        """What was left of the last step is a share of a step too."""
        return super().recounted(state, before, dt) | {"left": state["left"] * (before / dt)}

    def threshold(self, state) -> Array:
        """The peak, mV."""
        return self.V_peak

    def scale(self) -> Array:
        """From rest to the peak."""
        return self.V_peak - self.E_L

    def bounded(self, state):
        """The potential up to the peak, at which the drift reads it."""
        return state | {"V_m": jnp.minimum(state["V_m"], self.V_peak)}

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
    r"""Heun's method for all but the exponential, with which V moves on its exact path.

    Where $\dot V = r + \gamma\,e^{(V - V_{th}) / \Delta_T}$ and r stays the same,

    $$V(t) = V + r t - \Delta_T \log(1 - z(t)), \qquad
      z(t) = \frac{\gamma}{r}\,e^{(V - V_{th}) / \Delta_T}\,(e^{r t / \Delta_T} - 1),$$

    and the time of the peak is a logarithm too. So a step may be longer than the upswing takes, and
    longer than the drive takes from `V_th` over $\Delta_T$: both V and the time of the peak are of
    second order in the change of r within a step. A step that reaches the peak ends 0.1 mV above
    it; the share of the step that was left is in the leaf `left` of the state. What else depends on
    V sees the mean of V over such a step, after the peak that is `V_reset`. For `EIF` and `AdEx`,
    whose default it is, and what they are part of: the model has a method `runaway(state)` that
    gives these parameters.

    Raises:
        ValueError: for a model without this method.

    Example:
        >>> import neurojax as nj
        >>> cell = nj.neurons.EIF(Delta_T=2.0)
        >>> type(cell.solver).__name__
        'Upswing'
    """

    order: ClassVar[int] = 2
    within_steps: ClassVar[bool] = True

    def check(self, dynamics) -> None:
        """See `AbstractStepper.check`."""
        if not hasattr(dynamics, "runaway"):
            kind = type(dynamics).__name__
            raise ValueError(
                f"Upswing solves the exponential upswing of EIF and AdEx, and {kind} has none (no "
                "method runaway): use another solver, such as nj.solvers.Heun()"
            )

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        self.check(f.dynamics)
        cell, V, k0 = f.dynamics.runaway(eqx.combine(y, f.rest)), y["V_m"], f(t, y, args)
        steep = jnp.exp(_above(cell, V))
        rest = k0["V_m"] - cell.gain * steep
        end, crossed, until, curved = _path(cell, V, steep, rest, dt)

        # a straight line to `ahead` has the mean of V over the step, or on the way to the peak
        rise = jnp.maximum(rest * until * dt, 0.0)
        summit = V + rise + 2.0 * cell.Delta_T**2 / (cell.Delta_T + _ROUND * rise)
        ahead = jnp.where(crossed, summit, end - curved)
        # where the exponential is much larger than the rest, the rest is lost in rounding
        ahead = jnp.minimum(ahead, cell.V_th + _VISIBLE * cell.Delta_T)

        predicted = plus(y, dt, k0) | {"V_m": ahead}
        (k0, steep, rest, until), predicted = stage((k0, steep, rest, until), predicted, f, t, args)
        k1 = f(t + dt, predicted, args)
        after = f(t + dt, predicted | {"V_m": jnp.broadcast_to(cell.V_reset, V.shape)}, args)
        share = lambda k0, k1, after: 0.5 * until * (k0 + k1) + (1.0 - until) * after
        others = plus(y, dt, jax.tree.map(share, k0, k1, after))

        change = k1["V_m"] - cell.gain * jnp.exp(_above(cell, predicted["V_m"])) - rest
        # the mean of exp(r t / Delta_T) for an r that changes evenly, to first order in the change
        even = 1.0 - jnp.clip(until**2 * change * (dt / (12.0 * cell.Delta_T)), -0.5, 0.5)
        bent = cell._replace(gain=cell.gain * even)
        end, crossed, until, _ = _path(bent, V, steep, rest + 0.5 * until * change, dt)
        V_m = jnp.where(crossed, cell.V_peak + _BEYOND, end)
        # the step is longer by what the last one left; what a second spike would need is lost
        left = jnp.minimum((1.0 - until) * (1.0 + y["left"]), 1.0)
        return others | {"V_m": V_m, "left": jnp.where(crossed, left, 0.0)}


def _above(cell: Runaway, V):
    """How far V is above `V_th`, in `Delta_T`, where the drift sees it."""
    return jnp.minimum((jnp.minimum(V, cell.V_peak) - cell.V_th) * (1.0 / cell.Delta_T), _STEEPEST)


def _path(cell: Runaway, V, steep, rest, dt):
    """V after a step in which all but the exponential, `steep` at V, has the constant rate `rest`.

    Returns:
        V, whether it reached the peak, the share of the step until then, and twice the distance
        between the mean of V over the step and that of its ends.
    """
    moves = cell.gain > 0.0  # held membranes have none
    gain, sharp = jnp.where(moves, cell.gain, 1.0), 1.0 / cell.Delta_T
    start, x = _above(cell, V), rest * (dt * sharp)
    small = jnp.abs(x) < 0.1
    last = jnp.exp(jnp.minimum(start + x, _STEEPEST))
    growth = (last - steep) / jnp.where(small, 1.0, x)
    series = steep * (1.0 + x * (1 / 2) * (1.0 + x * (1 / 3) * (1.0 + x * (1 / 4))))
    z = gain * (dt * sharp) * jnp.where(small, series, growth)
    bounded = z < 1.0
    z = jnp.where(bounded, z, 0.0)
    end = V + rest * dt - cell.Delta_T * jnp.log(1.0 - z)
    crossed = moves & (~bounded | (end > cell.V_peak))

    # u = 1 / steep falls to that of the peak: u' = -(rest u + gain) / Delta_T
    peak = jnp.exp(-_above(cell, cell.V_peak))
    speed = gain + rest * peak
    fall = 1.0 / jnp.where(crossed, jnp.maximum(steep, math.exp(-_FURTHEST)), 1.0) - peak
    fall = fall / jnp.where(crossed & (speed > 0.0), speed, 1.0)
    q = jnp.where(crossed, rest * fall, 0.0)
    small = jnp.abs(q) < 0.01
    log = jnp.log(jnp.where(small | (q <= -1.0), 1.0, 1.0 + q)) / jnp.where(small, 1.0, q)
    series = 1.0 - q * (1 / 2) * (1.0 - q * (2 / 3) * (1.0 - q * (3 / 4)))
    until = fall * (cell.Delta_T / dt) * jnp.where(small, series, log)
    before = jnp.maximum(-_FURTHEST - start, 0.0)  # on a straight line
    until = until + before / jnp.where(before > 0.0, x, 1.0)
    curved = cell.Delta_T * (1 / 6) * z * (z + x)
    until = jnp.where(crossed, jnp.clip(until, 0.0, 1.0), 1.0)
    return jnp.where(moves, end, V), crossed, until, curved
