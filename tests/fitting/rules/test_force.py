"""Least squares, recursive and in one go, and FORCE."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.fitting import unroll
from neurojax.fitting.rules import FORCE, RLS, Moments
from neurojax.tasks import Trials

rng = np.random.default_rng(3)
R, F = rng.normal(size=(40, 6)), rng.normal(size=(40, 2))


def _rls(forgetting=1.0, alpha=0.5):
    rls, W = RLS.start(6, alpha, forgetting), jnp.zeros((2, 6))
    for r, f in zip(jnp.asarray(R), jnp.asarray(F), strict=True):
        rls, gain = rls.sample(r)
        W = W - jnp.outer(W @ r - f, gain)
    return W


def test_recursive_least_squares_is_the_ridge_solution():
    expected = np.linalg.solve(R.T @ R + 0.5 * np.eye(6), R.T @ F).T
    assert np.allclose(_rls(), expected, atol=1e-12)
    ridge = Moments.start(6, 2).samples(jnp.asarray(R), jnp.asarray(F)).solve(0.5)
    assert np.allclose(ridge, expected, atol=1e-12)


def test_forgetting_weighs_older_samples_less():
    weights = 0.9 ** np.arange(39, -1, -1)
    G = (R * weights[:, None]).T @ R + 0.5 * 0.9**40 * np.eye(6)
    expected = np.linalg.solve(G, (R * weights[:, None]).T @ F).T
    assert np.allclose(_rls(0.9), expected, atol=1e-10)


def test_moments_weigh_samples():
    weights = (rng.random(40) < 0.5) * 1.0
    found = Moments.start(6, 2).samples(jnp.asarray(R), jnp.asarray(F), jnp.asarray(weights))
    kept = weights > 0
    expected = np.linalg.solve(R[kept].T @ R[kept] + np.eye(6), R[kept].T @ F[kept]).T
    assert np.allclose(found.solve(1.0), expected, atol=1e-12)


@pytest.mark.parametrize("probability", [1.0, 0.999999])
def test_without_feedback_force_is_ridge_regression(probability):
    circuit = nj.circuits.RateRNN(12, inputs=1, outputs=1, key=jax.random.key(0))
    circuit = jax.tree.map(lambda x: x, circuit)
    u = rng.normal(size=(3, 20, 1))
    mask = np.ones((3, 20))
    mask[:, :5] = 0
    trials = Trials(u, np.sin(u), mask, dt=1.0)
    trained = nj.train(circuit, trials, rule=FORCE(0.7, probability), steps=1, progress=False)
    rates = np.asarray(unroll(circuit, trials).rates)[:, 5:].reshape(-1, 12)
    start = np.asarray(circuit.output)
    left = np.sin(u)[:, 5:].reshape(-1, 1) - rates @ start.T
    change = np.linalg.solve(rates.T @ rates + 0.7 * np.eye(12), rates.T @ left).T
    assert np.allclose(trained.circuit.output, start + change, atol=1e-9)


def test_force_forgets_by_samples_that_count_alone():
    circuit = nj.circuits.RateRNN(6, inputs=1, outputs=2, key=jax.random.key(0))
    u, y = rng.normal(size=(1, 400, 1)), rng.normal(size=(1, 400, 2))
    mask = 1.0 * (np.arange(400) % 100 < 20)[None]
    trials = Trials(u, y, mask, dt=1.0)
    rule = FORCE(0.7, forgetting=0.8)
    trained = nj.train(circuit, trials, rule=rule, steps=1, progress=False)
    P, W = np.eye(6) / 0.7, np.asarray(circuit.output)
    for r, target in zip(unroll(circuit, trials).rates[0][mask[0] > 0], y[mask > 0], strict=True):
        q = P @ r
        gain = q / (0.8 + r @ q)
        P, W = (P - np.outer(gain, q)) / 0.8, W - np.outer(W @ r - target, gain)
    np.testing.assert_allclose(trained.circuit.output, W, rtol=1e-6)


def test_force_tames_chaos_to_a_sine():
    t = np.arange(1200)
    wave = np.sin(2 * np.pi * t / 60)[None, :, None]
    circuit = nj.circuits.RateRNN(
        150, inputs=0, outputs=1, recurrent=nj.circuits.Gaussian(1.5), feedback=True, tau=10.0,
        initial=jax.random.normal(jax.random.key(1), (150,)), key=jax.random.key(0),
    )  # fmt: skip
    trials = Trials(np.zeros((1, 1200, 0)), wave, dt=1.0)
    trained = nj.train(circuit, trials, rule=FORCE(), steps=5, progress=False)
    left = np.asarray(unroll(trained.circuit, trials).outputs)[0, :, 0]
    untrained = np.asarray(unroll(circuit, trials).outputs)[0, :, 0]
    error = lambda z: np.mean((z - wave[0, :, 0]) ** 2)
    assert error(left) < 0.05 < error(untrained)


def test_force_warns_of_a_circuit_that_stays_at_zero():
    wave = np.sin(np.arange(30.0))[None, :, None]
    make = lambda **options: nj.circuits.RateRNN(8, outputs=1, feedback=True, **options)
    trials = Trials(np.zeros((1, 30, 0)), wave, dt=1.0)
    run = lambda circuit, trials: nj.train(circuit, trials, rule=FORCE(), steps=1, progress=False)
    with pytest.warns(UserWarning, match="FORCE learns nothing while all rates are 0"):
        trained = run(make(), trials)
    np.testing.assert_array_equal(trained.circuit.output, make().output)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for circuit in (make(bias=0.1), make(initial=0.1), make(noise=0.1)):
            assert (run(circuit, trials).circuit.output != circuit.output).any()
        run(make(), Trials(np.zeros((1, 30, 0)), wave, initial=np.ones((1, 8)), dt=1.0))


@pytest.mark.parametrize(
    "build", [lambda: FORCE(alpha=0.0), lambda: FORCE(probability=0.0), lambda: FORCE(forgetting=2)]
)
def test_bad_arguments_are_refused(build):
    with pytest.raises(ValueError, match="must"):
        build()
