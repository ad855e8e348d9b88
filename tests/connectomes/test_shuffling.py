"""Random wirings: what they keep, what they change, and that they are drawn evenly."""

import itertools
from collections import Counter

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chisquare

from neurojax.connectomes import Connectome, cook2019


@st.composite
def fields(draw):
    """What a small connectome is made from, self edges and signs included."""
    n = draw(st.integers(1, 9))
    matrix = arrays(np.int64, (n, n), elements=st.integers(0, 3))
    gap = np.triu(draw(matrix))
    signs = draw(arrays(np.int8, (n, n), elements=st.integers(-1, 1)))
    return [f"N{i}" for i in range(n)], draw(matrix), np.maximum(gap, gap.T), signs


def sent(c):
    """What each neuron sends: weights and signs of its chemical edges to others."""
    edges = zip(*c.chemical_edges(), strict=True)
    return Counter((i, c.chemical[i, j], c.signs[i, j]) for i, j in edges if i != j)


def gap_weights(c):
    return sorted(c.gap[c.gap_edges()].tolist())


def degrees(c):
    """In, out and gap degrees, counted by networkx."""
    chemical = nx.from_numpy_array(c.chemical, create_using=nx.DiGraph)
    gap = nx.from_numpy_array(c.gap)
    return dict(chemical.in_degree()), dict(chemical.out_degree()), dict(gap.degree())


@given(fields(), st.integers(0, 2**32 - 1))
def test_swaps_keep_degrees_weights_and_self_edges(given_fields, seed):
    c = Connectome(*given_fields)
    shuffled = c.shuffled(jax.random.key(seed))
    assert degrees(shuffled) == degrees(c)
    assert sent(shuffled) == sent(c)
    assert gap_weights(shuffled) == gap_weights(c)
    np.testing.assert_array_equal(np.diag(shuffled.chemical), np.diag(c.chemical))
    np.testing.assert_array_equal(np.diag(shuffled.gap), np.diag(c.gap))
    assert shuffled.names == c.names


@given(fields(), st.integers(0, 2**32 - 1))
def test_random_placement_keeps_numbers_and_weights(given_fields, seed):
    c = Connectome(*given_fields)
    shuffled = c.shuffled(jax.random.key(seed), degree_preserving=False)
    weights = (Counter(key[1:] for key in sent(x).elements()) for x in (shuffled, c))
    assert next(weights) == next(weights)
    assert gap_weights(shuffled) == gap_weights(c)
    np.testing.assert_array_equal(np.diag(shuffled.chemical), np.diag(c.chemical))
    np.testing.assert_array_equal(np.diag(shuffled.gap), np.diag(c.gap))


@pytest.mark.parametrize("degree_preserving", [True, False])
def test_the_key_decides(degree_preserving):
    c = cook2019()
    first, same, other, old_style = (
        c.shuffled(key, degree_preserving=degree_preserving)
        for key in (*map(jax.random.key, (1, 1, 2)), jax.random.PRNGKey(1))
    )
    np.testing.assert_array_equal(first.chemical, same.chemical)
    np.testing.assert_array_equal(first.gap, same.gap)
    np.testing.assert_array_equal(first.chemical, old_style.chemical)
    assert (first.chemical != other.chemical).any()
    assert (first.gap != other.gap).any()


def test_the_worm_is_rewired():
    """Keeps the degrees of all 302 neurons; few edges stay, and reciprocal pairs are lost."""
    c = cook2019()
    shuffled = c.shuffled(jax.random.key(0))
    assert degrees(shuffled) == degrees(c)
    stayed = np.count_nonzero((shuffled.chemical > 0) & (c.chemical > 0))
    assert stayed < 0.15 * c.n_chemical
    real, random = (
        nx.reciprocity(nx.from_numpy_array(x.chemical, create_using=nx.DiGraph))
        for x in (c, shuffled)
    )
    assert random < 0.5 * real
    scattered = c.shuffled(jax.random.key(0), degree_preserving=False)
    assert (scattered.n_chemical, scattered.n_gap) == (c.n_chemical, c.n_gap)
    assert degrees(scattered) != degrees(c)


def test_swaps_draw_all_directed_graphs_with_these_degrees_alike():
    """Against the list of all such graphs, made by trying every graph of four neurons."""
    real = np.array([[0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1], [1, 0, 0, 0]])
    places = [(i, j) for i in range(4) for j in range(4) if i != j]
    alike = set()
    for chosen in itertools.combinations(places, int(real.sum())):
        graph = np.zeros((4, 4), dtype=int)
        graph[tuple(np.array(chosen).T)] = 1
        if (graph.sum(0) == real.sum(0)).all() and (graph.sum(1) == real.sum(1)).all():
            alike.add(graph.tobytes())
    assert len(alike) > 5
    c = Connectome(["A", "B", "C", "D"], real, np.zeros((4, 4)))
    assert evenly_drawn(c, "chemical", alike)


def test_swaps_draw_all_undirected_graphs_with_these_degrees_alike():
    """Against the list of all such graphs, made by trying every graph of six neurons."""
    ring = nx.to_numpy_array(nx.cycle_graph(6), dtype=int)
    places = list(itertools.combinations(range(6), 2))
    alike = set()
    for chosen in itertools.combinations(places, 6):
        graph = np.zeros((6, 6), dtype=int)
        graph[tuple(np.array(chosen).T)] = 1
        if ((graph + graph.T).sum(0) == 2).all():
            alike.add((graph + graph.T).tobytes())
    assert len(alike) == 70  # 60 rings of six, 10 pairs of triangles
    c = Connectome(["A", "B", "C", "D", "E", "F"], np.zeros((6, 6)), ring)
    assert evenly_drawn(c, "gap", alike)


def evenly_drawn(c, field, alike, draws=700):
    """Whether shuffles reach all of these graphs, with frequencies that chance allows."""
    graphs = (getattr(c.shuffled(jax.random.key(seed)), field) for seed in range(draws))
    seen = Counter(graph.astype(int).tobytes() for graph in graphs)
    return seen.keys() == alike and chisquare(list(seen.values())).pvalue > 1e-3


@pytest.mark.parametrize("degree_preserving", [True, False])
def test_a_connectome_without_edges_stays_so(degree_preserving):
    c = Connectome(["A", "B"], np.eye(2), np.zeros((2, 2)))
    shuffled = c.shuffled(jax.random.key(0), degree_preserving)
    np.testing.assert_array_equal(shuffled.chemical, np.eye(2))


def test_only_one_key_is_taken():
    c = Connectome(["A"], [[0]], [[0]])
    with pytest.raises(ValueError, match=r"one key, got an array of keys of shape \(3,\)"):
        c.shuffled(jax.random.split(jax.random.key(0), 3))
    with pytest.raises(TypeError):
        c.shuffled(jnp.ones(2))
    with pytest.raises(TypeError):
        c.shuffled(0)
