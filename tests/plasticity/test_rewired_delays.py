"""The delays of synapses that come between two runs, and what is under way then."""

import event_by_event as by_hand
import jax
import numpy as np
import pytest
from trains import random_trains

import neurojax as nj

P, C = nj.plasticity, nj.connectivity
DT = 0.1


def far(pre, post, edges, period=np.inf):
    """Distances on a line or a circle."""
    d = np.abs(pre[edges.pre] - post[edges.post])
    return np.minimum(d, period - d)


def apart(delay, targets, where="axonal", weight=1.0, **options):
    """A neuron at 0 that fires once, and targets at 0 to 19 that integrate; one synapse each."""
    cell = nj.neurons.LIF(n=20, g_L=1e-9, receptors={"in": nj.synapses.Delta()})
    graph = C.Builder("some", {}, lambda pairs, _: C.Edges([0] * len(targets), targets, 1, 20))
    rule = P.PairSTDP(A_plus=0.0, A_minus=0.0, w_max=50.0, delay=where)
    return nj.Network(
        {"a": nj.neurons.SpikeTimes([[8.0]]), "b": cell},
        [
            nj.Projection(
                "a", "b", "in", graph, weight=weight, delay=delay, plasticity=rule, name="s",
                **options,
            )
        ],
    )  # fmt: skip


def jumps(net, state, duration=12.0):
    """Targets, times and heights of what arrives."""
    sim = nj.simulate(net, duration=duration, dt=DT, state=state, record={"V": "b.V_m"})
    before = np.asarray(state.state["populations"]["b"]["V_m"])
    steps = np.diff(np.vstack([before, np.asarray(sim["V"])]), axis=0)
    found = [(j, round(float(sim.times("V")[k]), 6)) for k, j in np.argwhere(steps > 1e-3)]
    return dict(found), steps[steps > 1e-3]


@pytest.mark.parametrize("where", ["axonal", "dendritic"])
def test_new_synapses_have_the_delays_and_the_traces_of_their_distance(where):
    cut, pre_at, post_at = 39.0, np.arange(6.0), np.arange(2.0, 6.0)
    pre, post = random_trains(6, 90.0, 60.0, seed=1), random_trains(4, 90.0, 60.0, seed=2)
    amplitudes = {"A_plus": 0.06, "A_minus": 0.05, "tau_plus": 15.0, "tau_minus": 25.0}
    thrice = {"A2_plus": 0.02, "A3_plus": 0.05, "A2_minus": 0.04, "A3_minus": 0.03}
    taus = {"tau_plus": 15.0, "tau_minus": 25.0, "tau_x": 60.0, "tau_y": 80.0}
    hand = {
        "all": by_hand.pair("all", **amplitudes),
        "presynaptic_centred": by_hand.pair("presynaptic_centred", **amplitudes),
        "triplet": by_hand.triplet("all", *thrice.values(), **taus),
    }
    rules = {n: P.PairSTDP(**amplitudes, interaction=n, delay=where) for n in list(hand)[:2]}
    rules["triplet"] = P.TripletSTDP(**thrice, **taus, delay=where)
    # those in between have delays that no synapse had
    graph = C.distance_dependent(lambda d: np.isin(d, [0.0, 2.0, 5.0]) * 1.0, pre_at, post_at)
    net = nj.Network(
        {"pre": nj.neurons.SpikeTimes(pre), "post": nj.neurons.SpikeTimes(post)},
        [
            nj.Projection(
                "pre", "post", "in", graph, delay=lambda d: 0.2 + 0.5 * d, plasticity=rule, name=n
            )
            for n, rule in rules.items()
        ],
        key=jax.random.key(0),
    )
    state = nj.simulate(net, duration=cut, dt=DT).final_state
    for k, name in enumerate(rules):
        options = {"threshold": 1e9, "weight": 0.8, "key": jax.random.key(k)}
        net, state = P.rewire(net, state, name, **options)
    end = nj.simulate(net, duration=95.0 - cut, dt=DT, state=state).final_state
    for name in rules:
        late = by_hand.since(cut, hand[name], used_up=name == "presynaptic_centred")
        synapses = net.projections[name]
        edges, found = synapses.edges, np.asarray(net.weights(end, name))
        d = far(pre_at, post_at, edges)
        assert {1.0, 3.0} <= set(d)
        np.testing.assert_array_equal(edges.distance, d)
        np.testing.assert_array_equal(synapses.delay_steps(DT), 2 + 5 * d)
        expected = [
            by_hand.weight(late, pre[i], post[j], 0.8, 0.2 + 0.5 * x, where)
            for i, j, x in zip(edges.pre, edges.post, d, strict=True)
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_distances_of_other_pairs():
    x = np.random.default_rng(0).uniform(0.0, 10.0, 30)
    grid = np.arange(30.0)
    graphs = {
        "ring": (C.distance_dependent(C.gaussian(2.0, 0.5), x, period=10.0), x, 10.0),
        "open": (C.distance_dependent(C.gaussian(2.0, 0.5), x), x, np.inf),
        "line": (C.grid_neighbours(30, 2), grid, np.inf),
        "circle": (C.grid_neighbours(30, 2, periodic=True), grid, 30.0),
    }
    cell = nj.neurons.LIF(n=30, receptors={"in": nj.synapses.ExpCurrent(tau=2.0)})
    common = {"weight": nj.random.Uniform(0.5, 1.5), "plasticity": P.PairSTDP(w_max=2.0)}
    for name, (graph, at, period) in graphs.items():
        learns = [
            nj.Projection("A", "A", "in", graph, delay=delay, name=each, **common)
            for each, delay in {"s": lambda d: 0.1 + d, "one": 1.0, "none": None}.items()
        ]
        net = nj.Network({"A": cell}, learns, key=jax.random.key(0))
        state = net.init_state()
        for _ in range(2):  # and once more
            for each in ("s", "one", "none"):
                net, state = P.rewire(
                    net, state, each, threshold=1.0, weight=0.9, key=jax.random.key(1)
                )
        for each in ("s", "one", "none"):
            synapses = net.projections[each]
            d = far(at, at, synapses.edges, period)
            np.testing.assert_allclose(synapses.edges.distance, d, atol=1e-12, err_msg=name)
            steps = {"s": np.maximum(np.floor(1.5 + 10 * d), 1), "one": 10, "none": 1}[each]
            np.testing.assert_array_equal(synapses.delay_steps(DT), steps, err_msg=name)


def test_drawn_delays_stay_as_they_are_distributed():
    cell = nj.neurons.LIF(n=30, receptors={"in": nj.synapses.ExpCurrent(tau=2.0)})
    synapse = nj.Projection(
        "A", "A", "in", C.fixed_total(200), weight=nj.random.Uniform(0.5, 1.5), name="s",
        delay=nj.random.Uniform(0.1, 3.0), plasticity=P.PairSTDP(w_max=2.0),
    )  # fmt: skip
    net = nj.Network({"A": cell}, [synapse], key=jax.random.key(0))
    new, _ = P.rewire(net, net.init_state(), "s", threshold=1.0, weight=1.0, key=jax.random.key(1))
    before, after = (n.projections["s"].delay_steps(DT) for n in (net, new))
    assert np.any(before != after)
    np.testing.assert_array_equal(np.sort(before), np.sort(after))


def test_weights_and_delays_of_the_edges():
    net = apart(np.array([3.0, 1.0]), [4, 6], weight=np.array([1.5, 1.25]))
    state = nj.simulate(net, duration=10.0, dt=DT).final_state
    edges = C.Edges([0, 0], [4, 9], 1, 20, weight=[0.4, 0.7], delay=[3.0, 4.5])
    new, at = net.with_edges(state, "s", edges, [0, -1])
    np.testing.assert_allclose(new.weights(at, "s"), [1.5, 0.7], rtol=1e-6)
    assert new.projections["s"].delay_steps(DT).tolist() == [30, 45]
    found, heights = jumps(new, at)
    assert found == {4: 11.0, 9: 12.5}
    np.testing.assert_allclose(heights, [1.5, 0.7], rtol=1e-4)
    # one synapse twice, and a delay where there was one for all
    twice, _ = net.with_edges(state, "s", edges, [0, 0])
    np.testing.assert_allclose(twice.projections["s"].weights(), [1.5, 1.5])
    one = apart(2.0, [4, 6])
    some = C.Edges([0, 0], [4, 9], 1, 20, delay=[2.0, 0.2])
    new, _ = one.with_edges(one.init_state(), "s", some, [0, -1], 1.0)
    assert new.projections["s"].delay_steps(DT).tolist() == [20, 2]
    plain = C.Edges([0, 0], [4, 9], 1, 20)
    for given, weight, match in [
        (edges, 1.0, "the weights of the edges, or all have weight=1: leave one of them out"),
        (plain, None, r"new synapses \(origin -1\): give them weight=, or edges with weights"),
        (C.Edges([0, 0], [4, 9], 1, 20, weight=[1.0, -0.7]), None, "lie between -0.7 and -0.7"),
        (C.Edges([0, 0], [4, 9], 1, 20, delay=[1.0, 0.0]), 1.0, "some delays are 0"),
    ]:
        with pytest.raises(ValueError, match=match):
            net.with_edges(state, "s", given, [0, -1], weight)
    # nothing is new
    same, at = net.with_edges(state, "s", C.Edges([0, 0], [4, 6], 1, 20), [0, 1])
    np.testing.assert_allclose(same.weights(at, "s"), net.weights(state, "s"))


def test_functions_of_unknown_distances_are_refused():
    edges = C.Edges([0, 0], [4, 6], 1, 20, distance=[4.0, 6.0])
    rule = P.PairSTDP(w_max=50.0)
    synapse = nj.Projection(
        "a", "b", "in", edges, weight=1.0, delay=lambda d: 0.5 * d, plasticity=rule, name="s"
    )
    cell = nj.neurons.LIF(n=20, receptors={"in": nj.synapses.Delta()})
    net = nj.Network({"a": nj.neurons.SpikeTimes([[8.0]]), "b": cell}, [synapse])
    state = net.init_state()
    with pytest.raises(ValueError, match=r"'s' are a function of distance, .*call net.with_edges"):
        P.rewire(net, state, "s", threshold=2.0, weight=1.0, key=jax.random.key(0))
    for more, steps in [({"distance": [4.0, 9.0]}, 45), ({"delay": [2.0, 0.3]}, 3)]:
        given = C.Edges([0, 0], [4, 9], 1, 20, **more)
        new, _ = net.with_edges(state, "s", given, [0, -1], 1.0)
        assert new.projections["s"].delay_steps(DT).tolist() == [20, steps]
    # one that goes elsewhere takes its weight along, not its delay
    moved, _ = net.with_edges(
        state, "s", C.Edges([0, 0], [4, 9], 1, 20, distance=[4.0, 9.0]), [0, 1]
    )
    assert moved.projections["s"].delay_steps(DT).tolist() == [20, 45]
    # those that stay need none
    P.rewire(net, state, "s", threshold=0.5, weight=1.0, key=jax.random.key(0))


@pytest.mark.parametrize("release", [False, True])
def test_spikes_on_axons_reach_the_synapses_that_are_there(release):
    given = {"release": nj.synapses.TsodyksMarkram(U=0.5, tau_rec=100.0)} if release else {}
    net = apart(np.array([3.0, 2.5]), [4, 6], **given)
    state = nj.simulate(net, duration=10.0, dt=DT).final_state
    assert jumps(net, state)[0] == {4: 11.0, 6: 10.5}
    for delay, arrival in [(5.0, 13.0), (2.1, 10.1), (1.0, None)]:
        edges = C.Edges([0, 0], [6, 9], 1, 20, delay=[2.5, delay])
        new, at = net.with_edges(state, "s", edges, [1, -1], 2.0)
        found, heights = jumps(new, at)
        assert found == {6: 10.5} | ({} if arrival is None else {9: arrival})
        expected = [1.0, 2.0][: len(heights)]
        np.testing.assert_allclose(
            np.sort(heights), np.array(expected) * (0.5 if release else 1.0), rtol=1e-4
        )
    # the state alone does not say where its ring begins
    longer = C.Edges([0, 0], [6, 9], 1, 20, delay=[2.5, 5.0])
    with pytest.raises(ValueError, match="does not say at which step: give the SimState"):
        net.with_edges(state.state, "s", longer, [1, -1], 2.0)
    before = net.with_edges(net.init_state(), "s", longer, [1, -1], 2.0)
    sim = nj.simulate(before[0], duration=20.0, dt=DT, state=nj.SimState(before[1], 0, DT))
    assert float(sim.final_state.state["populations"]["b"]["V_m"][9]) > -69.5


def test_what_dendrites_were_sent_arrives_where_it_was_sent_to():
    net = apart(np.array([3.0, 2.5]), [4, 6], where="dendritic")
    state = nj.simulate(net, duration=10.0, dt=DT).final_state
    for delay in (3.0, 5.0):
        edges = C.Edges([0, 0], [6, 9], 1, 20, delay=[2.5, delay])
        new, at = net.with_edges(state, "s", edges, [1, -1], 2.0)
        assert jumps(new, at)[0] == {4: 11.0, 6: 10.5}
        late = nj.simulate(new, duration=20.0, dt=DT, record={"V": "b.V_m"})
        assert np.argmax(np.asarray(late["V"])[:, 9] > -69.0) + 1 == round((8.0 + delay) / DT)
    # one of them has four more steps to go than the longest delay that is left
    short = C.Edges([0, 0], [6, 9], 1, 20, delay=[0.6, 0.2])
    with pytest.raises(ValueError, match="arrives in up to 30 steps, but the longest delay would"):
        net.with_edges(state, "s", short, [1, -1], 2.0)
    state = nj.simulate(net, duration=0.4, dt=DT, state=state).final_state
    new, at = net.with_edges(state, "s", short, [1, -1], 2.0)
    assert jumps(new, at)[0] == {4: 11.0, 6: 10.5}


def test_delays_of_the_membrane_are_those_that_there_are():
    rule = P.Clopath(A_LTP=1e-3, theta_minus=0.0, theta_plus=5.0, delay="dendritic")
    cell = nj.neurons.LIF(
        C_m=250.0, g_L=12.5, E_L=0.0, V_th=15.0, V_reset=0.0, t_ref=2.0, n=3,
        receptors={"in": nj.synapses.ExpCurrent(tau=5.0)},
    )  # fmt: skip
    synapse = nj.Projection(
        "pre", "post", "in", C.from_edges([0, 0, 0], [0, 1, 2]), weight=1.0,
        delay=np.array([0.4, 0.1, 1.1]), plasticity=rule, name="s",
    )  # fmt: skip
    net = nj.Network(
        {"pre": nj.neurons.SpikeTimes([[5.0, 12.0, 20.0, 33.0]]), "post": cell}, [synapse]
    )
    drive = {"post": {"I_e": np.array([300.0, 350.0, 400.0])}}
    run = lambda net, ms, state=None: (
        nj.simulate(net, duration=ms, dt=DT, inputs=drive, state=state).final_state
    )
    half = run(net, 17.3)
    whole = net.weights(run(net, 22.7, half), "s")
    edges = C.Edges([0, 0, 0], [0, 1, 2], 1, 3, delay=[0.4, 0.1, 0.4])
    new, state = net.with_edges(half, "s", edges, [0, 1, -1], 1.0)
    found = new.weights(run(new, 22.7, state), "s")
    assert np.min(np.abs(found - net.weights(half, "s"))) > 1e-4
    np.testing.assert_allclose(found[:2], whole[:2], rtol=1e-12)
    other = C.Edges([0, 0, 0], [0, 1, 2], 1, 3, delay=[0.4, 0.1, 0.7])
    with pytest.raises(ValueError, match="new synapses need delays that there are, but none has 0"):
        net.with_edges(half, "s", other, [0, 1, -1], 1.0)
