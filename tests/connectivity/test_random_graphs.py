"""Small-world, scale-free, block and modular graphs, and Dale's law, against their laws."""

import networkx as nx
import numpy as np
import pytest
from scipy import stats

import neurojax as nj

graphs = nj.connectivity


def build(builder, n_pre, n_post=None, seed=0, same=False):
    n_post = n_pre if n_post is None else n_post
    ids = {"pre_ids": np.arange(n_pre), "post_ids": np.arange(n_post)} if same else {}
    return builder.build(n_pre, n_post, np.random.default_rng(seed), **ids)


def assert_frequencies(counts, probabilities):
    """Pearson's test at 1e-3; seeds are fixed, so the outcome is too."""
    counts, expected = np.asarray(counts), np.sum(counts) * np.asarray(probabilities)
    assert expected.min() > 5
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def assert_simple(edges):
    cells = edges.pre.astype(np.int64) * edges.n_post + edges.post
    assert (np.diff(cells) > 0).all()
    assert not (edges.pre == edges.post).any()


def test_small_world_without_chance_is_the_ring():
    for n, k in ((11, 4), (6, 2), (5, 4), (7, 0)):
        ring = nx.to_numpy_array(nx.watts_strogatz_graph(n, k, 0.0)) if k else np.zeros((n, n))
        edges = build(graphs.small_world(k, 0.0), n)
        np.testing.assert_array_equal(edges.to_scipy().toarray(), ring)


def test_small_world_fully_rewired_is_uniform():
    """n = 5, k = 2: each of the 6 sets of two others as often."""
    counts = np.zeros(32, int)
    for seed in range(400):
        edges = build(graphs.small_world(2, 1.0), 5, seed=seed)
        steps = (edges.post - edges.pre) % 5
        np.add.at(counts, (1 << steps.reshape(5, 2)).sum(axis=1), 1)
    sets = [(1 << a) + (1 << b) for a in range(1, 5) for b in range(a + 1, 5)]
    assert counts[sets].sum() == 2000
    assert_frequencies(counts[sets], np.full(6, 1 / 6))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_small_world_partly_rewired(p):
    """Of r rewired edges r² / (n - 1 - k + r) return to the ring in the mean, r binomial."""
    n, k = 4000, 10
    edges = build(graphs.small_world(k, p), n)
    assert_simple(edges)
    assert (edges.out_degrees() == k).all()
    steps = (edges.post - edges.pre) % n
    near = np.minimum(steps, n - steps) <= k // 2
    r = np.arange(k + 1)
    mean = k - np.sum(stats.binom(k, p).pmf(r) * (r - r**2 / (n - 1 - k + r)))
    assert abs(near.sum() - n * mean) < 5 * np.sqrt(n * k * p * (1 - p))
    far = steps[~near]  # uniform over the rest of the ring
    assert stats.kstest(far, "uniform", (k // 2, n - k)).pvalue > 1e-3


def test_scale_free_links():
    n, m = 300, 3
    links = m * (m + 1) // 2 + m * (n - m - 1)
    older = build(graphs.scale_free(m, "to_hubs", by_age=True), n)
    assert_simple(older)
    assert len(older) == links
    assert (older.pre > older.post).all()
    assert (older.out_degrees()[m:] == m).all()
    newer = build(graphs.scale_free(m, "from_hubs", by_age=True), n)
    np.testing.assert_array_equal(newer.to_scipy().toarray(), older.to_scipy().toarray().T)
    both = build(graphs.scale_free(m, "both", by_age=True), n)
    assert_simple(both)
    undirected = both.to_scipy().toarray()
    np.testing.assert_array_equal(undirected, (older.to_scipy() + newer.to_scipy()).toarray())
    either = build(graphs.scale_free(m, by_age=True), n)
    assert len(either) == links
    np.testing.assert_array_equal((either.to_scipy() + either.to_scipy().T).toarray(), undirected)
    assert abs(np.count_nonzero(either.pre > either.post) - links / 2) < 5 * np.sqrt(links / 4)
    dealt = build(graphs.scale_free(m, "both"), n)
    assert np.sort(dealt.in_degrees()).tolist() == np.sort(both.in_degrees()).tolist()


def test_scale_free_attachment_of_small_graphs():
    """m = 1: the fourth neuron meets degrees 2, 1, 1. m = 2: the fifth meets 3, 3, 2, 2."""
    hits = {True: 0, False: 0}
    for seed in range(2000):
        edges = build(graphs.scale_free(1, "to_hubs", by_age=True), 4, seed=seed)
        hub, chosen = edges.post[edges.pre == 2][0], edges.post[edges.pre == 3][0]
        hits[hub == chosen] += 1
    assert_frequencies([hits[True], hits[False]], [0.5, 0.5])
    counts = np.zeros(3, int)
    for seed in range(2000):
        edges = build(graphs.scale_free(2, "to_hubs", by_age=True), 5, seed=seed)
        rich = set(edges.post[edges.pre == 3].tolist())
        counts[len(rich & set(edges.post[edges.pre == 4].tolist()))] += 1
    both = 2 * (0.3 * 3 / 7)  # first one of the two with 3 of 10 ends, then the other
    none = 2 * (0.2 * 2 / 8)
    assert_frequencies(counts, [none, 1 - both - none, both])


def test_scale_free_degrees():
    """The limit p(K) = 2 m (m + 1) / (K (K + 1) (K + 2)) of large graphs.

    Source: Bollobás et al. (2001), Random Struct. Algorithms 18:279.
    """
    n, m = 20_000, 2
    degrees = build(graphs.scale_free(m, "both"), n).in_degrees()
    for k in range(m, 12):
        p = 2 * m * (m + 1) / (k * (k + 1) * (k + 2))
        assert abs(np.count_nonzero(degrees == k) - n * p) < 5 * np.sqrt(n * p)
    assert degrees.max() > 100  # of a random graph with this mean, 4, about 18


def test_blocks():
    p = np.array([[0.3, 0.02, 1.0], [0.1, 0.5, 0.0]])
    sizes, post_sizes = [300, 200], [150, 250, 40]
    edges = build(graphs.block(p, sizes, post_sizes), 500, 440)
    a = np.repeat([0, 1], sizes)[edges.pre]
    b = np.repeat([0, 1, 2], post_sizes)[edges.post]
    found = np.zeros((2, 3))
    np.add.at(found, (a, b), 1)
    cells = np.outer(sizes, post_sizes)
    assert (np.abs(found - p * cells) <= 5 * np.sqrt(p * (1 - p) * cells)).all()
    assert len(set(zip(edges.pre.tolist(), edges.post.tolist(), strict=True))) == len(edges)


def test_blocks_by_label():
    """Labels in any order; certain edges show which neurons are meant."""
    labels, post_labels = np.array([1, 0, 2, 0, 1]), np.array([0, 1, 1, 0])
    p = np.array([[1, 0], [0, 1], [0, 0]])
    edges = build(graphs.block(p, labels=labels, post_labels=post_labels), 5, 4)
    np.testing.assert_array_equal(edges.to_scipy().toarray(), p[labels][:, post_labels])
    within = build(graphs.block(np.eye(3), labels=labels), 5, same=True)
    expected = (labels[:, None] == labels) & ~np.eye(5, dtype=bool)
    np.testing.assert_array_equal(within.to_scipy().toarray(), expected)


def test_modules():
    graph = graphs.modular(4, 0.4, 0.01)
    edges = build(graph, 402, same=True)
    labels = graphs.group_labels(402, 4)
    assert np.bincount(labels).tolist() == [101, 101, 100, 100]
    inside = labels[edges.pre] == labels[edges.post]
    pairs_in = sum(n * (n - 1) for n in np.bincount(labels).tolist())
    pairs_out = 402 * 401 - pairs_in
    assert abs(inside.sum() - 0.4 * pairs_in) < 5 * np.sqrt(0.24 * pairs_in)
    assert abs((~inside).sum() - 0.01 * pairs_out) < 5 * np.sqrt(0.0099 * pairs_out)
    assert_simple(edges)


def test_dale_signs():
    signs = graphs.dale_signs(50, 0.8)
    assert signs.tolist() == [1] * 40 + [-1] * 10
    labels = graphs.group_labels(103, 4)
    drawn = graphs.dale_signs(103, 0.75, np.random.default_rng(0), labels=labels)
    for group in range(4):
        members = drawn[labels == group]
        assert np.count_nonzero(members > 0) == round(0.75 * len(members))
    assert drawn.tolist() != graphs.dale_signs(103, 0.75, labels=labels).tolist()
    counts = np.zeros(6)  # of two out of four: any, as often
    pairs = [3, 5, 6, 9, 10, 12]
    for seed in range(1200):
        plus = np.flatnonzero(graphs.dale_signs(4, 0.5, np.random.default_rng(seed)) > 0)
        counts[pairs.index(int((1 << plus).sum()))] += 1
    assert_frequencies(counts, np.full(6, 1 / 6))


def test_modules_with_dale_columns():
    rng = np.random.default_rng(0)
    edges = build(graphs.modular(4, 0.4, 0.05), 100, same=True)
    signs = graphs.dale_signs(100, 0.8, rng, labels=graphs.group_labels(100, 4))
    law = graphs.Dale(signs, excitatory=nj.random.LogNormal(0.5, 0.3), inhibitory=2.0)
    weights = graphs.synapse_values(law, edges, rng)
    assert (np.sign(weights) == signs[edges.pre]).all()
    assert (weights[signs[edges.pre] < 0] == -2.0).all()
    assert len(np.unique(weights)) > 100


def test_refusals():
    with pytest.raises(ValueError, match="small_world needs an even k"):
        graphs.small_world(3, 0.1)
    with pytest.raises(ValueError, match=r"small_world\(k=4\) needs more than 4 neurons"):
        build(graphs.small_world(4, 0.1), 4)
    with pytest.raises(ValueError, match=r"within one population.*5 neurons.*6 neurons"):
        build(graphs.small_world(4, 0.1), 5, 6)
    with pytest.raises(ValueError, match=r"scale_free\(m=3\) needs more than 3 neurons"):
        build(graphs.scale_free(3), 3)
    with pytest.raises(ValueError, match="Did you mean 'to_hubs'"):
        graphs.scale_free(3, "to_hub")
    with pytest.raises(ValueError, match="probabilities must be a matrix"):
        graphs.block([[1.2]], [3])
    with pytest.raises(ValueError, match="give either sizes or labels"):
        graphs.block([[0.2]])
    with pytest.raises(ValueError, match="sizes has 1 groups, but probabilities are for 2"):
        graphs.block(np.eye(2), [3])
    with pytest.raises(ValueError, match="labels has the group 2, but probabilities are for 2"):
        graphs.block(np.eye(2), labels=[0, 2])
    with pytest.raises(ValueError, match="for 3 groups of the receiving side: give post_sizes"):
        graphs.block(np.ones((2, 3)), [1, 1])
    with pytest.raises(ValueError, match="groups for 3 neurons on the pre side, but there are 4"):
        build(graphs.block(np.eye(2), [1, 2]), 4)
    with pytest.raises(ValueError, match="2 neurons cannot be cut into 3 groups"):
        build(graphs.modular(3, 0.5, 0.5), 2)
    with pytest.raises(ValueError, match=r"signs must be a vector of \+1 and -1"):
        graphs.Dale([1, 0])
    with pytest.raises(ValueError, match="labels must be 3, one per neuron"):
        graphs.dale_signs(3, labels=[0, 1])
