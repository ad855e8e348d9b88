"""Matching of units: permuted copies, every assignment tried, solvers of scipy and sklearn."""

import itertools

import jax
import numpy as np
import pytest
from scipy.optimize import nnls

from neurojax.analysis import similarity

RNG = np.random.default_rng(3)
X = RNG.normal(size=(30, 6))


def test_permuted_copies_match_perfectly():
    order = RNG.permutation(6)
    found = similarity.match_units(X, 4.0 * X[:, order] - 1.0)
    np.testing.assert_array_equal(order[found.y], np.arange(6))
    assert found.score == pytest.approx(1.0, abs=1e-12)
    assert found.semi_match == pytest.approx(1.0, abs=1e-12)
    rotated = X @ np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    assert similarity.match_units(X, rotated).score < 0.9


@pytest.mark.parametrize("signed", [True, False])
def test_matching_is_the_best_of_all(signed):
    y = X @ RNG.normal(size=(6, 4)) + RNG.normal(size=(30, 4))
    correlations = np.corrcoef(X.T, y.T)[:6, 6:]
    np.testing.assert_allclose(similarity.unit_correlations(X, y), correlations, atol=1e-12)
    value = correlations if signed else np.abs(correlations)
    best = max(
        np.mean([value[i, j] for j, i in enumerate(rows)])
        for rows in itertools.permutations(range(6), 4)
    )
    found = similarity.match_units(X, y, signed=signed)
    assert found.score == pytest.approx(best)
    np.testing.assert_allclose(found.correlation, correlations[found.x, found.y], atol=1e-12)
    assert found.semi_match == pytest.approx(value[found.x].max(axis=1).mean())
    assert found.semi_match >= found.score


def standardised(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


def test_sparse_matching_is_the_lasso():
    linear_model = pytest.importorskip("sklearn.linear_model")
    y = X @ RNG.normal(size=(6, 3)) + RNG.normal(size=(30, 3))
    for positive in (True, False):
        found = similarity.sparse_match(X, y, 0.1, nonnegative=positive)
        lasso = linear_model.Lasso(0.1, positive=positive, fit_intercept=False, tol=1e-13)
        expected = lasso.fit(standardised(X), standardised(y)).coef_.T
        assert np.sum(expected == 0) > 0
        np.testing.assert_allclose(found.weights, expected, atol=1e-6)
        np.testing.assert_array_equal(found.used, (expected != 0).sum(axis=0))
        left = np.mean((standardised(y) - standardised(X) @ expected) ** 2, axis=0)
        np.testing.assert_allclose(found.r2, 1 - left, atol=1e-6)


def test_sparse_matching_without_penalty_is_nonnegative_least_squares():
    y = X @ RNG.normal(size=(6, 2)) + RNG.normal(size=(30, 2))
    expected = np.stack([nnls(standardised(X), column)[0] for column in standardised(y).T], axis=1)
    found = similarity.sparse_match(X, y, 0.0)
    np.testing.assert_allclose(found.weights, expected, atol=1e-9)


def test_one_unit_split_in_two_is_found():
    y = np.stack([X[:, 2] + X[:, 5], 3.0 * X[:, 0]], axis=1)
    found = similarity.sparse_match(X, y, 0.02)
    assert set(np.flatnonzero(found.weights[:, 0] > 0.1)) == {2, 5}
    assert set(np.flatnonzero(found.weights[:, 1] > 0.1)) == {0}
    assert np.all(np.asarray(found.r2) > 0.99)


def test_spectral_matching_finds_groups_in_both():
    source = RNG.normal(size=(200, 3))
    of_x, of_y = RNG.permutation(np.repeat([0, 1, 2], [4, 5, 6])), np.repeat([2, 0, 1], [3, 7, 4])
    x, y = (source[:, of] + 0.5 * RNG.normal(size=(200, len(of))) for of in (of_x, of_y))
    found = similarity.spectral_match(x, y, 3, key=jax.random.key(0))
    labels, truth = np.concatenate([found.x, found.y]), np.concatenate([of_x, of_y])
    names = {label: set(truth[labels == label]) for label in range(3)}
    assert sorted(map(list, names.values())) == [[0], [1], [2]]
    correlations = np.abs(np.corrcoef(x.T, y.T)[:15, 15:])
    same = of_x[:, None] == of_y
    assert found.within == pytest.approx(correlations[same].mean())
    assert found.between == pytest.approx(correlations[~same].mean())


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="must be finite"):
        similarity.match_units(X, np.where(X > 1, np.nan, X))
    with pytest.raises(ValueError, match="groups must be from 2 to 6"):
        similarity.spectral_match(X, X, 7, key=jax.random.key(0))
    with pytest.raises(ValueError, match="same samples"):
        similarity.sparse_match(X, X[:4])
