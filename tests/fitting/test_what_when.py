"""What and when: the rule against loops in numpy, and what the whole learns."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.circuits.reservoirs.izhikevich_reservoir import IzhikevichReservoir
from neurojax.core.errors import UnknownNameError
from neurojax.fitting import trial_rule
from neurojax.fitting.force_readout import ForceReadout, ForceTrials
from neurojax.fitting.what_when import ErrorModulated, WhatWhen
from neurojax.tasks.meet import MEET, relative_error

KEY = jax.random.key(2)
# short, so that it can be written out
SMALL = MEET(latency=(8.0, 14.0), width=2.0, pulse=3.0, length=25.0, onset=2.0)


def rate_circuit():
    return nj.circuits.LeakyRNN(
        12, inputs=3, outputs=2, leak=0.2, bias=0.3, key=jax.random.key(7),
        feedback=jax.random.normal(KEY, (12, 2)),
    )  # fmt: skip


def forward(circuit, h, u, fed):
    W, B, F = (np.asarray(x) for x in (circuit.recurrent, circuit.input, circuit.feedback))
    return 0.8 * h + 0.2 * np.tanh(W @ h + B @ u + F @ fed + 0.3)


@pytest.mark.parametrize(("fed_back", "window"), [("output", None), ("when", 3.0)])
def test_rule_is_its_equations(fed_back, window):
    circuit, trials = rate_circuit(), SMALL.trials(KEY, 3)
    rule = ErrorModulated(eta_when=0.3, eta_what=0.2, epsilon=0.5, window=window, fed_back=fed_back)
    readouts, trace = rule.trials(circuit, WhatWhen.start(circuit), trials)

    trials = jax.tree.map(np.asarray, trials)
    what, when, mean = np.zeros((2, 12)), np.zeros((2, 12)), np.zeros(12)
    latency = (8.0, 14.0)
    for b in range(3):
        h, seen, outputs = np.zeros(12), [], []
        event = int(trials.conditions["event"][b])
        share = what @ mean if fed_back == "output" else np.ones(2)
        for k in range(27):
            h = forward(circuit, h, np.asarray(trials.inputs[b, k]), share * (when @ h))
            n = when @ h
            outputs.append(n.copy())
            t = k - 2.0
            open_ = t >= 0 and (window is None or abs(t - latency[event]) <= window)
            wanted = np.exp(-((t - latency[event]) ** 2) / 8.0)
            if open_:
                when[event] += 0.3 * (wanted - n[event]) * h / (0.5 + h @ h)
            if t >= 0:
                seen.append(h)
        mean = np.mean(seen, axis=0)
        w = what @ mean
        what = what + 0.2 * np.outer(np.eye(2)[event] - w, mean) / (0.5 + mean @ mean)
        assert np.allclose(trace.when[b], outputs, atol=1e-12)
        assert np.allclose(trace.what[b], w, atol=1e-12)
        assert np.allclose(trace.outputs[b], w * np.array(outputs), atol=1e-12)
    assert np.allclose(readouts.when, when, atol=1e-12)
    assert np.allclose(readouts.what, what, atol=1e-12)


def test_what_becomes_the_probability_of_each_event():
    """By the same state in each trial the expectation of what obeys p + (1 - eta)^k (0 - p)."""
    circuit = rate_circuit()
    circuit = eqx.tree_at(lambda c: c.feedback, circuit, jnp.zeros((12, 2)))
    task = SMALL.switched(probability=(0.8, 0.2))
    rule = ErrorModulated(eta_what=0.1, epsilon=1e-9)
    _, trace = rule.trials(circuit, WhatWhen.start(circuit), task.trials(KEY, 400))
    events = np.asarray(task.trials(KEY, 400).conditions["event"])
    expected = np.zeros(2)
    for b in range(400):
        assert np.allclose(trace.what[b], expected, atol=1e-7)
        expected = expected + 0.1 * (np.eye(2)[events[b]] - expected)
    # of 400 less 100 trials to settle; the standard error of the mean is 0.4 / sqrt(300)
    assert abs(float(trace.what[100:, 0].mean()) - 0.8) < 5 * 0.4 / np.sqrt(300)


def test_force_is_ridge_regression():
    """Without feedback the weights after all trials solve the normal equations."""
    circuit = rate_circuit()
    circuit = eqx.tree_at(lambda c: c.feedback, circuit, jnp.zeros((12, 2)))
    trials = SMALL.trials(KEY, 3)
    rates = np.asarray(nj.fitting.unroll(circuit, trials).rates)
    for taught in ("event", "expectation"):
        start = ForceReadout.start(circuit, alpha=0.7)
        found, _ = ForceTrials(taught).trials(circuit, start, trials)
        wanted = np.asarray(trials.targets)
        if taught == "event":
            comes = np.eye(2)[np.asarray(trials.conditions["event"])]
            wanted = np.asarray(trials.conditions["timing"]) * comes[:, None, :]
        z, f = rates[:, 2:].reshape(-1, 12), wanted[:, 2:].reshape(-1, 2)
        expected = np.linalg.solve(z.T @ z + 0.7 * np.eye(12), z.T @ f).T
        assert np.allclose(found.output, expected, atol=1e-9)
        assert np.array_equal(found.reset(0.7).rls.P, start.rls.P)


def test_tests_leave_the_read_outs_as_they_are():
    circuit, trials = rate_circuit(), SMALL.trials(KEY, 3)
    for rule, start in (
        (ErrorModulated(), WhatWhen.start(circuit)), (ForceTrials(), ForceReadout.start(circuit)),
    ):  # fmt: skip
        learnt, _ = rule.trials(circuit, start, trials)
        tested, trace = rule.trials(circuit, start, trials, test=SMALL.cue_only())
        assert all(jax.tree.leaves(jax.tree.map(np.array_equal, learnt, tested)))
        again, last = rule.trial(circuit, tested, SMALL.cue_only(), learn=False)
        for name in ("output", "what", "when"):
            if hasattr(again, name):
                assert np.array_equal(getattr(again, name), getattr(learnt, name))
        assert np.allclose(last.outputs, trace.outputs[-1], atol=1e-12)
        blind, _ = rule.trials(circuit, start, trials, learn=False)
        assert not np.any(jax.tree.leaves(blind)[0])


def test_a_spiking_reservoir_learns_a_certain_event():
    task = MEET(latency=(150.0, 180.0), probability=(1.0, 0.0), length=200.0, width=15.0)
    circuit = IzhikevichReservoir(
        200, inputs=3, outputs=2, feedback=1.0, jitter=0.02, key=jax.random.key(1)
    )
    rule, trials, test = ErrorModulated(eta_what=0.2), task.trials(KEY, 25), task.cue_only()
    readouts, trace = rule.trials(circuit, WhatWhen.start(circuit), trials, key=KEY, test=test)
    error = [float(relative_error(test, outputs)) for outputs in trace.outputs[-5:]]
    assert np.mean(error) < 0.5
    assert float(trace.what[-1, 0]) > 0.95 and abs(float(trace.what[-1, 1])) < 0.05
    # the numbers of a block are leaves: another block is no other program
    programs = trial_rule._run._cached._cache_size()
    later = task.switched(latency=(180.0, 150.0), probability=(0.5, 0.5))
    rule.trials(circuit, readouts, later.trials(KEY, 25), key=KEY, test=later.cue_only())
    assert trial_rule._run._cached._cache_size() == programs


def test_bad_arguments_are_named():
    circuit, trials = rate_circuit(), SMALL.trials(KEY, 3)
    start = WhatWhen.start(circuit)
    with pytest.raises(ValueError, match="fed_back"):
        ErrorModulated(fed_back="both")
    with pytest.raises(ValueError, match="window"):
        ErrorModulated(window=0.0)
    with pytest.raises(ValueError, match="taught"):
        ForceTrials("events")
    with pytest.raises(ValueError, match="eta_when"):
        ErrorModulated(eta_when=-0.1)
    for name in ("eta_when", "eta_what"):
        with pytest.raises(ValueError, match=f"{name} of ErrorModulated must lie below 2, got 2"):
            ErrorModulated(**{name: 2.0})
    with pytest.raises(ValueError, match="one trial"):
        ErrorModulated().trial(circuit, start, trials)
    with pytest.raises(ValueError, match="batch along one axis"):
        ErrorModulated().trials(circuit, start, trials[0])
    with pytest.raises(UnknownNameError, match="timing"):
        ErrorModulated().trial(circuit, start, nj.tasks.FlipFlop(bits=2).trial(KEY))
    three = MEET(latency=(1.0, 2.0, 3.0), probability=(0.2, 0.3, 0.5), length=25.0)
    with pytest.raises(ValueError, match="outputs=3"):
        ErrorModulated().trial(circuit, start, three.trial(KEY))
    with pytest.raises(ValueError, match="outputs"):
        WhatWhen.start(nj.circuits.LeakyRNN(5))
    with pytest.raises(ValueError, match="outputs"):
        ForceReadout.start(nj.circuits.LeakyRNN(5))
