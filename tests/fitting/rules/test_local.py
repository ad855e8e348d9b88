"""E-prop and random feedback: what of the gradient they take, exactly, and that they learn."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import neurojax as nj
from neurojax.fitting.parameters import split

from .gradients import SGD, assert_same, leaky, learnt, rate, rules, run, slopes, trials

NUMBERS = np.random.default_rng(5).normal(size=(5, 5))


def test_eprop_is_diagonal_rtrl_without_self_connections():
    """Equal for all parameters where no unit acts on itself."""
    apart = nj.circuits.masked(NUMBERS, ~np.eye(5, dtype=bool))
    given, options = trials(), {"activity": 0.7, "rate_penalty": 0.3}
    diagonal = rules.RTRL(SGD, approximation="diagonal", **options)
    circuit = rate(recurrent=apart, noise=0.1)
    key = jax.random.key(2)
    found = slopes(rules.EProp(SGD, **options), circuit, given, key)
    assert_same(found, slopes(diagonal, circuit, given, key))


def without_paths(circuit, trials):
    """The gradient of BPTT with each current through a connection given from outside.

    A loop over steps; the outputs that are fed back and the rates that are sent are cut.
    """
    parameters, rest = split(circuit, ())

    def loss(parameters):
        model = nj.unwrap(eqx.combine(parameters, rest))
        a, error = model.leak, 0.0
        for b in range(len(trials)):
            h = model.initial
            for u, target, weight in zip(
                trials.inputs[b], trials.targets[b], trials.mask[b], strict=True
            ):
                sent = jax.lax.stop_gradient(h)
                back = jax.lax.stop_gradient(model.output @ sent + model.output_bias)
                total = model.recurrent @ sent + model.input @ u + model.feedback @ back
                h = (1 - a) * h + a * jnp.tanh(total + model.bias)
                outputs = model.output @ h + model.output_bias
                error = error + weight * jnp.sum((outputs - target) ** 2)
        return error / trials.mask.sum() / 2

    return run(jax.value_and_grad(loss), parameters)


def test_both_are_the_gradient_without_the_paths_through_connections():
    """EProp for any circuit, RFLO with the output weights as its feedback."""
    circuit = leaky(feedback=NUMBERS[:, :2])
    given = trials(batch=2, steps=4, activity=None, recorded=None)
    expected = without_paths(circuit, given)
    assert_same(slopes(rules.EProp(SGD), circuit, given), expected)
    assert_same(slopes(rules.RFLO(SGD, feedback=circuit.output.T), circuit, given), expected)
    _, random = slopes(rules.RFLO(SGD), circuit, given)
    np.testing.assert_allclose(random.output, expected[1].output, atol=1e-10)
    assert np.max(np.abs(random.recurrent - expected[1].recurrent)) > 1e-3


def test_rflo_is_the_whole_gradient_at_zero_recurrent_weights():
    """There no path leads through a connection, though the weights themselves have a slope."""
    circuit, given = rate(recurrent=np.zeros((5, 5))), trials()
    found = slopes(rules.RFLO(SGD, feedback=circuit.output.T), circuit, given)
    assert_same(found, slopes(rules.BPTT(SGD), circuit, given))


def test_rflo_learns():
    """More than the read-out alone does, though this feedback begins against the output weights."""
    task = nj.tasks.FlipFlop(bits=1, length=200.0)
    circuit = nj.circuits.LeakyRNN(20, inputs=1, outputs=1, leak=0.3, key=jax.random.key(1))
    given, adam = task.trials(jax.random.key(0), 8), optax.adam(1e-2)
    rule = rules.RFLO(adam, key=jax.random.key(4))
    losses, state = learnt(rule, circuit, given, 300)
    alone, _ = learnt(rules.EProp(adam, freeze=["recurrent", "input", "bias"]), circuit, given, 300)
    assert losses[-1] < 0.6 * alone[-1] < 0.1 * losses[0]
    drawn = rule.init(circuit, given, jax.random.key(9)).drawn
    np.testing.assert_array_equal(state.drawn, drawn)  # of its own key, and fixed
    assert np.sum(drawn * circuit.output.T) < 0


def test_refusals():
    with pytest.raises(ValueError, match=r"\(5, 2\) \(units, outputs\), got \(2, 5\)"):
        rules.RFLO(SGD, feedback=np.ones((2, 5))).init(leaky(), trials(), jax.random.key(0))
    with pytest.raises(ValueError, match="RFLO needs a solver"):
        rules.RFLO(SGD).init(rate(solver=nj.solvers.Heun()), trials(), jax.random.key(0))
    with pytest.raises(TypeError, match="EProp trains a RateRNN or a LeakyRNN"):
        rules.EProp(SGD).init(
            nj.circuits.MinimalGatedRNN(5, inputs=2, outputs=2), trials(), jax.random.key(0)
        )
