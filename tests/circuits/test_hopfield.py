"""Associative memories: energies that fall, fixed points, and how much they hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

Classical, Modern = nj.circuits.ClassicalHopfield, nj.circuits.ModernHopfield


def _on_sphere(rng, count, n):
    x = rng.normal(size=(count, n))
    return x * np.sqrt(n) / np.linalg.norm(x, axis=1, keepdims=True)


def test_modern_drift_is_the_gradient_of_the_energy():
    """tau dq/dt = -dE/dq, and E by hand in numpy."""
    rng = np.random.default_rng(0)
    X, q = rng.normal(size=(5, 3)), rng.normal(size=3)
    memory = Modern(X, beta=1.7, tau=4.0)
    by_hand = (
        -np.log(np.sum(np.exp(1.7 * X @ q))) / 1.7 + q @ q / 2 + np.log(5) / 1.7
        + np.max(np.sum(X**2, axis=1)) / 2
    )  # fmt: skip
    assert float(memory.energy(jnp.asarray(q))) == pytest.approx(by_hand, rel=1e-12)
    slope = jax.grad(memory.energy)(jnp.asarray(q))
    drift = memory.drift(0.0, {"q": jnp.asarray(q)}, {})["q"]
    np.testing.assert_allclose(drift, -slope / 4.0, rtol=1e-12)


def test_modern_energy_falls_along_the_flow_and_under_updates():
    rng = np.random.default_rng(1)
    memory = Modern(rng.normal(size=(20, 8)), beta=0.8)
    start = jnp.asarray(3 * rng.normal(size=(6, 8)))
    run = jax.vmap(
        lambda q: nj.simulate(memory, duration=80.0, dt=1.0, state={"q": q}, record={"q": "q"})["q"]
    )
    energy = np.asarray(memory.energy(run(start)))
    assert np.all(np.diff(energy, axis=1) <= 1e-12) and np.all(energy >= 0)
    q, last = start, np.inf
    for _ in range(10):
        now = np.asarray(memory.energy(q))
        assert np.all(now <= last + 1e-12)
        q, last = memory.update(q), now


def test_modern_fixed_points_from_averaging_to_retrieval():
    """Small beta: the mean of all patterns; large beta: the pattern, in a single update."""
    rng = np.random.default_rng(2)
    X = _on_sphere(rng, 100, 16)
    cue = jnp.asarray(X[:10] + 0.3 * rng.normal(size=(10, 16)))
    error = lambda beta: (
        np.linalg.norm(np.asarray(Modern(X, beta).update(cue)) - X[:10]) / (np.linalg.norm(X[:10]))
    )
    np.testing.assert_allclose(
        Modern(X, 1e-8).update(cue), np.broadcast_to(X.mean(axis=0), (10, 16)), atol=1e-5
    )
    # the figures of the paper's setting measured apart: 0.59, 0.005, 1e-6; each with room of 10
    assert error(0.25) > 0.3
    assert error(1.0) < 0.05
    assert error(4.0) < 1e-5


def test_classical_update_against_a_plain_loop():
    rng = np.random.default_rng(3)
    X = rng.choice([-1, 1], size=(4, 30))
    W = sum(np.outer(x, x) for x in X) / 30 - 4 / 30 * np.eye(30)
    s = rng.choice([-1.0, 1.0], size=30)
    one_by_one = s.copy()
    for i in range(30):
        field = W[i] @ one_by_one
        one_by_one[i] = one_by_one[i] if abs(field) < 1e-12 else np.sign(field)
    memory = Classical(X)
    np.testing.assert_allclose(memory.weights, W, atol=1e-15)
    np.testing.assert_array_equal(memory.update(jnp.asarray(s)), one_by_one)
    together = Classical(X, synchronous=True).update(jnp.asarray(s))
    np.testing.assert_array_equal(together, np.sign(W @ s))
    assert float(memory.energy(jnp.asarray(s))) == pytest.approx(-0.5 * s @ W @ s)


def test_classical_energy_falls_and_one_step_is_one_update():
    rng = np.random.default_rng(4)
    memory = Classical(rng.choice([-1, 1], size=(40, 60)))  # overloaded: it moves for long
    s = memory.init_state(key=jax.random.key(0))["s"]
    run = nj.simulate(memory, duration=8.0, dt=1.0, state={"s": s}, record={"s": "s"})["s"]
    energy = np.asarray(memory.energy(jnp.concatenate([s[None], run])))
    assert np.all(np.diff(energy) <= 1e-12) and energy[-1] < energy[0]
    np.testing.assert_array_equal(run[0], memory.update(s))


def test_capacity_of_both():
    """100 units: Hebb holds 5 random patterns and loses 30 (the limit is about 14); the modern one
    keeps 2000 of them."""
    rng = np.random.default_rng(5)

    def recalled(count):
        X = rng.choice([-1.0, 1.0], size=(count, 100))
        cues = X.copy()
        cues[:, rng.choice(100, size=10, replace=False)] *= -1  # a tenth is wrong
        cues = jnp.asarray(cues[:50])
        classical = jax.jit(jax.vmap(Classical(X).recall))(cues)
        modern = jnp.sign(Modern(X, beta=1.0).update(cues))
        right = lambda found: np.mean(np.asarray(found) == X[:50])
        return right(classical), right(modern)

    classical, modern = recalled(5)
    assert classical > 0.99 and modern == 1.0
    classical, modern = recalled(30)
    assert classical < 0.9 and modern == 1.0
    X = rng.choice([-1.0, 1.0], size=(2000, 100))
    cue = X[:50] * np.where(np.arange(100) < 10, -1, 1)
    np.testing.assert_array_equal(np.sign(Modern(X, 1.0).update(jnp.asarray(cue))), X[:50])


def test_refusals():
    with pytest.raises(ValueError, match="beta of ModernHopfield must be positive"):
        Modern(np.ones((2, 3)), beta=0.0)
    with pytest.raises(ValueError, match="patterns must be an array"):
        Modern(np.ones(3))
    with pytest.raises(ValueError, match="-1 and \\+1"):
        Classical(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="patterns must be an array"):
        Classical(np.ones(3))
