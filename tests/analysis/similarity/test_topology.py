"""Topological RSA: transforms by hand, paths against scipy, and what it tells apart."""

import numpy as np
import pytest
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

from neurojax.analysis import similarity

RNG = np.random.default_rng(2)
RDM = pdist(RNG.normal(size=(12, 3)))


def test_geo_topological_transform():
    """Against numpy's interpolation of the ranks."""
    quantile = (rankdata(RDM) - 1) / (len(RDM) - 1)
    found = similarity.geo_topological(RDM, 0.2, 0.7)
    np.testing.assert_allclose(found, np.interp(quantile, [0.2, 0.7], [0.0, 1.0]), atol=1e-12)
    np.testing.assert_allclose(similarity.geo_topological(RDM, 0, 1), quantile, atol=1e-12)
    np.testing.assert_array_equal(similarity.geo_topological(RDM, 0.5, 0.5), quantile > 0.5)
    expected = 1 / (1 + np.exp(-4.0 * (quantile - 0.3)))
    np.testing.assert_allclose(similarity.logistic_transform(RDM, 4.0, 0.3), expected, rtol=1e-12)
    # any monotone change of the distances is invisible
    np.testing.assert_array_equal(found, similarity.geo_topological(np.exp(RDM), 0.2, 0.7))


def test_geodesics_are_those_of_scipy():
    matrix = squareform(RDM)
    graph = np.where(matrix <= np.quantile(RDM, 0.15), matrix, 0.0)
    expected = squareform(shortest_path(graph, directed=False), checks=False)
    assert np.isinf(expected).any()  # the graph has several parts
    found = similarity.geodesic_rdm(RDM, 0.15, rank=False)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    ranked = (rankdata(expected) - 1) / (len(RDM) - 1)
    # sums in another order may break ties of a path with its parts; ranks move by half then
    np.testing.assert_allclose(similarity.geodesic_rdm(RDM, 0.15), ranked, atol=2 / len(RDM))
    nearest = np.argsort(matrix, axis=1)[:, 1:4]
    graph = np.zeros_like(matrix)
    for i, others in enumerate(nearest):
        graph[i, others] = matrix[i, others]
    expected = squareform(shortest_path(np.maximum(graph, graph.T)), checks=False)
    found = similarity.geodesic_rdm(RDM, neighbours=3, rank=False)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_topology_is_told_from_geometry():
    """A ring that is twisted into an 8 looks like an 8, but its neighbours are those of a ring."""
    fine = np.linspace(0, 2 * np.pi, 5001)
    zero = np.zeros_like(fine)
    eight = np.stack([np.cos(fine), np.sin(2 * fine) / 2, zero], axis=1)
    # the strands pass each other at a distance where the flat figure crosses itself
    curves = [
        np.stack([np.cos(fine), np.sin(fine), zero], axis=1),
        eight,
        eight + np.stack([zero, zero, 0.3 * np.sin(fine)], axis=1),
    ]

    def evenly(curve):
        length = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1)))
        at = length[-1] * (np.arange(50) + 0.5) / 50
        return np.stack([np.interp(at, length, column) for column in curve.T], axis=1)

    ring, flat, twisted = map(evenly, curves)
    rdms = [similarity.rdm(x) for x in (ring, flat, twisted)]

    def nearer_to_flat(ring, flat, twisted):
        compare = similarity.compare_rdms
        return float(compare(twisted, flat) - compare(twisted, ring))

    assert nearer_to_flat(*rdms) > 0.1
    # the graph of next neighbours is exactly that of the ring, and so are paths along it
    graphs = [similarity.geo_topological(rdm, 0.0405, 0.0405) for rdm in rdms]
    np.testing.assert_array_equal(graphs[2], graphs[0])
    assert nearer_to_flat(*graphs) < -0.04
    geodesics = [similarity.geodesic_rdm(rdm, neighbours=2) for rdm in rdms]
    assert nearer_to_flat(*geodesics) < -0.2


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="lower and upper must be quantiles"):
        similarity.geo_topological(RDM, 0.8, 0.2)
    with pytest.raises(ValueError, match="rdm must be the upper triangle"):
        similarity.logistic_transform(np.zeros(5))
    with pytest.raises(ValueError, match="not both"):
        similarity.geodesic_rdm(RDM, 0.1, neighbours=2)
    with pytest.raises(ValueError, match="neighbours must be from 1 to 11"):
        similarity.geodesic_rdm(RDM, neighbours=12)
    with pytest.raises(ValueError, match="quantile must be"):
        similarity.geodesic_rdm(RDM, 1.5)
