"""The rates of a circuit along an input series, and whether they alternate."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from neurojax.core import Clock, unwrap
from neurojax.core.tracing import known

from ..recurrent import RecurrentCircuit

_ALTERNATING = -0.8  # a cycle of two steps has -1; a damped oscillation driven by noise less
_STILL = 1e-8  # a variance of the population rate below this is rounding


class DrivenRates(eqx.Module):
    """What the rates of a circuit were along an input series.

    Arguments:
        mean: over time, of each unit.
        population: mean over the units at each step.
        lag_one: autocorrelation of `population` at a lag of one step; 0 where it does not move.

    Example:
        >>> import jax.numpy as jnp
        >>> rates = DrivenRates(jnp.full(2, 0.5), jnp.array([0.2, 0.8, 0.2, 0.8]), jnp.array(-1.0))
        >>> bool(rates.alternates)
        True
    """

    mean: Float[Array, " n"]
    population: Float[Array, " time"]
    lag_one: Float[Array, ""]

    @property
    def alternates(self) -> Bool[Array, "..."]:
        """Whether the population jumps between two rates at every step: `lag_one` below -0.8.

        Such a cycle has a rate of its own and follows the input hardly at all. Inputs that
        alternate themselves look the same, and a weak cycle beneath a strong input can be missed:
        a constant input shows it.
        """
        return self.lag_one < _ALTERNATING


def driven_rates(circuit: RecurrentCircuit, inputs, *, washout: int = 100) -> DrivenRates:
    """The rates of a circuit along an input series, from its initial state.

    Arguments:
        circuit: a reservoir or another recurrent circuit.
        inputs: (time, inputs), one row per step.
        washout: steps at the beginning that are left out.

    Raises:
        ValueError: for inputs without a time axis, or no longer than the washout.

    Example:
        >>> import jax, neurojax as nj
        >>> reservoir = nj.circuits.EIReservoir(100, indegree=40)
        >>> u = jax.random.uniform(jax.random.key(1), (200, 1), minval=-1.0)
        >>> rates = nj.circuits.driven_rates(reservoir, u)
        >>> rates.mean.shape, rates.population.shape, bool(rates.alternates)
        ((100,), (100,), False)
    """
    return _measured(circuit, checked_inputs(circuit, inputs, washout), washout)


def checked_inputs(circuit, inputs, washout: int) -> Array:
    """The inputs as an array (time, inputs) that is longer than the washout."""
    inputs = jnp.asarray(inputs, jnp.result_type(float))
    channels = None if circuit.input is None else unwrap(circuit.input).shape[1]
    if inputs.ndim != 2 or (channels is not None and inputs.shape[1] != channels):
        raise ValueError(
            f"inputs must have shape (time, inputs) with {channels} inputs, got {inputs.shape}"
        )
    if known(inputs) and not np.all(np.isfinite(np.asarray(inputs))):
        raise ValueError("inputs must be finite numbers; some are NaN or infinite")
    if not 0 <= washout < inputs.shape[0] - 1:
        raise ValueError(
            f"washout must leave at least two of the {inputs.shape[0]} steps, got {washout}"
        )
    return inputs


@eqx.filter_jit
def _measured(circuit, inputs, washout: int) -> DrivenRates:
    return measured(unwrap(circuit), inputs, washout)


def measured(circuit, inputs, washout: int) -> DrivenRates:
    """See `driven_rates`; within a compiled function, of an unwrapped circuit."""

    def step(carry, drive):
        state, total = carry
        number, u = drive
        state, _ = circuit.step(state, {"u": u}, Clock(number, 1.0))
        rates = circuit.rates(state)
        total = total + jnp.where(number >= washout, rates, 0.0)
        return (state, total), jnp.mean(rates)

    state = circuit.init_state()
    start = state, jnp.zeros_like(circuit.rates(state))
    steps = inputs.shape[0]
    (_, total), population = jax.lax.scan(step, start, (jnp.arange(steps), inputs))
    population = population[washout:]
    return DrivenRates(total / (steps - washout), population, lag_one_autocorrelation(population))


def lag_one_autocorrelation(signal: Float[Array, " time"]) -> Float[Array, ""]:
    r"""$\sum_t \tilde x_t \tilde x_{t+1} / \sum_t \tilde x_t^2$ of the deviations $\tilde x$.

    Example:
        >>> import jax.numpy as jnp
        >>> round(float(lag_one_autocorrelation(jnp.array([1.0, -1.0] * 50))), 2)
        -0.99
    """
    deviation = signal - jnp.mean(signal)
    power = jnp.sum(deviation**2)
    moves = power > _STILL * signal.shape[0]
    return jnp.where(
        moves, jnp.sum(deviation[1:] * deviation[:-1]) / jnp.where(moves, power, 1.0), 0.0
    )


def alternation_message(rates: DrivenRates) -> Any:
    """What to say about a population that alternates; `None` if it does not, or is traced."""
    if not known(rates.lag_one) or not bool(rates.alternates):
        return None
    return (
        "the reservoir alternates between two states at every step (lag-1 autocorrelation of the "
        f"population rate {float(rates.lag_one):.2f}): it has the mean rate "
        f"{float(jnp.mean(rates.mean)):.3f} and hardly follows its input. Ask for higher target "
        "rates, or give it a lower gain or a leak below 1"
    )
