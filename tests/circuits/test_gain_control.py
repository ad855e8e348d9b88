"""Gain control: steady states and adapted gains against plain numpy and scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import neurojax as nj
from neurojax.circuits import GainControl, adapt_gains, coding_cost


def _orientations(n, width=12.0):
    """A ring of orientations: tuned drives, local excitation and broad inhibition."""
    angle = np.arange(n) * 180.0 / n
    apart = np.abs(np.subtract.outer(angle, angle))
    apart = np.minimum(apart, 180.0 - apart)
    near = np.exp(-0.5 * (apart / 8.0) ** 2)
    weights = 0.6 * near / near.sum(axis=1, keepdims=True) - 0.3 / n
    return weights, np.exp(-0.5 * (apart / width) ** 2)


def test_linear_steady_state_and_its_slope():
    """r = (1 - W diag g)^-1 F in closed form; the slope by finite differences of it."""
    rng = np.random.default_rng(0)
    W, g, F = 0.3 * rng.normal(size=(5, 5)), 0.5 + rng.random(5), rng.normal(size=(3, 5))
    circuit = GainControl(W, gain=g)
    exact = lambda g: np.linalg.solve(np.eye(5) - W * g, F.T).T
    np.testing.assert_allclose(circuit.steady_state(jnp.asarray(F)), exact(g), rtol=1e-8)
    np.testing.assert_allclose(circuit.response(jnp.asarray(F)), g * exact(g), rtol=1e-8)
    total = lambda g: jnp.sum(GainControl(W, gain=g).steady_state(jnp.asarray(F)) ** 2)
    slope = jax.grad(total)(jnp.asarray(g))
    for i in range(5):
        h = 1e-6 * np.eye(5)[i]
        numeric = (np.sum(exact(g + h) ** 2) - np.sum(exact(g - h) ** 2)) / 2e-6
        assert float(slope[i]) == pytest.approx(numeric, rel=1e-6)


def test_steady_state_is_where_the_circuit_comes_to_rest():
    rng = np.random.default_rng(1)
    circuit = GainControl(0.3 * rng.normal(size=(6, 6)), gain=0.8, activation=jax.nn.softplus)
    F = jnp.asarray(rng.normal(size=6))
    run = nj.simulate(circuit, duration=600.0, dt=1.0, inputs={"F": F}, record={"z": "response"})
    np.testing.assert_allclose(run["z"][-1], circuit.response(F), rtol=1e-7)


def test_adapted_gains_are_the_minimum_that_scipy_finds():
    n = 12
    W, F = _orientations(n, width=25.0)
    p = np.full(n, 0.7 / (n - 1))
    p[4] = 0.3

    def by_hand(g):
        out = g * np.linalg.solve(np.eye(n) - W * g, F.T).T
        error = np.sum((F - out @ (np.eye(n) - W).T) ** 2, axis=1)
        return p @ (error + 0.5 * np.sum(out**2, axis=1)) + 20 / n * np.sum((g - 1) ** 2)

    options = {"activity": 0.5, "homeostasis": 20 / n}
    drives, share = jnp.asarray(F), jnp.asarray(p)
    trial = GainControl(W, gain=np.linspace(0.8, 1.2, n))
    assert float(coding_cost(trial, drives, share, **options)) == pytest.approx(
        by_hand(np.linspace(0.8, 1.2, n)), rel=1e-8
    )
    adapted, costs = adapt_gains(GainControl(W), drives, 3.0 * share, **options, steps=300)
    best = minimize(by_hand, np.ones(n), method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(adapted.gain, best.x, atol=2e-5)
    assert float(costs[-1]) == pytest.approx(best.fun, rel=1e-7)


def test_adaptation_lowers_the_gain_at_the_adapter_and_repels_tuning():
    """The effects of the paper, on 36 orientations with the adapter shown three times in ten."""
    n, adapter = 36, 18
    W, F = _orientations(n)
    drives = jnp.asarray(F)
    biased = np.full(n, 0.7 / (n - 1))
    biased[adapter] = 0.3
    adapt = lambda p: adapt_gains(GainControl(W), drives, jnp.asarray(p), activity=1.0, steps=80)[0]
    before, after = adapt(np.full(n, 1 / n)), adapt(biased)
    ratio = np.asarray(after.gain / before.gain)
    assert ratio.argmin() == adapter and ratio[adapter] < 0.9
    assert ratio[adapter + 6] > 1.0  # the flank, 30 degrees away, gains
    z_before, z_after = np.asarray(before.response(drives)), np.asarray(after.response(drives))
    assert z_after[:, adapter].max() < 0.9 * z_before[:, adapter].max()
    spread = lambda z: np.std(biased @ z) / np.mean(biased @ z)
    assert spread(z_after) < 0.85 * spread(z_before)  # responses are equalised

    def preferred(z, i):
        k = z[:, i].argmax()
        a, b, c = z[k - 1 : k + 2, i]
        return k + 0.5 * (a - c) / (a - 2 * b + c)

    for side in (-2, 2):  # neurons 10 degrees away prefer orientations further off than before
        shift = preferred(z_after, adapter + side) - preferred(z_before, adapter + side)
        assert np.sign(side) * shift > 0.01


def test_refusals():
    with pytest.raises(ValueError, match="square"):
        GainControl(np.ones((2, 3)))
    with pytest.raises(ValueError, match="gain must"):
        GainControl(np.eye(2), gain=np.ones(3))
    with pytest.raises(ValueError, match="decoder="):
        circuit = GainControl(np.eye(2) / 2, activation=jnp.tanh)
        coding_cost(circuit, jnp.eye(2), jnp.ones(2) / 2, activity=1.0, homeostasis=1.0)
    with pytest.raises(ValueError, match="drives must be"):
        adapt_gains(GainControl(np.eye(2) / 2), jnp.eye(3), jnp.ones(3) / 3)
