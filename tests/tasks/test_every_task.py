"""What holds for every task."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurojax import tasks

TASKS = {
    "fixation": tasks.Fixation(),
    "perceptual decision": tasks.PerceptualDecision(stimulus=300.0, delay=(0.0, 200.0)),
    "context decision": tasks.ContextDecision(stimulus=300.0, delay=(0.0, 200.0)),
    "delayed match": tasks.DelayedMatchToSample(stimuli=3),
    "parametric memory": tasks.ParametricWorkingMemory(),
    "ready set go": tasks.ReadySetGo(gain=1.5),
    "flip-flop": tasks.FlipFlop(bits=3),
    "delayed addition": tasks.DelayedAddition(),
    "Mackey-Glass": tasks.MackeyGlass(length=1000.0, washout=50.0),
    "Lorenz": tasks.Lorenz(length=1000.0),
    "sine": tasks.SineGeneration(),
    "line": tasks.LineDrawing(),
    "Rossler": tasks.Rossler(length=1000.0),
    "Henon": tasks.Henon(),
    "NARMA": tasks.NARMA(),
    "MEET": tasks.MEET(),
    "delayed recall": tasks.DelayedRecall(),
    "HMM": tasks.HiddenMarkov.linear_chain(states=3, noise_channels=2),
}
COUNT = 32
KEY = jax.random.key(3)


@functools.cache
def drawn(name):
    # on the host, where taking parts compiles nothing
    return jax.tree.map(np.asarray, TASKS[name].trials(KEY, COUNT))


@pytest.fixture(params=TASKS)
def name(request):
    return request.param


def test_all_are_here():
    public = {getattr(tasks, n) for n in tasks.__all__}
    concrete = {
        c for c in public
        if isinstance(c, type) and issubclass(c, tasks.Task) and getattr(c, "__final__", False)
    }  # fmt: skip
    assert {type(task) for task in TASKS.values()} == {
        c for c in concrete if c.__name__ != "CentreOutReach"
    }


def test_shapes(name):
    task, trials = TASKS[name], drawn(name)
    assert trials.inputs.shape == (COUNT, task.steps, task.inputs)
    assert trials.targets.shape == (COUNT, task.steps, task.outputs)
    assert trials.mask.shape == (COUNT, task.steps)
    assert all(value.shape[0] == COUNT for value in trials.conditions.values())
    assert trials.dt == task.dt
    assert trials.duration == task.duration == task.steps * task.dt
    for array in (trials.inputs, trials.targets):
        assert array.dtype == np.float64
        assert np.all(np.isfinite(array))


def test_masks(name):
    trials = drawn(name)
    assert set(np.unique(trials.mask)) <= {0.0, 1.0}
    assert np.all(trials.mask.sum(axis=-1) > 0)


def test_scores(name):
    task, trials = TASKS[name], drawn(name)
    own = task.score(trials, trials.targets)
    nothing = task.score(trials, np.zeros_like(trials.targets))
    assert own.shape == (COUNT,)
    np.testing.assert_allclose(own, 1.0, atol=1e-12)
    assert float(nothing.mean()) < 0.1


def test_key_decides(name):
    """Another key gives other trials, and the same key the same."""
    task, trials = TASKS[name], drawn(name)
    other = task.trials(jax.random.key(4), COUNT)
    pairs = zip(jax.tree.leaves(other), jax.tree.leaves(trials), strict=True)
    assert not all(np.array_equal(a, b) for a, b in pairs)
    again = task.trials(KEY, COUNT)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(trials), strict=True)
    )
    facts = lambda i: b"".join(np.asarray(x[i]).tobytes() for x in jax.tree.leaves(trials))
    kinds = 1 if name == "MEET" else 4  # its trials differ in which of two events comes
    assert len({facts(i) for i in range(COUNT)}) > kinds


@pytest.mark.parametrize("name", ["flip-flop", "HMM"])
def test_batch_is_the_trial_for_each_key(name):
    """Compiled by the user, one trial at a time."""
    one = eqx.filter_jit(lambda task, key: task.trial(key))
    for k, key in enumerate(jax.random.split(KEY, COUNT)[:3]):
        alone = one(TASKS[name], key)
        check = lambda a, b, k=k: np.testing.assert_allclose(a, b[k], atol=1e-9)
        jax.tree.map(check, alone, drawn(name))


@pytest.mark.parametrize("name", TASKS)
def test_a_trial_wants_one_key(name):
    for wrong in (None, 5, jax.random.split(jax.random.key(0), 2)):
        with pytest.raises(TypeError, match="key must be one key"):
            TASKS[name].trial(wrong)


def test_refusals():
    for count in (0, -1, 2.5, True):
        with pytest.raises((ValueError, TypeError), match="count"):
            tasks.FlipFlop().trials(KEY, count)
    refused = [
        (lambda: tasks.FlipFlop(bits=0), "bits"),
        (lambda: tasks.FlipFlop(rate=1000.0), "rate"),
        (lambda: tasks.FlipFlop(length=0.0), "length of FlipFlop"),
        (lambda: tasks.FlipFlop(dt=-1.0), "dt"),
        (lambda: tasks.Fixation(grace=300.0), "grace"),
        (lambda: tasks.Fixation(wait=(200.0, 100.0)), "wait"),
        (lambda: tasks.PerceptualDecision(stimulus=2.0), "shorter than half a step"),
        (lambda: tasks.PerceptualDecision(delay=(0.0, 1.0, 2.0)), "delay"),
        (lambda: tasks.PerceptualDecision(coherences=(-0.1,)), "coherences"),
        (lambda: tasks.PerceptualDecision(noise=-1.0), "noise"),
        (lambda: tasks.PerceptualDecision(grace=200.0), "grace"),
        (lambda: tasks.ContextDecision(colour=0.5), "colour"),
        (lambda: tasks.DelayedMatchToSample(stimuli=1), "stimuli"),
        (lambda: tasks.ParametricWorkingMemory(pairs=[[10.0, 10.0]]), "pairs"),
        (lambda: tasks.neighbours([1.0, 2.0], [5.0]), "frequencies"),
        (lambda: tasks.ReadySetGo(intervals=(50.0,)), "intervals"),
        (lambda: tasks.ReadySetGo(gain=0.0), "gain"),
        (lambda: tasks.DelayedAddition(length=50.0), "slots"),
        (lambda: tasks.MackeyGlass(tau=17.05), "tau"),
        (lambda: tasks.Lorenz(sd=(1.0, 1.0, -1.0)), "sd"),
        (lambda: tasks.SineGeneration(frequencies=(60.0,)), "below 50 Hz"),
        (lambda: tasks.LineDrawing(directions=-1), "directions"),
        (lambda: tasks.HiddenMarkov([[0.5, 0.4], [0.5, 0.5]], np.eye(2)), "transition"),
        (lambda: tasks.HiddenMarkov(np.eye(2), np.eye(3)), "emission"),
        (lambda: tasks.HiddenMarkov.linear_chain(6), "2 to 5"),
    ]
    for make, message in refused:
        with pytest.raises(ValueError, match=message):
            make()


def test_wrong_outputs_are_refused():
    trials = drawn("flip-flop")
    with pytest.raises(ValueError, match="shaped like the targets"):
        TASKS["flip-flop"].score(trials, trials.targets[..., :1])


def test_another_noise_compiles_nothing_again():
    traced = []

    @eqx.filter_jit
    def total(task, key):
        traced.append(1)
        return task.trial(key).inputs.sum()

    sums = {float(total(tasks.FlipFlop(rate=rate), KEY)) for rate in (1.0, 5.0, 20.0)}
    assert len(traced) == 1 and len(sums) > 1
    sweep = eqx.filter_vmap(lambda rate: tasks.FlipFlop(rate=rate).trial(KEY).inputs)
    assert sweep(jnp.array([1.0, 5.0])).shape == (2, 100, 3)


def test_single_precision(float32):
    trials = tasks.PerceptualDecision().trials(KEY, 4)
    assert trials.inputs.dtype == trials.targets.dtype == jnp.float32
