"""The reservoir of excitatory and inhibitory rates: its map, its weights, and the contract."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.circuits.reservoirs.driven_rates import driven_rates, lag_one_autocorrelation
from neurojax.circuits.reservoirs.ei_reservoir import EIReservoir

LOGISTIC = lambda x: 1.0 / (1.0 + np.exp(-x))


def small(**options):
    given = {"inputs": 2, "outputs": 1, "indegree": 8.0, "key": jax.random.key(4)}
    return EIReservoir(20, **(given | options))


def by_hand(model, inputs, currents=0.0):
    """The equation of the class in numpy, with all weights in one matrix; (time, n)."""
    A_E, A_I = np.zeros((20, 20)), np.zeros((20, 20))
    A_E[:, : model.n_exc], A_I[:, model.n_exc :] = model.excitation, model.inhibition
    W_out, F = np.asarray(model.output), np.zeros((20, 1))
    F = F if model.feedback is None else np.asarray(model.feedback)
    W_in, a, r = np.asarray(model.input), np.asarray(model.leak), np.asarray(model.initial)
    rates = []
    for u in np.asarray(inputs):
        total = (A_E - float(model.balance) * A_I) @ r + F @ (W_out @ r) + W_in @ u
        total -= np.asarray(model.threshold)
        r = (1 - a) * r + a * LOGISTIC(np.asarray(model.gain) * (total + currents))
        rates.append(r)
    return np.array(rates)


def test_the_map_is_that_of_the_paper():
    gain = np.linspace(2.0, 10.0, 20)
    reservoir = small(
        balance=1.3, gain=gain, threshold=0.1, leak=0.3, initial=0.2, input_share=1.0, feedback=True
    )
    inputs = jax.random.normal(jax.random.key(1), (30, 2))
    values = nj.inputs.Sampled(inputs, dt=1.0)
    currents = jnp.linspace(-0.1, 0.1, 20)
    run = nj.simulate(
        reservoir, duration=30.0, dt=1.0, inputs={"u": values, "I_e": currents},
        record={"r": "rate", "z": "output"},
    )  # fmt: skip
    model = nj.unwrap(reservoir)
    expected = by_hand(model, inputs, np.asarray(currents))
    np.testing.assert_allclose(run["r"], expected, atol=1e-12)
    np.testing.assert_allclose(run["z"], expected @ np.asarray(model.output).T, atol=1e-12)
    unrolled = nj.fitting.unroll(reservoir, nj.tasks.Trials(inputs, jnp.zeros((30, 1)), dt=1.0))
    np.testing.assert_allclose(unrolled.rates, by_hand(model, inputs), atol=1e-12)


def test_weights_have_dales_law_and_the_moments_of_the_paper():
    """Signs, in-degree, means and deviations; bounds are five standard errors."""
    reservoir = nj.unwrap(EIReservoir(500, key=jax.random.key(2)))
    W = np.asarray(reservoir.weights)
    assert W.shape == (500, 500) and reservoir.n_exc == 400
    assert (W[:, :400] >= 0).all() and (W[:, 400:] <= 0).all()
    indegree = (W != 0).sum(axis=1)
    assert abs(indegree.mean() - 50) < 5 * np.sqrt(50 * 0.9 / 500)
    exciting, inhibiting = W[:, :400][W[:, :400] > 0], -W[:, 400:][W[:, 400:] < 0]
    # 1 / (50 * 0.8) and 1 / (50 * 0.2), with one standard deviation for both
    for found, mean in ((exciting, 0.025), (inhibiting, 0.1)):
        assert abs(found.mean() - mean) < 5 * 0.005 / np.sqrt(found.size)
        assert abs(found.std() / 0.005 - 1) < 5 / np.sqrt(2 * found.size)
    sums = W.sum(axis=1)
    assert abs(sums.mean()) < 5 * sums.std() / np.sqrt(500)
    heavier = eqx.tree_at(lambda r: r.balance, reservoir, jnp.asarray(1.5))
    ratio = -heavier.weights[:, 400:].sum() / heavier.weights[:, :400].sum()
    assert abs(float(ratio) / 1.5 - 1) < 5 * np.sqrt(1 / 5000 + 1 / 20000)  # numbers of synapses
    W_in = np.asarray(reservoir.input)
    assert abs((W_in != 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 500)
    assert np.abs(W_in).max() <= 0.25 and np.abs(W_in).max() > 0.23
    both = np.asarray(nj.unwrap(small(input_share=0.5)).input)
    assert ((both != 0).sum(axis=1) % 2 == 0).all()  # all channels or none


def test_it_has_gradients_and_can_be_vmapped():
    inputs = jax.random.normal(jax.random.key(1), (15, 2))
    reservoir = nj.unwrap(small(threshold=0.05))

    @jax.jit
    def score(beta, scale):
        changed = eqx.tree_at(
            lambda r: (r.balance, r.inhibition), reservoir, (beta, reservoir.inhibition * scale)
        )
        rates = driven_rates(changed, inputs, washout=3)
        return jnp.sum(jnp.sin(jnp.arange(20.0) * rates.mean))

    at = jnp.asarray(1.1), jnp.asarray(0.9)
    for i, slope in enumerate(jax.grad(score, argnums=(0, 1))(*at)):
        step = [1e-6 * (i == k) for k in range(2)]
        high = score(*(x + h for x, h in zip(at, step, strict=True)))
        low = score(*(x - h for x, h in zip(at, step, strict=True)))
        assert float(slope) == pytest.approx(float(high - low) / 2e-6, rel=1e-6)

    def mean(key, beta):
        return driven_rates(small(key=key, balance=beta), inputs, washout=3).mean

    keys, betas = jax.random.split(jax.random.key(0), 2), jnp.array([0.7, 1.6])
    together = eqx.filter_jit(eqx.filter_vmap(mean))(keys, betas)
    for i in range(2):
        np.testing.assert_allclose(together[i], mean(keys[i], betas[i]), rtol=1e-12)


def test_rates_along_a_series():
    reservoir = small()
    inputs = np.random.default_rng(0).normal(size=(40, 2))
    found = driven_rates(reservoir, inputs, washout=10)
    rates = by_hand(nj.unwrap(reservoir), inputs)[10:]
    np.testing.assert_allclose(found.mean, rates.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.population, rates.mean(axis=1), atol=1e-12)
    x = rates.mean(axis=1) - rates.mean()
    assert float(found.lag_one) == pytest.approx((x[1:] @ x[:-1]) / (x @ x), rel=1e-9)
    assert float(lag_one_autocorrelation(jnp.full(9, 0.3))) == 0.0
    assert float(lag_one_autocorrelation(jnp.array([1.0, -1.0, 1.0, -1.0]))) == -0.75  # -3 / 4


def test_given_weights_are_used():
    A_E, A_I = jnp.eye(4)[:, :3], jnp.full((4, 1), 0.5)
    reservoir = EIReservoir(
        4, inputs=0, excitatory=0.75, excitation=A_E, inhibition=A_I, balance=2.0
    )
    expected = np.concatenate([np.eye(4)[:, :3], np.full((4, 1), -1.0)], axis=1)
    np.testing.assert_array_equal(reservoir.weights, expected)
    assert reservoir.input is None and reservoir.output is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"excitatory": 0.99}, "both kinds"),
        ({"excitatory": 1.2}, "between 0 and 1"),
        ({"indegree": 30.0}, "indegree must lie between 0 and n=20"),
        ({"input_share": -0.1}, "input_share"),
        ({"leak": 0.0}, r"leak .* lie in \(0, 1\]"),
        ({"gain": -1.0}, "gain .* be positive"),
        ({"balance": -1.0}, "balance .* not be negative"),
        ({"balance": np.ones(3)}, r"balance .* one number, .* got shape \(3,\)"),
        ({"initial": 1.5}, "initial .* between 0 and 1"),
        ({"threshold": np.zeros(3)}, r"threshold must be a scalar or have shape \(20,\)"),
        ({"inhibition": np.zeros((20, 3))}, r"inhibition must have shape \(20, 4\)"),
        ({"excitation": -np.ones((20, 16))}, "excitation .* not be negative"),
        ({"inputs": 2, "input_scaling": [1, 2, 3]}, r"input_scaling .* shape \(2,\), one per"),
        ({"inputs": 0, "input": np.ones((20, 1))}, "input weights need a circuit with inputs"),
    ],
)
def test_refused_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_a_scaling_for_each_input():
    one, both = (small(inputs=2, input_scaling=s).input for s in (1.0, [3, 5]))
    np.testing.assert_allclose(nj.unwrap(both), nj.unwrap(one) * np.array([[3.0, 5.0]]), rtol=1e-12)


def test_refused_series():
    with pytest.raises(ValueError, match=r"\(time, inputs\) with 2 inputs, got \(9, 1\)"):
        driven_rates(small(), np.zeros((9, 1)), washout=2)
    with pytest.raises(ValueError, match="washout must leave at least two of the 9 steps, got 8"):
        driven_rates(small(), np.zeros((9, 2)), washout=8)
