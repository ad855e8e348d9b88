"""Read-outs of reservoirs against scikit-learn, brute force and plain loops."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge as Reference

import neurojax as nj
from neurojax.core.ridge import ridge, ridge_on_host

fit_readout, Ridge = nj.fitting.fit_readout, nj.fitting.Ridge
PENALTIES = np.logspace(-6, 1, 8)


@pytest.fixture(scope="module")
def reservoir():
    return nj.circuits.EchoState(15, inputs=1, radius=0.8, density=0.3)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    u = rng.uniform(-1, 1, (120, 1))
    y = np.concatenate([np.roll(u, 2, 0), np.roll(u, 1, 0) ** 2 + 3.0], 1)
    return u, y + 0.01 * rng.normal(size=y.shape)


def features(reservoir, u):
    trials = nj.tasks.Trials(u, np.zeros((*u.shape[:-1], 0)), dt=1.0)
    return np.asarray(nj.fitting.unroll(reservoir, trials).rates)


def test_ridge_is_that_of_scikit_learn(reservoir, data):
    u, y = data
    fitted = fit_readout(reservoir, u, y, method=Ridge(1e-3), washout=20)
    X = features(reservoir, u)[20:]
    expected = Reference(1e-3, solver="svd").fit(X, y[20:])
    np.testing.assert_allclose(fitted.weights, expected.coef_, rtol=1e-7)
    np.testing.assert_allclose(fitted.bias, expected.intercept_, rtol=1e-9)
    error = np.mean((expected.predict(X) - y[20:]) ** 2, 0).sum() / y[20:].var(0).sum()
    assert fitted.nrmse >= 0
    assert fitted.solver == "Cholesky, float64, on the host"
    np.testing.assert_allclose(fitted.predict(u)[20:], expected.predict(X), rtol=1e-8)
    each = np.mean((expected.predict(X) - y[20:]) ** 2, 0).sum() / y[20:].var(0).sum()
    assert fitted.nrmse == pytest.approx(np.sqrt(each), rel=1e-8)
    assert error == each


def test_in_the_graph_it_is_the_same(reservoir, data):
    u, y = data
    names = []

    def weights(penalty):
        fitted = fit_readout(reservoir, u, y, method=Ridge(penalty), washout=20)
        names.append(fitted.solver)
        return fitted.weights

    swept = jax.jit(jax.vmap(weights))(jnp.array([1e-4, 1e-2]))
    for one, penalty in zip(swept, (1e-4, 1e-2), strict=True):
        host = fit_readout(reservoir, u, y, method=Ridge(penalty), washout=20)
        np.testing.assert_allclose(one, host.weights, rtol=1e-6)
    assert names == ["QR, float64, in the graph"]


def test_states_in_single_precision_are_solved_in_double(float32, data):
    u, y = data
    reservoir = nj.circuits.EchoState(15, inputs=1)
    fitted = fit_readout(reservoir, u, y)
    assert fitted.weights.dtype == np.float64
    assert fitted.circuit.output.dtype == jnp.float32
    assert fitted.predict(u).dtype == np.float64
    for method in (nj.fitting.RidgeGCV(PENALTIES), nj.fitting.RidgeCV(PENALTIES)):
        chosen = fit_readout(reservoir, u, y, method=method)
        assert chosen.weights.dtype == chosen.scores.dtype == np.float64
        again = fit_readout(reservoir, u, y, method=Ridge(float(chosen.penalty)))
        np.testing.assert_allclose(chosen.weights, again.weights, rtol=1e-6)


def test_the_gradient_by_the_radius(reservoir, data):
    u, y = data

    def error(radius):
        changed = eqx.tree_at(lambda r: r.radius, reservoir, radius)
        return fit_readout(changed, u, y, method=Ridge(1e-3), washout=20).nrmse

    numeric = (error(0.8 + 1e-6) - error(0.8 - 1e-6)) / 2e-6
    assert jax.grad(error)(0.8) == pytest.approx(numeric, rel=1e-5)


def test_generalised_cross_validation_is_its_formula(reservoir, data):
    u, y = data
    method = nj.fitting.RidgeGCV(PENALTIES)
    fitted = fit_readout(reservoir, u, y, method=method, washout=20)
    X = features(reservoir, u)[20:]
    X, Y = X - X.mean(0), y[20:] - y[20:].mean(0)
    scores = []
    for penalty in PENALTIES:
        hat = X @ np.linalg.solve(X.T @ X + penalty * np.eye(15), X.T) + 0.01  # 1 / T
        scores.append(100 * np.sum((Y - hat @ Y) ** 2) / (100 - np.trace(hat)) ** 2)
    np.testing.assert_allclose(fitted.scores, scores, rtol=1e-6)
    assert fitted.penalty == PENALTIES[np.argmin(scores)]
    inside = eqx.filter_jit(lambda u: fit_readout(reservoir, u, y, method=method, washout=20))(u)
    np.testing.assert_allclose(inside.weights, fitted.weights, rtol=1e-6)
    assert inside.solver == "SVD, float64, in the graph"


def generalised(X, y, penalties):
    """GCV by the eigenvalues of I - H beside that of the mean, without a difference."""
    values, V = np.linalg.eigh((X - X.mean(0)) @ (X - X.mean(0)).T)
    values, V = np.maximum(values[1:], 0.0), V[:, 1:]  # the first is that of the mean
    z = V.T @ (y - y.mean(0))
    shares = [p / (values + p) for p in penalties]
    return [len(X) * np.sum((r[:, None] * z) ** 2) / np.sum(r) ** 2 for r in shares]


def solved(method, X, y, weights=None, graph=False):
    weights = np.ones(len(X)) if weights is None else weights
    given = [a[None] for a in (X, y, weights)]
    return (
        eqx.filter_jit(lambda *a: method.solve(*a))(*map(jnp.asarray, given))
        if graph
        else method.solve(*given)
    )


@pytest.mark.parametrize("graph", [False, True])
def test_more_features_than_samples_are_cross_validated(graph, float32):
    rng = np.random.default_rng(0)
    X, y = rng.poisson(2, (80, 200)).astype(float), rng.normal(size=(80, 1))
    penalties = np.logspace(-12, 2, 29)
    found = solved(nj.fitting.RidgeGCV(penalties), X, y, graph=graph)
    expected = generalised(X, y, penalties)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-4 if graph else 1e-7)
    assert found.penalty == 100.0
    # samples without weight, and directions that features do not have
    weights = 1.0 * (np.arange(100) % 5 > 0)
    X, y = np.insert(X, range(0, 80, 4), 7.0, axis=0), np.insert(y, range(0, 80, 4), 7.0, axis=0)
    masked = solved(nj.fitting.RidgeGCV(penalties), X, y, weights, graph)
    np.testing.assert_allclose(masked.scores, expected, rtol=1e-4 if graph else 1e-7)


def test_penalties_that_single_precision_does_not_resolve_are_not_chosen(float32):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 40)) @ rng.normal(size=(40, 200)) * np.logspace(0, -8, 200)
    y, penalties = rng.normal(size=(80, 1)), np.logspace(-16, 2, 19)
    host, inside = (solved(nj.fitting.RidgeGCV(penalties), X, y, graph=g) for g in (False, True))
    kept = np.isfinite(inside.scores)
    assert 3 < kept.sum() < 15
    assert np.all(np.isfinite(host.scores))
    np.testing.assert_allclose(np.asarray(inside.scores)[kept], host.scores[kept], rtol=0.01)
    only = solved(nj.fitting.RidgeGCV(penalties[:3]), X, y, graph=True)
    np.testing.assert_allclose(only.penalty, penalties[2], rtol=1e-6)


def test_penalties_in_single_precision_do_not_grow_with_samples(float32):
    """A slow direction of 1e-4 of the largest carries the target: large penalties hide it."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(20_000, 4)).astype(np.float32) * np.array(
        [1.0, 0.5, 0.3, 1e-4], np.float32
    )
    for features in (X, np.concatenate([X, X[:, :2]], 1)):  # also with one that depends
        y = X[:, 3:] * 1e4 + 0.1 * rng.normal(size=(len(X), 1))
        host, inside = (solved(nj.fitting.RidgeGCV(), features, y, graph=g) for g in (False, True))
        assert float(inside.penalty) == pytest.approx(float(host.penalty), rel=100.0)
        miss = features @ np.asarray(inside.weights).T + np.asarray(inside.bias) - y
        assert float(np.sqrt(np.mean(miss**2))) == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("graph", [False, True])
def test_a_factor_on_all_weights_is_one_on_the_penalty(graph):
    rng = np.random.default_rng(0)
    X, y, penalties = rng.normal(size=(60, 30)), rng.normal(size=(60, 1)), np.logspace(-3, 6, 37)
    weights = rng.uniform(0.5, 1.0, 60)
    one = solved(nj.fitting.RidgeGCV(penalties), X, y + X[:, :1], weights, graph)
    assert penalties[0] < one.penalty < penalties[-1]
    for factor in (1e-2, 100.0):
        method = nj.fitting.RidgeGCV(factor * penalties)
        found = solved(method, X, y + X[:, :1], factor * weights, graph)
        assert found.penalty == pytest.approx(factor * float(one.penalty))
        np.testing.assert_allclose(found.scores, factor * one.scores, rtol=1e-8)


@pytest.mark.parametrize("several", [False, True])
def test_cross_validation_is_a_loop_over_folds(reservoir, data, several):
    u, y = data
    if several:
        u, y = u.reshape(4, 30, 1), y.reshape(4, 30, 2)
    method = nj.fitting.RidgeCV(PENALTIES, folds=4)
    fitted = fit_readout(reservoir, u, y, method=method, washout=5)
    X = features(reservoir, u).reshape(-1, 15)
    kept = np.ravel(np.arange(u.shape[-2]) >= 5) if not several else np.tile(np.arange(30) >= 5, 4)
    fold, Y = np.arange(120) // 30, y.reshape(-1, 2)
    if not several:  # parts of what counts
        fold = np.maximum(np.cumsum(kept) - 1, 0) * 4 // kept.sum()
    scores = np.zeros(len(PENALTIES))
    for i, penalty in enumerate(PENALTIES):
        for part in range(4):
            train, test = kept & (fold != part), kept & (fold == part)
            model = Reference(penalty, solver="svd").fit(X[train], Y[train])
            scores[i] += np.sum((model.predict(X[test]) - Y[test]) ** 2)
    np.testing.assert_allclose(fitted.scores, scores / kept.sum(), rtol=1e-6)
    assert fitted.penalty == PENALTIES[np.argmin(scores)]


def test_recursive_least_squares_ends_at_ridge(reservoir, data):
    u, y = data
    method = nj.fitting.RecursiveLeastSquares(alpha=1e-3)
    fitted = fit_readout(reservoir, u, y, method=method, washout=20)
    X = np.c_[features(reservoir, u)[20:], np.ones(100)]
    expected = Reference(1e-3, fit_intercept=False, solver="svd").fit(X, y[20:]).coef_
    np.testing.assert_allclose(fitted.weights, expected[:, :-1], rtol=1e-5)
    np.testing.assert_allclose(fitted.bias, expected[:, -1], rtol=1e-5)


def test_recursive_least_squares_says_when_it_loses_its_precision(float32):
    u = np.random.default_rng(0).uniform(-1, 1, (400, 1))
    reservoir = nj.circuits.EchoState(250, inputs=1, density=0.05)
    fit = lambda alpha: fit_readout(
        reservoir, u, np.roll(u, 3, 0), method=nj.fitting.RecursiveLeastSquares(alpha)
    )
    with pytest.warns(UserWarning, match="lost its precision"):
        fit(1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = fit(1e-3)
    exact = fit_readout(reservoir, u, np.roll(u, 3, 0), method=Ridge(1e-3))
    assert fitted.nrmse == pytest.approx(exact.nrmse, rel=0.01)


def test_least_mean_squares_is_its_loop_and_learns(reservoir, data):
    u, y = data
    fitted = fit_readout(reservoir, u, y, method=nj.fitting.LMS(0.5, epochs=2), washout=20)
    X, W = np.c_[features(reservoir, u)[20:], np.ones(100)], np.zeros((2, 16))
    for x, target in list(zip(X, y[20:], strict=True)) * 2:
        W += 0.5 * np.outer(target - W @ x, x) / (1e-8 + x @ x)
    np.testing.assert_allclose(fitted.weights, W[:, :-1], rtol=1e-9)
    longer = fit_readout(reservoir, u, y, method=nj.fitting.LMS(0.5, epochs=100), washout=20)
    assert longer.nrmse < fitted.nrmse


def test_least_mean_squares_says_when_it_diverges(data):
    u, y = np.tile(data[0], (10, 1)), np.tile(data[1], (10, 1))
    large = nj.circuits.EchoState(100, inputs=1, input_scaling=5.0)
    with pytest.warns(UserWarning, match=r"diverged with rate=1.9: .* or normalised=True"):
        fit_readout(large, u, y, method=nj.fitting.LMS(1.9, normalised=False))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_readout(large, u, y, method=nj.fitting.LMS(1.9))
        fit_readout(large, u, y, method=nj.fitting.LMS(1e-3, normalised=False))


def test_series_of_different_lengths(reservoir, data):
    u, y = data
    parts = [slice(0, 50), slice(50, 120)]
    fitted = fit_readout(
        reservoir, [u[p] for p in parts], [y[p] for p in parts], method=Ridge(1e-3), washout=10
    )
    X = np.concatenate([features(reservoir, u[p])[10:] for p in parts])
    Y = np.concatenate([y[p][10:] for p in parts])
    np.testing.assert_allclose(fitted.weights, Reference(1e-3).fit(X, Y).coef_, rtol=1e-6)
    predicted = fitted.predict([u[p] for p in parts])
    assert [len(p) for p in predicted] == [50, 70]
    np.testing.assert_allclose(predicted[1], fitted.predict(u[50:]), rtol=1e-8)


def test_trials_with_a_mask_are_weighted(reservoir, data):
    u, y = data
    weight = np.random.default_rng(1).uniform(0, 1, 120) * (np.arange(120) % 3 > 0)
    trials = nj.tasks.Trials(u, y, weight, dt=1.0)
    fitted = fit_readout(reservoir, trials, method=Ridge(1e-3))
    expected = Reference(1e-3, solver="cholesky").fit(features(reservoir, u), y, weight)
    np.testing.assert_allclose(fitted.weights, expected.coef_, rtol=1e-6)


@pytest.mark.parametrize("method", [
    Ridge(1e-3), nj.fitting.RidgeGCV(PENALTIES), nj.fitting.RidgeCV(PENALTIES),
    nj.fitting.RecursiveLeastSquares(), nj.fitting.LMS(),
])  # fmt: skip
def test_gaps_in_the_targets_change_nothing(reservoir, data, method):
    u, y = data
    weight = 1.0 * (np.arange(120) % 5 > 0)
    put = lambda value: np.where(weight[:, None] > 0, y, value)
    found = [
        fit_readout(reservoir, nj.tasks.Trials(u, put(value), weight, dt=1.0), method=method)
        for value in (0.0, np.nan)
    ]
    assert np.isfinite(found[1].nrmse)
    assert found[0].nrmse == found[1].nrmse
    np.testing.assert_array_equal(found[0].weights, found[1].weights)


def test_what_the_washout_leaves_out_may_be_missing(reservoir, data):
    u, y = data
    late = np.concatenate([np.full((2, 2), np.nan), y[2:]])
    found = [fit_readout(reservoir, u, z, method=Ridge(1e-3), washout=20) for z in (y, late)]
    np.testing.assert_array_equal(found[0].weights, found[1].weights)


def test_what_counts_in_trials_is_finite(reservoir, data):
    u, y = data
    gap = np.where(np.arange(120)[:, None] == 7, np.nan, y)
    with pytest.raises(ValueError, match="targets must be finite"):
        fit_readout(reservoir, nj.tasks.Trials(u, gap, dt=1.0))
    missing = np.where(np.arange(120)[:, None] == 7, np.nan, u)
    for mask in (None, np.arange(120) > 10):  # what drives the circuit counts anyway
        with pytest.raises(ValueError, match="inputs must be finite; fill or interpolate gaps"):
            fit_readout(reservoir, nj.tasks.Trials(missing, y, mask, dt=1.0))
    with pytest.raises(ValueError, match="no sample counts"):
        fit_readout(reservoir, nj.tasks.Trials(u, y, np.zeros(120), dt=1.0))
    looped = nj.circuits.EchoState(5, inputs=1, outputs=2, feedback=True)
    with pytest.raises(ValueError, match="they are fed back"):
        fit_readout(looped, u, gap, washout=20)


def test_the_error_of_a_constant_is_not_defined(reservoir, data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(fit_readout(reservoir, data[0], np.ones((120, 1))).nrmse)


def test_a_run_goes_on_from_its_state(reservoir, data):
    u, y = data
    fitted = fit_readout(reservoir, u[:80], y[:80])
    whole = fitted.predict(u)
    np.testing.assert_allclose(fitted.predict(u[80:], state=fitted.state), whole[80:], rtol=1e-9)


def test_closed_loop_is_the_loop():
    x = np.sin(0.3 * np.arange(300))[:, None]
    fitted = fit_readout(nj.circuits.EchoState(30, inputs=1), x[:-1], x[1:], washout=50)
    free = np.asarray(fitted.generate(10))
    state, u = fitted.state, np.asarray(fitted.predict(x[:-1]))[-1]
    for row in free:
        now, _ = nj.unwrap(fitted.circuit).step(state, {"u": u}, nj.Clock(0, 1.0))
        state, u = now, np.asarray(fitted.circuit.read_out(fitted.circuit.rates(now)))
        np.testing.assert_allclose(row, u, rtol=1e-6)
    np.testing.assert_allclose(free[:, 0], np.sin(0.3 * (300 + np.arange(10))), atol=0.02)


def test_feedback_is_forced_by_the_targets():
    y = np.sin(0.2 * np.arange(400))[:, None]
    reservoir = nj.circuits.EchoState(40, outputs=1, feedback=True, leak=0.5, radius=0.8)
    nothing = np.zeros((400, 0))
    fitted = fit_readout(reservoir, nothing, y, method=Ridge(1e-6), washout=100)
    plain, h = nj.unwrap(reservoir), np.zeros(40)
    W = np.asarray(plain.recurrent if eqx.is_array(plain.recurrent) else plain.recurrent.dense())
    W = W * 0.8 / float(plain.unit)
    for before in np.r_[[[0.0]], y[:-1]]:
        total = W @ h + np.asarray(plain.feedback) @ before + 0.1 * plain.bias
        h = 0.5 * h + 0.5 * np.tanh(total)
    np.testing.assert_allclose(fitted.state["h"], h, rtol=1e-8)
    free = np.asarray(fitted.generate(100))
    np.testing.assert_allclose(free[:, 0], np.sin(0.2 * (400 + np.arange(100))), atol=0.05)


def test_feedback_is_the_own_output_after_the_fit(data):
    # of a circuit with inputs as well: predicted without targets, against a loop
    u, y = data
    rng = np.random.default_rng(2)
    W, F, B = 0.2 * rng.normal(size=(12, 12)), 0.3 * rng.normal(size=(12, 2)), np.ones((12, 1))
    reservoir = nj.circuits.EchoState(
        12, inputs=1, outputs=2, recurrent=W, radius=None, input=B, feedback=F, bias_scaling=0.0
    )
    fitted = fit_readout(reservoir, u[:80], y[:80], method=Ridge(1e-2))
    h, now = np.asarray(fitted.state["h"]), None
    V, c = np.asarray(fitted.weights), np.asarray(fitted.bias)
    own = fitted.predict(u[80:], state=fitted.state)
    forced = fitted.predict(u[80:], state=fitted.state, targets=y[80:])
    for targets, found in ((None, own), (y[80:], forced)):
        h, now = np.asarray(fitted.state["h"]), V @ np.asarray(fitted.state["h"]) + c
        for t in range(40):
            h = np.tanh(W @ h + B[:, 0] * u[80 + t] + F @ now)
            output = V @ h + c
            np.testing.assert_allclose(found[t], output, rtol=1e-8, atol=1e-10)
            now = output if targets is None else targets[t]


def test_ridge_where_the_normal_equations_fail():
    X = np.random.default_rng(0).normal(size=(50, 3)) @ np.ones((3, 6))
    y = X[:, :1] * 2
    W, method = ridge_on_host(X, y, 1e-30)
    assert method in ("QR", "Cholesky")
    np.testing.assert_allclose(X @ W.T, y, atol=1e-6)


def test_ridge_in_single_precision_is_better_than_its_normal_equations(float32):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 20)) * np.logspace(0, -4, 20)
    W = rng.normal(size=(1, 20))
    exact, _ = ridge_on_host(X, X @ W.T, 1e-10)
    found = ridge(jnp.asarray(X, jnp.float32), jnp.asarray(X @ W.T, jnp.float32), 1e-10)
    np.testing.assert_allclose(found, exact, rtol=0.02, atol=0.01)


@pytest.mark.parametrize(
    ("inputs", "targets", "more", "message"),
    [
        (np.zeros(5), np.zeros((5, 1)), {}, "one channel is series"),
        (np.zeros((5, 1)), np.zeros((4, 1)), {}, "a row for each step"),
        (np.zeros((5, 2)), np.zeros((5, 1)), {}, "1 input channels, the inputs have 2"),
        (np.zeros((5, 1)), np.zeros((5, 1)), {"washout": 5}, "washout must be"),
        (np.full((5, 1), np.nan), np.zeros((5, 1)), {}, "inputs must be finite"),
        ([np.zeros((5, 1))], [np.zeros((4, 1))], {}, "series 0 has 5 steps"),
        (np.zeros((5, 1)), None, {}, "needs targets"),
    ],
)
def test_bad_input_is_refused_at_the_door(reservoir, inputs, targets, more, message):
    with pytest.raises(ValueError, match=message):
        fit_readout(reservoir, inputs, targets, **more)


def test_closed_loop_needs_outputs_that_are_inputs(reservoir, data):
    fitted = fit_readout(reservoir, *data)
    with pytest.raises(ValueError, match="as many outputs as inputs"):
        fitted.generate(3)


@pytest.mark.parametrize("steps", [0, -3, 2.5, True])
def test_closed_loop_needs_a_number_of_steps(reservoir, data, steps):
    u, _ = data
    with pytest.raises(ValueError, match="steps must be"):
        fit_readout(reservoir, u[:-1], u[1:]).generate(steps)


@pytest.mark.parametrize("make", [
    lambda: Ridge(0.0), lambda: nj.fitting.LMS(3.0), lambda: nj.fitting.RidgeCV(folds=1),
])  # fmt: skip
def test_methods_refuse_what_makes_no_sense(make):
    with pytest.raises(ValueError, match="must"):
        make()


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Ridge("a"), "penalty must be a number, got 'a'"),
    (lambda: nj.fitting.RidgeGCV(["a"]), "penalties must be numbers"),
    (lambda: nj.fitting.LMS("a"), "rate of LMS must be one number, got 'a'"),
    (lambda: nj.fitting.LMS([0.1, 0.2]), r"rate of LMS must be one number, got \[0.1"),
    (lambda: nj.fitting.RecursiveLeastSquares("a"), "alpha must be one number, got 'a'"),
])  # fmt: skip
def test_methods_say_what_is_no_number(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_there_are_samples_for_all_folds(reservoir, data):
    with pytest.raises(ValueError, match="folds=500 is more than the 120 steps"):
        fit_readout(reservoir, *data, method=nj.fitting.RidgeCV(folds=500))


def test_derivatives_of_ridge_are_those_of_the_normal_equations():
    rng = np.random.default_rng(0)
    X, y = jnp.asarray(rng.normal(size=(20, 4))), jnp.asarray(rng.normal(size=(20, 2)))
    normal = lambda X, y, p: jnp.linalg.solve(X.T @ X + p * jnp.eye(4), X.T @ y).T
    score = lambda solve: lambda *given: jnp.sum(jnp.sin(solve(*given)))
    for argument in range(3):
        ours = jax.grad(score(ridge), argument)(X, y, 0.3)
        np.testing.assert_allclose(ours, jax.grad(score(normal), argument)(X, y, 0.3), rtol=1e-9)
    # targets that are fitted exactly leave nothing for the last rows of R
    assert np.all(np.isfinite(jax.grad(score(ridge))(X, X[:, :2], 1e-12)))


@pytest.mark.parametrize("method", [
    Ridge(1e-3), nj.fitting.RidgeGCV(PENALTIES), nj.fitting.RidgeCV(PENALTIES),
    nj.fitting.RecursiveLeastSquares(), nj.fitting.LMS(),
])  # fmt: skip
def test_the_gradient_by_weights_of_which_some_are_zero(reservoir, data, method):
    u, y = data

    @jax.jit
    def error(forget):
        trials = nj.tasks.Trials(u, y, forget ** jnp.arange(120.0), dt=1.0)
        fitted = fit_readout(reservoir, trials, method=method, washout=10)
        return fitted.nrmse + jnp.sum(jnp.sin(fitted.weights))

    numeric = (error(0.98 + 1e-6) - error(0.98 - 1e-6)) / 2e-6
    assert jax.grad(error)(0.98) == pytest.approx(float(numeric), rel=1e-4)


@pytest.mark.parametrize("method", [Ridge(1e-3), nj.fitting.LMS()])
def test_the_derivative_by_a_weight_that_is_zero(reservoir, data, method):
    u, y = data
    weight = jnp.where(jnp.arange(120) % 4 == 0, 0.0, 1.0)

    @jax.jit
    def score(weight):
        trials = nj.tasks.Trials(u, y, weight, dt=1.0)
        return jnp.sum(jnp.sin(fit_readout(reservoir, trials, method=method).weights))

    found = jax.grad(score)(weight)
    for i in (4, 5, 60):  # of a weight of 0, 1, 0; weights are not negative, so one-sided
        step = lambda h, i=i: score(weight.at[i].add(h))
        numeric = (4 * step(1e-4) - step(2e-4) - 3 * step(0.0)) / 2e-4
        assert float(found[i]) == pytest.approx(float(numeric), rel=1e-4, abs=1e-8)


def test_only_targets_that_are_given_are_fed_back(data):
    u, y = data
    looped = nj.circuits.EchoState(12, inputs=1, outputs=2, feedback=True, radius=0.5)
    fitted = fit_readout(looped, u[:80], y[:80], method=Ridge(1e-2))
    trials = nj.tasks.Trials(u[80:], y[80:], dt=1.0)
    own, state = fitted.predict(u[80:], state=fitted.state), fitted.state
    np.testing.assert_array_equal(fitted.predict(trials, state=state), own)
    run = nj.fitting.drive(fitted.circuit, trials, state=state)
    np.testing.assert_allclose(run.rates @ fitted.weights.T + fitted.bias[None], own, rtol=1e-8)
    forced = fitted.predict(u[80:], state=state, targets=y[80:])
    assert np.abs(forced - own).max() > 1e-3
    given = fitted.predict(trials, state=state, targets=trials.targets)
    np.testing.assert_array_equal(given, forced)
    with pytest.raises(ValueError, match=r"targets must have a row for each step .* \(40,\)"):
        fitted.predict(trials, targets=y)
    batch = nj.tasks.Trials(u.reshape(2, 3, 20, 1), y.reshape(2, 3, 20, 2), dt=1.0)
    several = fitted.predict(batch, targets=batch.targets)
    assert several.shape == (6, 20, 2)
    # while a fit is forced by the targets that the trials have
    again = fit_readout(looped, nj.tasks.Trials(u[:80], y[:80], dt=1.0), method=Ridge(1e-2))
    np.testing.assert_array_equal(again.weights, fitted.weights)


def test_targets_are_for_circuits_with_feedback(reservoir, data):
    u, y = data
    fitted = fit_readout(reservoir, u, y)
    for run in (fitted.predict, lambda u, **k: nj.fitting.drive(reservoir, u, **k)):
        with pytest.raises(ValueError, match="this EchoState has no feedback"):
            run(u, targets=y)


@pytest.mark.parametrize("dt", [0.0, -1.0, np.nan, np.inf])
def test_the_step_is_a_positive_number(reservoir, data, dt):
    u, y = data
    state = reservoir.init_state()
    one = fit_readout(reservoir, u, u)
    for run in (
        lambda: fit_readout(reservoir, u, y, dt=dt),
        lambda: nj.fitting.drive(reservoir, u, dt=dt),
        lambda: nj.fitting.generate(one.circuit, state, 3, dt=dt),
    ):
        with pytest.raises(ValueError, match=r"dt must be a positive number of ms, got"):
            run()


def test_what_is_no_number_or_no_series_is_refused(reservoir, data):
    u, y = data
    with pytest.raises(ValueError, match="inputs must be real numbers, got complex128"):
        fit_readout(reservoir, u + 1j, y)
    with pytest.raises(ValueError, match=r"targets\[0\] must be real numbers"):
        fit_readout(reservoir, [u], [y + 1j])
    fitted = fit_readout(reservoir, u, y)
    for empty in (np.zeros((0, 1)), np.zeros((3, 0, 1)), np.zeros((0, 3, 1)), [u, u[:0]]):
        with pytest.raises(ValueError, match="inputs must be series of at least one step"):
            fitted.predict(empty)
    for run, more in ((fit_readout, (y,)), (nj.fitting.drive, ()), (nj.fitting.generate, (3,))):
        with pytest.raises(TypeError, match=r"must be a recurrent circuit .* got str"):
            run("x", u, *more)


@pytest.mark.parametrize("epochs", [1.5, 0, True])
def test_epochs_are_a_whole_number(epochs):
    with pytest.raises(ValueError, match="epochs must be a positive whole number"):
        nj.fitting.LMS(epochs=epochs)


@pytest.mark.parametrize("method", [nj.fitting.Ridge, nj.fitting.RidgeGCV, nj.fitting.RidgeCV])
def test_the_derivative_by_a_sample_that_is_masked(method):
    one = method is nj.fitting.Ridge
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        x, y = jnp.asarray(rng.normal(size=(1, 40, 4))), jnp.asarray(rng.normal(size=(1, 40, 1)))
        solve = method(1e-2 if one else np.array([1e-2])).solve

        def total(w):
            found = solve(x, y, w[None])
            return jnp.sum(jnp.sin(found.weights)) + jnp.sum(found.bias)

        w, h = jnp.ones(40).at[10].set(0.0), 1e-6
        slope = jax.grad(total)(w)[10]
        # in the graph on both sides
        difference = (jax.jit(total)(w.at[10].set(h)) - jax.jit(total)(w)) / h
        assert float(slope) == pytest.approx(float(difference), rel=1e-4)


def test_a_forced_fit_that_goes_on_begins_with_the_output_of_its_circuit(data):
    u, y = data
    looped = nj.circuits.EchoState(12, inputs=1, outputs=2, feedback=True, radius=0.5, leak=0.5)
    first = fit_readout(looped, u[:80], y[:80], method=Ridge(0.1))
    second = fit_readout(first.circuit, u[80:], y[80:], state=first.state, method=Ridge(0.1))
    plain, h = nj.unwrap(looped), np.asarray(first.state["h"])
    W = np.asarray(plain.recurrent if eqx.is_array(plain.recurrent) else plain.recurrent.dense())
    W, rates = W * 0.5 / float(plain.unit), []
    fed = np.r_[[first.weights @ h + first.bias], y[80:-1]]
    for now, back in zip(u[80:], fed, strict=True):
        total = W @ h + plain.input @ now + np.asarray(plain.feedback) @ back + 0.1 * plain.bias
        h = 0.5 * h + 0.5 * np.tanh(total)
        rates.append(h)
    np.testing.assert_allclose(second.state["h"], h, rtol=1e-8)
    X, Y = np.array(rates) - np.mean(rates, axis=0), y[80:] - y[80:].mean(axis=0)
    wanted = np.linalg.solve(X.T @ X + 0.1 * np.eye(12), X.T @ Y).T
    np.testing.assert_allclose(second.weights, wanted, rtol=1e-7, atol=1e-9)


def test_a_state_must_be_finite(reservoir, data):
    u, y = data[0], data[1][:, :1]
    fitted = fit_readout(reservoir, u, y)
    wrong = {"h": fitted.state["h"].at[2].set(jnp.nan)}
    for run in (
        lambda: fitted.predict(u, state=wrong),
        lambda: fitted.generate(3, state=wrong),
        lambda: nj.fitting.drive(reservoir, u, state=wrong["h"]),
        lambda: fit_readout(reservoir, u, y, state=wrong),
    ):
        with pytest.raises(ValueError, match=r"state\['h'\] must be finite, got 1 times nan"):
            run()
    # what is traced is left alone
    run = jax.jit(lambda h: fitted.predict(u, state={"h": h}))
    assert np.isnan(run(wrong["h"])).all()


ONLINE = [
    nj.fitting.RecursiveLeastSquares(0.1), nj.fitting.RecursiveLeastSquares(0.1, forgetting=0.98),
    nj.fitting.LMS(0.3), nj.fitting.IncrementalRidge(1e-3),
]  # fmt: skip


def in_parts(reservoir, u, y, weight, method, ends=(60, 61, 75, 76)):
    """A fit that goes on with parts of several lengths, in one of which nothing counts."""
    parts = [slice(*pair) for pair in zip((0, *ends), (*ends, len(u)), strict=True)]
    given = [nj.tasks.Trials(u[p], y[p], weight[p], dt=1.0) for p in parts]
    fitted = fit_readout(reservoir, given[0], method=method, washout=20)
    for part in given[1:]:
        fitted = fitted.update(part)
    return fitted


@pytest.fixture
def weight():
    weight = np.random.default_rng(1).uniform(0.5, 1, 120) * (np.arange(120) % 3 > 0)
    weight[75] = 0.0
    return weight


@pytest.mark.parametrize("method", ONLINE)
def test_parts_of_a_series_teach_as_the_whole(reservoir, data, weight, method):
    u, y = data
    once = fit_readout(reservoir, nj.tasks.Trials(u, y, weight, dt=1.0), method=method, washout=20)
    parts = in_parts(reservoir, u, y, weight, method)
    np.testing.assert_allclose(parts.weights, once.weights, rtol=1e-8)
    np.testing.assert_allclose(parts.bias, once.bias, rtol=1e-8)
    np.testing.assert_allclose(parts.circuit.output, once.weights, rtol=1e-8)
    np.testing.assert_array_equal(parts.state["h"], once.state["h"])
    miss = weight[76:, None] * (once.predict(u)[76:] - y[76:]) ** 2
    mean = np.average(y[76:], 0, weight[76:])
    spread = np.sum(weight[76:, None] * (y[76:] - mean) ** 2)
    assert parts.nrmse == pytest.approx(np.sqrt(miss.sum() / spread), rel=1e-7)


@pytest.mark.parametrize("method", ONLINE[1:])
def test_parts_teach_as_the_whole_in_single_precision(float32, data, weight, method):
    u, y = data
    reservoir = nj.circuits.EchoState(15, inputs=1, radius=0.8, density=0.3)
    once = fit_readout(reservoir, nj.tasks.Trials(u, y, weight, dt=1.0), method=method, washout=20)
    parts = in_parts(reservoir, u, y, weight, method)
    assert parts.weights.dtype == once.weights.dtype
    np.testing.assert_allclose(parts.weights, once.weights, rtol=1e-4, atol=1e-5)


def test_what_was_learnt_long_ago_is_forgotten_across_parts(reservoir, data, weight):
    u, y = data
    parts = in_parts(reservoir, u, y, weight, ONLINE[1])
    counts = (weight > 0) & (np.arange(120) >= 20)
    X, Y = np.c_[features(reservoir, u), np.ones(120)][counts], y[counts]
    later = np.arange(counts.sum())[::-1]
    w = weight[counts] * 0.98**later
    G = (X.T * w) @ X + 0.1 * 0.98 ** len(later) * np.eye(16)
    expected = np.linalg.solve(G, (X.T * w) @ Y).T
    np.testing.assert_allclose(np.c_[parts.weights, parts.bias], expected, rtol=1e-6)


def test_ridge_of_parts_is_that_of_scikit_learn(reservoir, data, weight):
    u, y = data
    parts = in_parts(reservoir, u, y + 100.0, weight, nj.fitting.IncrementalRidge(1e-6))
    expected = Reference(1e-6, solver="svd").fit(
        features(reservoir, u)[20:], y[20:] + 100.0, weight[20:]
    )
    np.testing.assert_allclose(parts.weights, expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(parts.bias, expected.intercept_, rtol=1e-9)
    few = in_parts(reservoir, u, y, weight, ONLINE[3], ends=(25, 30))  # than features at first
    assert few.nrmse < 1.0


@pytest.mark.parametrize("method", ONLINE[1:3])
def test_several_series_are_learnt_on_in_the_graph(reservoir, data, method):
    u, y = (x.reshape(3, 40, -1) for x in data)
    first = fit_readout(reservoir, u[:, :30], y[:, :30], method=method)
    more = first.update(u[:, 30:], y[:, 30:])
    assert more.state["h"].shape == (3, 15)
    compiled = jax.jit(lambda fitted, u, y: fitted.update(u, y))(first, u[:, 30:], y[:, 30:])
    np.testing.assert_allclose(compiled.weights, more.weights, rtol=1e-8)
    # with another number of series, which begin anew
    anew = first.update(u[0, 30:], y[0, 30:], state=reservoir.init_state())
    assert anew.state["h"].shape == (15,)
    with pytest.raises(ValueError, match="state is that of 3 series, but the inputs are one"):
        first.update(u[0, 30:], y[0, 30:])


@pytest.mark.parametrize("method", ONLINE[1:])
def test_a_readout_learns_on_from_a_file(reservoir, data, tmp_path, method):
    u, y = data
    fitted = fit_readout(reservoir, u[:80], y[:80], method=method)
    nj.save(tmp_path / "readout.npz", fitted)
    like = fit_readout(reservoir, u[:2], y[:2], method=method)
    loaded = nj.load(tmp_path / "readout.npz", like=like)
    again, wanted = (f.update(u[80:], y[80:]).weights for f in (loaded, fitted))
    np.testing.assert_array_equal(again, wanted)


def test_who_cannot_learn_on_says_so(reservoir, data):
    u, y = data
    fitted = fit_readout(reservoir, u, y)
    with pytest.raises(ValueError, match=r"Ridge needs all samples at once: .* IncrementalRidge"):
        fitted.update(u, y)
    with pytest.raises(ValueError, match="targets must have the 2 outputs of the fit, got 1"):
        fitted.update(u, y[:, :1])
    with pytest.raises(ValueError, match="update needs targets"):
        fitted.update(u)
    with pytest.raises(ValueError, match="IncrementalRidge works on the host only"):
        jax.jit(lambda u: fit_readout(reservoir, u, y, method=ONLINE[3]).weights)(u)


def test_noise_without_a_key_is_refused(reservoir, data):
    noisy = nj.circuits.EchoState(5, inputs=1, noise=0.1)
    with pytest.raises(ValueError, match=r"no key: give .* to the function that runs the model"):
        fit_readout(noisy, *data)
