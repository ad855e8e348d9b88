"""Rules that find a slope of the loss in a way of their own, and leave the step to an optimiser."""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import unwrap

from ..parameters import split
from ..unroll import Unrolled, begin, unroll
from .bptt import BPTT, apply
from .rule import AbstractRule


class SlopeState(NamedTuple):
    """The state of the optimiser and what the rule drew for itself."""

    optimizer: Any
    drawn: Any


class AbstractSlopeRule(AbstractRule):
    """A rule with the loss, optimiser and trained parameters of `BPTT`, and a slope of its own."""

    objective: eqx.AbstractVar[BPTT]

    @abstractmethod
    def slope(self, parameters, rest, drawn, trials, key) -> tuple[Array, Any]:
        """The loss of a batch, and its slope (or an estimate of it) by the parameters."""

    @abstractmethod
    def draw(self, circuit, trials, key) -> Any:
        """Checks what is to be trained; gives what the rule draws once (`None`: nothing)."""

    def init(self, circuit, trials, key):
        """See `AbstractRule`."""
        drawn = self.draw(circuit, trials, key)
        return SlopeState(self.objective.init(circuit, trials, key), drawn)

    def update(self, circuit, state, trials, key):
        """See `AbstractRule`."""
        parameters, rest = split(circuit, self.objective.freeze)
        value, slope = self.slope(parameters, rest, state.drawn, trials, key)
        circuit, moved, value = apply(
            self.objective.optimizer, parameters, rest, state.optimizer, value, slope
        )
        return circuit, SlopeState(moved, state.drawn), value


class Seen(NamedTuple):
    """What can be known at each step of a batch without looking at later or earlier ones."""

    value: Array  # the loss
    before: Any  # states at the start of each step, (trials, time, ...)
    error: Array  # dL / d outputs of each step, (trials, time, outputs)
    signal: Any  # dL / d state of each step through rates and outputs of the same step
    slope: Any  # dL / d parameters with the states held: of the read-out


def see(objective: BPTT, parameters, rest, trials, key, feedback=None) -> Seen:
    """Run a batch, and find what each step by itself says about the loss.

    `feedback` (n, outputs) takes the errors of the outputs to the units in place of the
    transposed output weights.
    """
    circuit = eqx.combine(parameters, rest)
    run = unroll(circuit, trials, key=key)
    loss = lambda outputs, rates: objective.of_run(Unrolled(None, rates, outputs), trials)
    value, (error, by_rates) = jax.value_and_grad(loss, (0, 1))(run.outputs, run.rates)

    def read(parameters, states):
        model = unwrap(eqx.combine(parameters, rest))
        rates = jax.vmap(jax.vmap(model.rates))(states)
        return model.read_out(rates), rates

    _, pull = jax.vjp(read, parameters, run.states)
    slope, signal = pull((error, by_rates))
    if feedback is not None:
        rates = jax.vmap(jax.vmap(unwrap(circuit).rates))
        _, pull = jax.vjp(rates, run.states)
        (signal,) = pull(error @ feedback.T + by_rates)
    starts = jax.vmap(lambda initial: begin(unwrap(circuit), initial), axis_size=len(trials))
    first = starts(trials.initial)
    before = jax.tree.map(
        lambda start, after: jnp.concatenate([start[:, None], after[:, :-1]], axis=1),
        first,
        run.states,
    )
    return Seen(value, before, error, signal, slope)


def noise_keys(trials, key) -> Any:
    """The key of each trial, as `unroll` gives them."""
    return None if key is None else jax.random.split(key, len(trials))
