"""CKA, Procrustes and CCA: values against scipy and numpy, and what they are blind to."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes, subspace_angles
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.distance import pdist, squareform

from neurojax.analysis import similarity

RNG = np.random.default_rng(1)
X = RNG.normal(1.0, 1.0, (12, 5))
Y = X @ RNG.normal(size=(5, 5)) + RNG.normal(size=(12, 5))
WIDE = RNG.normal(size=(12, 40))
ROTATION = np.linalg.qr(RNG.normal(size=(5, 5)))[0]
MAP = RNG.normal(size=(5, 5)) * [1.0, 2.0, 4.0, 8.0, 16.0]
MOVED = 2.5 * X @ ROTATION + RNG.normal(size=5)

MEASURES = {
    "linear CKA": (similarity.linear_cka, 1.0),
    "debiased CKA": (lambda x, y: similarity.linear_cka(x, y, debiased=True), 1.0),
    "Gaussian CKA": (similarity.rbf_cka, 1.0),
    "Procrustes": (similarity.procrustes_distance, 0.0),
    "angle": (similarity.angular_distance, 0.0),
    "CCA": (similarity.cca, 1.0),
    "ridge CCA": (lambda x, y: similarity.cca(x, y, regularisation=0.1), None),
    "SVCCA": (lambda x, y: similarity.svcca(x, y, variance=0.9), 1.0),
    "PWCCA": (similarity.pwcca, 1.0),
}


@pytest.mark.parametrize("name", MEASURES)
def test_invariance(name):
    """Copies that are rotated, permuted, scaled and shifted are equal; to others equally far."""
    measure, perfect = MEASURES[name]
    if perfect is not None:
        assert float(measure(X, MOVED)) == pytest.approx(perfect, abs=1e-12)
        assert float(measure(X, X[:, ::-1])) == pytest.approx(perfect, abs=1e-12)
    value = float(measure(X, Y))
    assert 0.05 < value < 0.95
    if name == "PWCCA":  # weights of single units of the first: only the second may be turned
        assert float(measure(Y, MOVED)) == pytest.approx(float(measure(Y, X)), abs=1e-12)
    else:
        assert float(measure(MOVED, Y)) == pytest.approx(value, abs=1e-12)
        assert float(measure(Y, X)) == pytest.approx(value, abs=1e-12)
    samples = RNG.permutation(12)
    assert float(measure(X[samples], Y[samples])) == pytest.approx(value, abs=1e-12)
    # general linear maps
    mapped = float(measure(X @ MAP, Y))
    assert (abs(mapped - value) < 1e-10) == (name == "CCA")
    if name in ("CCA", "PWCCA"):
        assert float(measure(X, X @ MAP)) == pytest.approx(1.0, abs=1e-12)


def centred(x):
    return x - x.mean(axis=0)


def brute_cka(K, L, debiased):
    """Biased by centring matrices; unbiased by sums over different samples."""
    P = len(K)

    def hsic(K, L):
        if not debiased:
            H = np.eye(P) - 1 / P
            return np.trace(K @ H @ L @ H)
        K, L = (M - np.diag(np.diag(M)) for M in (K, L))
        # the U-statistic: sums over pairs, triples and quadruples of different samples
        pairs = np.sum(K * L) / (P * (P - 1))
        triples = quadruples = 0.0
        for i, j, k in itertools.permutations(range(P), 3):
            triples += K[i, j] * L[i, k]
        for i, j, k, m in itertools.permutations(range(P), 4):
            quadruples += K[i, j] * L[k, m]
        triples /= P * (P - 1) * (P - 2)
        quadruples /= P * (P - 1) * (P - 2) * (P - 3)
        return pairs + quadruples - 2 * triples

    return hsic(K, L) / np.sqrt(hsic(K, K) * hsic(L, L))


@pytest.mark.parametrize("debiased", [False, True])
def test_cka_is_that_of_explicit_sums(debiased):
    """With fewer units than samples, and with more (another order of products)."""
    P = 7
    for x, y in [(X[:P], Y[:P]), (X[:P], WIDE[:P]), (WIDE[:P], WIDE[:P, :30] ** 2)]:
        expected = brute_cka(x @ x.T, y @ y.T, debiased)
        found = similarity.linear_cka(x, y, debiased=debiased)
        assert float(found) == pytest.approx(expected, abs=1e-12)
        found = similarity.kernel_cka(x @ x.T, y @ y.T, debiased=debiased)
        assert float(found) == pytest.approx(expected, abs=1e-12)
    kernels = []
    for x in (X[:P], Y[:P]):
        distances = pdist(x)
        kernels.append(
            np.exp(-(squareform(distances) ** 2) / (2 * (0.7 * np.median(distances)) ** 2))
        )
    found = similarity.rbf_cka(X[:P], Y[:P], 0.7, debiased=debiased)
    assert float(found) == pytest.approx(brute_cka(*kernels, debiased), abs=1e-12)


def test_cka_of_independent_populations():
    """Biased about N / (N + P) for P samples of N units; debiased zero on average."""
    P, N, repeats = 20, 60, 200
    x, y = jnp.asarray(RNG.normal(size=(2, repeats, P, N)))
    biased = jax.vmap(similarity.linear_cka)(x, y)
    assert float(biased.mean()) == pytest.approx(N / (N + P), abs=0.02)
    debiased = jax.vmap(lambda x, y: similarity.linear_cka(x, y, debiased=True))(x, y)
    assert abs(float(debiased.mean())) < 4 * float(debiased.std()) / np.sqrt(repeats)


def test_linear_cka_never_makes_a_matrix_of_samples():
    x = jax.ShapeDtypeStruct((100_000, 8), np.float32)
    for debiased in (False, True):
        measure = functools.partial(similarity.linear_cka, debiased=debiased)
        assert "100000,100000" not in str(jax.make_jaxpr(measure)(x, x))
    wide = jax.ShapeDtypeStruct((8, 100_000), np.float32)
    for measure in (similarity.linear_cka, similarity.procrustes_distance):
        assert "100000,100000" not in str(jax.make_jaxpr(measure)(wide, wide))


def test_large_activity_does_not_overflow(float32):
    x = np.float32(1e12 * WIDE)
    assert float(similarity.linear_cka(x, -x)) == pytest.approx(1.0, abs=1e-6)


def test_procrustes_is_that_of_scipy():
    x, y = X, Y
    _, aligned, disparity = scipy_procrustes(y, x)  # 1 - (sum of singular values)^2
    rotation, total = orthogonal_procrustes(centred(x), centred(y))
    sizes = [np.linalg.norm(centred(a)) for a in (x, y)]
    cosine = total / np.prod(sizes)
    assert 1 - disparity == pytest.approx(cosine**2)
    assert float(similarity.procrustes_distance(x, y)) == pytest.approx(np.sqrt(2 - 2 * cosine))
    assert float(similarity.angular_distance(x, y)) == pytest.approx(np.arccos(cosine))
    plain = np.linalg.norm(centred(x) @ rotation - centred(y))
    found = similarity.procrustes_distance(x, y, normalise=False)
    assert float(found) == pytest.approx(plain, rel=1e-12)
    found = similarity.procrustes(x, y)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-12)
    assert float(found.scale) == pytest.approx(total / sizes[0] ** 2)
    np.testing.assert_allclose(
        (np.asarray(found.aligned) - y.mean(axis=0)) / sizes[1], aligned, atol=1e-12
    )


def test_procrustes_of_populations_of_different_size():
    """The nuclear norm, with silent units for the smaller one; and more units than samples."""
    for x, y in [(X, Y), (X, WIDE), (WIDE, X), (WIDE, WIDE[:, :30] ** 2)]:
        x, y = centred(x), centred(y)
        nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
        expected = np.sqrt(np.sum(x**2) + np.sum(y**2) - 2 * nuclear)
        found = similarity.procrustes_distance(x, y, normalise=False)
        assert float(found) == pytest.approx(expected, rel=1e-12)


def test_procrustes_distance_is_a_metric():
    populations = jnp.asarray(RNG.normal(size=(6, 8, 3)))
    for measure in (similarity.procrustes_distance, similarity.angular_distance):
        table = jax.vmap(jax.vmap(measure, (None, 0)), (0, None))(populations, populations)
        table = np.asarray(table)
        np.testing.assert_allclose(table, table.T, atol=1e-12)
        assert np.all(np.diag(table) < 1e-12)
        assert np.all(table[:, None] <= table[:, :, None] + table[None] + 1e-12)


def test_canonical_correlations_are_cosines_of_principal_angles():
    angles = subspace_angles(centred(X), centred(Y))
    found = similarity.canonical_correlations(X, Y)
    np.testing.assert_allclose(found, np.cos(angles)[::-1], atol=1e-12)
    assert float(similarity.cca(X, Y)) == pytest.approx(np.cos(angles).mean())


def test_ridge_and_weights_of_cca_against_covariances():
    x, y = centred(X), centred(Y)
    ridge = 0.3
    whitening = []
    for a in (x, y):
        values, vectors = np.linalg.eigh(
            a.T @ a + ridge * np.trace(a.T @ a) / a.shape[1] * np.eye(a.shape[1])
        )
        whitening.append(vectors / np.sqrt(values) @ vectors.T)
    expected = np.linalg.svd(whitening[0] @ x.T @ y @ whitening[1], compute_uv=False)
    found = similarity.canonical_correlations(X, Y, regularisation=ridge)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    # projection weighting, from eigenvectors of C_xx^-1 C_xy C_yy^-1 C_yx
    product = np.linalg.solve(x.T @ x, x.T @ y) @ np.linalg.solve(y.T @ y, y.T @ x)
    values, vectors = np.linalg.eig(product)
    order = np.argsort(-values.real)[:5]
    variates = x @ vectors[:, order].real
    variates /= np.linalg.norm(variates, axis=0)
    weights = np.abs(variates.T @ x).sum(axis=1)
    expected = weights @ np.sqrt(values.real[order]) / weights.sum()
    assert float(similarity.pwcca(X, Y)) == pytest.approx(expected, abs=1e-10)


def test_svcca_keeps_leading_components():
    """Against CCA of projections that are made by hand; and silent directions do not matter."""
    kept = []
    for a in (centred(X), centred(Y)):
        u, s, _ = np.linalg.svd(a, full_matrices=False)
        number = 1 + np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 0.9)
        assert number < a.shape[1]
        kept.append(u[:, :number])
    expected = np.cos(subspace_angles(*kept)).mean()
    assert float(similarity.svcca(X, Y, variance=0.9)) == pytest.approx(expected)
    silent = np.concatenate([X, X[:, :2] @ RNG.normal(size=(2, 3)), np.ones((12, 1))], axis=1)
    assert float(similarity.cca(silent, Y)) == pytest.approx(float(similarity.cca(X, Y)))


def test_only_linear_maps_of_cca_fool_nobody_else():
    """A case by hand: two orthogonal units, one of them ten times stronger in the copy."""
    x = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    y = x * [1.0, 10.0]
    assert float(similarity.cca(x, y)) == pytest.approx(1.0)
    assert float(similarity.linear_cka(x, y)) == pytest.approx(101 / np.sqrt(2 * 10001))
    assert float(similarity.angular_distance(x, y)) == pytest.approx(np.arccos(11 / np.sqrt(202)))


@pytest.mark.parametrize(
    "name", [name for name in MEASURES if name not in ("SVCCA", "CCA", "debiased CKA")]
)
def test_gradient_is_that_of_finite_differences(name):
    measure = MEASURES[name][0]
    direction = RNG.normal(size=X.shape)
    _, slope = jax.jvp(lambda x: measure(x, Y), (jnp.asarray(X),), (jnp.asarray(direction),))
    step = 1e-5
    expected = (measure(X + step * direction, Y) - measure(X - step * direction, Y)) / (2 * step)
    assert abs(float(slope)) > 1e-4
    assert float(slope) == pytest.approx(float(expected), rel=1e-5)


def test_gradient_of_procrustes_with_more_units_than_samples():
    x, direction = WIDE[:6], RNG.normal(size=(6, 40))
    measure = jax.jit(lambda x: similarity.procrustes_distance(x, Y[:6]))
    gradient = jax.grad(measure)(jnp.asarray(x))
    expected = (measure(x + 1e-5 * direction) - measure(x - 1e-5 * direction)) / 2e-5
    assert float(np.sum(gradient * direction)) == pytest.approx(float(expected), rel=1e-5)
    assert np.all(np.isfinite(jax.grad(lambda x: similarity.procrustes_distance(x, x))(X)))


def test_subsampling_converges_to_the_whole():
    """Similarity of a population with its own subsets rises with their number; all units give 1."""
    x = jnp.asarray(RNG.normal(size=(15, 4)) @ RNG.normal(size=(4, 60)))
    curve = similarity.subsample_curve(
        lambda part: similarity.linear_cka(part, x), x, [2, 60], key=jax.random.key(0), repeats=8
    )
    assert curve.shape == (2, 8)
    mean = np.asarray(curve.mean(axis=1))
    assert 0.2 < mean[0] < 0.9
    np.testing.assert_allclose(curve[1], 1.0, rtol=1e-12)
    # every subset has different units: sums of powers of two name them
    units = similarity.subsample_curve(
        lambda part: part[0].sum(), 2.0 ** np.arange(6)[None], [3], key=jax.random.key(1)
    )
    assert all(bin(int(value)).count("1") == 3 for value in units[0])
    assert len(set(np.asarray(units[0]))) > 5


def test_bad_input_is_named():
    for measure in (similarity.linear_cka, similarity.cca, similarity.procrustes_distance):
        with pytest.raises(ValueError, match="x and y must have the same samples"):
            measure(X, Y[:5])
        with pytest.raises(ValueError, match="y must be activity"):
            measure(X, Y[0])
    with pytest.raises(ValueError, match="at least 4 samples"):
        similarity.linear_cka(X[:3], Y[:3], debiased=True)
    with pytest.raises(ValueError, match="K and L must be square"):
        similarity.kernel_cka(X, X)
    with pytest.raises(ValueError, match="x must be real"):
        similarity.linear_cka(X + 0j, Y)
    with pytest.raises(ValueError, match="sizes must be from 1 to the 5 units"):
        similarity.subsample_curve(jnp.mean, X, [6], key=jax.random.key(0))
