"""Training of distributions of sequences: the draws, their slope, the loss, and learning."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import neurojax as nj
from neurojax.fitting.sinkhorn import sinkhorn_divergence

from .gradients import learnt, rules


def test_symbols_are_exact_draws():
    """Counts of 20 000 draws within 4 standard deviations of the softmax."""
    logits = jnp.array([0.3, -1.0, 1.2, 0.0])
    draws = rules.straight_through(jax.random.key(0), jnp.tile(logits, (20_000, 1)))
    assert bool(jnp.all((draws == 0) | (draws == 1))) and bool(jnp.all(draws.sum(axis=1) == 1))
    p = np.exp(logits) / np.exp(logits).sum()
    z = (np.asarray(draws.mean(axis=0)) - p) / np.sqrt(p * (1 - p) / 20_000)
    assert np.max(np.abs(z)) < 4


def test_slope_of_symbols_is_that_of_the_softmax():
    """Its Jacobian is (diag(s) - s s') / T at the noisy logits."""
    key, logits, T = jax.random.key(4), jnp.array([0.3, -1.0, 1.2]), 0.7
    found = jax.jacrev(lambda z: rules.straight_through(key, z, T))(logits)
    noisy = np.asarray((logits + jax.random.gumbel(key, (3,))) / T)
    s = np.exp(noisy) / np.exp(noisy).sum()
    np.testing.assert_allclose(found, (np.diag(s) - np.outer(s, s)) / T, atol=1e-12)


def test_the_loss_is_the_divergence_of_flattened_sequences():
    """Without symbols: of the outputs as they are, in any order of the trials, by the mask."""
    draw = np.random.default_rng(0).normal
    mask = np.tile([0.0, 1.0, 1.0, 4.0], (6, 1))
    trials = nj.tasks.Trials(draw(size=(6, 4, 1)), draw(size=(6, 4, 2)), mask, dt=1.0)
    circuit = nj.circuits.LeakyRNN(5, inputs=1, outputs=2)
    rule = rules.Sinkhorn(optax.sgd(0.1), epsilon=0.3, iterations=40, symbols=False)
    outputs = nj.fitting.unroll(circuit, trials).outputs
    root = np.sqrt(mask)[..., None]
    points = [np.reshape(root * x, (6, 8)) for x in (outputs, trials.targets[::-1])]
    expected = sinkhorn_divergence(*map(jnp.asarray, points), epsilon=0.3, iterations=40)
    found = rule.value(circuit, trials, jax.random.key(0))
    assert float(found) == pytest.approx(float(expected), abs=1e-10)


def test_it_learns_the_statistics_of_a_chain():
    """Symbols of a two-state chain stay for long; those of the untrained circuit do not."""
    task = nj.tasks.HiddenMarkov.linear_chain(2, length=80.0, noise_channels=4)
    circuit = nj.circuits.LeakyRNN(
        16, inputs=4, outputs=3, nonlinearity="relu", key=jax.random.key(0)
    )
    rule = rules.Sinkhorn(optax.adam(1e-2), epsilon=0.3, iterations=10)
    losses, _ = learnt(rule, circuit, task.trials(jax.random.key(0), 24), 100)
    assert losses[-10:].mean() < 0.7 * losses[:5].mean()


def test_refusals():
    with pytest.raises(ValueError, match="epsilon must be positive"):
        rules.Sinkhorn(optax.sgd(0.1), epsilon=0.0)
    with pytest.raises(ValueError, match="temperature must be positive"):
        rules.Sinkhorn(optax.sgd(0.1), temperature=-1.0)
    with pytest.raises(ValueError, match="iterations must be at least 1"):
        rules.Sinkhorn(optax.sgd(0.1), iterations=0)
