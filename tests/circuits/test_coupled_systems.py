"""Coupled noisy systems against closed forms and against simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.circuits import CoupledSystems, disagreement


def test_closed_forms():
    n, lam, kappa, sigma = 7, 1.3, 0.4, 0.6
    systems = CoupledSystems.all_to_all(n, kappa, curvature=lam, sigma=sigma)
    apart = (n - 1) / n * sigma**2 / (2 * (lam + n * kappa))
    assert systems.expected_disagreement() == pytest.approx(apart, rel=1e-12)
    assert systems.disagreement_bound() == pytest.approx(apart, rel=1e-12)
    assert systems.expected_variance_of_mean() == pytest.approx(sigma**2 / (2 * lam * n))
    assert systems.algebraic_connectivity() == pytest.approx(n * kappa)
    plane = CoupledSystems.all_to_all(n, kappa, curvature=lam, sigma=sigma, dimension=2)
    assert plane.expected_disagreement() == pytest.approx(2 * apart)


def test_graphs_have_their_textbook_connectivity():
    """Ring: 2 k (1 - cos(2 pi / n)); star: k. The covariance of symmetric ones is s^2 A^-1 / 2."""
    ring = CoupledSystems.ring(9, 2.0)
    assert ring.algebraic_connectivity() == pytest.approx(4 * (1 - np.cos(2 * np.pi / 9)))
    star = CoupledSystems.star(6, 1.5)
    assert star.algebraic_connectivity() == pytest.approx(1.5)
    for systems in (ring, star):
        L = np.diag(np.asarray(systems.coupling).sum(axis=1)) - np.asarray(systems.coupling)
        np.testing.assert_allclose(systems.laplacian(), L)
        inverse = np.linalg.inv(np.eye(len(L)) + L) / 2
        np.testing.assert_allclose(systems.covariance(), inverse, rtol=1e-10)
        assert systems.expected_disagreement() < systems.disagreement_bound()


def test_one_sided_coupling_has_the_covariance_of_its_lyapunov_equation():
    """Against the vectorised equation (A x 1 + 1 x A) vec C = s^2 vec 1."""
    kappa = np.random.default_rng(0).random((4, 4))
    systems = CoupledSystems(kappa, curvature=0.7, sigma=0.5)
    A = 0.7 * np.eye(4) + np.diag(kappa.sum(axis=1)) - kappa
    one = np.eye(4)
    C = np.linalg.solve(np.kron(A, one) + np.kron(one, A), 0.25 * one.ravel()).reshape(4, 4)
    np.testing.assert_allclose(systems.covariance(), C, rtol=1e-10)


@pytest.mark.parametrize(
    ("kappa", "dt", "duration"), [(0.0, 0.005, 54.0), (1.0, 0.002, 54.0), (10.0, 0.0005, 14.0)]
)
def test_simulated_disagreement_is_within_5_percent_of_theory(kappa, dt, duration):
    """n = 10, sigma 0.5, curvature 1; dt is such that Euler's method adds less than 2.6 %."""
    systems = CoupledSystems.all_to_all(10, kappa, sigma=0.5)
    every = round(0.05 / dt)
    run = lambda key: nj.simulate(
        systems, duration=duration, dt=dt, key=key, record={"x": nj.Trace("x", every=every)}
    )["x"]
    x = np.asarray(jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(0), 40)))[:, 80:]
    seen = np.mean(np.asarray(disagreement(jnp.asarray(x))))
    assert seen == pytest.approx(systems.expected_disagreement(), rel=0.05)
    # the mean square of an Ornstein-Uhlenbeck process over the time T has variance 2 / T
    error = np.sqrt(2 / (40 * (duration - 4.0)))
    mean = np.mean(np.mean(x, axis=2) ** 2)
    assert mean == pytest.approx(systems.expected_variance_of_mean(), rel=4 * error)


def test_other_gradients_stay_below_the_bound():
    """f = x^2/2 + x^4/4 is curved by at least 1."""
    steep = lambda x: x + x**3
    systems = CoupledSystems.ring(6, 1.0, sigma=1.0, gradient=steep)
    run = lambda key: nj.simulate(
        systems, duration=40.0, dt=0.01, key=key, record={"x": nj.Trace("x", every=10)}
    )["x"]
    x = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(1), 40))[:, 50:]
    seen = float(jnp.mean(disagreement(x)))
    assert seen < systems.disagreement_bound()
    with pytest.raises(ValueError, match="disagreement_bound"):
        systems.covariance()


def test_refusals():
    with pytest.raises(ValueError, match="square"):
        CoupledSystems(np.ones((2, 3)))
    with pytest.raises(ValueError, match="coupling of CoupledSystems must not be negative"):
        CoupledSystems(-np.ones((2, 2)))
    with pytest.raises(ValueError, match="curvature"):
        CoupledSystems.ring(4, 1.0, curvature=0.0)
