"""Rules for rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

P = nj.plasticity


def patterns(n=5, samples=4000, seed=0):
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return rng.normal(size=(samples, n)) * np.array([2.0, 1.0, 0.7, 0.5, 0.3]) @ axes.T


def test_oja_finds_the_first_principal_component():
    x = patterns()

    def learn(w, inputs):
        x, eta = inputs
        rule = P.Oja(eta=eta, alpha=4.0)
        return rule.update(w, x, x @ w), None

    eta = 0.02 / (1.0 + np.arange(len(x)) / 200.0)
    start = jnp.asarray(np.random.default_rng(1).normal(size=(5, 2)) * 0.1)
    w, _ = jax.lax.scan(learn, start, (jnp.asarray(x), jnp.asarray(eta)))
    first = np.linalg.eigh(np.cov(x.T))[1][:, -1]
    for column in np.asarray(w).T:
        assert abs(column @ first) / np.linalg.norm(column) > 0.999
        np.testing.assert_allclose(np.linalg.norm(column), 0.5, rtol=0.02)


def test_hebb_and_anti_hebb_add_the_correlation():
    x, y = patterns()[:50], patterns(seed=2)[:50]
    w = np.zeros((5, 5))
    for a, b in zip(x, y, strict=True):
        w = P.Hebb(eta=0.1).update(jnp.asarray(w), jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(w, 0.1 * x.T @ y, rtol=1e-12, atol=1e-13)
    for a, b in zip(x, y, strict=True):
        w = P.AntiHebb(eta=0.1).update(w, jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(w, 0.0, atol=1e-12)


def test_bcm_becomes_selective_for_one_pattern():
    # K orthogonal patterns, each as often: the stable fixed points are y = K y_0 for one, 0 else
    rule, count = P.BCM(eta=0.01, tau_theta=50.0, y_0=1.0), 3
    order = np.random.default_rng(0).integers(0, count, 12000)

    def learn(carry, x):
        w, theta = carry
        y = x @ w
        return (rule.update(w, x, y, theta), rule.threshold(theta, y)), None

    start = (jnp.array([[0.52], [0.5], [0.48]]), jnp.array([0.1]))
    (w, theta), _ = jax.lax.scan(learn, start, jnp.eye(count)[order])
    w = np.sort(np.asarray(w)[:, 0])
    np.testing.assert_allclose(w[:2], 0.0, atol=0.05)
    np.testing.assert_allclose(w[2], count, rtol=0.15)
    assert float(theta[0]) > 0


def test_a_rate_must_be_one_number():
    with pytest.raises(ValueError, match=r"eta of Hebb must be one number.*\(3,\)"):
        P.Hebb(eta=jnp.ones(3))
