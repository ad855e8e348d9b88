"""Early exits against cases by hand, scipy, and brute force over thresholds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special

from neurojax.fitting.early_exit import (
    EarlyExit,
    calibrated_temperature,
    confidence,
    fit_early_exit,
    oracle_exits,
)

# three trials, three steps, two classes; sums of the difference: 1 2 3 | 0 -2 -2 | 0.5 0 -0.5
BY_HAND = np.array([
    [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]],
    [[1.0, 1.0], [0.0, 2.0], [0.0, 0.0]],
    [[0.5, 0.0], [0.0, 0.5], [0.0, 0.5]],
])  # fmt: skip


def sampled(trials, seed=0, signal=0.35, steps=16, classes=4):
    """Evidence that grows: noise of standard deviation 1 and a mean for the right class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=trials)
    outputs = rng.normal(size=(trials, steps, classes))
    outputs[np.arange(trials), :, labels] += signal * 3
    return outputs, labels


@pytest.mark.parametrize(
    ("threshold", "steps", "predictions"),
    [
        # confidences are 1 / (1 + exp(-|d|)): .731 .881 .953 | .5 .881 .881 | .622 .5 .622
        (0.4, [1, 1, 1], [0, 0, 0]),
        (0.7, [1, 2, 3], [0, 1, 1]),
        (0.9, [3, 3, 3], [0, 1, 1]),
        (1.0, [3, 3, 3], [0, 1, 1]),
    ],
)
def test_exits_by_hand(threshold, steps, predictions):
    exits = EarlyExit(jnp.ones(3), jnp.array(threshold))(BY_HAND)
    assert exits.steps.tolist() == steps
    assert exits.predictions.tolist() == predictions
    assert np.isclose(float(exits.accuracy([0, 1, 0])), np.mean(np.equal(predictions, [0, 1, 0])))


def test_temperature_of_each_step_counts():
    # d / alpha = 1, 1, 6: the first trial is sure at the third step alone
    exits = EarlyExit(jnp.array([1.0, 2.0, 0.5]), jnp.array(0.8))(BY_HAND)
    assert exits.steps.tolist() == [3, 3, 3]
    sums = np.cumsum(BY_HAND, axis=1)
    p = scipy.special.softmax(sums / np.array([1.0, 2.0, 0.5])[None, :, None], axis=-1)
    assert np.allclose(confidence(sums, jnp.array([1.0, 2.0, 0.5])), p.max(-1), atol=1e-12)


def test_oracle_by_hand():
    exits = oracle_exits(BY_HAND, np.array([0, 1, 1]))
    assert exits.steps.tolist() == [1, 2, 3]
    assert exits.predictions.tolist() == [0, 1, 1]
    # never right: all steps are used up
    never = oracle_exits(BY_HAND, np.array([1, 1, 0]))
    assert never.steps.tolist() == [3, 2, 1] and never.predictions.tolist() == [0, 1, 0]


def test_temperature_is_that_of_scipy():
    outputs, labels = sampled(300, signal=0.1)
    outputs = outputs * 3.0
    found = np.asarray(calibrated_temperature(outputs, labels))
    sums = np.cumsum(outputs, axis=1)
    for t in (0, 5, 15):

        def loss(log_alpha, t=t):
            log_p = scipy.special.log_softmax(sums[:, t] / np.exp(log_alpha), axis=-1)
            return -log_p[np.arange(300), labels].mean()

        best = scipy.optimize.minimize_scalar(
            loss, bounds=(-9, 9), method="bounded", options={"xatol": 1e-9}
        )
        assert np.isclose(np.log(found[t]), best.x, atol=1e-5)
    # right everywhere: as cold as is allowed; at chance: as hot
    certain = calibrated_temperature(np.eye(2)[[0, 1]][:, None, :], np.array([0, 1]))
    assert np.isclose(float(certain[0]), 1e-4)
    worse = calibrated_temperature(np.eye(2)[[1, 0]][:, None, :], np.array([0, 1]))
    assert np.isclose(float(worse[0]), 1e4)


def test_front_and_threshold_are_those_of_brute_force():
    outputs, labels = sampled(200)
    tried = np.linspace(0.0, 1.0, 41)
    rule = fit_early_exit(outputs, labels, loss=0.02, thresholds=tried)
    sums = np.cumsum(outputs, axis=1)
    p = scipy.special.softmax(sums / np.asarray(rule.temperature)[None, :, None], axis=-1)
    sure, best = p.max(-1), sums.argmax(-1)
    rows = []
    for threshold in tried:
        steps, right = [], []
        for b in range(200):
            above = np.flatnonzero(sure[b] > threshold)
            k = above[0] if above.size else 15
            steps.append(k + 1)
            right.append(best[b, k] == labels[b])
        rows.append((threshold, np.mean(steps), np.mean(right)))
    rows = np.array(rows)
    final = np.mean(best[:, -1] == labels)
    good = rows[rows[:, 2] >= final - 0.02 - 1e-12]
    chosen = rows[np.isclose(rows[:, 0], float(rule.threshold))][0]
    assert chosen[1] == good[:, 1].min() and chosen[2] >= final - 0.02 - 1e-12
    # a point is on the front exactly if no other has at most its steps and at least its accuracy
    beaten = lambda a: any(
        b[1] <= a[1] and b[2] >= a[2] and (b[1] < a[1] or b[2] > a[2]) for b in rows
    )
    expected = {(round(a[1], 9), round(a[2], 9)) for a in rows if not beaten(a)}
    front = np.asarray(rule.front)
    assert {(round(a[1], 9), round(a[2], 9)) for a in front} == expected
    assert len(front) == len(expected) and np.all(np.diff(front[:, 1]) > 0)


def test_digits_are_decided_in_fewer_steps():
    """At most 0.5 points of accuracy are lost, on trials that chose nothing, and 25 % of steps."""
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_digits(return_X_y=True)
    X = X / 16.0
    order = np.random.default_rng(0).permutation(len(y))
    train, calibrate, test = np.split(order, [900, 1350])
    # a read-out by least squares; the temperature makes probabilities of its scores
    ones = np.ones((len(X), 1))
    weights = np.linalg.lstsq(np.hstack([X, ones])[train], np.eye(10)[y[train]], rcond=1e-6)[0]

    def presented(which, seed):
        """Five presentations of each picture, its pixels as the chance of a spike in each step."""
        which = np.repeat(which, 5)
        spikes = np.random.default_rng(seed).random((len(which), 16, 64)) < X[which][:, None, :]
        return spikes @ weights[:-1] + weights[-1], y[which]

    rule = fit_early_exit(*presented(calibrate, 1), loss=0.0025)
    outputs, labels = presented(test, 2)
    exits, oracle = rule(outputs), oracle_exits(outputs, labels)
    last = np.mean(np.asarray(outputs).sum(axis=1).argmax(-1) == labels)
    assert float(exits.steps.mean()) < 0.75 * 16
    assert float(exits.accuracy(labels)) > last - 0.005
    assert float(oracle.steps.mean()) < float(exits.steps.mean())
    assert float(oracle.accuracy(labels)) >= last


def test_it_works_under_jit_and_over_leading_axes():
    outputs, _ = sampled(12)
    rule = EarlyExit(jnp.ones(16), jnp.array(0.9))
    whole = rule(outputs)
    nested = jax.jit(lambda x: rule(x))(outputs.reshape(3, 4, 16, 4))
    assert np.array_equal(nested.steps.reshape(12), whole.steps)
    assert np.array_equal(rule(outputs[5]).predictions, whole.predictions[5])


def test_bad_arguments_are_named():
    outputs, labels = sampled(12)
    with pytest.raises(ValueError, match="steps"):
        EarlyExit(jnp.ones(3), jnp.array(0.9))(outputs)
    with pytest.raises(ValueError, match="outputs must have shape"):
        fit_early_exit(outputs[0], labels)
    with pytest.raises(ValueError, match="labels must be whole"):
        fit_early_exit(outputs, labels.astype(float))
    names = np.array(["ant", "bee", "cat", "dog"])[np.asarray(labels)]
    with pytest.raises(TypeError, match=r"np\.searchsorted\(readout\.classes, labels\)"):
        fit_early_exit(outputs, names)
    with pytest.raises(TypeError, match="labels must be whole numbers"):
        EarlyExit(jnp.ones(16), jnp.array(0.9))(outputs).accuracy(list(names))
    with pytest.raises(ValueError, match="between 0 and 3"):
        fit_early_exit(outputs, labels + 4)
    with pytest.raises(ValueError, match="loss"):
        fit_early_exit(outputs, labels, loss=-0.1)
    with pytest.raises(ValueError, match="loss must lie between 0 and 1"):
        fit_early_exit(outputs, labels, loss=2)
    with pytest.raises(ValueError, match="outputs must be finite"):
        fit_early_exit(np.where(outputs == outputs[0, 0, 0], np.nan, outputs), labels)
    with pytest.raises(ValueError, match="thresholds"):
        fit_early_exit(*sampled(200), loss=0.0, thresholds=[0.0])
    with pytest.raises(ValueError, match="thresholds must be finite, got 1 times nan"):
        fit_early_exit(outputs, labels, thresholds=[0.5, np.nan])
    for thresholds in (0.5, []):
        with pytest.raises(ValueError, match="thresholds must be a list of numbers"):
            fit_early_exit(outputs, labels, thresholds=thresholds)
    rule = EarlyExit(jnp.ones(16), jnp.array(0.9))
    with pytest.raises(ValueError, match="outputs must be finite"):
        rule(np.nan * outputs)
    with pytest.raises(ValueError, match=r"labels must have shape \(12,\), .* got \(1,\)"):
        rule(outputs).accuracy(labels[:1])
