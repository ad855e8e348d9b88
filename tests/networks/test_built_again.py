"""Networks that are built again: one program serves them, and their graphs are not kept."""

import gc
import weakref
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest

import neurojax as nj

CELL = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=5.0)})
POSITIONS = np.random.default_rng(3).random((40, 2))


def spatial():
    near = nj.connectivity.box(0.3)
    return nj.connectivity.distance_dependent(near, POSITIONS, period=(1.0, 1.0))


def built(seed=0, graph=None, plastic=False, **given):
    words: dict[str, Any] = {"weight": 30.0, "delay": 0.3} | given
    graph = nj.connectivity.fixed_outdegree(5) if graph is None else graph
    rule = nj.plasticity.PairSTDP(w_max=60.0) if plastic else None
    pairs = nj.Projection(words.pop("source", "a"), "a", "exc", graph, plasticity=rule, **words)
    return nj.Network({"a": CELL.population(40)}, [pairs], key=jax.random.key(seed))


KINDS = {
    "scalar": {},
    "drawn": {"weight": nj.random.Uniform(1.0, 30.0), "delay": nj.random.Uniform(0.2, 2.0)},
    "learnt": {"plastic": True},
    "part": {"source": ("a", slice(0, 30))},
    "indices": {"source": ("a", [1, 2, 5, 7, 9, 11])},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_network_has_the_same_structure(kind):
    one, other = built(**KINDS[kind]), built(**KINDS[kind])
    assert jax.tree.structure(one) == jax.tree.structure(other)
    assert hash(jax.tree.structure(one)) == hash(jax.tree.structure(other))


def test_rebuilt_networks_in_space_have_the_same_structure():
    one, other = built(graph=spatial(), plastic=True), built(graph=spatial(), plastic=True)
    assert jax.tree.structure(one) == jax.tree.structure(other)


@pytest.mark.parametrize("kind", KINDS)
def test_another_graph_is_another_structure(kind):
    """Inside a user's own `jit` the structure is all that tells the graphs apart."""
    one, other = built(0, **KINDS[kind]), built(1, **KINDS[kind])
    assert jax.tree.structure(one) != jax.tree.structure(other)
    back = jax.jit(lambda net: net)
    for net in (one, other):
        (own,), (given_back,) = net.projections.values(), back(net).projections.values()
        np.testing.assert_array_equal(given_back.stored.post, own.stored.post)


def run(net):
    return nj.simulate(
        net, duration=30.0, dt=0.1, inputs={"a": {"I_e": 500.0}}, record={"s": nj.Spikes("a")}
    )


def append_run(runs, net):
    runs.append(run(net))


def test_one_program_serves_graphs_of_equal_shapes(compiled_in):
    """Of other seeds, weights and delays; each of them has its own spikes."""
    nets = [built(seed, weight=w) for seed, w in ((0, 30.0), (1, 30.0), (2, 60.0))]
    shapes = {tuple(x.shape for x in jax.tree.leaves(net)) for net in nets}
    assert len(shapes) == 1
    alone = []
    for net in nets:
        jax.clear_caches()
        alone.append(run(net).records["s"].times)
    jax.clear_caches()
    run(nets[0])
    for net, own in zip(nets, alone, strict=True):
        new: list = []
        assert compiled_in(partial(append_run, new, net)) == 0
        np.testing.assert_array_equal(new[0].records["s"].times, own)
    assert not np.array_equal(alone[0], alone[1])


def test_a_run_does_not_keep_the_graph():
    net = built(plastic=True)
    edges = weakref.ref(net.projections["a->a:exc"].edges)
    sim = run(net)
    del net
    gc.collect()
    assert edges() is None and sim.stats.rates["a"] > 1.0


def test_edges_are_equal_where_all_they_hold_is():
    edges = lambda **more: nj.connectivity.Edges([0, 1], [1, 0], 2, 2, **more)
    assert edges() == edges() and hash(edges()) == hash(edges())
    assert edges() != nj.connectivity.Edges([0, 1], [1, 1], 2, 2)
    assert edges() != nj.connectivity.Edges([0, 1], [1, 0], 2, 3)
    assert edges(weight=[1.0, 2.0]) != edges() != edges(delay=[1.0, 2.0])
    assert edges(weight=[1.0, 2.0]) != edges(delay=[1.0, 2.0])
    assert edges(weight=[1.0, 2.0]) == edges(weight=[1.0, 2.0])
    assert edges() != "edges"
