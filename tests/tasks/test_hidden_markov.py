"""Sequences have the statistics of their model."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurojax import tasks

KEY = jax.random.key(5)


def draw(task, count):
    """Trials on the host, where taking parts compiles nothing."""
    return jax.tree.map(np.asarray, task.trials(KEY, count))


CHAINS = {
    "two": tasks.HiddenMarkov.linear_chain(2),
    "five": tasks.HiddenMarkov.linear_chain(5),
    "full": tasks.HiddenMarkov.fully_connected(3),
    "ring": tasks.HiddenMarkov.cyclic(4, noise_channels=3),
}


@functools.cache
def sequences(name):
    """800 sequences of a chain."""
    return draw(CHAINS[name], 800)


@pytest.mark.parametrize("name", CHAINS)
def test_frequencies_of_transitions(name):
    """Hidden moves and symbols counted in numpy, against the matrices."""
    task = CHAINS[name]
    trials = sequences(name)
    states = np.asarray(trials.conditions["states"])
    symbols = np.asarray(trials.targets).argmax(axis=-1)
    np.testing.assert_array_equal(trials.targets.sum(axis=-1), 1.0)
    for counted, table, a, b in (
        ("moves", task.transition, states[:, :-1], states[:, 1:]),
        ("symbols", task.emission, states, symbols),
    ):
        count = np.zeros(table.shape)
        np.add.at(count, (a.ravel(), b.ravel()), 1)
        rows = count.sum(axis=1, keepdims=True)
        error = np.sqrt(np.asarray(table) * (1 - np.asarray(table)) / rows)
        assert np.all(np.abs(count / rows - table) < 5 * error + 1e-9), counted
    values, vectors = np.linalg.eig(np.asarray(task.transition).T)
    stay = np.real(vectors[:, np.argmax(values.real)])
    stay /= stay.sum()
    np.testing.assert_allclose(task.start, stay, atol=1e-9)
    np.testing.assert_allclose(np.bincount(states[:, 0]) / 800, stay, atol=0.09)


def test_statistics_of_the_two_state_chain():
    """Published values of the chain, to their digits but one, and sequences of our own."""
    task = CHAINS["two"]
    published = [[0.941, 0.010, 0.049], [0.50, 0.01, 0.49], [0.048, 0.010, 0.942]]
    np.testing.assert_allclose(task.expected_transitions(), published, atol=0.011)
    np.testing.assert_allclose(task.expected_frequencies(), [0.495, 0.01, 0.495], atol=1e-9)
    assert float(task.expected_volatility()) == pytest.approx(0.068, abs=2e-3)
    targets = sequences("two").targets
    np.testing.assert_allclose(task.transitions(targets), task.expected_transitions(), atol=0.03)
    np.testing.assert_allclose(task.frequencies(targets), task.expected_frequencies(), atol=0.05)
    assert float(task.volatility(targets)) == pytest.approx(0.068, abs=6e-3)


def test_score_against_counts():
    """Total variation of pairs counted by hand: (0,0), (0,1) against (0,0), (0,0)."""
    task = tasks.HiddenMarkov(np.full((2, 2), 0.5), np.eye(2), length=30.0)
    one_hot = lambda symbols: jnp.eye(2)[jnp.array(symbols)]
    trials = tasks.Trials(jnp.zeros((3, 1)), one_hot([0, 0, 1]), dt=10.0)
    assert float(task.score(trials, one_hot([0, 0, 0]))) == pytest.approx(0.5)
    assert float(task.score(trials, 3.0 * one_hot([0, 0, 1]) - 7.0)) == pytest.approx(1.0)
    assert float(task.score(trials, jnp.zeros((3, 2)))) == pytest.approx(0.0)
    assert float(task.volatility(one_hot([0, 0, 1]))) == pytest.approx(0.5)


def test_inputs_are_independent_noise():
    inputs = np.asarray(sequences("ring").inputs).reshape(-1, 3)
    np.testing.assert_allclose(np.cov(inputs.T), np.eye(3), atol=0.05)
