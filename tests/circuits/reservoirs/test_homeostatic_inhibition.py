"""Homeostatic inhibition: the rule step by step, its targets, and the cycle of two steps."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import neurojax as nj
from neurojax.circuits.reservoirs.driven_rates import driven_rates
from neurojax.circuits.reservoirs.ei_reservoir import EIReservoir
from neurojax.circuits.reservoirs.homeostatic_inhibition import adapt_inhibition
from neurojax.circuits.reservoirs.target_rates import beta_targets

N = 300


@pytest.fixture(scope="module")
def reservoir():
    return EIReservoir(N, key=jax.random.key(1))


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(3).uniform(-1.0, 1.0, size=(1000, 1))


def test_the_rule_is_that_of_a_plain_loop():
    """Two stages, a target per neuron, synapses that fall to zero; to rounding."""
    reservoir = EIReservoir(
        20, inputs=2, indegree=8.0, balance=1.2, leak=0.7, threshold=0.02, key=jax.random.key(4)
    )
    target = np.linspace(0.1, 0.9, 20)
    inputs = np.random.default_rng(0).normal(size=(60, 2))
    adapted, adaptation = adapt_inhibition(reservoir, inputs, target, rate=(0.02, 0.005), washout=9)

    model = nj.unwrap(reservoir)
    A_E, A_I, W_in = (np.asarray(x) for x in (model.excitation, model.inhibition, model.input))
    exists, r, course = A_I > 0, np.full(20, 0.5), []
    for delta in (0.02, 0.005):
        rates = []
        for u in inputs:
            total = A_E @ r[:16] - 1.2 * A_I @ r[16:] + W_in @ u - 0.02
            r = 0.3 * r + 0.7 / (1.0 + np.exp(-10.0 * total))
            A_I = np.where(exists, np.maximum(A_I + delta * (r - target)[:, None], 0.0), 0.0)
            rates.append(r)
        course.append(np.sqrt(np.mean((np.mean(rates, axis=0) - target) ** 2)))
    found = nj.unwrap(adapted).inhibition
    np.testing.assert_allclose(found, A_I, atol=1e-12)
    assert np.any(A_I[exists] == 0.0)
    np.testing.assert_allclose(adaptation.course, course, atol=1e-12)
    again = driven_rates(adapted, inputs, washout=9)
    np.testing.assert_allclose(adaptation.reached.mean, again.mean, atol=1e-12)
    assert float(adaptation.deviation) == pytest.approx(np.abs(again.mean - target).mean())


def test_targets_are_reached_on_inputs_that_were_not_seen(reservoir, inputs):
    """Within 0.01 in the mean, and only existing inhibition changes."""
    quantiles = stats.beta(2.0, 2.0).ppf((np.arange(N) + 0.5) / N)
    mixed = np.random.default_rng(7).permutation(np.clip(quantiles, 0.02, 0.98))
    fresh = np.random.default_rng(4).uniform(-1.0, 1.0, size=(1000, 1))
    before = nj.unwrap(reservoir)
    for target in (0.5, 0.3, mixed):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            adapted, adaptation = adapt_inhibition(reservoir, inputs, target)
        assert not bool(adaptation.reached.alternates)
        off = np.asarray(driven_rates(adapted, fresh).mean - adaptation.target)
        assert np.abs(off).mean() < 0.01 and abs(off.mean()) < 0.01
        after = nj.unwrap(adapted)
        assert (np.asarray(after.inhibition) >= 0).all()
        assert (np.asarray(after.inhibition)[np.asarray(before.inhibition) == 0] == 0).all()
        np.testing.assert_array_equal(after.excitation, before.excitation)


def test_the_cycle_of_two_steps_is_found(reservoir, inputs):
    """Target 0.1 ends in a cycle with mean rate 0.25; a leak or a threshold prevents it.

    By the slope of the map of the mean: -1.98; with a leak of 0.5 it is -0.49, and with a threshold
    of 0.15 at gain 10 it is -0.63.
    """
    with pytest.warns(UserWarning, match="alternates between two states at every step"):
        _, adaptation = adapt_inhibition(reservoir, inputs, 0.1)
    assert bool(adaptation.reached.alternates)
    assert float(adaptation.reached.lag_one) < -0.95
    assert float(adaptation.reached.mean.mean()) == pytest.approx(0.25, abs=0.02)
    leaky = eqx.tree_at(lambda r: r.leak, reservoir, nj.frozen(0.5))
    higher = eqx.tree_at(lambda r: r.threshold, reservoir, jnp.asarray(0.15))
    for calm in (leaky, higher):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _, adaptation = adapt_inhibition(calm, inputs, 0.1)
        assert not bool(adaptation.reached.alternates)
        assert float(adaptation.reached.mean.mean()) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(("target", "alternates"), [(0.19, True), (0.25, False)])
def test_the_cycle_begins_where_the_slope_of_the_mean_says(reservoir, target, alternates):
    """Without an input the critical target is 0.218, at which (1 - rho) logit(rho) = -1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, adaptation = adapt_inhibition(reservoir, np.zeros((1000, 1)), target)
    assert bool(adaptation.reached.alternates) is alternates


def test_vmap_over_targets_equals_a_loop_and_does_not_warn(reservoir, inputs):
    targets = jnp.array([0.1, 0.5])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adapted, adaptation = eqx.filter_vmap(lambda rho: adapt_inhibition(reservoir, inputs, rho))(
            targets
        )
    assert adaptation.reached.alternates.tolist() == [True, False]
    alone, _ = adapt_inhibition(reservoir, inputs, 0.5)
    np.testing.assert_allclose(
        nj.unwrap(adapted).inhibition[1], nj.unwrap(alone).inhibition, atol=1e-9
    )


def test_it_has_derivatives_where_the_reservoir_is_unwrapped():
    reservoir = nj.unwrap(EIReservoir(20, indegree=8.0, key=jax.random.key(4)))
    inputs = np.random.default_rng(0).uniform(-1.0, 1.0, size=(30, 1))

    def mean(target):
        adapted, _ = adapt_inhibition(reservoir, inputs, target, rate=0.01, washout=5)
        rates = driven_rates(adapted, inputs, washout=5).mean
        return jnp.sum(jnp.cos(jnp.arange(20.0)) * rates)

    at = jnp.asarray(0.45)
    numeric = float(mean(at + 1e-6) - mean(at - 1e-6)) / 2e-6
    assert numeric != 0
    assert float(jax.grad(mean)(at)) == pytest.approx(numeric, rel=1e-5)


def test_refused_arguments():
    reservoir = EIReservoir(20, indegree=8.0)
    inputs = np.zeros((30, 1))
    for target, message in (
        (0.0, "between 0 and 1, both excluded"),
        (np.full(20, 1.2), "between 0 and 1"),
        (np.full(3, 0.5), r"one per neuron \(shape \(20,\)\)"),
    ):
        with pytest.raises(ValueError, match=message):
            adapt_inhibition(reservoir, inputs, target, washout=5)
    for rate in (0.0, (0.1, -0.1), (), np.ones((2, 2))):
        with pytest.raises(ValueError, match="positive learning rate"):
            adapt_inhibition(reservoir, inputs, 0.5, rate=rate, washout=5)
    with pytest.raises(ValueError, match="washout"):
        adapt_inhibition(reservoir, inputs, 0.5)
    with pytest.raises(ValueError, match="inputs must have shape"):
        adapt_inhibition(reservoir, np.zeros(30), 0.5, washout=5)


def test_different_targets_have_the_law_of_beta():
    drawn = np.asarray(beta_targets(jax.random.key(0), 4000, 2.0, 5.0, low=1e-6, high=1 - 1e-6))
    assert stats.kstest(drawn, stats.beta(2.0, 5.0).cdf).pvalue > 1e-3
    cut = np.asarray(beta_targets(jax.random.key(0), 4000, low=0.3, high=0.6))
    assert cut.min() == 0.3 and cut.max() == 0.6
    with pytest.raises(ValueError, match="0 < low < high < 1"):
        beta_targets(jax.random.key(0), 3, low=0.5, high=0.4)
    with pytest.raises(ValueError, match="positive a and b"):
        beta_targets(jax.random.key(0), 3, a=-1.0)
    with pytest.raises(TypeError, match="key must be one key"):
        beta_targets(0, 3)


def test_rates_that_are_too_high_are_named():
    u = jax.random.uniform(jax.random.key(1), (300, 1), minval=-1.0)
    with pytest.warns(UserWarning, match="learning rates below rate=10, or"):
        adapt_inhibition(EIReservoir(50, indegree=20.0), u, rate=10.0)


def test_targets_that_are_missed_are_reported():
    # excitatory neurons shall be silent and inhibitory ones active: nothing drives the latter
    u = jax.random.uniform(jax.random.key(1), (300, 1), minval=-1.0)
    target = jnp.linspace(0.15, 0.85, 60)
    with pytest.warns(UserWarning, match="away from their targets"):
        _, adaptation = adapt_inhibition(EIReservoir(60, inputs=1, indegree=20.0), u, target)
    assert adaptation.deviation > 0.1
