"""Ranks, separation, distances and prediction times, against numpy and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import pdist

from neurojax.analysis.reservoirs import (
    distances,
    generalisation_rank,
    kernel_quality,
    separation,
    valid_prediction_time,
)

RNG = np.random.default_rng(1)


def test_ranks_are_those_of_numpy():
    states = RNG.normal(size=(30, 7)) @ RNG.normal(size=(7, 20))
    assert int(kernel_quality(states)) == np.linalg.matrix_rank(states) == 7
    noisy = states + 1e-6 * RNG.normal(size=states.shape)
    assert int(kernel_quality(noisy)) == np.linalg.matrix_rank(noisy) == 20
    assert int(kernel_quality(noisy, tolerance=1e-4)) == 7
    assert int(generalisation_rank(np.ones((9, 1)) * states[:1])) == 1
    assert int(kernel_quality(np.zeros((3, 4)))) == 0
    swept = jax.vmap(lambda t: kernel_quality(noisy, tolerance=t))(jnp.array([1e-4, 1e-12]))
    assert swept.tolist() == [7, 20]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_states_that_are_not_finite_have_no_rank(wrong):
    states = RNG.normal(size=(6, 5))
    states[2, 3] = wrong
    for rank in (kernel_quality, generalisation_rank, jax.jit(kernel_quality)):
        assert np.isnan(rank(states))


def test_rank_of_single_precision_does_not_fall_with_rows():
    x = np.random.default_rng(2).normal(size=(20_000, 4)) * np.array([[1.0, 1.0, 1e-2, 2e-4]])
    x = np.concatenate([x, x], axis=1)
    assert kernel_quality(jnp.asarray(x, jnp.float32)) == kernel_quality(x) == 4
    for wrong in (-1.0, np.nan):
        with pytest.raises(ValueError, match="tolerance must not be negative"):
            kernel_quality(x, tolerance=wrong)


def test_separation_by_hand():
    classes = RNG.integers(0, 3, 40)
    states = RNG.normal(size=(40, 5)) + 3.0 * classes[:, None]
    means = [states[classes == m].mean(axis=0) for m in range(3)]
    between = sum(np.linalg.norm(a - b) for a in means for b in means) / 9
    spread = [np.linalg.norm(states[classes == m] - means[m], axis=1).mean() for m in range(3)]
    expected = between / (np.mean(spread) + 1.0)
    assert float(separation(states, classes)) == pytest.approx(expected, rel=1e-12)
    traced = jax.jit(lambda x, c: separation(x, c, count=3))(states, classes)
    assert float(traced) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="count must be given"):
        jax.jit(separation)(states, classes)
    with pytest.raises(ValueError, match="classes must take all"):
        separation(states, np.where(classes == 1, 0, classes))
    with pytest.raises(ValueError, match="classes must be 40 whole numbers"):
        separation(states, classes[:4])


def test_distances_of_pairs():
    inputs, states = RNG.normal(size=(8, 10, 2)), RNG.normal(size=(8, 5))
    found = distances(inputs, states)
    of_inputs, of_states = pdist(inputs.reshape(8, -1)) / np.sqrt(20), pdist(states) / np.sqrt(5)
    np.testing.assert_allclose(found.inputs, of_inputs, rtol=1e-12)
    np.testing.assert_allclose(found.states, of_states, rtol=1e-12)
    slope = np.linalg.lstsq(of_inputs[:, None], of_states, rcond=None)[0][0]
    assert float(found.gain) == pytest.approx(slope, rel=1e-12)
    with pytest.raises(ValueError, match="inputs must have 8 samples"):
        distances(inputs[:3], states)


def test_valid_prediction_time():
    truth = np.stack([np.sin(np.arange(50.0)), 10 * np.cos(np.arange(50.0))], axis=1)
    sd = truth.std(axis=0)
    error = np.zeros(50)
    error[20:] = 0.5
    forecast = truth + error[:, None] * sd
    found = valid_prediction_time(truth, forecast, dt=0.02, lyapunov_time=1.1)
    assert float(found) == pytest.approx(20 * 0.02 / 1.1)
    assert float(valid_prediction_time(truth, forecast, threshold=0.6)) == 50
    # one variable alone: an error of 0.5 sd is one of 0.35 in the mean of two
    one = truth + error[:, None] * sd * [1.0, 0.0]
    assert float(valid_prediction_time(truth, one)) == 50
    broken = np.where(np.arange(50)[:, None] == 7, np.nan, truth)
    many = valid_prediction_time(np.stack([truth, truth]), np.stack([broken, forecast]))
    assert many.tolist() == [7, 20]
    with pytest.raises(ValueError, match="same shape"):
        valid_prediction_time(truth, forecast[:10])


@pytest.mark.parametrize("given", [
    {"dt": -1.0}, {"dt": np.nan}, {"lyapunov_time": 0.0}, {"threshold": -1.0},
])  # fmt: skip
def test_prediction_times_are_of_positive_numbers(given):
    truth = RNG.normal(size=(5, 1))
    with pytest.raises(ValueError, match=f"{next(iter(given))} must"):
        valid_prediction_time(truth, truth, **given)
    swept = jax.vmap(lambda x: valid_prediction_time(truth, truth, **dict.fromkeys(given, x)))
    assert swept(jnp.array([0.5, 1.0])).shape == (2,)
