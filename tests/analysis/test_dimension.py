"""Dimension, demixing and selectivity, against eigenvalues, scikit-learn and least squares."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from neurojax import analysis

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 1.0, (30, 6)) * [4.0, 3.0, 2.0, 1.0, 1.0, 0.5]


def test_participation_ratio_is_that_of_eigenvalues():
    for x in (X, RNG.normal(size=(6, 40))):
        values = np.linalg.eigvalsh(np.cov(x.T))
        expected = values.sum() ** 2 / np.sum(values**2)
        assert float(analysis.participation_ratio(x)) == pytest.approx(expected, rel=1e-12)
    # k equal components give k, whatever the rotation and scale
    sphere = np.concatenate([np.eye(4), -np.eye(4)]) @ np.linalg.qr(RNG.normal(size=(9, 4)))[0].T
    assert float(analysis.participation_ratio(7.0 * sphere + 1.0)) == pytest.approx(4.0)


def test_effective_rank():
    s = np.linalg.svd(X, compute_uv=False)
    p = s / s.sum()
    assert float(analysis.effective_rank(X)) == pytest.approx(np.exp(-np.sum(p * np.log(p))))
    assert float(analysis.effective_rank(np.diag([3.0, 3.0, 3.0, 0.0]))) == pytest.approx(3.0)
    constant = np.ones((5, 1)) * X[:1] + np.outer([1, -1, 0, 0, 0], X[1])
    assert float(analysis.effective_rank(constant, centre=True)) == pytest.approx(1.0)


def test_principal_components_are_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    expected = decomposition.PCA(3).fit(X)
    found = analysis.pca(X.reshape(5, 6, 6), components=3)
    sign = np.sign(np.sum(np.asarray(found.components) * expected.components_, axis=1))
    np.testing.assert_allclose(found.components, sign[:, None] * expected.components_, atol=1e-12)
    np.testing.assert_allclose(found.explained, expected.explained_variance_ratio_, rtol=1e-12)
    np.testing.assert_allclose(found.variance, expected.explained_variance_, rtol=1e-12)
    projections = (sign * expected.transform(X)).reshape(5, 6, 3)
    np.testing.assert_allclose(found.projections, projections, atol=1e-12)
    whole = analysis.pca(X)
    back = np.asarray(whole.projections) @ np.asarray(whole.components) + np.asarray(whole.mean)
    np.testing.assert_allclose(back, X, atol=1e-12)


RESPONSES = RNG.normal(size=(3, 4, 2, 5)) + np.arange(5)
FACTORS = ("stimulus", "time", "choice")


def test_parts_add_up_and_do_not_correlate():
    parts = analysis.marginalise(RESPONSES, FACTORS)
    assert len(parts) == 7 and "stimulus:choice" in parts
    free = RESPONSES - RESPONSES.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(sum(np.asarray(p) for p in parts.values()), free, atol=1e-12)
    for a, b in itertools.combinations(parts.values(), 2):
        product = np.asarray(a).reshape(-1, 5).T @ np.asarray(b).reshape(-1, 5)
        np.testing.assert_allclose(product, 0.0, atol=1e-12)
    expected = free.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(parts["stimulus"], np.broadcast_to(expected, free.shape), atol=1e-12)
    time = analysis.marginalise(RESPONSES, FACTORS, merge={"time": ["time"], "rest": ["choice"]})
    assert list(time)[:2] == ["time", "rest"] and len(time) == 7
    merged = analysis.marginalise(RESPONSES, FACTORS, merge={"s": ["stimulus", "stimulus:time"]})
    np.testing.assert_allclose(
        merged["s"], np.asarray(parts["stimulus"]) + np.asarray(parts["stimulus:time"]), atol=1e-12
    )


def test_selectivity_is_the_sum_of_squares_of_a_linear_model():
    """The variance that indicators of a factor explain, by least squares."""
    found = analysis.selectivity(RESPONSES, FACTORS)
    np.testing.assert_allclose(sum(np.asarray(f) for f in found.values()), 1.0, rtol=1e-12)
    grid = np.indices((3, 4, 2)).reshape(3, -1)
    flat = RESPONSES.reshape(-1, 5)
    for k, factor in enumerate(FACTORS):
        design = np.eye(grid[k].max() + 1)[grid[k]]
        predicted = design @ np.linalg.lstsq(design, flat, rcond=None)[0]
        expected = predicted.var(axis=0) / flat.var(axis=0)
        np.testing.assert_allclose(found[factor], expected, rtol=1e-12)


def test_demixing_is_reduced_rank_regression():
    """Against a descent over encoder and decoder from several starts."""
    found = analysis.dpca(
        RESPONSES, FACTORS, components={"time": 2, "stimulus": 1}, regularisation=0.2
    )
    flat = RESPONSES.reshape(-1, 5)
    flat = flat - flat.mean(axis=0)
    penalty = 0.2**2 * np.sum(flat**2)
    parts = analysis.marginalise(RESPONSES, FACTORS)
    for name, rank in (("time", 2), ("stimulus", 1)):
        part = np.asarray(parts[name]).reshape(-1, 5)

        def loss(F, D, part=part):
            return np.sum((part - flat @ D.T @ F) ** 2) + penalty * np.sum((D.T @ F) ** 2)

        def objective(z, rank=rank, loss=loss, part=part):
            F, D = z.reshape(2, rank, 5)
            slope = -2 * flat.T @ (part - flat @ D.T @ F) + 2 * penalty * D.T @ F
            return loss(F, D), np.concatenate([D @ slope, F @ slope.T]).ravel()

        starts = RNG.normal(size=(5, 2 * rank * 5))
        best = min(minimize(objective, z, jac=True, tol=1e-9).fun for z in starts)
        F, D = np.asarray(found.encoders[name]), np.asarray(found.decoders[name])
        assert loss(F, D) == pytest.approx(best, rel=1e-6)
        np.testing.assert_allclose(F @ F.T, np.eye(rank), atol=1e-12)
        read = np.asarray(found.projections[name]).reshape(-1, rank)
        np.testing.assert_allclose(read, flat @ D.T, atol=1e-12)
        for k in range(rank):
            left = np.sum((flat - read[:, [k]] * F[[k]]) ** 2) / np.sum(flat**2)
            assert float(found.explained[name][k]) == pytest.approx(1 - left)


def test_noise_is_a_ridge_of_its_own():
    """Trials that scatter by a covariance: the same as regression on so many noisy copies."""
    noise = np.diag([0.1, 1.0, 0.2, 3.0, 0.5])
    found = analysis.dpca(RESPONSES, FACTORS, regularisation=0.0, noise_covariance=noise)
    flat = RESPONSES.reshape(-1, 5)
    flat = flat - flat.mean(axis=0)
    # copies at +- the root of the covariance have it exactly
    roots = np.concatenate([np.sqrt(5 * noise), -np.sqrt(5 * noise)])
    trials = (flat[:, None] + roots).reshape(-1, 5)
    part = np.asarray(analysis.marginalise(RESPONSES, FACTORS)["stimulus"]).reshape(-1, 5)
    map_, *_ = np.linalg.lstsq(trials, np.repeat(part, 10, axis=0), rcond=None)
    leading = np.linalg.svd(trials @ map_, full_matrices=False)[2][:1]
    decoder = np.asarray(found.decoders["stimulus"])
    expected = leading @ map_.T
    expected *= np.sign(np.sum(expected * decoder))
    np.testing.assert_allclose(decoder, expected, atol=1e-10)


def test_mixed_axes_are_demixed():
    """Two oblique axes: the decoder of the stimulus does not see time, though its axis does."""
    axes = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    stimulus, time = np.array([-1.0, 0.0, 1.0]), np.sin(np.arange(8.0))
    x = stimulus[:, None, None] * axes[0] + time[None, :, None] * axes[1]
    found = analysis.dpca(x, ("stimulus", "time"), components=1, regularisation=1e-6)
    read = np.asarray(found.projections["stimulus"])[..., 0]
    np.testing.assert_allclose(read, np.broadcast_to(read[:, :1], (3, 8)), atol=1e-8)
    np.testing.assert_allclose(read[:, 0], np.sqrt(2) * stimulus, atol=1e-8)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="components must be from 1 to 6"):
        analysis.pca(X, 7)
    with pytest.raises(ValueError, match="x must be activity"):
        analysis.participation_ratio(X[0])
    with pytest.raises(ValueError, match="x must have one axis for each"):
        analysis.marginalise(RESPONSES, ("stimulus", "time"))
    with pytest.raises(ValueError, match="factors must be different names"):
        analysis.selectivity(RESPONSES, ("a", "b", "a"))
    with pytest.raises(ValueError, match="unknown part 'choise'"):
        analysis.marginalise(RESPONSES, FACTORS, merge={"x": ["choise"]})
    with pytest.raises(ValueError, match="components names an unknown part"):
        analysis.dpca(RESPONSES, FACTORS, components={"tim": 1})
    with pytest.raises(ValueError, match="noise_covariance must have shape"):
        analysis.dpca(RESPONSES, FACTORS, noise_covariance=np.eye(3))
