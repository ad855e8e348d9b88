"""Decisions: evidence, sides, periods, and ideal observers against closed forms."""

import jax
import numpy as np
import pytest
from scipy.stats import norm

from neurojax import tasks

KEY = jax.random.key(0)


def draw(task, count):
    """Trials on the host, where taking parts compiles nothing."""
    return jax.tree.map(np.asarray, task.trials(KEY, count))


MANY = 20_000


def answer(trials, positive):
    """Outputs that choose 1 or -1 throughout."""
    sign = np.where(positive, 1.0, -1.0)
    return np.broadcast_to(sign[:, None, None], trials.targets.shape)


def test_ideal_observer_of_two_stimuli():
    """Summed evidence is right with probability Phi(c sqrt(T/100) / (sqrt(2) noise))."""
    task = tasks.PerceptualDecision(
        fixation=50.0, stimulus=200.0, decision=50.0, grace=0.0, noise=0.3, dt=20.0
    )
    trials = draw(task, MANY)
    evidence = np.asarray(trials.inputs[..., 1] - trials.inputs[..., 2]).sum(axis=1)
    outputs = answer(trials, evidence > 0)
    table = task.psychometric(trials, outputs)
    threshold = np.sqrt(2.0) * 0.3 / np.sqrt(200.0 / 100.0)
    expected = norm.cdf(table.levels / threshold)
    np.testing.assert_allclose(table.levels, np.sort([s * c for c in
        (0.032, 0.064, 0.128, 0.256, 0.512) for s in (-1, 1)]))  # fmt: skip
    # five standard errors of a fraction of 2000 trials
    assert np.all(np.abs(table.fraction - expected) < 5 * np.sqrt(0.25 / table.count))
    fit = table.fit()
    assert fit.bias == pytest.approx(0.0, abs=0.02)
    assert fit.threshold == pytest.approx(threshold, rel=0.06)
    assert fit.slope == pytest.approx(1 / (threshold * np.sqrt(2 * np.pi)), rel=0.06)
    right = float(task.score(trials, outputs).mean())
    assert right == pytest.approx(norm.cdf(np.abs(table.levels) / threshold).mean(), abs=0.015)


def test_noise_is_that_of_100_ms_whatever_dt():
    """The test above has steps of 20 ms."""
    task = tasks.PerceptualDecision(fixation=0.0, stimulus=100.0, coherences=(0.0,), dt=5.0)
    mean = draw(task, 4000).inputs[:, :20, 1:].mean(axis=1)
    np.testing.assert_allclose(mean.mean(axis=0), 0.5, atol=0.02)
    np.testing.assert_allclose(mean.std(axis=0), 0.2, rtol=0.05)


def test_periods_of_a_decision():
    task = tasks.PerceptualDecision(
        fixation=20.0, stimulus=30.0, delay=(0.0, 20.0), decision=40.0, grace=10.0, noise=0.0,
        coherences=(0.5,),
    )  # fmt: skip
    trials = draw(task, 64)
    delays = np.asarray(trials.conditions["delay"])
    assert set(delays) == {0.0, 10.0, 20.0}
    one = trials[int(np.flatnonzero(delays == 10.0)[0])]
    side = float(one.conditions["choice"])
    np.testing.assert_array_equal(one.inputs[:, 0], [1] * 6 + [0] * 5)
    first, second = (0.75, 0.25) if side > 0 else (0.25, 0.75)
    np.testing.assert_allclose(one.inputs[:, 1], [0] * 2 + [first] * 3 + [0] * 6)
    np.testing.assert_allclose(one.inputs[:, 2], [0] * 2 + [second] * 3 + [0] * 6)
    np.testing.assert_array_equal(one.targets[:, 0], [0] * 6 + [side] * 4 + [0])
    np.testing.assert_array_equal(one.mask, [1] * 6 + [0] + [1] * 3 + [0])
    np.testing.assert_array_equal(np.sign(trials.conditions["coherence"]),
                                  trials.conditions["choice"])  # fmt: skip


def test_wrong_choices_score_nothing():
    task = tasks.PerceptualDecision(dt=50.0)
    trials = draw(task, 200)
    assert float(task.score(trials, -trials.targets).max()) == 0.0
    table = task.psychometric(trials, trials.targets)
    np.testing.assert_array_equal(table.fraction, table.levels > 0)


def test_context_decides_which_evidence_counts():
    task = tasks.ContextDecision(
        fixation=0.0, stimulus=200.0, decision=50.0, grace=0.0, noise=0.4, dt=25.0
    )
    trials = draw(task, MANY)
    facts = {name: np.asarray(value) for name, value in trials.conditions.items()}
    colour = facts["context"] == 1
    np.testing.assert_array_equal(trials.inputs[:, 0, 1], ~colour)
    np.testing.assert_array_equal(trials.inputs[:, 0, 2], colour)
    np.testing.assert_array_equal(facts["coherence"], np.where(colour, facts["colour"], facts["motion"]))  # fmt: skip  # noqa: E501
    np.testing.assert_array_equal(facts["other"], np.where(colour, facts["motion"], facts["colour"]))  # fmt: skip  # noqa: E501
    np.testing.assert_array_equal(np.sign(facts["coherence"]), facts["choice"])
    assert abs(np.corrcoef(facts["motion"], facts["colour"])[0, 1]) < 0.04
    evidence = np.asarray(trials.inputs[..., 3:]).sum(axis=1)
    outputs = answer(trials, np.where(colour, evidence[:, 1], evidence[:, 0]) > 0)
    table = task.psychometric(trials, outputs, by="colour", where=colour)
    expected = norm.cdf(table.levels * np.sqrt(2.0) / 0.4)
    assert np.all(np.abs(table.fraction - expected) < 5 * np.sqrt(0.25 / table.count))
    # what does not count has no effect
    ignored = task.psychometric(trials, outputs, by="motion", where=colour)
    assert np.all(np.abs(ignored.fraction - 0.5) < 5 * np.sqrt(0.25 / ignored.count))
    with pytest.raises(ValueError, match="where"):
        task.psychometric(trials, outputs, where=colour[:5])


def test_match_and_non_match():
    task = tasks.DelayedMatchToSample(stimuli=3, noise=0.0)
    trials = draw(task, 3000)
    facts = {name: np.asarray(value) for name, value in trials.conditions.items()}
    same = facts["sample"] == facts["test"]
    np.testing.assert_array_equal(same, facts["match"] == 1)
    np.testing.assert_array_equal(np.where(same, 1.0, -1.0), facts["choice"])
    assert same.mean() == pytest.approx(0.5, abs=0.05)
    for sample in range(3):  # either of the others as often
        others = facts["test"][~same & (facts["sample"] == sample)]
        assert np.abs(np.bincount(others, minlength=3)[[k for k in range(3) if k != sample]]
                      / len(others) - 0.5).max() < 0.12  # fmt: skip
    on = np.asarray(trials.inputs[..., 1:])
    total = on.sum(axis=1)  # 30 steps for each presentation
    expected = 30.0 * (np.eye(3)[facts["sample"]] + np.eye(3)[facts["test"]])
    np.testing.assert_allclose(total, expected)
    gap = np.diff(np.flatnonzero(on[0].any(axis=-1))).max()
    assert (gap - 1) * 10.0 == facts["delay"][0]


def test_faster_vibration():
    task = tasks.ParametricWorkingMemory(noise=0.0)
    trials = draw(task, 500)
    facts = {name: np.asarray(value) for name, value in trials.conditions.items()}
    np.testing.assert_array_equal(np.sign(facts["f1"] - facts["f2"]), facts["choice"])
    assert set(np.abs(facts["difference"])) == {4.0, 8.0}
    shown = np.asarray(trials.inputs[:, 20, 1:])
    x = (facts["f1"] - 10.0) / 24.0
    np.testing.assert_allclose(shown, np.stack([x, 1 - x], axis=-1), atol=1e-12)
    last = np.asarray(trials.inputs[0, :, 0]).astype(bool).sum() - 1
    x = (facts["f2"][0] - 10.0) / 24.0
    np.testing.assert_allclose(trials.inputs[0, last, 1:], [x, 1 - x], atol=1e-12)
    assert len(task.psychometric(trials, trials.targets).levels) == 4


def test_psychometric_fit_recovers_a_curve():
    levels = np.linspace(-10.0, 20.0, 13)
    p = norm.cdf((levels - 3.0) / 4.0)
    table = tasks.Psychometric(levels, p, np.full(13, 100))
    fit = table.fit()
    assert fit.bias == pytest.approx(3.0, abs=1e-4)
    assert fit.threshold == pytest.approx(4.0, abs=1e-4)
    np.testing.assert_allclose(fit(levels), p, atol=1e-4)
    with pytest.raises(ValueError, match="two levels"):
        tasks.psychometric([1.0, 1.0], [True, False]).fit()
    with pytest.raises(ValueError, match="equally long"):
        tasks.psychometric([1.0, 1.0], [True])
    assert len(str(table).splitlines()) == 13
