import dataclasses

import jax
import numpy as np
import pytest

from neurojax.connectomes import Connectome, cook2019
from neurojax.fitting.baselines import (
    PENALTIES,
    left_out_animal_baselines,
    partners,
    ridge,
    same_animal_baselines,
    train_mean,
)
from neurojax.fitting.folds import neuron_folds
from neurojax.fitting.problem import align
from neurojax.recordings import Recording, detrend, load, standardise

NAMES = [f"n{i}" for i in range(9)]
LABELLED = [NAMES, NAMES[:7], NAMES[2:]]


def animals(missing=0.0, seed=0):
    """Three animals that share a few slow signals, each with its own set of labelled neurons."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(3, 9))
    made = []
    for k, labels in enumerate(LABELLED):
        frames = 60 - 5 * k
        slow = np.cumsum(rng.normal(size=(frames, 3)), axis=0)
        values = slow @ mixing + rng.normal(size=(frames, 9))
        values = values[:, [NAMES.index(n) for n in labels]]
        values[rng.random(values.shape) < missing] = np.nan
        made.append(Recording(np.arange(frames) * 0.5, values, labels=labels, name=f"animal {k}"))
    both = align([standardise(r) for r in made], NAMES)
    train, test = both.split(0.6)
    folds = neuron_folds(both.labelled, 3, key=jax.random.key(seed), repeats=2)
    return both, folds, train, test


def by_sklearn(both, folds, mask, train, test, training, refit, clip):
    """The same predictions by loops and scikit-learn; correlations in the order of `Scores`."""
    from sklearn.linear_model import Ridge

    clipped = np.clip(both.values.astype(float), -clip, clip)
    found = []
    for f in range(len(folds)):
        a = folds.animal[f]
        for i in np.flatnonzero(folds.hidden[f]):
            visible = both.labelled[a] & ~folds.hidden[f]
            sources = [
                j for j in range(9) if j != i and mask[j, i] and (visible[j] if refit else True)
            ]
            use = {"same animal": [a], "all animals": [0, 1, 2]}.get(
                training, [b for b in range(3) if b != a]
            )
            heads, tails = [], []
            for b in use:
                frames = np.flatnonzero(train[b])
                cut = round(0.8 * len(frames))
                there = both.mask[b, :, i]
                heads += [(b, t) for t in frames[:cut] if there[t]]
                tails += [(b, t) for t in frames[cut:] if there[t]]
            if not sources or not heads:
                found.append(0.0)
                continue

            def design(rows, sources=sources, i=i):
                x = np.array([clipped[b, t, sources] for b, t in rows])
                return x, np.array([clipped[b, t, i] for b, t in rows])

            def error(penalty, heads=heads, tails=tails):
                x, y = design(tails)
                return ((Ridge(alpha=penalty).fit(*design(heads)).predict(x) - y) ** 2).mean()

            model = Ridge(alpha=min(PENALTIES, key=error)).fit(*design(heads + tails))
            counts = test[a] & both.mask[a, :, i]
            x = np.where(visible, clipped[a], 0.0)[counts][:, sources]
            guess, truth = model.predict(x), both.values[a, counts, i]
            found.append(np.corrcoef(guess, truth)[0, 1] if np.ptp(guess) > 1e-9 else 0.0)
    return np.array(found)


@pytest.mark.parametrize("missing", [0.0, 0.15])
@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("training", ["same animal", "all animals", "other animals"])
def test_ridge_agrees_with_sklearn(training, refit, missing):
    pytest.importorskip("sklearn")
    both, folds, train, test = animals(missing)
    mask = np.random.default_rng(3).random((9, 9)) < 0.6
    ours = ridge(both, folds, mask, train, test, training=training, refit=refit, clip=1.5)
    theirs = by_sklearn(both, folds, mask, train, test, training, refit, 1.5)
    np.testing.assert_allclose(ours.r, theirs, atol=1e-9)


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("training", ["same animal", "all animals", "other animals"])
def test_what_a_fold_hides_is_never_read(training, refit):
    both, folds, train, test = animals()
    everyone = np.ones((9, 9), bool)

    def correlations(values):
        changed = dataclasses.replace(both, values=values.astype(np.float32))
        return ridge(changed, folds, everyone, train, test, training=training, refit=refit)

    before = correlations(both.values)
    fold = 4
    animal, hidden = folds.animal[fold], folds.hidden[fold]
    target = np.flatnonzero(hidden)[0]
    values = both.values.copy()
    values[animal][np.ix_(test[animal], hidden & (np.arange(9) != target))] = 9.0
    after = correlations(values)
    entry = folds.hidden[:fold].sum()  # of the target, the first that this fold hides
    assert (after.animal[entry], after.neuron[entry]) == (animal, target)
    assert after.r[entry] == before.r[entry]


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("training", ["same animal", "all animals", "other animals"])
def test_nothing_is_learned_from_later_frames(training, refit):
    both, folds, train, test = animals()
    scored = test & (np.arange(60) >= 45)
    options = {"training": training, "refit": refit}
    before = ridge(both, folds, np.ones((9, 9), bool), train, scored, **options)
    values = both.values.copy()
    values[test & ~scored] = 9.0
    changed = dataclasses.replace(both, values=values)
    after = ridge(changed, folds, np.ones((9, 9), bool), train, scored, **options)
    np.testing.assert_array_equal(after.r, before.r)


def test_an_animal_that_is_left_out_teaches_nothing():
    both, folds, train, test = animals()
    values = both.values.copy()
    values[1][train[1]] = np.random.default_rng(0).normal(size=(train[1].sum(), 9))
    changed = dataclasses.replace(both, values=values)
    options = {"training": "other animals", "refit": False}
    before = ridge(both, folds, np.ones((9, 9), bool), train, test, **options)
    after = ridge(changed, folds, np.ones((9, 9), bool), train, test, **options)
    left_out = before.animal == 1
    np.testing.assert_array_equal(after.r[left_out], before.r[left_out])
    assert (after.r[~left_out] != before.r[~left_out]).mean() > 0.5  # it teaches the others


def test_without_partners_the_correlation_is_zero():
    both, folds, train, test = animals()
    alone = ridge(both, folds, np.zeros((9, 9), bool), train, test)
    assert (alone.r == 0).all()
    np.testing.assert_allclose(
        alone.mse, train_mean(both, folds, train, test).mse, rtol=1e-5
    )  # nothing is clipped here


def test_train_mean_by_hand():
    both, folds, train, test = animals(missing=0.1)
    scores = train_mean(both, folds, train, test)
    for animal, neuron, mse in zip(scores.animal, scores.neuron, scores.mse, strict=True):
        there = both.mask[animal, :, neuron]
        x = both.values[animal, :, neuron].astype(float)
        mean = x[train[animal] & there].mean()
        assert mse == pytest.approx(((x[test[animal] & there] - mean) ** 2).mean(), rel=1e-6)
    assert (scores.r == 0).all()


def test_partners_of_a_small_graph():
    graph = Connectome(
        ["a", "b", "c", "d"],
        chemical=[[1, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
        gap=[[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]],
    )

    def sources(which):
        mask = partners(graph, which)
        return {t: "".join(np.array(list("abcd"))[mask[:, i]]) for i, t in enumerate("abcd")}

    assert sources("pre+gap") == {"a": "d", "b": "a", "c": "b", "d": "a"}
    assert sources("pre+post+gap") == {"a": "bd", "b": "ac", "c": "b", "d": "a"}
    assert sources("all") == {"a": "bcd", "b": "acd", "c": "abd", "d": "abc"}
    with pytest.raises(ValueError, match="which must be"):
        partners(graph, "post")


def test_bad_input_is_refused():
    both, folds, train, test = animals()
    mask = np.ones((9, 9), bool)
    with pytest.raises(ValueError, match=r"partners must have shape .* \(9, 9\)"):
        ridge(both, folds, mask[1:], train, test)
    with pytest.raises(ValueError, match="penalties must be positive"):
        ridge(both, folds, mask, train, test, penalties=(0.0, 1.0))
    with pytest.raises(ValueError, match=r"training must be .* got 'everyone'"):
        ridge(both, folds, mask, train, test, training="everyone")
    with pytest.raises(ValueError, match=r"use align\(recordings, connectome\.names\)"):
        same_animal_baselines(both, folds, cook2019().subset(["AVAL", "AVAR"]), train, test)


@pytest.fixture(scope="module")
def worms():
    recordings = load("dag2023").map(detrend).map(standardise)
    wiring = cook2019().subset(recordings.labels)
    both = align(recordings, wiring.names)
    folds = neuron_folds(both.labelled, key=jax.random.key(0), repeats=2)
    return both, folds, wiring, *both.split(0.6)


@pytest.mark.slow
def test_the_table_of_the_embedded_worms(worms):
    """Rows that another implementation, with other random folds, found on the same data.

    Folds and shuffles differ by the draw, which moves a row by up to 0.02.
    """
    controls = [worms[2].shuffled(jax.random.key(0))]
    rows = same_animal_baselines(*worms, controls)
    found = {row.name: row.mean for row in rows}
    expected = {
        "train mean": 0.0,
        "ridge, pre+gap partners": 0.368,
        "ridge, pre+gap, shuffled 1": 0.275,
        "ridge, pre+gap, no homologue": 0.325,
        "ridge, pre+post+gap partners": 0.393,
        "ridge, all neurons": 0.461,
        "pooled ridge, pre+post+gap": 0.388,
        "pooled ridge, all neurons": 0.456,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=0.02)
    rows = left_out_animal_baselines(*worms, controls)
    found = {row.name: row.mean for row in rows}
    expected = {
        "pooled ridge, pre+gap": 0.299,
        "pooled ridge, pre+post+gap": 0.314,
        "pooled ridge, pre+post+gap, shuffled 1": 0.245,
        "pooled ridge, all neurons": 0.349,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=0.02)
