"""Plastic synapses with a delay of their own each, and with release."""

import event_by_event as by_hand
import jax
import jax.numpy as jnp
import numpy as np
from trains import network, random_trains

import neurojax as nj

P = nj.plasticity
N_PRE, N_POST, DURATION = 7, 5, 150.0
PAIR = {"A_plus": 0.06, "A_minus": 0.05, "tau_plus": 15.0, "tau_minus": 25.0}
TRIPLET = {"A2_plus": 0.02, "A3_plus": 0.05, "A2_minus": 0.04, "A3_minus": 0.03}
TAUS = {"tau_plus": 15.0, "tau_minus": 25.0, "tau_x": 60.0, "tau_y": 80.0}


def lif(n, ports, **options):
    return nj.neurons.LIF(
        C_m=250.0, g_L=12.5, E_L=0.0, V_th=15.0, V_reset=0.0, t_ref=2.0, n=n,
        receptors={port: nj.synapses.ExpCurrent(tau=5.0) for port in ports}, **options,
    )  # fmt: skip


def test_each_synapse_has_its_own_delay():
    pre = random_trains(N_PRE, DURATION - 10, 40.0, seed=1)
    post = random_trains(N_POST, DURATION - 10, 50.0, seed=2)
    rng = np.random.default_rng(3)
    matrix = np.where(rng.random((N_PRE, N_POST)) < 0.7, rng.uniform(0.2, 2.8, (N_PRE, N_POST)), 0)
    edges = nj.connectivity.from_matrix(matrix).build(N_PRE, N_POST, rng)
    delays = 0.1 * rng.choice([1, 2, 3, 17, 40], len(edges))
    hand = {
        "all": by_hand.pair("all", **PAIR),
        "presynaptic_centred": by_hand.pair("presynaptic_centred", **PAIR),
        "triplet": by_hand.triplet("all", *TRIPLET.values(), **TAUS),
    }
    rules = {
        (name, where): P.TripletSTDP(delay=where, **TRIPLET, **TAUS)
        if name == "triplet"
        else P.PairSTDP(interaction=name, delay=where, **PAIR)
        for name in hand
        for where in ("axonal", "dendritic")
    }
    named = {" ".join(key): rule for key, rule in rules.items()}
    net = network(pre, post, named, None, delays, edges)
    half = nj.simulate(net, duration=DURATION / 2, dt=0.1)
    end = nj.simulate(net, duration=DURATION / 2, dt=0.1, state=half.final_state).final_state
    ends = zip(edges.pre, edges.post, matrix[matrix != 0], delays, strict=True)
    ends = list(ends)
    for name, where in rules:
        expected = [by_hand.weight(hand[name], pre[i], post[j], w, d, where) for i, j, w, d in ends]
        found = net.weights(end, f"{name} {where}")
        assert np.min(np.abs(expected - matrix[matrix != 0])) > 1e-4
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10, err_msg=name + where)


def test_a_released_spike_arrives_with_its_amplitude_and_the_weight_of_then():
    # a spike releases U of what is there, which recovers with tau_rec
    release = nj.synapses.TsodyksMarkram(U=0.5, tau_rec=40.0, tau_facil=0.0)
    rules = {d: P.PairSTDP(A_plus=0.0, A_minus=0.5, delay=d) for d in ("axonal", "dendritic")}
    edges = nj.connectivity.from_edges([0, 0], [0, 1])
    net = nj.Network(
        {"pre": nj.neurons.SpikeTimes([[10.0, 20.0]]), "post": lif(2, rules)},
        [
            nj.Projection(
                "pre", "post", d, edges, weight=np.array([1.0, 2.0]), delay=np.array([0.3, 1.5]),
                plasticity=rule, release=release,
            )
            for d, rule in rules.items()
        ],
    )  # fmt: skip
    inputs = {"post": {"I_e": nj.inputs.Step(1e5, start=7.9, stop=8.0)}}
    record = {d: nj.Trace(f"post.{d}.I") for d in rules}
    sim = nj.simulate(net, duration=25.0, dt=0.1, inputs=inputs, record=record)
    for where in rules:
        for neuron, (w, delay) in enumerate([(1.0, 0.3), (2.0, 1.5)]):
            # the time from the postsynaptic spike at 8 ms to the presynaptic one, at the synapse
            lag = 2.0 + delay if where == "axonal" else 2.0 - delay
            first = w - 0.5 * np.exp(-lag / 20.0)
            second = first - 0.5 * np.exp(-(lag + 10.0) / 20.0)
            current, steps = sim[where][:, neuron], round(delay / 0.1)
            assert not np.any(current[: 99 + steps])
            np.testing.assert_allclose(current[99 + steps], 0.5 * first, rtol=1e-9)
            jump = current[199 + steps] - current[198 + steps] * np.exp(-0.1 / 5.0)
            left = 1.0 - 0.5 * np.exp(-10.0 / 40.0)
            np.testing.assert_allclose(jump, 0.5 * left * second, rtol=1e-9)


def test_the_membrane_travels_with_each_delay():
    # each of three synapses alone, with a scalar delay, learns the same
    delays, pre = np.array([0.1, 0.4, 1.1]), [[5.0, 12.0, 20.0, 33.0]]
    rule = P.Clopath(A_LTP=1e-3, theta_minus=0.0, theta_plus=5.0, delay="dendritic")

    def synapses(name, posts, delay):
        edges = nj.connectivity.from_edges(np.zeros(len(posts), int), posts)
        options = {"weight": 1.0, "delay": delay, "plasticity": rule, "name": name}
        return nj.Projection("pre", "post", "in", edges, **options)

    single = [synapses(str(i), [i], d) for i, d in enumerate(delays.tolist())]
    together = synapses("together", np.arange(3), delays)
    net = nj.Network(
        {"pre": nj.neurons.SpikeTimes(pre), "post": lif(3, ["in"])}, [*single, together]
    )
    drive = {"post": {"I_e": np.array([300.0, 350.0, 400.0])}}
    end = nj.simulate(net, duration=40.0, dt=0.1, inputs=drive).final_state
    found = net.weights(end, "together")
    assert np.min(np.abs(found - 1.0)) > 1e-3
    alone = [float(net.weights(end, str(i))[0]) for i in range(3)]
    np.testing.assert_allclose(found, alone, rtol=1e-12)


def test_rewired_and_in_batches():
    n, names = 20, ("axonal", "dendritic")
    delays = 0.1 * (1 + np.arange(n * (n - 1)) % 4)
    net = nj.Network(
        {"A": lif(n, names, initial={"V_m": np.linspace(0.0, 14.0, n)})},
        [
            nj.Projection(
                "A", "A", where, nj.connectivity.all_to_all(), weight=20.0, delay=delays,
                plasticity=P.PairSTDP(A_plus=3.0, A_minus=3.5, w_max=150.0, delay=where),
                name=where,
            )
            for where in names
        ],
    )  # fmt: skip

    def final(gain):
        inputs = {"A": {"I_e": gain * np.linspace(180.0, 400.0, n)}}
        end = nj.simulate(net, duration=10.0, dt=0.1, inputs=inputs).final_state
        return end, [net.weights(end, where) for where in names]

    together = jax.jit(jax.vmap(lambda gain: final(gain)[1]))(jnp.array([0.9, 1.2]))
    end, alone = final(1.2)
    for where, trials, own in zip(names, together, alone, strict=True):
        np.testing.assert_allclose(trials[1], own, rtol=1e-10)
        assert np.std(trials[0] - trials[1]) > 0.5
        # a synapse that stays keeps its delay; a new one has that of the one that it replaces
        edges = net.projections[where].edges
        origin = np.where(np.isin(np.arange(len(edges)), [3, 100]), -1, np.arange(len(edges)))
        new, state = net.with_edges(end, where, edges, origin, 20.0)
        fixed = new.projections[where].fixed_delay
        assert fixed is not None
        np.testing.assert_array_equal(fixed.value, delays)
        np.testing.assert_allclose(
            new.weights(state, where), np.where(origin < 0, 20.0, own), rtol=1e-12
        )
