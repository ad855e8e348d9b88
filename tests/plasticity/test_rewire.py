"""Synapses that go and come."""

import event_by_event as by_hand
import jax
import numpy as np
import pytest
from trains import network, random_trains

import neurojax as nj

P = nj.plasticity
N, DT = 12, 0.1


def cells(edges):
    return edges.pre.astype(int) * edges.n_post + edges.post


def recurrent(rules, total=60, **options):
    cell = nj.neurons.LIF(n=N, receptors={"in": nj.synapses.ExpCurrent(tau=4.0)})
    projection = nj.Projection(
        "A", "A", "in", nj.connectivity.fixed_total(total),
        weight=nj.random.Uniform(10.0, 90.0), delay=1.0, plasticity=rules, name="s", **options,
    )  # fmt: skip
    return nj.Network({"A": cell}, [projection], key=jax.random.key(0))


def run(net, gain=1.0, **options):
    inputs = {"A": {"I_e": gain * np.linspace(400.0, 900.0, N)}}
    return nj.simulate(net, duration=60.0, dt=DT, inputs=inputs, **options).final_state


def test_what_stays_goes_and_comes():
    rules = [P.PairSTDP(A_plus=4.0, A_minus=4.5, interaction="presynaptic_centred", w_max=120.0)]
    net = recurrent(rules)
    end = run(net)
    w, old = np.asarray(net.weights(end, "s")), cells(net.projections["s"].edges)
    options = {"threshold": 30.0, "weight": 33.0, "key": jax.random.key(3)}
    new, state = P.rewire(net, end, "s", **options)
    edges = new.projections["s"].edges
    now, found = np.asarray(new.weights(state, "s")), cells(edges)
    weak = w < 30.0
    assert 5 < np.sum(weak) < 55 and len(edges) == 60
    # as many as before, all different, none to itself
    assert len(np.unique(found)) == 60 and not np.any(edges.pre == edges.post)
    by_cell = dict(zip(found, now, strict=True))
    assert all(by_cell[c] == x for c, x in zip(old[~weak], w[~weak], strict=True))
    others = np.setdiff1d(found, old[~weak])
    assert len(others) == np.sum(weak) and all(by_cell[c] == 33.0 for c in others)
    # traces of synapses go along
    used = lambda net, s: np.asarray(
        s.state["plasticity"]["s"]["rules"][0]["synapse"]["used"]
    ).ravel()[np.asarray(net.plans[0].places["s"][0])]
    before = dict(zip(old, used(net, end), strict=True))
    assert np.any(used(net, end)[~weak] > 0)
    for c, x in zip(found, used(new, state), strict=True):
        assert c in others or x == before[c]
    # nothing was changed in place; the same key gives the same graph
    np.testing.assert_array_equal(net.weights(end, "s"), w)
    again, _ = P.rewire(net, end, "s", **options)
    np.testing.assert_array_equal(cells(again.projections["s"].edges), found)
    # a new start has the weights of now
    np.testing.assert_array_equal(new.weights(new.init_state(), "s"), now)


def test_new_synapses_learn_from_the_traces_that_neurons_keep():
    cut, delay = 39.0, 2.0
    pre, post = random_trains(5, 90.0, 60.0, seed=1), random_trains(4, 90.0, 60.0, seed=2)
    amplitudes = {"A_plus": 0.06, "A_minus": 0.05, "tau_plus": 15.0, "tau_minus": 25.0}
    rules = {
        f"{kind} {where}": P.PairSTDP(**amplitudes, interaction=kind, delay=where)
        for kind in ("all", "presynaptic_centred")
        for where in ("axonal", "dendritic")
    }
    matrix = (np.random.default_rng(0).random((5, 4)) < 0.5) * 1.0
    net = network(pre, post, rules, None, delay, nj.connectivity.from_matrix(matrix))
    state = nj.simulate(net, duration=cut, dt=DT).final_state
    for k, name in enumerate(rules):
        options = {"threshold": 1e9, "weight": 0.8, "key": jax.random.key(k)}
        net, state = P.rewire(net, state, name, **options)
    end = nj.simulate(net, duration=95.0 - cut, dt=DT, state=state).final_state
    for name in rules:
        kind, where = name.split()
        pair = by_hand.pair(kind, **amplitudes)
        rule = by_hand.since(cut, pair, used_up=kind == "presynaptic_centred")
        edges, found = net.projections[name].edges, np.asarray(net.weights(end, name))
        expected = [
            by_hand.weight(rule, pre[i], post[j], 0.8, delay, where, w_min=0.0)
            for i, j in zip(edges.pre, edges.post, strict=True)
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_options_and_refusals():
    net = recurrent(P.PairSTDP(w_max=100.0), total=120)
    state = net.init_state()
    draw = lambda **more: (
        P.rewire(
            net, state, "s", **{"threshold": 80.0, "weight": 50.0, "key": jax.random.key(0)} | more
        )[0]
        .projections["s"]
        .edges
    )
    # 120 of the 132 pairs are taken: the list of free ones is short
    assert len(np.unique(cells(draw()))) == 120
    selves = draw(threshold=200.0, self_edges=True)
    assert np.any(selves.pre == selves.post) and len(np.unique(cells(selves))) == 120
    many = draw(threshold=200.0, multi_edges=True)
    assert len(np.unique(cells(many))) < 120 == len(many) and not np.any(many.pre == many.post)
    everything = P.rewire(
        *P.rewire(net, state, "s", threshold=0.0, weight=1.0, key=jax.random.key(0)), "s",
        threshold=200.0, weight=2.0, key=jax.random.key(0),
    )  # fmt: skip
    assert np.all(everything[0].weights(everything[1], "s") == 2.0)
    for more, error, match in [
        ({"weight": 500.0}, ValueError, "weight=500 lies outside the bounds of PairSTDP"),
        ({"weight": np.inf}, ValueError, "weight of rewire must be finite, got inf"),
        ({"weight": np.full(120, 50.0)}, TypeError, "weight of rewire must be one number, got arr"),
        ({"weight": nj.random.Uniform(1.0, 2.0)}, TypeError, "must be one number, got Uniform"),
        ({"threshold": np.nan}, ValueError, "threshold of rewire must not be negative, got nan"),
        ({"threshold": -1.0}, ValueError, "threshold of rewire must not be negative, got -1"),
        ({"threshold": np.ones(3)}, TypeError, "threshold of rewire must be one number"),
    ]:
        with pytest.raises(error, match=match):
            draw(**more)
    with pytest.raises(nj.UnknownNameError, match="no projection 'x'"):
        P.rewire(net, state, "x", threshold=1.0, weight=1.0, key=jax.random.key(0))
    fixed = recurrent(None)
    with pytest.raises(ValueError, match="'s' has no plasticity="):
        P.rewire(fixed, fixed.init_state(), "s", threshold=1.0, weight=1.0, key=jax.random.key(0))


def test_edges_that_do_not_fit_are_refused():
    net = recurrent(P.PairSTDP(w_max=100.0))
    edges, state = net.projections["s"].edges, net.init_state()
    count, same = len(edges), np.arange(len(edges))
    larger = nj.connectivity.Edges(edges.pre, edges.post, edges.n_pre + 1, edges.n_post)
    for edges_, origin, weight, error, match in [
        (edges, same + 1, 1.0, ValueError, rf"one of the {count} .* origin\[{count - 1}\] is"),
        (edges, same - 2, 1.0, ValueError, r"or -1, but origin\[0\] is -2"),
        (edges, same.astype(float), 1.0, TypeError, "origin must be whole numbers, got float64"),
        (edges, same, np.nan, ValueError, "weight must be a finite number, got nan"),
        (edges, same, -5.0, ValueError, "must lie between w_min=0 and w_max=100"),
        (larger, same, 1.0, ValueError, "projection 's' goes from .* neurons, but the edges from"),
    ]:
        with pytest.raises(error, match=match):
            net.with_edges(state, "s", edges_, origin, weight)
    for call in (lambda: net.ends("x"), lambda: net.with_edges(state, "x", edges, same, 1.0)):
        with pytest.raises(nj.UnknownNameError, match="there is no projection 'x'"):
            call()


def test_states_of_several_runs_others_and_traced_ones_are_refused():
    net = recurrent(P.PairSTDP(w_max=100.0))
    rewire = lambda net, state, weight=50.0: P.rewire(
        net, state, "s", threshold=30.0, weight=weight, key=jax.random.key(0)
    )
    runs = jax.vmap(lambda gain: run(net, gain))(np.array([0.8, 1.0, 1.4]))
    with pytest.raises(ValueError, match="that of 3 runs, which get other synapses each"):
        rewire(net, runs)
    edges = net.projections["s"].edges
    with pytest.raises(ValueError, match="that of 3 runs"):
        net.with_edges(runs, "s", edges, np.arange(len(edges)), 1.0)
    for transform in (jax.jit, jax.grad):
        with pytest.raises(ValueError, match=r"call it between two runs, outside jit, vmap"):
            transform(lambda weight: rewire(net, net.init_state(), weight)[1])(50.0)
    with pytest.raises(ValueError, match=r"call it between two runs, outside jit, vmap"):
        jax.vmap(lambda state: rewire(net, state)[1])(runs)
    # one of them, as the message says
    new, state = rewire(net, jax.tree.map(lambda x: x[1], runs))
    assert np.all(np.asarray(new.weights(run(new, state=state), "s")) >= 0)
    with pytest.raises(TypeError, match="state must be one of a network in which projection 's'"):
        rewire(net, nj.simulate(net, duration=1.0, dt=DT))
    with pytest.raises(ValueError, match="another network: its projection 's' has other rules"):
        rewire(net, recurrent(P.TripletSTDP()).init_state())
    with pytest.raises(ValueError, match="another network: its projection 's' has other synapses"):
        rewire(recurrent(P.PairSTDP(), total=12), net.init_state())
