"""Graphs in space: distances, kernels, boundaries and grids against brute force."""

import itertools

import networkx as nx
import numpy as np
import pytest
from scipy.spatial.distance import cdist

import neurojax as nj

graphs = nj.connectivity


def build(builder, n_pre, n_post=None, seed=0, same=False):
    n_post = n_pre if n_post is None else n_post
    ids = {"pre_ids": np.arange(n_pre), "post_ids": np.arange(n_post)} if same else {}
    return builder.build(n_pre, n_post, np.random.default_rng(seed), **ids)


def all_distances(x, y, period):
    """The shortest over all images of y that are next to it."""
    found = np.full((len(x), len(y)), np.inf)
    images = [(0.0,) if length is None else (-length, 0.0, length) for length in period]
    for shift in itertools.product(*images):
        found = np.minimum(found, cdist(x, y + np.array(shift)))
    return found


def dense(edges, values):
    table = np.zeros((edges.n_pre, edges.n_post))
    table[edges.pre, edges.post] = values
    return table


PERIODS = [(None, None), (5.0, 7.0), (None, 7.0)]


@pytest.mark.parametrize("period", PERIODS, ids=str)
@pytest.mark.parametrize("tree", [True, False])
def test_box_is_every_pair_within_the_radius(period, tree):
    """By the search tree that the kernel's reach allows, and by all pairs."""
    rng = np.random.default_rng(5)
    x, y = rng.uniform(0, [5, 7], (70, 2)), rng.uniform(-1, [9, 7], (50, 2))
    y = np.where([p is not None for p in period], y % [5, 7], y)
    kernel = graphs.box(2.0) if tree else lambda d: np.where(d <= 2.0, 1.0, 0.0)
    edges = build(graphs.distance_dependent(kernel, x, y, period), 70, 50)
    expected = all_distances(x, y, period)
    np.testing.assert_array_equal(dense(edges, 1.0), expected <= 2.0)
    np.testing.assert_allclose(dense(edges, edges.distance), expected * (expected <= 2.0),
                               atol=1e-12)  # fmt: skip


@pytest.mark.parametrize("tree", [True, False])
def test_places_outside_the_period_are_wrapped(tree):
    x = np.array([[-0.1], [10.0], [20.05], [5.0]])
    kernel = graphs.box(0.5) if tree else lambda d: 1.0 * (d <= 0.5)
    edges = build(graphs.distance_dependent(kernel, x, period=10.0), 4, same=True)
    assert {(0, 1), (0, 2), (1, 2)} == {
        (i, j) for i, j in zip(edges.pre.tolist(), edges.post.tolist(), strict=True) if i < j
    }
    np.testing.assert_allclose(np.unique(edges.distance.round(9)), [0.05, 0.1, 0.15])


@pytest.mark.parametrize("period", [(None, None), (1.0, 1.0)], ids=str)
@pytest.mark.parametrize(
    ("kernel", "law"),
    [
        (graphs.gaussian(0.15, 0.2), lambda d: 0.2 * np.exp(-(d**2) / (2 * 0.15**2))),
        (graphs.gaussian(0.15, 0.9), lambda d: 0.9 * np.exp(-(d**2) / (2 * 0.15**2))),
        (graphs.gaussian(0.05, 0.9), lambda d: 0.9 * np.exp(-(d**2) / (2 * 0.05**2))),
        (graphs.exponential(0.2, 0.1), lambda d: 0.1 * np.exp(-d / 0.2)),
        (graphs.exponential(0.03), lambda d: np.exp(-d / 0.03)),
        (graphs.box(0.3, 0.35), lambda d: 0.35 * (d <= 0.3)),
        (lambda d: np.clip(0.5 - d, 0, 1), lambda d: np.maximum(0.5 - d, 0)),
    ],
    ids=[
        "thinned gaussian",
        "gaussian",
        "gaussian, near searched",
        "thinned exponential",
        "exponential, near searched",
        "box",
        "any function",
    ],
)
def test_probability_falls_with_distance(kernel, law, period):
    """In bins of distance, by brute force over all pairs; bounds are five standard errors."""
    x = np.random.default_rng(2).uniform(0, 1, (800, 2))
    edges = build(graphs.distance_dependent(kernel, x, period=period), 800, same=True)
    d = all_distances(x, x, period)
    p = law(d) * ~np.eye(800, dtype=bool)
    bins = np.linspace(0, d.max(), 15)
    found = np.histogram(edges.distance, bins)[0]
    which = np.digitize(d, bins[1:-1])
    for b in range(len(bins) - 1):
        inside = p[which == b]
        assert abs(found[b] - inside.sum()) <= 5 * np.sqrt((inside * (1 - inside)).sum())
    assert not (edges.pre == edges.post).any()
    # each pair by itself: the numbers of targets have the variance of a sum of Bernoulli draws
    spread = (edges.out_degrees() - p.sum(axis=1)) ** 2 / np.maximum((p * (1 - p)).sum(axis=1), 1)
    assert abs(spread.mean() - 1) < 5 * np.sqrt(2 / 800)


@pytest.mark.parametrize("kernel", [graphs.gaussian(0.02, 0.8), graphs.exponential(0.02)], ids=str)
@pytest.mark.parametrize("period", [None, 1.0])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_probability_of_places_in_clusters(kernel, period, axes):
    """As above, for dense clusters in an empty space with one place far off, two populations."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 1, (12, axes))[rng.integers(0, 12, 700)] + rng.normal(0, 0.03, (700, axes))
    y = rng.uniform(0, 1, (900, axes))
    x[0] = 1e6
    edges = build(graphs.distance_dependent(kernel, x, y, period), 700, 900)
    wrapped = x if period is None else x % period, y if period is None else y % period
    d = all_distances(*wrapped, [period] * axes)
    np.testing.assert_allclose(edges.distance, d[edges.pre, edges.post], atol=1e-9)
    p, bins = kernel(d), np.append(np.linspace(0, 0.15, 9), np.inf)
    found, which = np.histogram(edges.distance, bins)[0], np.digitize(d, bins[1:-1])
    for b in range(len(bins) - 1):
        inside = p[which == b]
        assert abs(found[b] - inside.sum()) <= 5 * np.sqrt((inside * (1 - inside)).sum()) + 1e-9
    assert np.all(np.diff(edges.pre) >= 0)


def test_places_between_which_nothing_is_near():
    """Lines, layers and populations apart: for many steps of the grid no two cells meet."""
    rng = np.random.default_rng(0)
    plane = rng.uniform(0, 1000, (2000, 2))
    layers = np.concatenate([np.c_[plane, np.full(2000, z)] for z in (0.0, 500.0)])
    line = np.arange(3000.0)
    for kernel, x, y, few in (
        (graphs.box(0.5, 0.5), line, None, 0),
        (graphs.box(100.0, 0.5), plane, plane + np.array([1500.0, 0.0]), 0),
        (graphs.gaussian(50.0, 0.1), layers, None, None),
        (graphs.exponential(1e-3, 0.5), plane, plane + np.array([5000.0, 0.0]), None),
    ):
        graph = graphs.distance_dependent(kernel, x, y)
        edges = build(graph, len(x), len(x), same=y is None)
        if few is not None:
            assert len(edges) == few
            continue
        d = cdist(x, x if y is None else y)
        p = kernel(d) if y is not None else kernel(d) * ~np.eye(len(x), dtype=bool)
        assert abs(len(edges) - p.sum()) <= 5 * np.sqrt((p * (1 - p)).sum()) + 1e-9


def test_places_on_a_line_and_self_edges():
    x = np.arange(4.0)
    graph = graphs.distance_dependent(graphs.box(1.0), x, period=[4.0], self_edges=True)
    edges = build(graph, 4, same=True)
    assert dense(edges, 1.0).tolist() == [[1, 1, 0, 1], [1, 1, 1, 0], [0, 1, 1, 1], [1, 0, 1, 1]]
    assert edges.distance.tolist() == [0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0]


def test_many_places_in_bounded_memory():
    """Ten thousand to ten thousand: a hundred million pairs, a few hundred thousand edges."""
    x = np.random.default_rng(0).uniform(0, 1, (10_000, 2))
    graph = graphs.distance_dependent(graphs.gaussian(0.1, 0.05), x, period=1.0)
    edges = build(graph, 10_000)
    mean = 0.05 * 2 * np.pi * 0.1**2 * 1e8 * (1 - np.exp(-0.5 * 5**2))  # on the torus, closely
    assert abs(len(edges) - mean) < 5 * np.sqrt(mean) + 1e-4 * mean


@pytest.mark.parametrize("neighbourhood", ["moore", "von_neumann", "euclidean"])
@pytest.mark.parametrize("radius", [0, 1, 2.5, 3])
@pytest.mark.parametrize(
    ("shape", "periodic"),
    [((7,), True), ((4, 5), False), ((3, 6), True), ((2, 5), (True, False)), ((2, 3, 4), True)],
    ids=str,
)
def test_grid_against_all_pairs(shape, periodic, radius, neighbourhood):
    n = int(np.prod(shape))
    places = np.array(list(itertools.product(*map(range, shape))))
    step = np.abs(places[:, None] - places[None])
    around = np.minimum(step, np.array(shape) - step)
    step = np.where(np.broadcast_to(periodic, len(shape)), around, step)
    size = {
        "moore": step.max(axis=2),
        "von_neumann": step.sum(axis=2),
        "euclidean": np.sqrt((step**2).sum(axis=2)),
    }[neighbourhood]
    graph = graphs.grid_neighbours(shape, radius, neighbourhood, periodic=periodic, self_edges=True)
    edges = build(graph, n)
    np.testing.assert_array_equal(edges.to_scipy().toarray(), size <= radius)  # each pair once
    length = np.sqrt((step**2).sum(axis=2)) * (size <= radius)
    np.testing.assert_allclose(dense(edges, edges.distance), length, rtol=1e-15)
    others = build(graphs.grid_neighbours(shape, radius, neighbourhood, periodic=periodic), n)
    np.testing.assert_array_equal(
        others.to_scipy().toarray(), (size <= radius) & ~np.eye(n, dtype=bool)
    )


def test_grid_of_networkx():
    edges = build(graphs.grid_neighbours((4, 6), neighbourhood="von_neumann", periodic=True), 24)
    other = nx.to_numpy_array(nx.grid_2d_graph(4, 6, periodic=True))
    np.testing.assert_array_equal(edges.to_scipy().toarray(), other)


def test_refusals():
    line, rng = np.arange(4.0), np.random.default_rng(0)
    with pytest.raises(ValueError, match="has 4 pre_positions, but there are 5 neurons"):
        build(graphs.distance_dependent(graphs.box(1.0), line), 5, 4)
    with pytest.raises(ValueError, match="post_positions have 2 axes, but pre_positions have 1"):
        graphs.distance_dependent(graphs.box(1.0), line, np.ones((3, 2)))
    with pytest.raises(ValueError, match="period has 2 entries, but positions have 1 axes"):
        graphs.distance_dependent(graphs.box(1.0), line, period=(1.0, 2.0))
    with pytest.raises(ValueError, match="period must be positive"):
        graphs.distance_dependent(graphs.box(1.0), line, period=0.0)
    with pytest.raises(ValueError, match=r"pre_positions\[1\] is not"):
        graphs.distance_dependent(graphs.box(1.0), [0.0, np.nan])
    with pytest.raises(ValueError, match="between 0 and 1, but at distance"):
        build(graphs.distance_dependent(lambda d: 2.0 - d, line), 4)
    with pytest.raises(ValueError, match="one probability per distance"):
        build(graphs.distance_dependent(lambda d: 0.5, line), 4)
    with pytest.raises(ValueError, match="sigma must be positive"):
        graphs.gaussian(0.0)
    with pytest.raises(ValueError, match="p_max must be between 0 and 1"):
        graphs.exponential(1.0, 1.5)
    with pytest.raises(ValueError, match="Did you mean 'moore'"):
        graphs.grid_neighbours((3, 3), neighbourhood="more")
    with pytest.raises(ValueError, match=r"shape \(3, 3\) has 9 neurons, but there are 8"):
        build(graphs.grid_neighbours((3, 3)), 8)
    with pytest.raises(ValueError, match="graph within one population"):
        build(graphs.grid_neighbours((3, 3)), 9, 8)
    with pytest.raises(ValueError, match="graph within one population"):
        graphs.grid_neighbours(2).build(2, 2, rng, pre_ids=[0, 1], post_ids=[1, 0])
