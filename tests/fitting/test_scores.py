import jax
import numpy as np
import pytest
import scipy.stats

from neurojax.fitting.folds import Folds, neuron_folds
from neurojax.fitting.problem import align
from neurojax.fitting.scores import (
    Scores,
    average,
    bootstrap_interval,
    imputation_scores,
    join,
    mean_squared_error,
    pearson_r,
    r_squared,
    table,
)
from neurojax.recordings import Recording


@pytest.fixture
def traces():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(7, 40)).cumsum(axis=1)
    guess = truth * rng.uniform(0.2, 2, size=(7, 1)) + rng.normal(size=(7, 40)) + 3.0
    return guess, truth, rng.random((7, 40)) < 0.7


def test_measures_agree_with_scipy_and_sklearn(traces):
    metrics = pytest.importorskip("sklearn.metrics")
    guess, truth, mask = traces
    r, r2, mse = (f(*traces) for f in (pearson_r, r_squared, mean_squared_error))
    for k in range(len(truth)):
        x, y = guess[k, mask[k]], truth[k, mask[k]]
        assert r[k] == pytest.approx(scipy.stats.pearsonr(x, y).statistic, abs=1e-12)
        assert r2[k] == pytest.approx(metrics.r2_score(y, x), abs=1e-12)
        assert mse[k] == pytest.approx(metrics.mean_squared_error(y, x), rel=1e-12)


def test_what_is_masked_is_never_read(traces):
    guess, truth, mask = traces
    spoilt = np.where(mask, guess, np.nan), np.where(mask, truth, np.inf), mask
    for measure in (pearson_r, r_squared, mean_squared_error):
        np.testing.assert_array_equal(measure(*spoilt), measure(*traces))


def test_constants_score_zero(traces):
    guess, truth, mask = traces
    flat = np.full_like(truth, 0.1).cumsum(axis=1)[:, -1:] + np.zeros_like(truth)  # 4.0, inexactly
    noise = flat * (1 + 1e-9 * np.sign(guess))
    for constant in (flat, noise, np.zeros_like(flat)):
        assert (pearson_r(constant, truth, mask) == 0).all()
        assert (pearson_r(guess, constant, mask) == 0).all()
        assert np.isnan(r_squared(guess, constant, mask)).all()


def worms():
    rng = np.random.default_rng(1)
    names = [f"n{i}" for i in range(6)]
    made = []
    for name, frames, labels in (("one", 50, names), ("two", 40, names[1:4])):
        values = rng.normal(size=(frames, len(labels)))
        values[rng.random(values.shape) < 0.1] = np.nan
        made.append(Recording(np.arange(frames) * 0.5, values, labels=labels, name=name))
    both = align(made, names)
    return both, *both.split(0.6)


def test_imputation_scores_by_hand():
    both, _, test = worms()
    folds = neuron_folds(both.labelled, 3, key=jax.random.key(0), repeats=2)
    predicted = np.random.default_rng(2).normal(size=(len(folds), 50, 6))
    unread = ~folds.hidden[:, None, :] | ~test[folds.animal][:, :, None]
    scores = imputation_scores(np.where(unread, np.nan, predicted), both, folds, test, "random")
    k, by_animal = 0, {0: [], 1: []}
    for f in range(len(folds)):
        a = folds.animal[f]
        for i in np.flatnonzero(folds.hidden[f]):
            there = test[a] & both.mask[a, :, i]
            x, y = predicted[f, there, i], both.values[a, there, i].astype(float)
            assert (scores.animal[k], scores.neuron[k]) == (a, i)
            assert scores.r[k] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)
            assert scores.mse[k] == pytest.approx(((x - y) ** 2).mean(), rel=1e-12)
            assert scores.r2[k] == pytest.approx(1 - ((x - y) ** 2).mean() / y.var(), abs=1e-12)
            by_animal[a].append((scores.r[k], scores.r2[k], scores.mse[k]))
            k += 1
    assert k == len(scores.r) == 2 * (6 + 3)
    r, r2, mse = (np.array([[row[m] for row in by_animal[0]]]) for m in range(3))
    assert scores.r_by_animal[0] == pytest.approx(r.mean(), abs=1e-12)
    assert scores.r2_by_animal[0] == pytest.approx(np.median(r2), abs=1e-12)
    assert scores.mse_by_animal[0] == pytest.approx(mse.mean(), abs=1e-12)
    # Animals count alike, although one has twice as many neurons.
    assert scores.mean == pytest.approx(scores.r_by_animal.mean(), abs=1e-12)
    assert scores.sd == pytest.approx(scores.r_by_animal.std(ddof=1), abs=1e-12)


def test_a_neuron_with_one_test_sample_is_left_out():
    values = np.random.default_rng(0).normal(size=(10, 3))
    values[7:, 0] = np.nan
    both = align(Recording(np.arange(10.0), values, labels=["a", "b", "c"]), ["a", "b", "c"])
    _, test = both.split(0.6)
    folds = Folds(np.zeros(3, int), np.eye(3, dtype=bool))
    assert imputation_scores(np.zeros((3, 10, 3)), both, folds, test).neuron.tolist() == [1, 2]


def example(name="method", r=(0.1, 0.3, 0.5), animal=(0, 0, 1), animals=("one", "two")):
    r = np.array(r)
    return Scores(name, animals, np.array(animal), np.arange(len(r)), r, r - 0.5, 1.0 - r)


def test_join_average_and_differences():
    one, two = example(r=(0.1, 0.3), animal=(0, 0)), example(r=(0.5,), animal=(1,))
    assert np.isnan(one.r_by_animal[1]) and one.mean == pytest.approx(0.2)
    both = join([one, two], "left out")
    assert both.name == "left out" and both.r_by_animal == pytest.approx([0.2, 0.5])
    mean = average([example(), example(r=(0.3, 0.5, 0.1))])
    assert mean.r == pytest.approx([0.2, 0.4, 0.3]) and mean.r2 == pytest.approx([-0.3, -0.1, -0.2])
    assert example().above(mean) == pytest.approx([-0.1, 0.2])


def test_table_shows_what_was_computed():
    lines = table([example("circuit"), example("ridge", (0.0, 0.0, 0.25))]).splitlines()
    assert lines[0].split() == ["method", "r", "one", "two", "median", "R2", "MSE"]
    assert " ".join(lines[1].split()) == "circuit 0.350 +- 0.212 0.200 0.500 -0.15 0.65"
    assert " ".join(lines[2].split()) == "ridge 0.125 +- 0.177 0.000 0.250 -0.38 0.88"
    assert str(example("circuit")) == table([example("circuit")])


def test_bootstrap_agrees_with_scipy():
    values = np.random.default_rng(0).normal(0.4, 0.1, size=9)
    ours = bootstrap_interval(values, np.random.default_rng(1), 0.9, 20_000)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, confidence_level=0.9, n_resamples=20_000, method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    # Monte Carlo error of a quantile from 20,000 draws is about 0.0006 here.
    assert ours == pytest.approx(tuple(theirs), abs=0.003)
    again = bootstrap_interval(values, np.random.default_rng(1), 0.9, 20_000)
    assert ours == again
    with_gap = bootstrap_interval(np.append(values, np.nan), np.random.default_rng(1), 0.9, 20_000)
    assert with_gap == ours
    assert np.isnan(bootstrap_interval(values[:1], np.random.default_rng(1))).all()


def test_bad_input_is_refused():
    both, _, test = worms()
    folds = neuron_folds(both.labelled, 3, key=jax.random.key(0))
    predicted = np.zeros((len(folds), 50, 6))
    cases = [
        (lambda: imputation_scores(predicted[:, 1:], both, folds, test), r"= \(6, 50, 6\), got"),
        (lambda: imputation_scores(predicted, both, folds, test[:, 1:]), "test must have shape"),
        (lambda: imputation_scores(predicted, both, folds, test & False), "nothing to score"),
        (lambda: imputation_scores(predicted * np.nan, both, folds, test), "not finite for 'n"),
        (lambda: table([]), "no scores"),
        (lambda: join([example(), example(animals=("one", "three"))]), "other animals"),
        (lambda: example().above(example(animals=("one", "three"))), "other animals"),
        (lambda: average([example(), example(animal=(0, 1, 1))]), "same folds"),
        (lambda: example().interval(np.random.default_rng(0), level=1.0), "between 0 and 1"),
        (lambda: example().interval(np.random.default_rng(0), draws=0), "at least 1"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
