"""Graphs in which all neurons are alike: exact degrees, exact laws, options, refusals."""

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import neurojax as nj

graphs = nj.connectivity


def build(builder, n_pre, n_post=None, seed=0, same=False):
    """The edges; `same` for a graph within one population."""
    n_post = n_pre if n_post is None else n_post
    ids = {"pre_ids": np.arange(n_pre), "post_ids": np.arange(n_post)} if same else {}
    return builder.build(n_pre, n_post, np.random.default_rng(seed), **ids)


def couples(edges):
    return list(zip(edges.pre.tolist(), edges.post.tolist(), strict=True))


def assert_frequencies(counts, probabilities):
    """Pearson's test at 1e-3; seeds are fixed, so the outcome is too."""
    counts, expected = np.asarray(counts), np.sum(counts) * np.asarray(probabilities)
    assert expected.min() > 5
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def test_all_to_all_and_one_to_one():
    assert couples(build(graphs.all_to_all(), 2, 3)) == list(itertools.product(range(2), range(3)))
    within = build(graphs.all_to_all(), 3, same=True)
    assert couples(within) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    assert len(build(graphs.all_to_all(self_edges=True), 3, same=True)) == 9
    assert couples(build(graphs.one_to_one(), 3)) == [(0, 0), (1, 1), (2, 2)]
    assert couples(build(graphs.one_to_one(self_edges=True), 2, same=True)) == [(0, 0), (1, 1)]
    shifted = graphs.one_to_one().build(
        3, 3, np.random.default_rng(0), pre_ids=[0, 1, 2], post_ids=[1, 2, 0]
    )
    assert couples(shifted) == [(0, 0), (1, 1), (2, 2)]  # no neuron with itself


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("k", [0, 1, 7, 40, 79])
def test_degrees_are_exact_and_partners_different(k, same):
    """Over both ways of drawing: few partners, and the complement of many."""
    n = 80
    for builder, degrees in (
        (graphs.fixed_indegree(k), graphs.Edges.in_degrees),
        (graphs.fixed_outdegree(k), graphs.Edges.out_degrees),
    ):
        edges = build(builder, n, same=same)
        assert (degrees(edges) == k).all()
        assert len(set(couples(edges))) == n * k
        assert not same or not (edges.pre == edges.post).any()


def test_degrees_may_differ_between_neurons():
    k = np.array([0, 3, 9, 1, 9])
    edges = build(graphs.fixed_indegree(k), 9, 5)
    assert edges.in_degrees().tolist() == k.tolist()
    edges = build(graphs.fixed_outdegree(k), 5, 10)
    assert edges.out_degrees().tolist() == k.tolist()
    assert len(set(couples(edges))) == k.sum()


def sets_of_rows(builder, n, k, rows):
    """How often each k-set of n partners occurs, over receiving neurons that all draw alike."""
    edges = build(builder, n, rows)
    partners = edges.pre[np.argsort(edges.post, kind="stable")].reshape(rows, k)
    found = np.bincount((1 << partners).sum(axis=1), minlength=2**n)
    return found[[sum(1 << i for i in s) for s in itertools.combinations(range(n), k)]]


@pytest.mark.parametrize(("n", "k"), [(5, 2), (6, 3), (5, 4), (8, 4)])
def test_sets_of_partners_are_uniform(n, k):
    """Against enumeration of all sets: redrawing duplicates alone has no bias."""
    counts = sets_of_rows(graphs.fixed_indegree(k), n, k, 30_000)
    assert counts.sum() == 30_000
    assert_frequencies(counts, np.full(len(counts), 1 / len(counts)))


def test_sets_of_partners_are_uniform_without_self_edges():
    """Of six partners each neuron has one that is itself: 10 sets of 3 of the five others."""
    n, k, counts = 6, 3, np.zeros((6, 64), int)
    for seed in range(300):
        edges = build(graphs.fixed_outdegree(k), n, seed=seed, same=True)
        np.add.at(counts, (np.arange(n), (1 << edges.post.reshape(n, k)).sum(axis=1)), 1)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        sets = [sum(1 << j for j in s) for s in itertools.combinations(others, k)]
        assert counts[i, sets].sum() == 300
        assert_frequencies(counts[i, sets], np.full(10, 0.1))


def test_with_multi_edges_partners_are_independent():
    """Numbers of edges between pairs are multinomial; each partner as often."""
    edges = build(graphs.fixed_indegree(2, multi_edges=True), 3, 20_000)
    pairs = np.sort(edges.pre[np.argsort(edges.post, kind="stable")].reshape(-1, 2), axis=1)
    counts = np.bincount(3 * pairs[:, 0] + pairs[:, 1], minlength=9)[[0, 4, 8, 1, 2, 5]]
    assert_frequencies(counts, [1 / 9] * 3 + [2 / 9] * 3)
    assert (edges.in_degrees() == 2).all()
    more = build(graphs.fixed_outdegree(50, multi_edges=True), 10, 4)  # more than there are
    assert (more.out_degrees() == 50).all()
    within = build(graphs.fixed_indegree(400, multi_edges=True), 5, same=True)
    assert not (within.pre == within.post).any()
    for i in range(5):
        seen = np.bincount(within.pre[within.post == i], minlength=5)
        assert_frequencies(np.delete(seen, i), [0.25] * 4)


@pytest.mark.parametrize("self_edges", [False, True])
@pytest.mark.parametrize("n", [2, 4])
def test_fixed_total_is_uniform_over_sets(n, self_edges):
    """Of 2 x 3 pairs one is a neuron with itself; sets of n of the other 5, or of all 6."""
    counts = {}
    for seed in range(2000):
        edges = graphs.fixed_total(n, self_edges=self_edges).build(
            2, 3, np.random.default_rng(seed), pre_ids=[7, 8], post_ids=[1, 8, 2]
        )
        key = tuple(couples(edges))
        counts[key] = counts.get(key, 0) + 1
    cells = [c for c in itertools.product(range(2), range(3)) if self_edges or c != (1, 1)]
    sets = list(itertools.combinations(cells, n))
    assert set(counts) <= set(sets)
    assert_frequencies([counts.get(s, 0) for s in sets], np.full(len(sets), 1 / len(sets)))


def test_fixed_total_with_multi_edges():
    edges = build(graphs.fixed_total(6000, multi_edges=True), 3, same=True)
    assert len(edges) == 6000
    counts = np.bincount(3 * edges.pre + edges.post, minlength=9)
    assert (counts[[0, 4, 8]] == 0).all()
    assert_frequencies(counts[[1, 2, 3, 5, 6, 7]], np.full(6, 1 / 6))


@pytest.mark.parametrize("p", [0.2, 0.6])  # jumps over what is absent; asks every pair
def test_bernoulli_pairs_are_independent(p):
    """All 16 graphs from two to two neurons, each as often as the product law says."""
    counts = np.zeros(16, int)
    for seed in range(4000):
        edges = build(graphs.bernoulli(p), 2, seed=seed)
        counts[(1 << (2 * edges.pre + edges.post)).sum()] += 1
    sizes = np.array([i.bit_count() for i in range(16)])
    assert_frequencies(counts, p**sizes * (1 - p) ** (4 - sizes))


def test_bernoulli_degrees_are_binomial():
    n, p = 3000, 0.01
    edges = build(graphs.bernoulli(p), n)
    law = stats.binom(n, p)
    edges_of_bins = np.arange(18, 43)
    mass = np.diff(np.r_[0.0, law.cdf(edges_of_bins), 1.0])
    for degrees in (edges.in_degrees(), edges.out_degrees()):
        counts = np.bincount(np.searchsorted(edges_of_bins, degrees), minlength=len(mass))
        assert_frequencies(counts, mass)
    assert len(set(couples(edges))) == len(edges)


def test_bernoulli_without_self_edges():
    edges = build(graphs.bernoulli(0.5), 200, same=True)
    assert not (edges.pre == edges.post).any()
    assert abs(len(edges) - 0.5 * 200 * 199) < 5 * np.sqrt(0.25 * 200 * 199)
    with_self = build(graphs.bernoulli(0.5, self_edges=True), 200, same=True)
    own = np.count_nonzero(with_self.pre == with_self.post)
    assert abs(own - 100) < 5 * np.sqrt(50)


def test_certain_and_impossible_edges():
    assert len(build(graphs.bernoulli(0.0), 5)) == 0
    assert len(build(graphs.bernoulli(1.0), 5, 3)) == 15
    assert len(build(graphs.bernoulli(1e-300), 1000)) == 0
    assert len(build(graphs.fixed_total(0), 5)) == 0
    assert len(build(graphs.fixed_total(20), 5, same=True)) == 20


def test_many_synapses():
    """The size of the benchmarks; degrees exact, partners different, memory as for the edges."""
    n, k = 100_000, 80
    edges = build(graphs.fixed_indegree(k), n, same=True)
    assert len(edges) == n * k
    assert (edges.in_degrees() == k).all()
    assert not (edges.pre == edges.post).any()
    cells = edges.pre.astype(np.int64) * n + edges.post
    assert (np.diff(cells) > 0).all()  # sorted, and no pair twice
    out = edges.out_degrees()  # binomial with mean k
    assert abs(out.var() / k - 1) < 5 * np.sqrt(2 / n)


@given(
    n_pre=st.integers(1, 12),
    n_post=st.integers(1, 12),
    shift=st.integers(0, 12),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_options_hold_whatever_stands_on_both_sides(n_pre, n_post, shift, seed, data):
    """Identities overlap in part: sorted, in range, self-edges and multi-edges only if asked."""
    pre_ids, post_ids = np.arange(n_pre)[::-1] * 3, (np.arange(n_post) + shift) * 3
    holes = {
        (i, j) for i in range(n_pre) for j in range(n_post) if pre_ids[i] == post_ids[j]
    }  # fmt: skip
    rng = np.random.default_rng(seed)
    ids = {"pre_ids": pre_ids, "post_ids": post_ids}
    most_in = min(n_pre - sum(j == col for _, j in holes) for col in range(n_post))
    k = data.draw(st.integers(0, most_in))
    total = data.draw(st.integers(0, n_pre * n_post - len(holes)))
    for builder, count in (
        (graphs.fixed_indegree(k), k * n_post),
        (graphs.fixed_total(total), total),
        (graphs.bernoulli(0.15), None),
        (graphs.bernoulli(0.7), None),
    ):
        edges = builder.build(n_pre, n_post, rng, **ids)
        found = couples(edges)
        assert count is None or len(found) == count
        assert found == sorted(set(found))
        assert not set(found) & holes
        assert edges.pre.dtype == edges.post.dtype == np.int32
        assert all(i < n_pre and j < n_post for i, j in found)


def fingerprint(edges):
    ends = np.stack([edges.pre, edges.post]).astype("<i4")
    return hashlib.sha256(ends.tobytes()).hexdigest()[:16]


PLACES = np.stack(np.divmod(np.arange(300.0), 20.0), axis=1)


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (graphs.bernoulli(0.03), "13a90d88859677e3"),
        (graphs.bernoulli(0.4), "814e3f37985e7037"),
        (graphs.fixed_indegree(20), "8c69d20071146fc4"),
        (graphs.fixed_indegree(200), "a73cc8b1ccf7d7fb"),
        (graphs.fixed_outdegree(20, multi_edges=True), "88ccb463bcaf5540"),
        (graphs.fixed_total(5000), "a0061698cf1cef16"),
        (graphs.small_world(10, 0.3), "9abefca806836963"),
        (graphs.scale_free(4), "03f0036f6f4e6a57"),
        (graphs.modular(3, 0.2, 0.02), "4312823bf803f749"),
        (
            graphs.distance_dependent(graphs.box(3.0, 0.5), PLACES, period=(15.0, 20.0)),
            "643f8b5f49058487",
        ),
        (graphs.distance_dependent(graphs.exponential(2.0, 0.2), PLACES), "b87bc28cc872c71e"),
        (graphs.distance_dependent(graphs.gaussian(0.6), PLACES), "9d24f8364403be14"),
    ],
    ids=str,
)
def test_a_seed_gives_the_same_network_everywhere(builder, expected):
    """Pinned, so that a change of the streams is seen."""
    assert fingerprint(build(builder, 300, seed=1, same=True)) == expected


def test_refusals():
    with pytest.raises(ValueError, match=r"fixed_indegree\(k=5\) needs 5 different sources.*are 4"):
        build(graphs.fixed_indegree(5), 4)
    with pytest.raises(ValueError, match="4 without self-edges; lower k, or say multi_edges"):
        build(graphs.fixed_outdegree(5), 5, same=True)
    alone = r"there are 0 without self-edges; lower k, or say self_edges=True$"
    for builder in (graphs.fixed_indegree, graphs.fixed_outdegree):
        for several in (False, True):
            with pytest.raises(ValueError, match=alone):
                build(builder(1, multi_edges=several), 1, same=True)
        with pytest.raises(ValueError, match=r"without self-edges; lower k$"):
            build(builder(2), 1, same=True)
    with pytest.raises(ValueError, match="k has 3 entries, but there are 4 neurons"):
        build(graphs.fixed_indegree([1, 2, 3]), 4)
    with pytest.raises(ValueError, match=r"fixed_total\(n=21\).*there are 20 without self-edges"):
        build(graphs.fixed_total(21), 5, same=True)
    with pytest.raises(ValueError, match=r"there are 6; lower n, or say multi_edges=True$"):
        graphs.fixed_total(7).build(2, 3, np.random.default_rng(0))
    with pytest.raises(ValueError, match="as many neurons on both sides, but there are 3 and 4"):
        build(graphs.one_to_one(), 3, 4)
    with pytest.raises(ValueError, match="say self_edges=True"):
        build(graphs.one_to_one(), 3, same=True)
    with pytest.raises(ValueError, match=r"p must be between 0 and 1, got 1\.2"):
        graphs.bernoulli(1.2)
    with pytest.raises(ValueError, match="k must be between 0 and"):
        graphs.fixed_indegree(-1)
    with pytest.raises(TypeError, match=r"k must be a whole number, got 2\.5"):
        graphs.fixed_indegree(2.5)
    with pytest.raises(ValueError, match="n_pre must be between 1"):
        build(graphs.bernoulli(0.5), 0)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="give both pre_ids and post_ids"):
        graphs.bernoulli(0.5).build(2, 2, rng, pre_ids=[0, 1])
    with pytest.raises(ValueError, match="post_ids must be different"):
        graphs.bernoulli(0.5).build(2, 2, rng, pre_ids=[0, 1], post_ids=[3, 3])
    with pytest.raises(ValueError, match="pre_ids must be 2 integers"):
        graphs.bernoulli(0.5).build(2, 2, rng, pre_ids=[0, 1, 2], post_ids=[3, 4])


def test_edges_are_sorted_with_what_belongs_to_them():
    """Multi-edges keep the order in which they were given."""
    pre, post = [2, 0, 2, 0, 2], [1, 1, 0, 1, 1]
    edges = graphs.Edges(pre, post, 3, 2, weight=[1, 2, 3, 4, 5], delay=np.arange(5.0))
    assert couples(edges) == [(0, 1), (0, 1), (2, 0), (2, 1), (2, 1)]
    assert edges.weight.tolist() == [2, 4, 3, 1, 5]
    assert edges.delay.tolist() == [1, 3, 2, 0, 4]
    assert edges.to_scipy().toarray().tolist() == [[0, 6], [0, 0], [3, 6]]
    assert edges.out_degrees().tolist() == [2, 0, 3]
    rng = np.random.default_rng(0)
    pre, post = rng.integers(0, 50, 3000), rng.integers(0, 7, 3000)
    edges = graphs.Edges(pre, post, 50, 7, weight=np.arange(3000))
    order = np.lexsort([np.arange(3000), post, pre])
    np.testing.assert_array_equal(edges.weight, order)
    with pytest.raises(ValueError, match="read-only"):
        edges.pre[0] = 1


def test_refused_edges():
    with pytest.raises(ValueError, match="post has the index 2, but there are 2 neurons: 0 to 1"):
        graphs.Edges([0], [2], 1, 2)
    with pytest.raises(ValueError, match="pre has the index -1"):
        graphs.Edges([-1], [0], 1, 2)
    with pytest.raises(ValueError, match="pre has 2 entries, but post has 1"):
        graphs.Edges([0, 0], [0], 1, 2)
    with pytest.raises(TypeError, match="pre must hold integers, got float64"):
        graphs.Edges([0.5], [0], 1, 2)
    with pytest.raises(ValueError, match=r"weight must have shape \(1,\), one per edge"):
        graphs.Edges([0], [0], 1, 2, weight=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"weight must be finite, but weight\[0\] is nan"):
        graphs.Edges([0], [0], 1, 2, weight=[np.nan])
    with pytest.raises(ValueError, match="delay must not be negative, got -1"):
        graphs.Edges([0], [0], 1, 2, delay=[-1.0])


def test_recipes_print_what_was_asked_for():
    assert repr(graphs.bernoulli(0.02)) == "bernoulli(p=0.02)"
    assert repr(graphs.fixed_indegree(80, self_edges=True)) == (
        "fixed_indegree(k=80, self_edges=True)"
    )
    assert repr(graphs.from_matrix(np.eye(3))) == "from_matrix(W=float64[3, 3])"
    assert repr(graphs.fixed_indegree([1, 2])) == "fixed_indegree(k=[1, 2])"
