"""What is no number is not called the same."""

import jax
import numpy as np
import pytest

from neurojax.analysis import similarity as s

X = np.random.default_rng(0).normal(size=(10, 4))
Y = X @ np.ones((4, 5)) + np.random.default_rng(1).normal(size=(10, 5))
GAP = X.copy()
GAP[3, 1] = np.nan


@pytest.mark.parametrize("measure", [s.procrustes_distance, s.angular_distance])
def test_distances(measure):
    assert np.isnan(measure(GAP, Y))
    assert np.isnan(measure(0.0 * X, Y))
    assert float(measure(X, X)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("distance", ["euclidean", "sqeuclidean", "mahalanobis", "sqmahalanobis"])
def test_rdms(distance):
    covariance = np.eye(4) if "mahalanobis" in distance else None
    found = s.to_matrix(s.rdm(GAP, distance, noise_covariance=covariance))
    pairs = np.asarray(found)[np.triu_indices(10, 1)]
    assert np.isnan(np.asarray(found)[3, np.delete(np.arange(10), 3)]).all()
    assert not (pairs == 0).any()


def test_a_singular_noise_covariance_gives_no_distances():
    few = np.cov(np.random.default_rng(1).normal(size=(3, 4)).T)
    assert np.isnan(s.rdm(X, "mahalanobis", noise_covariance=few - 0.1 * np.eye(4))).all()


def test_the_derivative_at_zero_is_zero():
    found = jax.grad(lambda x: s.rdm(x)[0])(np.ones((3, 2)))
    np.testing.assert_array_equal(found, 0.0)
