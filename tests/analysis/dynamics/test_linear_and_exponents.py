"""Jacobians, exponents, non-normality and Gramians against closed forms and scipy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from small_circuits import Additive, Linear, Logistic, Lorenz

from neurojax.analysis.dynamics import (
    amplified_states,
    controllability_gramian,
    eigenvalues,
    evoked_energy,
    henrici,
    jacobian,
    linearise,
    lyapunov_spectrum,
    numerical_abscissa,
    observability_gramian,
    schur_form,
)

RNG = np.random.default_rng(0)
A = RNG.standard_normal((4, 4)) - 3.0 * np.eye(4)


def test_jacobian_against_finite_differences():
    circuit = Additive(jnp.asarray(A), gain=0.7, tau=5.0)
    x, h, u = RNG.standard_normal(4), 1e-5, {"u": jnp.ones(4)}
    drift = lambda x: np.asarray(circuit.drift(0.0, {"x": jnp.asarray(x)}, u)["x"])
    columns = [(drift(x + h * e) - drift(x - h * e)) / (2 * h) for e in np.eye(4)]
    state = {"x": jnp.asarray(x)}
    np.testing.assert_allclose(jacobian(circuit, state, u), np.array(columns).T, atol=1e-8)
    A_, B, offset = linearise(circuit, state, u)
    np.testing.assert_allclose(A_, np.array(columns).T, atol=1e-8)
    np.testing.assert_allclose(B["u"], np.eye(4) / 5.0, atol=1e-12)
    np.testing.assert_allclose(offset, drift(x), atol=1e-12)


def test_a_state_of_several_leaves_and_the_map_of_a_flow():
    circuit = Linear(jnp.asarray(A))
    state = circuit.init_state()
    np.testing.assert_allclose(jacobian(circuit, state), A, atol=1e-12)
    # four stages of a linear flow are the Taylor polynomial of the exponential
    series = sum(np.linalg.matrix_power(0.1 * A, k) / [1, 1, 2, 6, 24][k] for k in range(5))
    np.testing.assert_allclose(jacobian(circuit, state, dt=0.1), series, atol=1e-12)
    values = eigenvalues(circuit, state)
    np.testing.assert_allclose(np.sort(values.real), np.sort(np.linalg.eigvals(A).real))
    assert np.all(np.diff(values.real) <= 1e-12)


def test_exponents_of_a_linear_flow_are_its_real_parts():
    # rotation in a decaying plane beside a real mode, seen through a skew frame
    block = scipy.linalg.block_diag([[-0.2, 1.0], [-1.0, -0.2]], [[-1.0]])
    S = np.array([[1.0, 0.3, 0.0], [0.0, 1.0, 0.5], [0.2, 0.0, 1.0]])
    circuit = Linear(jnp.asarray(S @ block @ np.linalg.inv(S)))
    state = {"a": jnp.ones(1), "b": jnp.ones(2), "n": jnp.zeros((), int)}
    options = {"dt": np.pi / 60, "duration": 200 * np.pi, "transient": 10 * np.pi, "every": 10}
    spectrum = lyapunov_spectrum(circuit, state, **options)
    np.testing.assert_allclose(spectrum, [-0.2, -0.2, -1.0], atol=2e-3)
    np.testing.assert_allclose(spectrum.sum(), -1.4, atol=1e-5)


def test_lorenz():
    """0.906, 0, -14.572 (Sprott 2003); their sum is the divergence, exactly."""
    start = jnp.array([1.0, 1.0, 20.0])
    spectrum = lyapunov_spectrum(Lorenz(), start, dt=0.01, duration=1000.0, transient=20.0, every=5)
    np.testing.assert_allclose(spectrum, [0.906, 0.0, -14.572], atol=0.02)
    np.testing.assert_allclose(spectrum.sum(), -(10.0 + 1.0 + 8.0 / 3.0), atol=2e-3)
    first = lyapunov_spectrum(
        Lorenz(), start, dt=0.01, duration=1000.0, transient=20.0, every=5, count=1
    )
    np.testing.assert_allclose(first, [0.906], atol=0.02)


def test_logistic_map():
    found = lyapunov_spectrum(Logistic(), jnp.full(1, 0.3), duration=20000.0, dt=1.0)
    np.testing.assert_allclose(found, [np.log(2.0)], atol=2e-3)


def test_non_normality():
    T, Q = schur_form(A)
    np.testing.assert_allclose(Q @ T @ Q.T, A, atol=1e-12)
    np.testing.assert_allclose(Q @ Q.T, np.eye(4), atol=1e-12)
    assert np.all(np.tril(T, -2) == 0)
    values = np.linalg.eigvals(A)
    departure = np.sqrt(np.linalg.norm(A) ** 2 - np.sum(np.abs(values) ** 2))
    np.testing.assert_allclose(henrici(A, normalised=False), departure, rtol=1e-9)
    np.testing.assert_allclose(henrici(A), departure / np.linalg.norm(A), rtol=1e-9)
    U = scipy.linalg.qr(RNG.standard_normal((4, 4)))[0]
    np.testing.assert_allclose(henrici(U @ A @ U.T), henrici(A), rtol=1e-9)
    assert henrici(A + A.T) < 1e-12 and henrici(np.zeros((2, 2))) == 0.0
    h = 1e-6
    growth = (np.linalg.norm(scipy.linalg.expm(h * A), 2) - 1) / h
    np.testing.assert_allclose(numerical_abscissa(A), growth, atol=1e-4)
    gradient = jax.grad(lambda A: numerical_abscissa(A))(jnp.asarray(A))
    np.testing.assert_allclose(jnp.trace(gradient), 1.0, atol=1e-12)


def test_gramians_are_the_integrals_they_claim():
    B, C = RNG.standard_normal((4, 2)), RNG.standard_normal((3, 4))
    dt = 0.005
    one = scipy.linalg.expm(dt * A)
    flows = np.array(list(itertools.accumulate([one] * 4000, np.matmul, initial=np.eye(4))))
    weights = np.full(4001, 2.0)
    weights[1::2], weights[[0, -1]] = 4.0, 1.0
    integral = lambda M: np.einsum("t,tij,tkj->ik", weights * dt / 3, M, M)
    np.testing.assert_allclose(controllability_gramian(A, B), integral(flows @ B), atol=1e-8)
    Q = observability_gramian(A, C)
    np.testing.assert_allclose(Q, integral((C @ flows).transpose(0, 2, 1)), atol=1e-8)
    energies, states = amplified_states(A, 2, C=C)
    np.testing.assert_allclose(evoked_energy(Q, 3.0 * states), energies, rtol=1e-10)
    for a in RNG.standard_normal((50, 4)):
        assert evoked_energy(Q, a) <= energies[0] * (1 + 1e-12)


def test_refusals():
    with pytest.raises(ValueError, match="must be stable"):
        observability_gramian(np.eye(2))
    with pytest.raises(ValueError, match="square matrix"):
        henrici(np.ones((2, 3)))
    with pytest.raises(ValueError, match="B must have shape"):
        controllability_gramian(A, np.ones((3, 1)))
    with pytest.raises(ValueError, match="whole number of every"):
        lyapunov_spectrum(Logistic(), jnp.ones(1), duration=1.5, dt=1.0)
    with pytest.raises(ValueError, match="count must be between 1 and 1"):
        lyapunov_spectrum(Logistic(), jnp.ones(1), duration=5.0, dt=1.0, count=2)
    with pytest.raises(ValueError, match="give dt="):
        jacobian(Logistic(), jnp.ones(1))
