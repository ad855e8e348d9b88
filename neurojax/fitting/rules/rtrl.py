"""Training by gradient, forwards in time: real-time recurrent learning."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from neurojax.core import Clock, unwrap
from neurojax.core.errors import suggestion

from ..parameters import split
from ..unroll import begin
from .bptt import BPTT
from .slope_rule import AbstractSlopeRule, noise_keys, see
from .units import check_units, look, pull_back, traced, units

_KINDS = ("exact", "diagonal")


@final
class RTRL(AbstractSlopeRule):
    r"""Gradient descent by sensitivities that are carried along with the state.

    $$G_{t+1} = J_t\, G_t + \frac{\partial x_{t+1}}{\partial \theta}, \quad
      J_t = \frac{\partial x_{t+1}}{\partial x_t}, \qquad
      \frac{dL}{d\theta} = \sum_t \frac{\partial L}{\partial x_t}\, G_t
      + \frac{\partial L}{\partial \theta}$$

    Nothing of it looks into the future: each term of the sum is known when its step is over. The
    terms of a batch go to the optimiser as one. `"exact"` gives the gradient of `BPTT`, for any
    recurrent circuit; with n units and P parameters a step costs $O(n^2 P)$, which is $O(n^4)$
    where recurrent weights are trained: for small circuits. `"diagonal"` puts the diagonal of J in
    its place: of all sensitivities each unit keeps that of its own state to what acts on it
    directly, and what goes by other units is left out. A step costs $O(n^2)$. It is the gradient
    where units do not act on each other, and an approximation elsewhere; it trains a `RateRNN` or
    a `LeakyRNN`.

    Arguments:
        optimizer: from optax.
        approximation: `"exact"` or `"diagonal"`.
        limit: the most sensitivities (states times parameters) that `"exact"` may carry.
        **objective: `activity`, `loss`, `rate_penalty` and `freeze` of `BPTT`.

    Raises:
        ValueError: for an unknown approximation; in training, if a circuit is too large for
            `"exact"`, has a solver of several stages or a trained nonlinearity for `"diagonal"`.
        TypeError: in training, if `"diagonal"` is given another circuit.

    Source: Williams and Zipser (1989), Neural Computation 1:270; the diagonal: Menick et al.
    (2021), International Conference on Learning Representations, arXiv:2006.07232.

    Example:
        >>> import optax, neurojax as nj
        >>> task = nj.tasks.FlipFlop(bits=1)
        >>> circuit = nj.circuits.RateRNN(6, inputs=1, outputs=1, tau=50.0)
        >>> rule = nj.fitting.rules.RTRL(optax.adam(1e-2), approximation="diagonal")
        >>> trained = nj.train(circuit, task, rule=rule, steps=2, batch=4, progress=False)
        >>> trained.losses.shape
        (2,)
    """

    objective: BPTT
    approximation: str = eqx.field(static=True)
    limit: int = eqx.field(static=True)

    def __init__(
        self,
        optimizer: optax.GradientTransformation,
        *,
        approximation: str = "exact",
        limit: int = 2_000_000,
        **objective: Any,
    ):
        if approximation not in _KINDS:
            raise ValueError(
                f"unknown approximation {approximation!r}.{suggestion(str(approximation), _KINDS)}"
            )
        self.objective = BPTT(optimizer, **objective)
        self.approximation, self.limit = approximation, limit

    def draw(self, circuit, trials, key):
        """See `AbstractSlopeRule`."""
        if self.approximation == "diagonal":
            check_units("diagonal RTRL", circuit, self.objective.freeze)
            return
        trained = jax.tree.leaves(split(circuit, self.objective.freeze)[0])
        parameters = sum(np.size(x) for x in trained)
        states = sum(np.size(x) for x in jax.tree.leaves(unwrap(circuit).init_state()))
        if states * parameters > self.limit:
            raise ValueError(
                f"exact RTRL would carry {states} x {parameters} = {states * parameters} "
                f"sensitivities per trial, more than limit={self.limit}: use "
                "approximation='diagonal' or BPTT, freeze parameters, or raise the limit"
            )

    def slope(self, parameters, rest, drawn, trials, key):
        """See `AbstractSlopeRule`."""
        seen = see(self.objective, parameters, rest, trials, key)
        find = _exact if self.approximation == "exact" else _diagonal
        recurrent = find(parameters, rest, seen, trials, key)
        return seen.value, jax.tree.map(jnp.add, seen.slope, recurrent)


def _exact(parameters, rest, seen, trials, key):
    """The slope through the states, by sensitivities of all states to all parameters."""
    flat, unflatten = ravel_pytree(parameters)
    model = lambda flat: unwrap(eqx.combine(unflatten(flat), rest)).on_grid(trials.dt)
    shape = ravel_pytree(unwrap(eqx.combine(parameters, rest)).init_state())[1]
    ravel = lambda state: ravel_pytree(state)[0]

    def trial(given):
        before, signal, inputs, initial, key = given

        def step(carry, now):
            G, total = carry
            number, x, u, e = now

            def move(x, flat):
                clock = Clock(number, trials.dt, key)
                return ravel(model(flat).step(shape(x), {"u": u}, clock)[0])

            J, by_parameters = jax.jacrev(move, (0, 1))(x, flat)
            G = J @ G + by_parameters
            return (G, total + e @ G), None

        G = jax.jacrev(lambda flat: ravel(begin(model(flat), initial)))(flat)
        drives = (jnp.arange(trials.steps), before, inputs, signal)
        (_, total), _ = jax.lax.scan(step, (G, jnp.zeros_like(flat)), drives)
        return total

    each = jax.vmap(jax.vmap(ravel))
    given = (each(seen.before), each(seen.signal), trials.inputs, trials.initial)
    # a few trials at once: the sensitivities of all would not fit into caches
    keys = noise_keys(trials, key)
    totals = jax.lax.map(trial, (*given, keys), batch_size=min(8, len(trials)))
    return unflatten(jnp.sum(totals, axis=0))


def _diagonal(parameters, rest, seen, trials, key):
    """The slope through the states, by the sensitivity of each unit to what acts on it."""
    circuit = eqx.combine(parameters, rest)
    local = look(circuit, seen.before, trials, key)
    itself = jnp.diagonal(units(circuit, through_output=True).weights)
    decay = local.leak + local.gain * itself[None, None, :] * local.bend
    (signal,) = jax.tree.leaves(seen.signal)
    slope = traced(local, decay, signal, initial=trials.initial is None)
    return pull_back(parameters, rest, slope, through_output=True)
