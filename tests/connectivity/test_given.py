"""Graphs that are given: round trips through numpy, scipy, networkx and a connectome."""

import inspect

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
import scipy.sparse

import neurojax as nj

graphs = nj.connectivity


def build(builder, n_pre, n_post=None):
    return builder.build(n_pre, n_pre if n_post is None else n_post, np.random.default_rng(0))


def random_matrix(n_pre, n_post, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_pre, n_post)) * (rng.random((n_pre, n_post)) < 0.3)


def test_matrix_there_and_back():
    W = random_matrix(13, 7)
    edges = build(graphs.from_matrix(W), 13, 7)
    np.testing.assert_array_equal(edges.to_scipy().toarray(), W)
    assert len(edges) == np.count_nonzero(W)
    mask = build(graphs.from_matrix(W != 0), 13, 7)
    assert mask.weight is None
    np.testing.assert_array_equal(mask.to_scipy().toarray(), W != 0)


def test_matrix_is_kept_as_it_was():
    W = np.eye(2)
    graph = graphs.from_matrix(W)
    W[0, 1] = 5.0
    assert len(build(graph, 2)) == 2


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
def test_scipy_there_and_back(kind):
    W = random_matrix(6, 9)
    edges = build(graphs.from_scipy(scipy.sparse.csr_array(W).asformat(kind)), 6, 9)
    np.testing.assert_array_equal(edges.to_scipy().toarray(), W)


def test_scipy_keeps_stored_zeros_and_adds_duplicates():
    matrix = scipy.sparse.coo_array(([0.0, 2.0, 3.0], ([0, 1, 1], [1, 0, 0])), shape=(2, 2))
    edges = build(graphs.from_scipy(matrix), 2)
    assert edges.pre.tolist() == [0, 1] and edges.post.tolist() == [1, 0]
    assert edges.weight.tolist() == [0.0, 5.0]
    unsorted = scipy.sparse.csr_array(([1.0, 2.0], [2, 0], [0, 2]), shape=(1, 3))
    edges = build(graphs.from_scipy(unsorted), 1, 3)
    assert edges.post.tolist() == [0, 2] and edges.weight.tolist() == [2.0, 1.0]
    assert unsorted.indices.tolist() == [2, 0]  # what was given is left alone


def test_zeros_that_fill_up_diagonals_are_no_edges():
    """Three entries beside each other are on three diagonals, with zeros below them."""
    W = np.zeros((4, 4))
    W[0, :3] = 1.0, 2.0, 3.0
    filled = scipy.sparse.dia_array(W)
    assert filled.nnz > 3
    assert build(graphs.from_scipy(filled), 4).weight.tolist() == [1.0, 2.0, 3.0]


def test_scipy_adds_duplicates_of_small_integers():
    matrix = scipy.sparse.coo_array((np.array([100, 100], np.int8), ([0, 0], [1, 1])), shape=(2, 2))
    assert build(graphs.from_scipy(matrix), 2).weight.tolist() == [200.0]


def test_networkx_there_and_back():
    graph = nx.gnp_random_graph(20, 0.2, seed=1, directed=True)
    graph.add_edge(3, 3)
    for i, (_, _, data) in enumerate(graph.edges(data=True)):
        data["weight"], data["lag"] = float(i + 1), 0.5 * (i + 1)
    edges = build(graphs.from_networkx(graph, delay="lag"), 20)
    np.testing.assert_array_equal(edges.to_scipy().toarray(), nx.to_numpy_array(graph))
    np.testing.assert_array_equal(edges.delay, edges.weight / 2)
    assert build(graphs.from_networkx(graph, weight=None), 20).weight is None


def test_networkx_undirected_and_multigraph():
    graph = nx.Graph()
    graph.add_nodes_from("cab")  # the order of the nodes, not of their names
    graph.add_weighted_edges_from([("a", "b", 2.0), ("c", "c", 5.0)])
    edges = build(graphs.from_networkx(graph), 3)
    assert edges.to_scipy().toarray().tolist() == [[5, 0, 0], [0, 0, 2], [0, 2, 0]]
    several = nx.MultiDiGraph([(0, 1), (0, 1), (1, 0)])
    edges = build(graphs.from_networkx(several), 2)
    assert edges.pre.tolist() == [0, 0, 1]
    assert edges.weight is None
    assert len(build(graphs.from_networkx(nx.empty_graph(3)), 3)) == 0


def small_worm(signs=None):
    return nj.connectomes.Connectome(
        ["a", "b", "c"],
        [[1, 4, 0], [0, 0, 2], [3, 0, 0]],
        gap=[[6, 1, 0], [1, 0, 0], [0, 0, 0]],
        signs=signs,
        positions=[[0, 0, 0], [3, 4, 0], [0, 0, 2]],
    )


def test_connectome():
    worm = small_worm()
    edges = build(graphs.from_connectome(worm), 3)
    np.testing.assert_array_equal(edges.to_scipy().toarray(), worm.chemical)
    assert edges.distance.tolist() == [0.0, 5.0, np.sqrt(29), 2.0]
    gap = build(graphs.from_connectome(worm, "gap"), 3)
    assert gap.to_scipy().toarray().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    signed = graphs.from_connectome(small_worm(signs=[[1, 1, 0], [0, 0, -1], [1, 0, 0]]),
                                    signed=True)  # fmt: skip
    assert build(signed, 3).weight.tolist() == [1, 4, -2, 3]
    assert repr(signed).startswith("from_connectome(neurons=3, kind='chemical', signed=True")


def test_published_connectome():
    worm = nj.connectomes.cook2019()
    edges = build(graphs.from_connectome(worm), len(worm))
    assert len(edges) == worm.n_chemical
    np.testing.assert_array_equal(edges.to_scipy().toarray(), worm.chemical)
    assert edges.distance is None or np.isfinite(edges.distance).all()


def test_edge_list_keeps_multi_edges_and_self_edges():
    graph = graphs.from_edges([1, 1, 0], [1, 1, 0], weight=[1.0, 2.0, 3.0], delay=2.0)
    edges = graph.build(2, 2, np.random.default_rng(0), pre_ids=[0, 1], post_ids=[0, 1])
    assert edges.pre.tolist() == [0, 1, 1]
    assert edges.weight.tolist() == [3.0, 1.0, 2.0]
    assert edges.delay.tolist() == [2.0] * 3
    assert len(build(graphs.from_edges([], []), 2)) == 0


def test_refusals():
    with pytest.raises(ValueError, match="pre has 2 entries, but post has 1"):
        graphs.from_edges([0, 1], [0])
    with pytest.raises(ValueError, match="post has the index 4, but there are 3 neurons"):
        build(graphs.from_edges([0], [4]), 3)
    with pytest.raises(ValueError, match=r"W must be finite, but W\[0, 1\] is nan"):
        graphs.from_matrix([[0.0, np.nan]])
    with pytest.raises(ValueError, match="W must be a matrix"):
        graphs.from_matrix([1.0, 2.0])
    with pytest.raises(ValueError, match="got rows that differ"):
        graphs.from_matrix([[1.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match="from 2 to 3 neurons, but the projection is from 3 to 2"):
        build(graphs.from_matrix(np.ones((2, 3))), 3, 2)
    with pytest.raises(TypeError, match="a dense one goes to from_matrix"):
        graphs.from_scipy(np.eye(2))
    with pytest.raises(ValueError, match=r"matrix must be \[pre, post\], got one of shape \(2,\)"):
        graphs.from_scipy(scipy.sparse.coo_array(np.ones(2)))
    for delay in ([0.0, 2.0], 0.0, -1.0):
        with pytest.raises(ValueError, match="delay must be positive"):
            graphs.from_edges([0, 1], [1, 0], delay=delay)
    late = nx.path_graph(2)
    late[0][1]["delay"] = 0.0
    with pytest.raises(ValueError, match="delay must be positive"):
        graphs.from_networkx(late)
    with pytest.raises(ValueError, match="from 4 to 4 neurons"):
        build(graphs.from_networkx(nx.path_graph(4)), 3)
    partly = nx.path_graph(3)
    partly[0][1]["weight"] = 1.0
    with pytest.raises(ValueError, match="'weight', but the one from 1 to 2 has not"):
        graphs.from_networkx(partly)
    with pytest.raises(ValueError, match=r"unknown kind 'gaps'\. Did you mean 'gap'"):
        graphs.from_connectome(small_worm(), "gaps")
    with pytest.raises(ValueError, match="4 of 4 edges have no known sign, the one from a to a"):
        graphs.from_connectome(small_worm(), signed=True)
    with pytest.raises(ValueError, match="a gap junction has no sign"):
        graphs.from_connectome(small_worm(), "gap", signed=True)


def test_what_is_no_such_graph_is_refused_by_name():
    matrix = np.ones((3, 3))
    plain = {k: inspect.unwrap(getattr(graphs, k)) for k in ("from_networkx", "from_connectome")}
    with pytest.raises(TypeError, match="graph must be a networkx graph, got ndarray; a matrix"):
        plain["from_networkx"](matrix)
    with pytest.raises(TypeError, match=r"connectome must be a Connectome, .*, got ndarray"):
        plain["from_connectome"](matrix)
    with pytest.raises(TypeError, match="a sparse one goes to from_scipy"):
        graphs.from_matrix(scipy.sparse.csr_array(matrix))
    masked = np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[1, 0], [0, 0]])
    with pytest.raises(TypeError, match=r"W is a masked array.* W\.filled\(0\.0\)"):
        graphs.from_matrix(masked)
    assert build(graphs.from_matrix(masked.filled(0.0)), 2).weight.tolist() == [2.0, 3.0, 4.0]


def test_a_named_attribute_must_be_there():
    graph = nx.DiGraph()
    graph.add_edge("a", "b", weight=2.0, lag=1.0)
    for options in ({"weight": "weigth"}, {"delay": "wait"}):
        (name, attribute), *_ = options.items()
        message = f"no edge has the attribute {name}='{attribute}'.*Known: lag, weight"
        with pytest.raises(nj.UnknownNameError, match=message):
            graphs.from_networkx(graph, **options)
    edges = build(graphs.from_networkx(graph), 2)
    assert (edges.weight.tolist(), edges.delay) == ([2.0], None)
    assert len(build(graphs.from_networkx(nx.empty_graph(3), weight="size"), 3)) == 0


def test_traced_weights_are_refused():
    ends = np.arange(3)
    build = lambda w: nj.connectivity.from_edges(ends, ends, weight=w).build(3, 3, None).weight
    with pytest.raises(TypeError, match=r"weight of edges must be numbers.*nj.Projection\(weight"):
        jax.grad(lambda w: build(w).sum())(jnp.ones(3))
