"""Reward-modulated Hebbian learning: by hand, its mean in closed form, and that it learns."""

import shutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import neurojax as nj
from neurojax.fitting.rules.reward_hebbian import compared

from .gradients import SGD, leaky, rate, rules, run, trials

Hebbian = rules.RewardModulatedHebbian
DRAWS = 2000


def test_two_steps_by_hand(monkeypatch):
    """One unit, one input, x' = x/2 + (w r + b u + xi)/2: each number below is written out.

    x(0) = 1, w = b = 1, u = 0 and 2, xi = 1 and 0: x = 1.5, then 2.5; with a running mean that
    keeps half of itself, it strays by 0.5 from 1 and by 1.25 from 1.25. At p = 3 the traces are
    (1 * 0.5)^3 + (1.5 * 1.25)^3 for w, and (2 * 1.25)^3 for b. The reward is -(2.5 - 0.5)^2 = -4.
    """
    one = np.ones((1, 1))
    circuit = nj.circuits.LeakyRNN(
        1, inputs=1, outputs=1, recurrent=one, input=one, output=one, leak=0.5, initial=1.0,
        nonlinearity="identity",
    )  # fmt: skip
    given = nj.tasks.Trials(
        [[[0.0], [2.0]]], [[[0.0], [0.5]]], [[0.0, 1.0]], {"kind": np.array([1])}, dt=1.0
    )
    rule = Hebbian(optax.sgd(0.1), state_memory=0.5, trial_type="kind", types=2)
    monkeypatch.setattr(Hebbian, "_kicks", lambda *_: jnp.array([[[1.0], [0.0]]]))
    state = rule.init(circuit, given, jax.random.key(0))
    arrays, rest = eqx.partition(circuit, eqx.is_array)

    def update(arrays, state):
        after, state, loss = rule.update(eqx.combine(arrays, rest), state, given, jax.random.key(0))
        return eqx.filter(after, eqx.is_array), state, loss

    update = jax.jit(update)
    after, state, loss = update(arrays, state)
    assert loss == 4.0 and state.seen.tolist() == [False, True]
    assert state.expected[1] == -4.0 and after.recurrent == 1.0  # the first is as expected
    after, state, _ = update(arrays, state._replace(expected=jnp.array([0.0, -5.0])))
    np.testing.assert_allclose(after.recurrent - 1.0, 0.1 * (0.125 + 1.875**3), rtol=1e-12)
    np.testing.assert_allclose(after.input - 1.0, 0.1 * 2.5**3, rtol=1e-12)
    np.testing.assert_allclose(after.bias, 0.1 * (0.125 + 1.25**3), rtol=1e-12)
    np.testing.assert_allclose(state.expected, [0.0, 0.75 * -5.0 + 0.25 * -4.0], rtol=1e-12)
    assert after.output == 1.0 and after.output_bias == 0.0


def test_each_type_of_trial_has_its_own_expectation():
    reward, kinds = jnp.array([1.0, 3.0, 10.0]), jnp.array([0, 0, 2])
    expected, seen = jnp.array([4.0, 7.0, 0.0]), jnp.array([True, True, False])
    surprise, after, seen = compared(reward, kinds, expected, seen, 0.5)
    assert surprise.tolist() == [-3.0, -1.0, 0.0]
    assert after.tolist() == [3.0, 7.0, 10.0] and seen.all()


def _linear():
    weights, bias = 0.5 * np.eye(5)[::-1], np.linspace(-0.3, 0.4, 5)
    return rate(nonlinearity="identity", tau=8.0, initial=1.0, recurrent=weights, bias=bias)


def _expected_loss(circuit, given, sigma):
    """Of the shaken linear circuit: the error of the means, and the variance of the outputs."""
    c, a = nj.unwrap(circuit), 2.0 / 8.0
    A = (1 - a) * jnp.eye(5) + a * c.recurrent
    x, P, total = c.initial, jnp.zeros((5, 5)), 0.0
    for u, target, weight in zip(given.inputs[0], given.targets[0], given.mask[0], strict=True):
        x, P = A @ x + a * (c.input @ u + c.bias), A @ P @ A.T + (a * sigma) ** 2 * jnp.eye(5)
        error = c.output @ x + c.output_bias - target
        total = total + weight * (error @ error + jnp.trace(c.output @ P @ c.output.T))
    return total / given.mask.sum() / 2


def _moments(circuit, given, sigma, **options):
    """Mean and standard error of the update of W, B and b; then the exact gradient of E[L]."""
    ravel = lambda c: jax.flatten_util.ravel_pytree((c.recurrent, c.input, c.bias))[0]
    share = 1.0 if options.get("rate") is None else options["rate"] * 2e-3
    loss = lambda c: _expected_loss(c, given, sigma * np.sqrt(share))
    rule = Hebbian(optax.sgd(1.0), sigma=sigma, **options)
    state = rule.init(circuit, given, jax.random.key(0))
    arrays, rest = eqx.partition(circuit, eqx.is_array)

    def find(arrays):
        circuit = eqx.combine(arrays, rest)
        value, gradient = eqx.filter_value_and_grad(loss)(circuit)
        known = state._replace(expected=-value[None], seen=jnp.ones(1, bool))

        def one(key):
            return ravel(rule.update(circuit, known, given, key)[0]) - ravel(circuit)

        draws = jax.lax.map(one, jax.random.split(jax.random.key(1), DRAWS), batch_size=1000)
        return jnp.mean(draws, axis=0), jnp.std(draws, axis=0) / np.sqrt(DRAWS), ravel(gradient)

    return run(find, arrays)


def _agree(mean, error, expected):
    """Over all the numbers: bounds of the z-scores as for node perturbation."""
    z = (mean - expected) / error
    assert np.max(np.abs(z)) < 4.5 and 0.3 < np.mean(z**2) < 2.5
    assert np.sum(expected**2) > 20 * np.sum(error**2)  # not a test of noise


def test_mean_with_known_kicks_is_the_gradient_of_the_expected_loss():
    """At p = 1, in closed form for a linear circuit."""
    given = trials(batch=1, activity=None, recorded=None)
    mean, error, slope = _moments(_linear(), given, 1.0, power=1.0, state_memory=None)
    assert mean.size == 25 + 10 + 5
    _agree(mean, error, -slope)


def test_mean_of_cubes_in_one_step_is_the_gradient_with_cubed_rates():
    r"""$E[L\,\xi_i^3] = 3 \sigma^4\, \partial E[L] / \partial \xi_i$ for a quadratic L."""
    given = trials(batch=1, activity=None, recorded=None, steps=1)
    circuit = eqx.tree_at(lambda c: c.initial.tree, _linear(), jnp.linspace(0.5, 2.0, 5))
    mean, error, slope = _moments(circuit, given, 0.8, state_memory=None)
    by_current = slope[-5:]
    cubes = np.concatenate([np.linspace(0.5, 2.0, 5) ** 3, given.inputs[0, 0] ** 3, [1.0]])
    exact = -3 * 0.8**4 * by_current[:, None] * cubes[None, :]
    exact = np.concatenate([exact[:, :5].ravel(), exact[:, 5:7].ravel(), exact[:, 7]])
    _agree(mean, error, exact)


def test_straying_alone_tells_the_direction_of_the_gradient():
    """The rule as published, from sparse kicks at rest, of which no unit knows."""
    x, W = np.linspace(0.5, 1.5, 5), 0.5 * np.eye(5)[::-1]
    circuit = eqx.tree_at(lambda c: (c.bias, c.initial.tree), _linear(), (x - W @ x, x))
    given = trials(batch=1, activity=None, recorded=None)
    given = eqx.tree_at(lambda t: t.inputs, given, jnp.zeros((1, 7, 2)))
    mean, error, slope = _moments(circuit, given, 1.0, rate=100.0)
    cosine = -mean @ slope / np.linalg.norm(mean) / np.linalg.norm(slope)
    assert np.sum(mean**2) > 20 * np.sum(error**2)
    assert cosine > 0.8


def _choice():
    """Say which of two inputs was up, after a delay; the other one is to be ignored."""
    u, y, mask = np.zeros((16, 15, 2)), np.zeros((16, 15, 1)), np.zeros((16, 15))
    kinds = np.arange(16) % 4
    u[:, 1:5, 0], u[:, 1:5, 1] = 2.0 * (kinds[:, None] % 2) - 1, 2.0 * (kinds[:, None] // 2) - 1
    y[:, :, 0], mask[:, -4:] = 0.5 * np.sign(u[:, 1, :1]), 1.0
    return nj.tasks.Trials(u, y, mask, {"kind": kinds}, dt=10.0)


def test_it_learns_as_published_and_resumes_bit_for_bit(tmp_path):
    """Through `nj.train`, from sparse kicks of which no unit knows."""
    circuit = nj.circuits.RateRNN(
        20, inputs=2, outputs=1, tau=30.0, recurrent=nj.circuits.Gaussian(1.2),
        output=np.random.default_rng(0).normal(size=(1, 20)) / np.sqrt(20), key=jax.random.key(0),
    )  # fmt: skip
    options = {"trial_type": "kind", "types": 4, "freeze": ["input", "bias"], "sigma": 1.0}
    rule = Hebbian(optax.adam(3e-3), rate=5.0, **options)
    options = {"rule": rule, "steps": 300, "progress": False, "checkpoint_every": 150}
    options["checkpoint"] = tmp_path / "run"
    whole = nj.train(circuit, _choice(), **options)
    assert np.mean(whole.losses[-20:]) < 0.1 * np.mean(whole.losses[:5])
    assert (whole.circuit.output == circuit.output).all()
    assert (whole.circuit.input == circuit.input).all()
    shutil.rmtree(tmp_path / "run" / "steps" / "300")  # as if the process had died before its end
    again = nj.train(circuit, _choice(), resume=True, **options)
    assert (again.losses == whole.losses).all()
    assert (again.circuit.recurrent == whole.circuit.recurrent).all()
    assert (again.rule_state.expected == whole.rule_state.expected).all()


def test_constrained_weights_and_what_is_not_finite():
    mask = ~np.eye(5, dtype=bool)
    circuit = leaky(recurrent=nj.circuits.masked(np.ones((5, 5)), mask), leak=0.5, initial=0.2)
    given, rule = trials(activity=None, recorded=None), Hebbian(optax.sgd(10.0))
    state = rule.init(circuit, given, jax.random.key(0))
    arrays, rest = eqx.partition(circuit, eqx.is_array)

    def find(arrays, first):
        circuit = eqx.combine(arrays, rest)
        shown = eqx.tree_at(lambda t: t.targets, given, given.targets.at[0, 0, 0].set(first))
        moved, now, loss = rule.update(circuit, state, shown, jax.random.key(1))
        return nj.unwrap(moved).recurrent - nj.unwrap(circuit).recurrent, now, loss

    change, now, loss = jax.vmap(lambda first: run(find, arrays, first))(jnp.array([0.0, jnp.nan]))
    assert now.seen.ravel().tolist() == [True, False] and np.isfinite(loss).tolist() == [1, 0]
    assert ((change[0] != 0) == mask).all() and (change[1] == 0).all()
    assert now.expected[0] != 0 and now.expected[1] == 0


def test_refusals():
    init = lambda rule, circuit, given: rule.init(circuit, given, jax.random.key(0))
    for options, message in (
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"rate": -1.0}, "rate must be positive"),
        ({"power": 0.0}, "power must be positive"),
        ({"state_memory": 1.0}, r"state_memory must lie in \[0, 1\)"),
        ({"types": 3}, "types=3 need trial_type"),
    ):
        with pytest.raises(ValueError, match=message):
            Hebbian(SGD, **options)
    with pytest.raises(ValueError, match="does not train 'tau': freeze it"):
        init(Hebbian(SGD), rate(), trials())
    circuit = leaky(leak=0.5, initial=0.0)
    with pytest.raises(ValueError, match="rate=600 Hz is more than one kick"):
        init(Hebbian(SGD, rate=600), circuit, trials())
    kinds = trials(conditions={"kind": np.array([0, 1, 2])})
    with pytest.raises(ValueError, match=r"whole numbers from 0 to 1 \(types=2\), got values"):
        init(Hebbian(SGD, trial_type="kind", types=2), circuit, kinds)
    with pytest.raises(nj.core.errors.UnknownNameError, match="no condition 'kinds'"):
        init(Hebbian(SGD, trial_type="kinds", types=2), circuit, kinds)
