"""RDMs and their comparison, against scipy, scikit-learn and sums written out in numpy."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from neurojax.analysis import similarity

RNG = np.random.default_rng(0)
X = RNG.normal(2.0, 1.0, (9, 6))
MIXING = RNG.normal(size=(6, 6))
NOISE = MIXING @ MIXING.T + np.eye(6)


@pytest.mark.parametrize("distance", ["euclidean", "sqeuclidean", "correlation", "cosine"])
def test_distances_are_those_of_scipy(distance):
    np.testing.assert_allclose(similarity.rdm(X, distance), pdist(X, distance), rtol=1e-12)


def test_mahalanobis_is_that_of_scipy():
    expected = pdist(X, "mahalanobis", VI=np.linalg.inv(NOISE))
    found = similarity.rdm(X, "mahalanobis", noise_covariance=NOISE)
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    found = similarity.rdm(X, "sqmahalanobis", noise_covariance=NOISE)
    np.testing.assert_allclose(found, expected**2, rtol=1e-11)


def test_equal_patterns_are_at_distance_zero_with_finite_gradients(float32):
    x = np.float32(RNG.normal(100.0, 1.0, (5, 300)))
    x[3] = x[1]
    matrix = similarity.to_matrix(similarity.rdm(x))
    assert matrix[1, 3] == 0.0
    gradient = jax.grad(lambda x: similarity.rdm(x).sum())(jnp.asarray(x))
    assert np.all(np.isfinite(gradient))
    np.testing.assert_allclose(similarity.rdm(x), pdist(x.astype(float)), rtol=1e-5)


def test_vector_and_matrix():
    vector = pdist(X)
    np.testing.assert_array_equal(similarity.to_matrix(vector), squareform(vector))
    np.testing.assert_array_equal(similarity.to_vector(squareform(vector)), vector)


def test_crossnobis_is_the_mean_over_pairs_of_folds():
    x = RNG.normal(size=(4, 5, 6))
    inverse = np.linalg.inv(NOISE)
    expected = np.zeros(10)
    for k, (i, j) in enumerate(itertools.combinations(range(5), 2)):
        for m, n in itertools.permutations(range(4), 2):
            expected[k] += (x[m, i] - x[m, j]) @ inverse @ (x[n, i] - x[n, j]) / 12
    np.testing.assert_allclose(similarity.crossnobis(x, NOISE), expected, rtol=1e-10)


def test_crossnobis_has_no_bias():
    """The mean over many experiments is the true distance, and 0 between equal conditions."""
    truth = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 2.0, 0.0]])
    noisy = truth + RNG.normal(size=(4000, 3, 3, 3))
    found = np.asarray(jax.vmap(similarity.crossnobis)(jnp.asarray(noisy)))
    error = found.std(axis=0) / np.sqrt(len(found))
    assert np.all(np.abs(found.mean(axis=0) - [0.0, 5.0, 5.0]) < 4 * error)
    plain = pdist(noisy[0, 0], "sqeuclidean")
    assert plain[0] > 0  # what is not cross-validated never is zero


def test_noise_covariance_is_that_of_scikit_learn():
    covariance = pytest.importorskip("sklearn.covariance")
    residuals = RNG.normal(size=(20, 12)) * np.arange(1, 13)
    expected, shrinkage = covariance.ledoit_wolf(residuals, assume_centered=True)
    assert 0.05 < shrinkage < 0.95
    np.testing.assert_allclose(similarity.noise_covariance(residuals), expected, rtol=1e-10)


A, B = pdist(X[:, :3]), pdist(X[:, 2:])


def test_comparisons_are_those_of_scipy():
    tied_a, tied_b = A.round(1), B.round(0)
    for a, b in [(A, B), (tied_a, tied_b)]:
        expected = {
            "pearson": stats.pearsonr(a, b)[0],
            "spearman": stats.spearmanr(a, b)[0],
            "cosine": a @ b / np.linalg.norm(a) / np.linalg.norm(b),
            "kendall": np.mean(
                [
                    np.sign(a[i] - a[j]) * np.sign(b[i] - b[j])
                    for i, j in itertools.combinations(range(len(a)), 2)
                ]
            ),
        }
        for method, value in expected.items():
            assert float(similarity.compare_rdms(a, b, method)) == pytest.approx(value, abs=1e-12)
    # without ties all the taus agree
    tau = stats.kendalltau(A, B)[0]
    assert float(similarity.compare_rdms(A, B, "kendall")) == pytest.approx(tau, abs=1e-12)


def test_whitened_cosine_takes_the_covariance_of_distances_into_account():
    """Against the matrix of their covariances, V = (C C^T)^2 for C the contrasts of conditions."""
    contrasts = np.array(
        [np.eye(9)[i] - np.eye(9)[j] for i, j in itertools.combinations(range(9), 2)]
    )
    inverse = np.linalg.inv((contrasts @ contrasts.T) ** 2)
    expected = A @ inverse @ B / np.sqrt((A @ inverse @ A) * (B @ inverse @ B))
    assert float(similarity.compare_rdms(A, B, "whitened")) == pytest.approx(expected, abs=1e-10)
    # and of squared distances it is linear CKA
    x, y = X[:, :3], X[:, 2:]
    cka = similarity.linear_cka(x, y)
    squares = [similarity.rdm(part, "sqeuclidean") for part in (x, y)]
    assert float(similarity.compare_rdms(*squares, "whitened")) == pytest.approx(
        float(cka), abs=1e-12
    )


def test_rdms_are_blind_to_rotation_and_shift_and_their_correlation_to_scale():
    rotation = np.linalg.qr(MIXING)[0]
    moved = 3.0 * X @ rotation + RNG.normal(size=6)
    np.testing.assert_allclose(similarity.rdm(moved), 3.0 * similarity.rdm(X), rtol=1e-12)
    for method in ("pearson", "cosine", "whitened", "spearman"):
        value = similarity.compare_rdms(similarity.rdm(X), similarity.rdm(moved), method)
        assert float(value) == pytest.approx(1.0, abs=1e-12)
    # Mahalanobis distances do not change under linear maps that act on signal and noise
    before = similarity.rdm(X, "mahalanobis", noise_covariance=NOISE)
    after = similarity.rdm(X @ MIXING, "mahalanobis", noise_covariance=MIXING.T @ NOISE @ MIXING)
    np.testing.assert_allclose(after, before, rtol=1e-9)


@pytest.mark.parametrize("method", ["pearson", "spearman", "whitened"])
def test_noise_ceiling(method):
    """The bounds written out; and no RDM that we try does better than the upper one."""
    rdms = np.array([pdist(X + RNG.normal(size=X.shape)) for _ in range(4)])
    found = similarity.noise_ceiling(rdms, method)

    def scaled(a):
        if method == "pearson":
            return (a - a.mean()) / a.std()
        if method == "whitened":
            contrast = np.eye(9) - 1 / 9
            return a / np.linalg.norm(contrast @ squareform(a) @ contrast)
        return stats.rankdata(a)

    compare = functools.partial(similarity.compare_rdms, method=method)
    each = np.array([scaled(a) for a in rdms])
    rest = [np.delete(each, k, axis=0).mean(axis=0) for k in range(4)]
    lower = np.mean([compare(a, b) for a, b in zip(rdms, rest, strict=True)])
    upper = np.mean([compare(a, each.mean(axis=0)) for a in rdms])
    np.testing.assert_allclose([found.lower, found.upper], [lower, upper], rtol=1e-12)
    assert found.lower < found.upper
    for _ in range(20):
        candidate = each.mean(axis=0) + 0.3 * RNG.normal(size=36) * each.std()
        assert np.mean([compare(a, candidate) for a in rdms]) < found.upper


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="x must be activity"):
        similarity.rdm(np.zeros(3))
    with pytest.raises(ValueError, match=r"unknown distance 'euclid'.*'euclidean'"):
        similarity.rdm(X, "euclid")
    with pytest.raises(ValueError, match="needs noise_covariance"):
        similarity.rdm(X, "mahalanobis")
    with pytest.raises(ValueError, match="takes no noise_covariance"):
        similarity.rdm(X, noise_covariance=NOISE)
    with pytest.raises(ValueError, match=r"noise_covariance must have shape \(6, 6\)"):
        similarity.rdm(X, "mahalanobis", noise_covariance=np.eye(5))
    with pytest.raises(ValueError, match="x must have shape"):
        similarity.crossnobis(X)
    with pytest.raises(ValueError, match="a must be the upper triangle"):
        similarity.compare_rdms(np.zeros(4), np.zeros(4))
    with pytest.raises(ValueError, match="same samples"):
        similarity.compare_rdms(np.zeros(3), np.zeros(6))
    with pytest.raises(ValueError, match=r"unknown method 'tau'"):
        similarity.compare_rdms(A, B, "tau")
    with pytest.raises(ValueError, match="matrix must be square"):
        similarity.to_vector(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="at least two subjects"):
        similarity.noise_ceiling(A[None])
