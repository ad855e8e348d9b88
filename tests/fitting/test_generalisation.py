"""Scores in trained and in other conditions."""

import jax
import numpy as np
import pytest

import neurojax as nj
from neurojax.fitting import generalisation, unroll

TASK = nj.tasks.PerceptualDecision()
CIRCUIT = nj.circuits.RateRNN(
    12, inputs=TASK.inputs, outputs=TASK.outputs, tau=50.0, key=jax.random.key(3)
)


def test_scores_are_means_over_trials():
    fixed = TASK.trials(jax.random.key(5), 40)
    other = nj.tasks.PerceptualDecision(noise=3.0).trials(jax.random.key(6), 30)
    found = generalisation(CIRCUIT, TASK, {"noisy": other}, trained=fixed)
    for name, trials, mean in (
        ("trained", fixed, found.trained), ("noisy", other, found.others["noisy"]),
    ):  # fmt: skip
        scores = np.asarray(TASK.score(trials, unroll(CIRCUIT, trials).outputs))
        assert mean == pytest.approx(scores.mean())
        assert found.errors[name] == pytest.approx(scores.std(ddof=1) / np.sqrt(len(scores)))
    assert found.loss("noisy") == found.trained - found.others["noisy"]


def test_tasks_are_drawn_by_the_key():
    others = {"long": nj.tasks.PerceptualDecision(delay=(300.0, 600.0))}
    draw = lambda seed: generalisation(CIRCUIT, TASK, others, count=20, key=jax.random.key(seed))
    assert draw(1).others == draw(1).others
    assert draw(1).errors != draw(2).errors


def test_refusals():
    with pytest.raises(ValueError, match="others must name conditions"):
        generalisation(CIRCUIT, TASK, {})
    with pytest.raises(TypeError, match="condition 'a' must be a task"):
        generalisation(CIRCUIT, TASK, {"a": 3.0})
    with pytest.raises(ValueError, match="count must be a positive whole number"):
        generalisation(CIRCUIT, TASK, {"a": TASK}, count=0)
