import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.observations import Calcium, Identity


def test_calcium_of_a_step_is_the_closed_form():
    dt, tau = 250.0, 1000.0
    F = Calcium(tau_c=tau, gain=3.0, offset=-1.0).observe(jnp.full((20, 2), 2.0), dt)
    t = dt * np.arange(1, 21)
    np.testing.assert_allclose(F[:, 1], 3.0 * 2.0 * (1 - np.exp(-t / tau)) - 1.0, rtol=1e-12)


def test_calcium_filters_exactly_over_uneven_frames():
    rng = np.random.default_rng(0)
    V, dt = rng.normal(size=(30, 3)), rng.uniform(100, 900, 30)
    F = Calcium(tau_c=700.0, gain=jnp.array([1.0, 2.0, 3.0]), offset=0.5).observe(
        jnp.asarray(V), dt
    )
    c = np.zeros(3)
    for k in range(30):
        # the solution of tau dc/dt = V - c over the frame, V held
        c = V[k] + (c - V[k]) * np.exp(-dt[k] / 700.0)
        np.testing.assert_allclose(F[k], c * [1, 2, 3] + 0.5, rtol=1e-10)


def test_calcium_is_inverted_frame_by_frame():
    rng = np.random.default_rng(1)
    V = jnp.asarray(rng.normal(size=(15, 4)))
    seeing = Calcium(tau_c=1500.0, gain=2.0, offset=0.3)
    F = seeing.observe(V, 600.0)
    memory, known = jnp.zeros(4), jnp.ones(4, bool)
    for k in range(15):
        np.testing.assert_allclose(seeing.invert(memory, F[k], 600.0), V[k], atol=1e-10)
        memory = seeing.set_known(memory, F[k], known)
        np.testing.assert_allclose(seeing.read(memory), F[k], atol=1e-12)


def test_calcium_knows_only_what_is_known():
    seeing = Calcium(gain=2.0, offset=1.0)
    memory = seeing.set_known(
        jnp.array([5.0, 6.0]), jnp.array([3.0, jnp.nan]), jnp.array([True, False])
    )
    np.testing.assert_array_equal(memory, [1.0, 6.0])


def test_calcium_is_differentiable():
    V = jnp.asarray(np.random.default_rng(2).normal(size=(10, 2)))
    loss = lambda tau, gain: jnp.sum(Calcium(tau_c=tau, gain=gain).observe(V, 300.0) ** 2)
    slopes = jax.grad(loss, (0, 1))(800.0, 1.5)
    for i, h in ((0, 1e-2), (1, 1e-5)):
        up, down = [800.0, 1.5], [800.0, 1.5]
        up[i] += h
        down[i] -= h
        np.testing.assert_allclose(slopes[i], (loss(*up) - loss(*down)) / (2 * h), rtol=1e-6)


def test_calcium_noise_has_the_stated_size_and_comes_from_the_key():
    seeing, V = Calcium(noise_sd=0.3), jnp.zeros((5000, 2))
    F = seeing.observe(V, 100.0, key=jax.random.key(0))
    assert abs(np.std(F) / 0.3 - 1) < 0.03 and abs(np.mean(F)) < 0.015
    assert abs(np.corrcoef(F[1:, 0], F[:-1, 0])[0, 1]) < 0.05
    np.testing.assert_array_equal(F, seeing.observe(V, 100.0, key=jax.random.key(0)))
    np.testing.assert_array_equal(seeing.observe(V, 100.0), 0.0)


def test_calcium_parameters_may_be_wrapped():
    V = jnp.ones((4, 1))
    plain, wrapped = Calcium(tau_c=500.0), Calcium(tau_c=nj.positive(500.0))
    np.testing.assert_allclose(plain.observe(V, 100.0), wrapped.observe(V, 100.0), rtol=1e-12)


@pytest.mark.parametrize(
    "bad", [{"tau_c": 0.0}, {"tau_c": -5.0}, {"gain": 0.0}, {"noise_sd": -1.0}]
)
def test_bad_calcium_parameters_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Calcium(**bad)


def test_identity_shows_the_state_itself():
    seeing, V = Identity(), jnp.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(seeing.observe(V, 600.0), V)
    memory = seeing.set_known(V[0], jnp.array([9.0, jnp.nan]), jnp.array([True, False]))
    np.testing.assert_array_equal(memory, [9.0, 1.0])
    np.testing.assert_array_equal(seeing.read(seeing.advance(memory, V[1], 600.0)), V[1])
    np.testing.assert_array_equal(seeing.invert(memory, V[2], 600.0), V[2])
