"""The logistic read-out against scikit-learn and its own first-order condition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from neurojax.fitting.logistic_readout import logistic_readout


def problem(samples=150, n=6, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, n))
    scores = X @ rng.normal(size=(n, classes)) + rng.normal(size=classes)
    return X, (scores + 0.7 * rng.gumbel(size=scores.shape)).argmax(axis=1)


@pytest.mark.parametrize(("classes", "penalty"), [(3, 1.0), (4, 0.01), (2, 20.0)])
def test_it_is_that_of_scikit_learn(classes, penalty):
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, y = problem(classes=classes)
    found = logistic_readout(X, y, penalty=penalty)
    if classes == 2:
        # scikit-learn has one row for two classes: w = w1 - w0 with |w0|^2 + |w1|^2 = |w|^2 / 2
        model = linear_model.LogisticRegression(C=2.0 / penalty, tol=1e-10, max_iter=5000)
        model.fit(X, y)
        assert np.allclose(found.output[1] - found.output[0], model.coef_[0], atol=1e-5)
    else:
        model = linear_model.LogisticRegression(C=1.0 / penalty, tol=1e-10, max_iter=5000)
        model.fit(X, y)
        assert np.allclose(found.output, model.coef_, atol=1e-4)
    assert np.allclose(found.probabilities(X), model.predict_proba(X), atol=1e-5)
    assert np.array_equal(found.predict(X), model.predict(X))


def test_the_slope_is_zero_and_biases_are_free():
    X, y = problem()
    found = logistic_readout(X, y, penalty=0.5)
    p = scipy.special.softmax(np.asarray(found.logits(X)), axis=1)
    error = p - np.eye(3)[y]
    assert np.abs(error.T @ X + 0.5 * np.asarray(found.output)).max() < 1e-5
    # without a penalty on biases, mean probabilities are the shares of the classes
    assert np.allclose(p.mean(axis=0), np.bincount(y) / len(y), atol=1e-7)
    assert abs(float(found.output_bias.sum())) < 1e-9
    # nothing but the biases is left under a huge penalty
    flat = logistic_readout(X, y, penalty=1e9)
    assert np.allclose(flat.probabilities(X[:1])[0], np.bincount(y) / len(y), atol=1e-5)


def test_labels_may_be_names_and_features_have_more_axes():
    X, y = problem()
    names = np.array(["ant", "bee", "cat"])[y]
    named, numbered = logistic_readout(X, names), logistic_readout(X, y)
    assert named.classes == ("ant", "bee", "cat")
    assert np.array_equal(named.predict(X), np.array(named.classes)[numbered.predict(X)])
    assert np.array_equal(named.output, numbered.output)
    deep = jnp.asarray(X[:6].reshape(2, 3, 6))
    assert named.logits(deep).shape == (2, 3, 3)
    assert np.array_equal(named.predict(deep).ravel(), named.predict(X[:6]))


def test_bad_arguments_are_named():
    X, y = problem()
    with pytest.raises(ValueError, match="labels"):
        logistic_readout(X, y[:-1])
    with pytest.raises(ValueError, match="features must be finite"):
        logistic_readout(np.where(X > 2, np.nan, X), y)
    with pytest.raises(ValueError, match="penalty"):
        logistic_readout(X, y, penalty=-1.0)
    with pytest.raises(ValueError, match=r"features must have shape \(\.\.\., 6\), got \(2, 5\)"):
        logistic_readout(X, y).predict(X[:2, :5])
    with pytest.raises(ValueError, match="two classes"):
        logistic_readout(X, np.zeros(150, int))
    with pytest.raises(ValueError, match="did not converge"):
        logistic_readout(X, y, iterations=2)
    for name, value in (("penalty", np.inf), ("tolerance", np.nan)):
        with pytest.raises(ValueError, match=f"{name} must be finite"):
            logistic_readout(X, y, **{name: value})
    with pytest.raises(ValueError, match="iterations must be a positive whole number, got 0"):
        logistic_readout(X, y, iterations=0)
    with pytest.raises(ValueError, match="on the host only"):
        jax.jit(lambda X: logistic_readout(X, y).output)(X)
    with pytest.raises(ValueError, match="features must be finite"):
        logistic_readout(X, y).predict(np.nan * X)


def test_labels_without_a_number():
    with pytest.raises(ValueError, match="labels must be finite"):
        logistic_readout(np.ones((3, 2)), [0.0, 1.0, np.nan])
    with pytest.raises(ValueError, match="some are None"):
        logistic_readout(np.ones((3, 2)), [0, 1, None])
