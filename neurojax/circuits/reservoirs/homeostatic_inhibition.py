"""Inhibition that adapts until every neuron of a reservoir has the rate it is asked for."""

import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core import Clock, unwrap
from neurojax.core.tracing import known

from .driven_rates import DrivenRates, alternation_message, checked_inputs, measured
from .ei_reservoir import EIReservoir, check_ei_reservoir, with_inhibition
from .target_rates import as_targets

_FAR = 0.1  # a mean distance from the targets that is worth a warning


class Adaptation(eqx.Module):
    """What an adaptation of inhibition came to.

    Arguments:
        target: rate of each neuron that was asked for.
        reached: rates along the same inputs with the adapted inhibition, held.
        course: root mean square over the neurons of mean rate minus target, within each stage.

    Example:
        >>> import jax, neurojax as nj
        >>> reservoir = nj.circuits.EIReservoir(100, indegree=40)
        >>> u = jax.random.uniform(jax.random.key(1), (400, 1), minval=-1.0)
        >>> _, adaptation = nj.circuits.adapt_inhibition(reservoir, u, 0.4)
        >>> bool(adaptation.deviation < 0.05)
        True
    """

    target: Float[Array, " n"]
    reached: DrivenRates
    course: Float[Array, " stages"]

    @property
    def deviation(self) -> Float[Array, "..."]:
        """Mean over the neurons of |mean rate - target|, after the adaptation."""
        return jnp.mean(jnp.abs(self.reached.mean - self.target), axis=-1)


def adapt_inhibition(
    reservoir: Any,
    inputs,
    target: Any = 0.5,
    *,
    rate: Any = (1e-2, 1e-3, 1e-4),
    washout: int = 100,
) -> tuple[EIReservoir, Adaptation]:
    r"""The reservoir with inhibition that has adapted to an input series by a local rule.

    $$A^I_{ij} \leftarrow \max\big(0,\; A^I_{ij} + \delta\,(r_i - \rho_i)\big)$$

    at every step, on the synapses that exist: a neuron that is more active than its target
    $\rho_i$ strengthens all the inhibition that it receives. The series is gone through once for
    each learning rate $\delta$, in one compiled scan. Then the inhibition is held, and the rates
    are measured along the series.

    Low targets need strong inhibition, and strong inhibition answers itself one step later: the
    population falls into a cycle of two steps. With one target $\rho$ for all, its mean obeys a
    map of slope $1 - a + a\,(1 - \rho)(\mathrm{logit}(\rho) + c\,\theta)$ at the target, which is
    stable above -1: without leak and threshold for $\rho > 0.218$, at any gain. A network of
    finite size may alternate at somewhat higher targets. A higher threshold or a leak below 1 makes
    room for lower ones.

    It can be vmapped, over reservoirs made under `vmap`, balances or targets. It is
    differentiable where the reservoir is unwrapped (`nj.unwrap`); reverse mode keeps $A^I$ of
    every step, so take a short series or forward mode.

    Arguments:
        reservoir: an `EIReservoir` to begin with. A synapse of weight zero does not exist, so one
            that an earlier adaptation has taken to zero stays away.
        inputs: (time, inputs), of the kind that the reservoir is to be used with.
        target: $\rho$, one rate between 0 and 1, or one per neuron, such as `beta_targets`.
        rate: $\delta$ of each stage, one or several.
        washout: steps at the beginning that the measured rates leave out.

    Returns:
        The adapted reservoir, and an `Adaptation` with the rates that were reached.

    Warns:
        UserWarning: outside of transforms, if the population falls into a cycle of two steps, as
            it does at low targets (`reached.alternates` says so everywhere), or if the rates end
            more than 0.1 from their targets in the mean (`deviation`).

    Raises:
        ValueError: for inputs, targets or learning rates that do not fit.
        TypeError: for another circuit than an `EIReservoir`.

    Source: Srinivasan, Plenz and Girvan (2025), Nature Communications,
    doi:10.1038/s41467-025-64978-8, equation 7.

    Example:
        >>> import jax, neurojax as nj
        >>> reservoir = nj.circuits.EIReservoir(100, indegree=40)
        >>> u = jax.random.uniform(jax.random.key(1), (400, 1), minval=-1.0)
        >>> adapted, adaptation = nj.circuits.adapt_inhibition(reservoir, u, target=0.4)
        >>> bool(abs(adaptation.reached.mean.mean() - 0.4) < 0.03)
        True
    """
    check_ei_reservoir(reservoir)
    inputs = checked_inputs(reservoir, inputs, washout)
    weights = unwrap(reservoir.inhibition)
    target = as_targets(target, reservoir.n, weights.dtype)
    rate = jnp.atleast_1d(jnp.asarray(rate, weights.dtype))
    if rate.ndim != 1 or rate.shape[0] == 0 or (known(rate) and not np.all(np.asarray(rate) > 0)):
        raise ValueError(f"rate must be one positive learning rate or several, got {rate}")
    adapted, adaptation = _adapted(reservoir, inputs, target, rate, washout)
    far = adaptation.deviation
    if message := alternation_message(adaptation.reached):
        warnings.warn(message, stacklevel=2)
    elif known(far) and np.any(np.asarray(far) > _FAR):
        warnings.warn(
            f"rates are {float(np.max(far)):.2f} away from their targets in the mean: give a "
            f"longer series, learning rates below rate={float(np.max(rate)):g}, or targets that "
            "excitatory and inhibitory neurons can keep together",
            stacklevel=2,
        )
    return adapted, adaptation


@eqx.filter_jit
def _adapted(reservoir, inputs, target, rate, washout: int):
    model = unwrap(reservoir)
    exists = model.inhibition > 0
    place = lambda r: r.inhibition

    def step(carry, drive):
        weights, state, total = carry
        number, u, delta = drive
        state, _ = eqx.tree_at(place, model, weights).step(state, {"u": u}, Clock(number, 1.0))
        change = delta * (state["r"] - target)
        weights = jnp.where(exists, jnp.maximum(weights + change[:, None], 0.0), 0.0)
        return (weights, state, total + state["r"]), None

    steps = inputs.shape[0]

    def stage(carry, delta):
        weights, state = carry
        drives = jnp.arange(steps), inputs, jnp.broadcast_to(delta, (steps,))
        start = weights, state, jnp.zeros_like(target)
        (weights, state, total), _ = jax.lax.scan(step, start, drives)
        return (weights, state), jnp.sqrt(jnp.mean((total / steps - target) ** 2))

    (weights, _), course = jax.lax.scan(stage, (model.inhibition, model.init_state()), rate)
    reached = measured(eqx.tree_at(place, model, weights), inputs, washout)
    return with_inhibition(reservoir, weights), Adaptation(target, reached, course)
