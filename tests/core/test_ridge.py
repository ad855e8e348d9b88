"""Ridge regression in the graph."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from neurojax.core.ridge import ridge
from neurojax.core.triangle import triangle


def _data(samples, count, outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, count)) * np.logspace(0, -2, count)
    return X, rng.normal(size=(samples, outputs))


@pytest.mark.parametrize("count", [1, 39, 40, 41, 80, 128, 129])
@pytest.mark.parametrize("samples", [30, 200])
def test_the_triangle_is_that_of_the_whole_matrix(count, samples):
    X, y = _data(samples, count)
    A = np.concatenate([X, y], 1)
    below = np.sqrt(0.3) * np.eye(count, A.shape[1])
    expected = np.linalg.qr(np.concatenate([A, below]), mode="r")[:count]
    with jax.enable_x64(True):
        R = np.asarray(triangle(jnp.asarray(A), count, 0.3))
    assert R.shape == (count, A.shape[1])
    assert np.all(np.tril(R, -1) == 0)
    sign = np.sign(np.diag(R) * np.diag(expected))[:, None]
    np.testing.assert_allclose(sign * R, expected, atol=1e-12)


def test_single_precision_loses_no_more_than_a_factorisation_of_the_whole():
    X, y = _data(300, 100)
    X = X * np.logspace(0, -2, 100)  # of a condition that normal equations lose
    exact = np.linalg.solve(X.T @ X + 1e-6 * np.eye(100), X.T @ y).T
    x, t = jnp.asarray(X, jnp.float32), jnp.asarray(y, jnp.float32)
    whole = jnp.concatenate([jnp.concatenate([x, t], 1), 1e-3 * jnp.eye(100, 102)])
    R = np.asarray(jnp.linalg.qr(whole, mode="r"), float)
    usual = np.linalg.solve(R[:100, :100], R[:100, 100:]).T
    error = lambda W: np.linalg.norm(X @ (np.asarray(W) - exact).T) / np.linalg.norm(X @ exact.T)
    assert error(ridge(x, t, 1e-6)) < 2 * error(usual) + 1e-6


def test_many_at_once():
    found = jax.vmap(lambda x, t, p: ridge(x, t, p))
    X, y = (np.stack(a) for a in zip(*(_data(60, 50, seed=s) for s in range(3)), strict=True))
    penalties = np.array([0.1, 1.0, 10.0])
    with jax.enable_x64(True):
        W = found(jnp.asarray(X), jnp.asarray(y), jnp.asarray(penalties))
        for i, penalty in enumerate(penalties):
            G = X[i].T @ X[i] + penalty * np.eye(50)
            np.testing.assert_allclose(W[i], np.linalg.solve(G, X[i].T @ y[i]).T, rtol=1e-9)


@pytest.mark.parametrize("count", [3, 43])
def test_derivatives_of_two_orders(count):
    X, y = _data(50, count)
    with jax.enable_x64(True):
        X, y = jnp.asarray(X), jnp.asarray(y)
        w = jnp.linspace(0.5, 2.0, 50)
        given = lambda f: lambda *a: jnp.sin(f(*map(jnp.asarray, a)))
        check_grads(given(ridge), (X, y, 0.7, w), 2, eps=1e-5)
        check_grads(given(ridge), (X, y, 0.7), 1, eps=1e-5)


def test_a_sample_that_weighs_nothing_has_a_derivative():
    X, y = _data(20, 4)
    with jax.enable_x64(True):
        X, y, w = jnp.asarray(X), jnp.asarray(y), jnp.ones(20).at[3].set(0.0)
        f = lambda w: jnp.sum(ridge(X, y, 0.1, w) ** 2)
        slope, h = jax.grad(f)(w)[3], 1e-6
        assert float(slope) == pytest.approx(float(f(w.at[3].set(h)) - f(w)) / h, rel=1e-4)
        # (1 + 10 w) / (2 + 4 w) has the second derivative -16 at 0
        x, t = jnp.array([[1.0], [2.0]]), jnp.array([[1.0], [5.0]])
        one = lambda w: ridge(x, t, 1.0, jnp.stack([jnp.ones(()), w]))[0, 0]
        assert float(jax.grad(jax.grad(one))(0.0)) == pytest.approx(-16.0)
