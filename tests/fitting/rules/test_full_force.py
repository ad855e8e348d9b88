"""Full-FORCE beside numpy: its samples, its least squares, its recorded units."""

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

import neurojax as nj
from neurojax.fitting import unroll
from neurojax.fitting.rules import FullFORCE

N, STEPS, DT, TAU = 12, 40, 2.0, 20.0


def made(seed=0, trials=3, recorded=0, outputs=2, mask=None, initial=False):
    """A small circuit, and trials of smooth random signals for it."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 6, (trials, 1, 2))
    inputs = np.sin(np.arange(STEPS)[None, :, None] / 5.0 + phase)
    targets = np.cos(np.arange(STEPS)[None, :, None] / 7.0 + rng.uniform(0, 6, (1, 1, outputs)))
    targets = np.broadcast_to(targets, (trials, STEPS, outputs)) * phase[..., :1]
    given = {}
    if recorded:
        wave = np.arange(STEPS)[None, :, None] / 9.0 + rng.uniform(0, 6, (trials, 1, recorded))
        given = {
            "activity": 0.7 * np.sin(wave),
            "recorded": rng.permutation(N)[:recorded],
        }
    if initial:
        given["initial"] = rng.standard_normal((trials, N))
    circuit = nj.circuits.RateRNN(
        N, inputs=2, outputs=outputs, tau=TAU, bias=0.1, key=jax.random.key(seed)
    )
    return circuit, nj.tasks.Trials(inputs, targets, mask, dt=DT, **given)


def by_hand(circuit, trials, teacher):
    """Wanted states before and after each step and wanted currents, in loops of numpy."""
    B, b = np.asarray(circuit.input), np.asarray(circuit.bias)
    J, U, V = (np.asarray(a) for a in (teacher.J, teacher.from_targets, teacher.from_recorded))
    before, after, currents = (np.zeros((len(trials), STEPS, N)) for _ in range(3))
    for c in range(len(trials)):
        x = np.zeros(N) if trials.initial is None else np.array(trials.initial[c])
        wanted = x.copy()
        for t in range(STEPS):
            count = float(trials.mask[c, t] > 0)
            f = J @ np.tanh(x) + U @ (count * np.asarray(trials.targets[c, t]))
            drive = B @ np.asarray(trials.inputs[c, t]) + b
            if trials.activity is not None:
                f = f + V @ np.asarray(trials.activity[c, t])
            x = x + DT / TAU * (-x + f + drive)
            before[c, t], wanted = wanted, x.copy()
            if trials.activity is not None:
                which = np.asarray(trials.recorded)
                wanted[which] = np.arctanh(np.asarray(trials.activity[c, t]))
                moved = (wanted - before[c, t])[which] / DT
                f[which] = before[c, t, which] + TAU * moved - drive[which]
            after[c, t], currents[c, t] = wanted, f
    return before, after, currents


def ridge(rates, wanted, penalty):
    """Ridge regression as least squares with rows of the penalty, through LAPACK's lstsq."""
    rates, wanted = rates.reshape(-1, N), wanted.reshape(len(rates.reshape(-1, N)), -1)
    rows = np.concatenate([rates, np.sqrt(penalty) * np.eye(N)])
    sides = np.concatenate([wanted, np.zeros((N, wanted.shape[1]))])
    return np.linalg.lstsq(rows, sides, rcond=None)[0].T


@pytest.mark.parametrize(("recorded", "initial"), [(0, False), (4, True)])
def test_two_passes_of_ridge_are_least_squares_over_their_samples(recorded, initial):
    mask = np.ones((3, STEPS))
    mask[:, :10] = 0.0
    circuit, trials = made(recorded=recorded, mask=mask, initial=initial)
    rule = FullFORCE(noise=0.0, penalty=0.3)
    state = rule.init(circuit, trials, jax.random.key(1))
    first, state, _ = rule.update(circuit, state, trials, jax.random.key(2))
    before, after, f = by_hand(circuit, trials, state.teacher)
    counts = mask.reshape(-1) > 0
    targets = np.asarray(trials.targets).reshape(-1, 2)
    np.testing.assert_allclose(first.recurrent, ridge(np.tanh(before), f, 0.3), atol=1e-9)
    read = np.tanh(after).reshape(-1, N)
    np.testing.assert_allclose(first.output, ridge(read[counts], targets[counts], 0.3), atol=1e-9)

    # the second pass adds the states of the running circuit, with the same currents
    second, _, loss = rule.update(first, state, trials, jax.random.key(3))
    run = unroll(first, trials)
    moved = np.asarray(run.states["x"])
    shifted = np.concatenate([before[:, :1], moved[:, :-1]], axis=1)
    both = np.tanh(np.concatenate([before, shifted]))
    expected = ridge(both, np.concatenate([f, f]), 0.3)
    np.testing.assert_allclose(second.recurrent, expected, atol=1e-9)
    wrong = (np.asarray(run.outputs) - np.asarray(trials.targets))[mask > 0]
    np.testing.assert_allclose(loss, np.mean(wrong**2), rtol=1e-9)


def test_a_network_of_the_same_form_is_found_when_all_units_are_recorded():
    circuit, trials = made(seed=3, trials=8)
    weights = nj.circuits.Gaussian(1.8).draw(jax.random.key(5), N)
    target = nj.circuits.RateRNN(
        N, inputs=2, outputs=2, tau=TAU, bias=0.1, input=circuit.input, recurrent=weights,
        key=jax.random.key(6),
    )  # fmt: skip
    starts = 0.5 * np.random.default_rng(0).standard_normal((8, N))
    cue = nj.tasks.Trials(trials.inputs, trials.targets, dt=DT, initial=starts)
    run = unroll(target, cue)
    learn = nj.tasks.Trials(
        trials.inputs, run.outputs, dt=DT, activity=run.rates, initial={"x": starts}
    )
    rule = FullFORCE(noise=0.0, penalty=1e-10)
    state = rule.init(circuit, learn, jax.random.key(1))
    found, _, _ = rule.update(circuit, state, learn, jax.random.key(2))
    np.testing.assert_allclose(found.recurrent, weights, atol=1e-5)
    np.testing.assert_allclose(found.output, target.output, atol=1e-5)
    again = unroll(found, learn)
    np.testing.assert_allclose(again.rates, run.rates, atol=1e-5)
    np.testing.assert_allclose(again.outputs, run.outputs, atol=1e-5)
    # and so it does what the target does from where it never was
    new = nj.tasks.Trials(-trials.inputs[::-1], trials.targets, dt=DT, initial=-starts)
    np.testing.assert_allclose(unroll(found, new).rates, unroll(target, new).rates, atol=1e-4)


def test_recursive_least_squares_is_ridge_over_the_samples_that_it_visits():
    circuit, trials = made(seed=2, trials=2, recorded=4)
    rule = FullFORCE("rls", penalty=0.5, probability=1.0)
    state = rule.init(circuit, trials, jax.random.key(1))
    trained, _, _ = rule.update(circuit, state, trials, jax.random.key(2))

    # by numpy: before each step all samples so far are fitted anew, about the weights at the start
    _, _, f = by_hand(circuit, trials, state.teacher)
    B, b = np.asarray(circuit.input), np.asarray(circuit.bias)
    W0, out0 = np.asarray(circuit.recurrent), np.asarray(circuit.output)
    rates, currents, wanted = [], [], []
    for c in range(len(trials)):
        x, last = np.zeros(N), np.zeros(2)
        for t in range(STEPS):
            r = np.tanh(x)
            rates.append(r)
            currents.append(f[c, t])
            wanted.append(last)
            R = np.array(rates)
            W = W0 + ridge(R, np.array(currents) - R @ W0.T, 0.5)
            x = x + DT / TAU * (-x + W @ r + B @ np.asarray(trials.inputs[c, t]) + b)
            last = np.asarray(trials.targets[c, t])
    output = out0 + ridge(R, np.array(wanted) - R @ out0.T, 0.5)
    np.testing.assert_allclose(trained.recurrent, W, atol=1e-7)
    np.testing.assert_allclose(trained.output, output, atol=1e-7)


def test_hints_drive_the_teacher_alone():
    circuit, trials = made()
    silent = FullFORCE(noise=0.0, hints=lambda trials: jnp.zeros((*trials.mask.shape, 1)))
    ramp = FullFORCE(
        noise=0.0,
        hints=lambda trials: jnp.broadcast_to(jnp.arange(STEPS) / STEPS, trials.mask.shape)[
            ..., None
        ],
    )
    found = []
    for rule in (FullFORCE(noise=0.0), silent, ramp):
        state = rule.init(circuit, trials, jax.random.key(1))
        found.append(rule.update(circuit, state, trials, jax.random.key(2))[0])
        np.testing.assert_array_equal(found[-1].input, circuit.input)
    np.testing.assert_allclose(found[1].recurrent, found[0].recurrent, atol=1e-12)
    assert np.abs(found[2].recurrent - found[0].recurrent).max() > 1e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "rigde"}, "unknown method 'rigde'"),
        ({"penalty": 0.0}, "penalty must be positive, got 0.0"),
        ({"noise": -0.1}, "noise must be at least 0, got -0.1"),
        ({"probability": 0.0}, r"probability must lie in \(0, 1\], got 0.0"),
    ],
)
def test_settings_that_make_no_sense(settings, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # our words, not the hook's
    with pytest.raises(ValueError, match=message):
        FullFORCE(**settings)


def start(circuit, trials, **settings):
    FullFORCE(**settings).init(circuit, trials, jax.random.key(0))


def test_circuits_that_it_cannot_train():
    _, trials = made(recorded=3)
    build = lambda **given: nj.circuits.RateRNN(N, inputs=2, outputs=2, tau=TAU, **given)
    with pytest.raises(TypeError, match="RateRNN, got ModernHopfield"):
        start(nj.circuits.ModernHopfield(np.eye(3)), trials)
    with pytest.raises(ValueError, match="plain"):
        start(build(recurrent=nj.frozen(np.eye(N))), trials)
    with pytest.raises(ValueError, match="low rank"):
        start(build(recurrent=nj.circuits.low_rank(jax.random.key(0), N)), trials)
    with pytest.raises(ValueError, match="without feedback"):
        start(build(feedback=True), trials)
    with pytest.raises(ValueError, match="can be inverted"):
        start(build(nonlinearity=jnp.sin), trials)


def test_recordings_that_no_circuit_can_follow():
    circuit, trials = made(recorded=3)
    given = {"dt": DT, "recorded": trials.recorded}
    gaps = np.ones_like(trials.activity)
    gaps[0, 3, 1] = 0.0
    with pytest.raises(ValueError, match="without gaps"):
        start(circuit, nj.tasks.Trials(
            trials.inputs, trials.targets, activity=trials.activity, activity_mask=gaps, **given
        ))  # fmt: skip
    with pytest.raises(ValueError, match="scale them first"):
        start(circuit, nj.tasks.Trials(
            trials.inputs, trials.targets, activity=2.0 * trials.activity, **given
        ))  # fmt: skip
    with pytest.raises(ValueError, match="hints must give shape"):
        start(circuit, trials, hints=lambda trials: jnp.zeros((2, 2)))
