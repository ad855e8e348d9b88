"""The estimator under scikit-learn's own checks, and against the circuit that it stands for."""

import jax
import numpy as np
import pytest
from scipy.signal import lfilter
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import neurojax as nj
from neurojax.interop.scikit_learn import ReservoirRegressor

EXPECTED = {
    "check_methods_subset_invariance": "a row depends on the rows before it, which a subset lacks",
    "check_methods_sample_order_invariance": "rows are steps of time: their order is the input",
}


@parametrize_with_checks(
    [ReservoirRegressor(units=20)], expected_failed_checks=lambda estimator: EXPECTED
)
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


def test_it_is_the_circuit_and_ridge_of_scikit_learn():
    rng = np.random.default_rng(0)
    u = rng.uniform(-1, 1, size=(200, 2))
    y = np.stack([np.roll(u[:, 0], 1), u[:, 1] ** 2], axis=1)
    model = ReservoirRegressor(30, penalty=1e-3, washout=20, leak=0.5, random_state=1).fit(u, y)
    trials = nj.tasks.Trials(u, np.zeros((200, 0)), dt=1.0)
    rates = np.asarray(nj.fitting.unroll(model.circuit_, trials).rates)
    expected = Ridge(alpha=1e-3).fit(rates[20:], y[20:]).predict(rates)
    np.testing.assert_allclose(model.predict(u), expected, atol=1e-8)
    same = clone(model).fit(u, y)
    np.testing.assert_array_equal(same.predict(u), model.predict(u))
    other = clone(model).set_params(random_state=2).fit(u, y)
    assert np.abs(other.predict(u) - model.predict(u)).max() > 1e-3
    assert model.readout_.generate(3).shape == (3, 2)


def test_it_goes_through_pipelines_and_searches():
    u = 5.0 + np.random.default_rng(0).uniform(-1, 1, size=(160, 1))
    y = np.roll(u[:, 0], 1)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), ReservoirRegressor(20, random_state=0)),
        {"reservoirregressor__leak": [0.1, 1.0]}, cv=TimeSeriesSplit(2),
    ).fit(u, y)  # fmt: skip
    assert search.best_params_ == {"reservoirregressor__leak": 1.0}
    assert search.best_score_ > 0.8


@pytest.mark.parametrize("scoring", [None, "neg_mean_squared_error"])
def test_parts_of_a_series_are_scored_as_what_goes_on(scoring):
    u = np.random.default_rng(3).uniform(-1, 1, (240, 1))
    y = lfilter([0.1], [1, -0.97], u[:, 0])  # far longer than a part
    model = ReservoirRegressor(60, leak=0.05, radius=0.95, random_state=0, washout=20, penalty=1e-3)
    parts = TimeSeriesSplit(3)
    found = cross_validate(model, u, y, cv=parts, scoring=scoring, return_train_score=True)
    score = r2_score if scoring is None else lambda y, z: -np.mean((y - z) ** 2)
    for i, (fitted, test) in enumerate(parts.split(u)):
        model.fit(u[fitted], y[fitted])
        rates = np.asarray(nj.fitting.drive(model.circuit_, u).rates)  # of the series as a whole
        z = rates @ model.readout_.weights[0] + model.readout_.bias[0]
        np.testing.assert_allclose(found["test_score"][i], score(y[test], z[test]), rtol=1e-6)
        np.testing.assert_allclose(found["train_score"][i], score(y[fitted], z[fitted]), rtol=1e-6)
        np.testing.assert_allclose(model.predict(u), z, rtol=1e-6, atol=1e-9)


def test_bad_parameters_are_refused_when_it_is_fitted():
    u = np.ones((10, 1))
    for parameters, message in (
        ({"leak": 0.0}, "leak must lie"),
        ({"washout": 10}, "washout must be"),
        ({"penalty": -1.0}, "penalty must be positive"),
        ({"density": 2.0}, "density"),
    ):
        with pytest.raises(ValueError, match=message):
            ReservoirRegressor(5, **parameters).fit(u, u)
    for units in ("a", 10.0):
        with pytest.raises(ValueError, match="units must be a positive whole number"):
            ReservoirRegressor(units).fit(u, u)
    with pytest.raises(ValueError, match=r"one series .* nj\.fitting\.fit_readout"):
        ReservoirRegressor(5).fit([u, u[:5]], [u, u[:5]])
    assert jax.config.jax_enable_x64  # nothing here changes the precision of others
