"""Intrinsic plasticity against a loop, the slope of its loss and the distribution it aims at."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import neurojax as nj
from neurojax.circuits.reservoirs.intrinsic_plasticity import (
    ExponentialRates,
    GaussianRates,
    adapt_intrinsic,
)

EchoState = nj.circuits.EchoState


def driven(reservoir, u, state=None):
    trials = nj.tasks.Trials(u, np.zeros((len(u), 0)), dt=1.0, initial=state)
    return np.asarray(nj.fitting.unroll(reservoir, trials).rates)


def test_the_rules_descend_the_divergence():
    # - log p(y) - log |dy/dx| of a sample, differentiated by the machine
    def gaussian(c, g, x):
        y = jnp.tanh(g * x + c)
        return -log_normal(y, 0.1, 0.3) - jnp.log(g * (1 - y**2))

    def exponential(c, g, x):
        y = jax.nn.sigmoid(g * x + c)
        return y / 0.3 - jnp.log(g * y * (1 - y))

    log_normal = lambda y, m, s: -((y - m) ** 2) / (2 * s**2)
    for loss, target, phi in (
        (gaussian, GaussianRates(0.1, 0.3), np.tanh),
        (exponential, ExponentialRates(0.3), lambda x: 1 / (1 + np.exp(-x))),
    ):
        for c, g, x in ((0.3, 0.8, -0.4), (-0.5, 1.5, 0.7)):
            by_c, by_g = jax.grad(loss, (0, 1))(c, g, x)
            change = target.pull(phi(g * x + c))
            assert change == pytest.approx(-float(by_c), rel=1e-12)
            assert 1 / g + change * x == pytest.approx(-float(by_g), rel=1e-12)


@pytest.mark.parametrize("form", ["internal", "external"])
def test_it_is_the_loop_of_the_published_rule_and_the_same_reservoir(form):
    rng = np.random.default_rng(0)
    n, leak, eta, mu, sigma = 8, rng.uniform(0.3, 1.0, 8), 5e-3, 0.1, 0.3
    reservoir = EchoState(
        n, inputs=2, radius=0.8, density=0.5, input_scaling=np.array([0.5, 2.0]),
        bias_scaling=0.3, leak=leak, form=form,
    )  # fmt: skip
    u = rng.normal(size=(60, 2))
    adapted, found = adapt_intrinsic(
        reservoir, u, target=GaussianRates(mu, sigma), rate=[eta, eta / 2]
    )
    plain = nj.unwrap(reservoir)
    W = 0.8 / float(plain.unit) * np.asarray(plain.recurrent)
    B, bias = np.asarray(plain.input) * np.array([0.5, 2.0]), 0.3 * np.asarray(plain.bias)
    a, b, state = np.ones(n), np.zeros(n), np.zeros(n)

    def step(row, state, y):
        # units receive what was put out, before gain and shift moved
        x = W @ (state if form == "internal" else y) + B @ row + bias
        if form == "external":
            x = (1 - leak) * state + leak * x
        y = np.tanh(a * x + b)
        return x, y, (1 - leak) * state + leak * y if form == "internal" else x

    means, y = [], np.zeros(n)
    for rate in (eta, eta / 2):
        ys = []
        for row in u:
            x, y, state = step(row, state, y)
            ys.append(y)
            s2 = sigma**2
            db = -rate * (-mu / s2 + y / s2 * (2 * s2 + 1 - y**2 + mu * y))
            a, b = a + rate / a + db * x, b + db
        means.append(np.mean(ys, axis=0))
    np.testing.assert_allclose(found.gain, a, rtol=1e-9)
    np.testing.assert_allclose(found.shift, b, rtol=1e-9)
    np.testing.assert_allclose(found.mean, means, rtol=1e-9)
    # learning stopped, the adapted loop and the reservoir that was returned are the same
    expected, y = [], np.tanh(a * state + b)
    for row in u[:20]:
        _, y, state = step(row, state, y)
        expected.append(state if form == "internal" else y)
    np.testing.assert_allclose(driven(adapted, u[:20], *found.state.values()), expected, rtol=1e-9)
    assert isinstance(adapted, EchoState) and nj.unwrap(adapted).radius.shape == (n,)


def test_rates_become_gaussian():
    reservoir = EchoState(40, inputs=1, radius=0.9, input_scaling=2.0, bias_scaling=1.0)
    u = np.random.default_rng(1).normal(size=(1500, 1))
    adapted, found = adapt_intrinsic(reservoir, u, rate=[1e-3, 1e-3, 3e-4, 1e-4])
    before, after = driven(reservoir, u)[100:], driven(adapted, u)[100:]
    assert before.std(axis=0).mean() > 0.5
    np.testing.assert_allclose(after.std(axis=0), 0.2, atol=0.03)
    np.testing.assert_allclose(after.mean(axis=0), 0.0, atol=0.03)
    test = lambda rates: np.mean(
        [scipy.stats.kstest(r, scipy.stats.norm(0.0, 0.2).cdf).statistic for r in rates.T]
    )
    assert test(after) < 0.06 < 0.25 < test(before)
    np.testing.assert_allclose(found.sd[-1], 0.2, atol=0.03)


def test_rates_become_exponential():
    reservoir = EchoState(40, inputs=1, input_scaling=4.0, nonlinearity="sigmoid")
    u = np.random.default_rng(1).normal(size=(1500, 1))
    adapted, _ = adapt_intrinsic(
        reservoir, u, target=ExponentialRates(0.2), rate=[5e-3, 2e-3, 1e-3]
    )
    test = lambda rates: np.mean(
        [scipy.stats.kstest(r, scipy.stats.expon(scale=0.2).cdf).statistic for r in rates.T]
    )
    before, after = driven(reservoir, u)[100:], driven(adapted, u)[100:]
    np.testing.assert_allclose(after.mean(axis=0), 0.2, atol=0.03)
    assert test(after) < 0.12 < 0.3 < test(before)


def test_reservoirs_as_they_are_and_noise():
    W = 0.2 * np.random.default_rng(2).normal(size=(10, 10))
    noisy = EchoState(10, inputs=1, recurrent=W, radius=None, noise=nj.positive(0.1))
    u = np.random.default_rng(1).normal(size=(50, 1))
    adapted, found = adapt_intrinsic(noisy, u, key=jax.random.key(0))
    plain = nj.unwrap(adapted)
    np.testing.assert_allclose(plain.radius, found.gain)
    np.testing.assert_allclose(plain.noise, 0.1 * found.gain)
    np.testing.assert_array_equal(plain.recurrent, W)
    again, _ = adapt_intrinsic(noisy, u, key=jax.random.key(0))
    assert eqx.tree_equal(again, adapted)


def test_a_rate_that_is_too_high_is_reported():
    u, reservoir = np.random.default_rng(0).normal(size=(50, 1)), EchoState(20, inputs=1)
    with pytest.warns(UserWarning, match=r"of 20 gains are not positive: the rate 10 is too high"):
        _, found = adapt_intrinsic(reservoir, u, rate=10.0)
    assert not np.all(found.gain > 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adapt_intrinsic(reservoir, u)
        jax.jit(lambda u: adapt_intrinsic(reservoir, u, rate=10.0)[1].gain)(u)


def test_bad_input_is_refused_at_the_door():
    u = np.ones((20, 1))
    tanh = EchoState(5, inputs=1)
    with pytest.raises(ValueError, match="nonlinearity='sigmoid', those of the reservoir have"):
        adapt_intrinsic(tanh, u, target=ExponentialRates())
    with pytest.raises(ValueError, match="sd of GaussianRates must be positive"):
        GaussianRates(sd=0.0)
    with pytest.raises(ValueError, match=r"mean of GaussianRates must lie in \(-1, 1\)"):
        GaussianRates(mean=5.0)
    with pytest.raises(ValueError, match=r"mean of ExponentialRates must lie in \(0, 1\)"):
        ExponentialRates(mean=2.0)
    with pytest.raises(ValueError, match="mean of GaussianRates must be a scalar"):
        adapt_intrinsic(tanh, u, target=GaussianRates(mean=np.zeros(3)))
    with pytest.raises(ValueError, match="feedback=None"):
        adapt_intrinsic(EchoState(5, inputs=1, outputs=1, feedback=True), u)
    with pytest.raises(ValueError, match="rate must be one positive"):
        adapt_intrinsic(tanh, u, rate=-1.0)
    with pytest.raises(ValueError, match="inputs must be finite"):
        adapt_intrinsic(tanh, np.nan * u)
