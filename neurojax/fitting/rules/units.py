"""A circuit of rates seen from its units: what each receives, and what a current does to it."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.circuits import LeakyRNN, LowRank, RateRNN
from neurojax.core import Clock, unwrap
from neurojax.core.solvers import Euler, EulerMaruyama, ExponentialEuler

from ..parameters import split
from .slope_rule import noise_keys

_OWN = ("tau", "leak", "noise")


class Units(eqx.Module):
    """Everything that acts on a unit directly; the first axis is that of the units.

    The current into the units is `weights @ rates + input @ u + bias`. Output weights that are
    fed back are part of `weights`. Traces and slopes have the same form.
    """

    weights: Float[Array, "n n"]
    input: Float[Array, "n inputs"]
    bias: Float[Array, " n"]
    own: dict[str, Float[Array, " n"]]
    initial: Float[Array, " n"]


def units(circuit, *, through_output: bool) -> Units:
    """The units of a circuit; differentiable by its parameters, however these are wrapped.

    With `through_output` false, output weights that are fed back count as given.
    """
    circuit = unwrap(circuit)
    n = circuit.n
    weights = circuit.recurrent
    weights = weights.dense() if isinstance(weights, LowRank) else weights
    bias = circuit.bias
    if circuit.feedback is not None:
        output, offset = circuit.output, circuit.output_bias
        if not through_output:
            output, offset = jax.lax.stop_gradient((output, offset))
        weights = weights + circuit.feedback @ output
        bias = bias + circuit.feedback @ offset
    given = jnp.zeros((n, 0), bias.dtype) if circuit.input is None else circuit.input
    own = {
        name: jnp.broadcast_to(value, (n,))
        for name in _OWN
        if (value := getattr(circuit, name, None)) is not None
    }
    return Units(weights, given, bias, own, jnp.broadcast_to(circuit.initial, (n,)))


class Local(eqx.Module):
    """What one step says about each unit, for all trials and steps (trials, time, n or inputs).

    Arguments:
        leak: what of its own state is left after the step, with all currents held.
        gain: the change of its state by a current.
        own: the change of its state by its own parameters.
        rates: of the senders, before the step.
        bend: the change of the rate of a unit by its state.
        inputs: given during the step.
    """

    leak: Array
    gain: Array
    own: dict[str, Array]
    rates: Array
    bend: Array
    inputs: Array


def look(circuit, before, trials, key) -> Local:
    """The step of each unit by itself, at the states `before` each step."""
    circuit = unwrap(circuit)
    parts = units(circuit, through_output=False)
    alone = _uncoupled(circuit)
    (states,), tree = jax.tree.flatten(before)
    state = lambda x: jax.tree.unflatten(tree, [x])
    rates = lambda x: circuit.rates(state(x))

    def one(x, u, number, key):
        r, bend = jax.jvp(rates, (x,), (jnp.ones_like(x),))
        current = parts.weights @ r + parts.input @ u + parts.bias

        def move(own, x, current):
            where = lambda c: [getattr(c, name) for name in parts.own]
            moving = eqx.tree_at(where, alone, [own[name] for name in parts.own])
            after, _ = moving.step(state(x), {"I_e": current}, Clock(number, trials.dt, key))
            return jax.tree.leaves(after)[0]

        # no unit acts on another here, so that a sum over units keeps them apart
        _, pull = jax.vjp(move, parts.own, x, current)
        own, leak, gain = pull(jnp.ones_like(x))
        return Local(leak, gain, own, r, bend, u)

    along = jax.vmap(one, (0, 0, 0, None))
    inputs = trials.inputs if circuit.input is not None else trials.inputs[..., :0]
    keys = noise_keys(trials, key)
    numbers = jnp.arange(trials.steps)
    return jax.vmap(lambda x, u, key: along(x, u, numbers, key))(states, inputs, keys)


def traced(local: Local, decay, signal, initial: bool) -> Units:
    r"""The sum over trials and steps of signal times trace.

    $$\epsilon' = D_i\,\epsilon + \partial x_i' / \partial \theta, \qquad
      g = \sum_t \frac{\partial L}{\partial x_i'}\,\epsilon'$$

    Arguments:
        local: what each step says.
        decay: D, (trials, time, n).
        signal: (trials, time, n).
        initial: whether trials begin at the circuit's own state.
    """
    n, dtype = signal.shape[-1], signal.dtype
    zeros = lambda *shape: jnp.zeros(shape, dtype)
    inputs = local.inputs.shape[-1]
    start = Units(
        zeros(n, n), zeros(n, inputs), zeros(n), {name: zeros(n) for name in local.own},
        jnp.full(n, float(initial), dtype),
    )  # fmt: skip

    def trial(local, decay, signal):
        def step(carry, now):
            trace, total = carry
            local, decay, signal = now
            new = direct(local.gain, local)
            trace = jax.tree.map(lambda e, m: _rows(decay, e) * e + m, trace, new)
            total = jax.tree.map(lambda g, e: g + _rows(signal, e) * e, total, trace)
            return (trace, total), None

        empty = jax.tree.map(jnp.zeros_like, start)
        (_, total), _ = jax.lax.scan(step, (start, empty), (local, decay, signal))
        return total

    totals = jax.vmap(trial)(local, decay, signal)
    return jax.tree.map(lambda g: jnp.sum(g, axis=0), totals)


def direct(gain, local: Local) -> Units:
    """What parameters of one step do to the units, by this step alone."""
    return Units(
        gain[:, None] * local.rates[None, :],
        gain[:, None] * local.inputs[None, :],
        gain,
        local.own,
        jnp.zeros_like(gain),
    )


def pull_back(parameters, rest, slope: Units, *, through_output: bool) -> Any:
    """From slopes by what acts on the units to slopes by the trained parameters."""
    parts = lambda p: units(eqx.combine(p, rest), through_output=through_output)
    _, pull = jax.vjp(parts, parameters)
    return pull(slope)[0]


def check_units(rule: str, circuit, freeze, *, currents_only: bool = False) -> None:
    """The circuit can be seen from its units, and only what acts on them is trained.

    Raises:
        TypeError: for another kind of circuit.
        ValueError: for a solver of several stages, or a trained parameter beyond the units.
    """
    if not isinstance(circuit, RateRNN | LeakyRNN):
        raise TypeError(
            f"{rule} trains a RateRNN or a LeakyRNN, got {type(circuit).__name__}; "
            "BPTT and exact RTRL train any recurrent circuit"
        )
    solver = getattr(circuit, "solver", None)
    if solver is not None and not isinstance(solver, Euler | EulerMaruyama | ExponentialEuler):
        raise ValueError(
            f"{rule} needs a solver that reads the currents once per step (Euler, EulerMaruyama, "
            f"ExponentialEuler), got {type(solver).__name__}"
        )
    beyond = ["nonlinearity"] + [*_OWN, "initial"] * currents_only
    trained, _ = split(circuit, freeze)
    for name in beyond:
        if jax.tree.leaves(getattr(trained, name, None)):
            raise ValueError(
                f"{rule} does not train {name!r}: freeze it (freeze=[{name!r}]), or use BPTT"
            )


def _uncoupled(circuit):
    """The same units without any connection; currents come in as `I_e`."""
    none = jnp.zeros((circuit.n, 0), circuit.bias.dtype)
    where = lambda c: (c.recurrent, c.input, c.feedback, c.output, c.output_bias, c.bias)
    cut = (LowRank(none, none), None, None, None, None, jnp.zeros_like(circuit.bias))
    return eqx.tree_at(where, circuit, cut, is_leaf=lambda x: x is None)


def _rows(factor, array):
    return factor.reshape(factor.shape + (1,) * (array.ndim - 1))
