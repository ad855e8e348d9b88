"""Eligibility and a modulator."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from trains import network, random_trains

import neurojax as nj
from neurojax.core import Parameter, parameter

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


LISTS = ("tf sc", "sc tf", "pair tf", "tf pair")
TAUS = {"tau_plus": 12.0, "tau_minus": 18.0}


def rules_in(names, where, A_plus):
    free = {"w_min": -jnp.inf, "w_max": jnp.inf, "delay": where}
    made = {
        "tf": P.ThreeFactorSTDP(A_plus=A_plus, A_minus=0.06, tau_e=9.0, **TAUS, **free),
        "sc": P.SynapticScaling(
            rho0=20.0, tau_w=200.0, tau_r=80.0, every=0.7, r_start=30.0, **free
        ),
        "pair": P.PairSTDP(
            A_plus=0.15, A_minus=0.2, dependence="multiplicative", w_min=-9.0, w_max=9.0,
            delay=where, **TAUS,
        ),
    }  # fmt: skip
    return [made[name] for name in names.split()]


def at_every_step(names, where, A_plus, w, arrived, signal):
    """The weights of all synapses, moved in every step; `arrived` by side, [step, synapse]."""
    h, tau_e, x, y, e = 0.1, 9.0, 0.0, 0.0, 0.0
    r, names = 30.0, names.split()
    order = ("pre", "post") if where == "axonal" else ("post", "pre")
    found = []
    for k, M in enumerate(signal):
        x, y, r = x * np.exp(-h / 12.0), y * np.exp(-h / 18.0), r * np.exp(-h / 80.0)
        if "tf" in names:
            w = w + M * e * tau_e * -np.expm1(-h / tau_e)
            e = e * np.exp(-h / tau_e)
        for side in order:
            for name in names:
                if name == "pair":
                    change = -0.2 * y * (w + 9) / 18 if side == "pre" else 0.15 * x * (9 - w) / 18
                    w = w + arrived[side][k] * change
                elif name == "tf":
                    e = e + arrived[side][k] * (-0.06 * y if side == "pre" else A_plus * x)
        x, y = x + arrived["pre"][k], y + arrived["post"][k]
        r = r + arrived["post"][k] * 1e3 / 80.0
        if "sc" in names and (k + 1) % 7 == 0:
            w = w * (1 + 0.7 / 200.0 * (1 - r / 20.0))
        found.append(w)
    return np.array(found)


@pytest.mark.parametrize("where", ["axonal", "dendritic"])
def test_other_rules_of_a_list_see_the_weights_of_now(where):
    steps, A_plus, rng = 400, 0.5, np.random.default_rng(4)
    pre, post = random_trains(4, 38.0, 80.0, seed=5), random_trains(3, 38.0, 80.0, seed=6)
    edges = nj.connectivity.from_matrix(rng.random((4, 3)) < 0.8).build(4, 3, rng)
    start, delays = rng.uniform(0.5, 1.5, len(edges)), rng.choice([1, 4, 19], len(edges))
    signal = rng.normal(0.0, 0.2, steps)
    inputs = {n: {"modulator": nj.inputs.Sampled(signal, 0.1)} for n in LISTS}
    record = {n: nj.Trace(f"projections.{n}.weights") for n in LISTS}

    def run(A):
        rules = {n: rules_in(n, where, A) for n in LISTS}
        net = network(pre, post, rules, start, 0.1 * delays, edges)
        sim = nj.simulate(net, duration=steps * 0.1, dt=0.1, inputs=inputs, record=record)
        return {n: sim[n] for n in LISTS}

    def raster(trains, which, shift):
        label = np.arange(1, steps + 1)[:, None] - shift
        spikes = [np.rint(np.asarray(trains[i]) / 0.1) for i in which]
        return np.stack([np.isin(label[:, s], own) for s, own in enumerate(spikes)], 1)

    arrived = {
        "pre": raster(pre, edges.pre, delays * (where == "axonal")),
        "post": raster(post, edges.post, delays * (where == "dendritic")),
    }
    found, slope = jax.jvp(run, (A_plus,), (1.0,))
    for name in LISTS:
        expected = [
            at_every_step(name, where, A, start, arrived, signal)
            for A in (A_plus, A_plus + 1e-4, A_plus - 1e-4)
        ]
        np.testing.assert_allclose(found[name], expected[0], rtol=1e-9, err_msg=name)
        numeric = (expected[1] - expected[2])[-1] / 2e-4
        np.testing.assert_allclose(slope[name][-1], numeric, rtol=1e-6, atol=1e-9, err_msg=name)


@final
class Decline(P.AbstractRule):
    """A tenth of the weights is lost in each step that the membrane is high."""

    w_min: Parameter = parameter(0.0)
    w_max: Parameter = parameter(jnp.inf)
    delay: str = eqx.field(static=True, default="axonal")

    def init_post(self):
        return {"u": 0.0}

    def sense(self, post, V_m, fired, h):
        return {"u": V_m}

    def active(self, post):
        return post["u"] > -57.0

    def while_active(self, synapse, pre, post, shared):
        return synapse | {"w": 0.9 * synapse["w"]}


def test_rules_of_the_membrane_see_the_weights_of_now():
    cell = nj.neurons.LIF(receptors={"in": nj.synapses.ExpCurrent(tau=2.0)})
    rules = [P.ThreeFactorSTDP(A_plus=1.0, A_minus=0.0, tau_e=50.0), Decline()]
    one = nj.connectivity.one_to_one()
    synapse = nj.Projection("pre", "post", "in", one, weight=1.0, plasticity=rules, name="s")
    net = nj.Network({"pre": nj.neurons.SpikeTimes([[20.0]]), "post": cell}, [synapse])
    inputs = {"s": {"modulator": 0.1}, "post": {"I_e": 700.0}}
    record = {
        "w": nj.Trace("projections.s.weights"), "s": nj.Spikes("post"), "V": nj.Trace("post.V_m"),
    }  # fmt: skip
    sim = nj.simulate(net, duration=90.0, dt=0.1, inputs=inputs, record=record)
    fired = np.isin(np.arange(1, 901), np.rint(sim["s"].times / 0.1))
    # recorders see the membrane after the reset
    high = (np.asarray(sim["V"][:, 0]) > -57.0) | fired
    assert fired.sum() > 4 and (high & ~fired).sum() > 20
    w, e, x, expected = 1.0, 0.0, 0.0, []
    for k, spike in enumerate(fired):
        x *= np.exp(-0.1 / 20.0)
        w, e = w + 0.1 * e * 50.0 * -np.expm1(-0.1 / 50.0), e * np.exp(-0.1 / 50.0)
        e, w = e + spike * x, w * (0.9 if high[k] else 1.0)
        x += k + 1 == 201
        expected.append(w)
    np.testing.assert_allclose(sim["w"][:, 0], expected, rtol=1e-9)


def test_the_modulator_is_asked_for():
    net = network([[5.0]], [[6.0]], {"s": P.ThreeFactorSTDP()})
    with pytest.raises(nj.UnknownNameError, match="needs the input 'modulator' of its projection"):
        nj.simulate(net, duration=10.0, dt=0.1)
    with pytest.raises(nj.UnknownNameError, match=r"never reads the input 's.modulater'|modulator"):
        nj.simulate(net, duration=10.0, dt=0.1, inputs={"s": {"modulater": 1.0}})
