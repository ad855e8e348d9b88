"""Eligibility and a modulator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from trains import network, random_trains

import neurojax as nj

P = nj.plasticity


def run(net, duration, modulator, **options):
    inputs = {"s": {"modulator": modulator}}
    return nj.simulate(net, duration=duration, dt=0.1, inputs=inputs, **options)


@pytest.mark.parametrize("where", ["axonal", "dendritic"])
def test_one_pair_and_a_reward(where):
    # eligibility 0.2 exp(-8 / 20) at t = 58 (or 60) ms; a reward between 100 and 230 ms, while
    # all weights are settled every 40 ms
    rule = P.ThreeFactorSTDP(A_plus=0.2, A_minus=0.3, tau_e=40.0, delay=where)
    net = network([[50.0]], [[60.0]], {"s": rule}, 1.0, 2.0)
    lag = 8.0 if where == "axonal" else 12.0
    pair = 60.0 if where == "axonal" else 62.0
    sim = run(
        net, 300.0, nj.inputs.Step(0.05, start=100.0, stop=230.0),
        record={"w": nj.Trace("projections.s.weights")},
    )  # fmt: skip
    t = 0.1 * np.arange(1, 3001)
    inside = np.clip(t, 100.0, 230.0)
    gained = np.exp(-(100.0 - pair) / 40.0) - np.exp(-(inside - pair) / 40.0)
    expected = 1.0 + 0.2 * np.exp(-lag / 20.0) * 0.05 * 40.0 * gained
    np.testing.assert_allclose(sim["w"][:, 0], expected, rtol=1e-9)
    np.testing.assert_allclose(net.weights(sim.final_state, "s")[0], expected[-1], rtol=1e-12)


def test_random_trains_against_all_synapses_at_every_step():
    n, steps, tau_e = 4, 2000, 30.0
    pre, post = random_trains(n, 195.0, 40.0, seed=1), random_trains(n, 195.0, 40.0, seed=2)
    signal = np.random.default_rng(3).normal(0.0, 0.1, steps)
    rule = P.ThreeFactorSTDP(A_plus=0.1, A_minus=0.11, tau_e=tau_e, w_min=-jnp.inf)
    net = network(pre, post, {"s": rule}, 1.0, 0.3, nj.connectivity.all_to_all())
    signals = jnp.asarray(np.stack([signal, -signal]))
    modulated = lambda m: net.weights(run(net, 200.0, nj.inputs.Sampled(m, 0.1)).final_state, "s")
    found = jax.vmap(modulated)(signals)

    raster = lambda trains, shift: np.array(
        [np.isin(np.arange(steps + 1), np.rint(np.asarray(t) / 0.1) + shift) for t in trains]
    )
    arrived, fired = raster(pre, 3), raster(post, 0)
    w, e, x, y = np.ones((n, n)), np.zeros((n, n)), np.zeros(n), np.zeros(n)
    for k in range(1, steps + 1):
        w = w + signal[k - 1] * e * tau_e * -np.expm1(-0.1 / tau_e)
        e, x, y = e * np.exp(-0.1 / tau_e), x * np.exp(-0.1 / 20.0), y * np.exp(-0.1 / 20.0)
        e = e - 0.11 * arrived[:, k][:, None] * y[None] + 0.1 * fired[:, k][None] * x[:, None]
        x, y = x + arrived[:, k], y + fired[:, k]
    np.testing.assert_allclose(found[0], w.ravel(), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(found[1], 2.0 - w.ravel(), rtol=1e-9, atol=1e-10)


def test_the_modulator_is_asked_for():
    net = network([[5.0]], [[6.0]], {"s": P.ThreeFactorSTDP()})
    with pytest.raises(nj.UnknownNameError, match="needs the input 'modulator' of its projection"):
        nj.simulate(net, duration=10.0, dt=0.1)
    with pytest.raises(nj.UnknownNameError, match=r"never reads the input 's.modulater'|modulator"):
        nj.simulate(net, duration=10.0, dt=0.1, inputs={"s": {"modulater": 1.0}})
