"""Node perturbation: its mean over many draws is the gradient."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurojax.fitting.parameters import split
from neurojax.fitting.rules.node_perturbation import credit, each_change, perturbed

from .gradients import SGD, leaky, rate, rules, run, slopes, trials

DRAWS = 2000
LOSS = {"activity": 0.7, "rate_penalty": 0.3}


def test_the_mean_over_draws_is_the_gradient():
    """A linear circuit, for which the estimate has no bias at any sigma.

    Over all 40 trained numbers: the squares of the z-scores have a mean near 1 (standard deviation
    0.22 if they were independent; bounds 0.4 and 2), and the largest z is below 4.5.
    """
    freeze = ["output", "output_bias"]
    circuit = rate(nonlinearity="identity", tau=8.0, initial=0.2, recurrent=0.5 * np.eye(5)[::-1])
    given, rule = trials(), rules.NodePerturbation(SGD, sigma=0.3, freeze=freeze, **LOSS)
    parameters, rest = split(circuit, freeze)
    flat = lambda tree: jax.flatten_util.ravel_pytree(tree)[0]

    def moments(parameters):
        one = lambda key: flat(rule.slope(parameters, rest, None, given, key)[1])
        draws = jax.lax.map(one, jax.random.split(jax.random.key(0), DRAWS), batch_size=500)
        return jnp.mean(draws, axis=0), jnp.std(draws, axis=0) / np.sqrt(DRAWS)

    mean, error = run(moments, parameters)
    gradient = flat(slopes(rules.BPTT(SGD, freeze=freeze, **LOSS), circuit, given)[1])
    z = (mean - gradient) / error
    assert z.size == 25 + 10 + 5
    assert np.max(np.abs(z)) < 4.5 and 0.4 < np.mean(z**2) < 2.0
    assert np.sum(gradient**2) > 20 * np.sum(error**2)  # not a test of noise


def test_credit_of_the_exact_slope_by_currents_is_the_gradient():
    """With the derivative by the currents in place of its estimate.

    And the change of loss of each trial is that derivative along a small perturbation.
    """
    feedback = np.random.default_rng(5).normal(size=(5, 2))
    circuit = leaky(initial=0.2, leak=0.5, feedback=feedback, noise=0.1)
    given, key = trials(), jax.random.key(2)
    objective = rules.BPTT(SGD, freeze=["output", "output_bias"], **LOSS)
    parameters, rest = split(circuit, objective.freeze)
    shaken = 1e-6 * np.random.default_rng(1).normal(size=(3, 7, 5))

    def find(parameters):
        circuit = eqx.combine(parameters, rest)
        runs = lambda currents: perturbed(circuit, given, currents, key)
        loss = lambda currents: objective.of_run(runs(currents), given)
        plain, by_currents = runs(jnp.zeros((3, 7, 5))), jax.grad(loss)(jnp.zeros((3, 7, 5)))
        change = each_change(objective, plain, runs(shaken), given)
        along = jnp.sum(by_currents * shaken, axis=(1, 2))
        return credit(parameters, rest, plain, by_currents, given), change, along

    found, change, along = run(find, parameters)
    _, expected = slopes(objective, circuit, given, key)
    for name in ("recurrent", "input", "feedback", "bias"):
        a, b = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(a, b, atol=1e-10, err_msg=name)
        assert np.max(np.abs(b)) > 1e-3
    np.testing.assert_allclose(change, along, atol=1e-10)  # second order: (1e-6)^2
    assert np.min(np.abs(along)) > 1e-8


def test_refusals():
    with pytest.raises(ValueError, match="sigma must be positive"):
        rules.NodePerturbation(SGD, sigma=0.0)
    with pytest.raises(ValueError, match=r"does not train 'tau': freeze it"):
        rules.NodePerturbation(SGD).init(rate(), trials(), jax.random.key(0))
