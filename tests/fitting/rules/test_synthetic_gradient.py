"""Synthetic gradients: truncated at first, and the whole gradient once a linear guess is learnt."""

import shutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import neurojax as nj
from neurojax.fitting.parameters import split

from .gradients import SGD, assert_same, leaky, learnt, rules, run, slopes, trials

Synthetic = rules.SyntheticGradient


def _slopes(rule, circuit, predictor, given, key=None):
    """Loss and slope of the rule, with what it is told at the cuts."""
    arrays, rest = eqx.partition(circuit, eqx.is_array)

    def find(arrays):
        return rule.slope(*split(eqx.combine(arrays, rest), ()), predictor, given, key)

    return run(find, arrays)


def _linear(n=4):
    """A linear circuit that rotates, and trials that differ by where they begin alone.

    The states at each cut are nearly white, so that a linear regression on them converges fast.
    """
    draw = np.random.default_rng(0).normal
    rotation, starts = (np.linalg.qr(draw(size=(rows, n)))[0] for rows in (n, 12))
    circuit = nj.circuits.LeakyRNN(
        n, inputs=2, outputs=2, recurrent=0.95 * rotation, leak=1.0, bias=0.1 * draw(size=n),
        nonlinearity="identity", key=jax.random.key(1),
    )  # fmt: skip
    same = lambda *shape: np.broadcast_to(draw(size=shape), (12, *shape))
    mask, starts = np.broadcast_to(np.linspace(0.2, 1.0, 7), (12, 7)), np.sqrt(12) * starts
    return circuit, nj.tasks.Trials(0.2 * same(7, 2), same(7, 2), mask, dt=1.0, initial=starts)


@pytest.mark.parametrize("horizon", [1, 3])
def test_linear_predictor_that_has_converged_gives_the_whole_gradient(horizon):
    """In a linear circuit, learnt by bootstrapping alone; the circuit itself is held."""
    circuit, given = _linear()
    own = optax.sgd(0.8 / horizon)  # the error is a mean over the cuts
    rule = Synthetic(
        optax.sgd(0.0), horizon=horizon, hidden=None, apart=True, predictor_optimizer=own
    )
    _, state = learnt(rule, circuit, given, 1500)
    found = _slopes(rule, circuit, state.predictor, given)
    assert_same(found[:2], slopes(rules.BPTT(SGD), circuit, given), atol=1e-8)
    before = rule.init(circuit, given, jax.random.key(0)).predictor
    cut = _slopes(rule, circuit, before, given)[1].recurrent
    assert np.linalg.norm(cut - found[1].recurrent) > 0.2 * np.linalg.norm(cut)


def test_begins_as_truncated_backpropagation():
    """Against a loop whose states are cut by hand; with noise, feedback and recorded units."""
    circuit = leaky(feedback=np.random.default_rng(5).normal(size=(5, 2)), noise=0.1)
    given, key, options = trials(2, 5), jax.random.key(2), {"activity": 0.7, "rate_penalty": 0.3}
    rule = Synthetic(SGD, horizon=2, hidden=6, **options)
    state = rule.init(circuit, given, jax.random.key(0))
    objective = rules.BPTT(SGD, **options)
    parameters, rest = split(circuit, ())

    def loss(parameters):
        model = nj.unwrap(eqx.combine(parameters, rest))

        def one(u, key):
            h, seen = model.initial, []
            for t in range(5):
                h = jax.lax.stop_gradient(h) if t in (2, 4) else h
                h = model.step({"h": h}, {"u": u[t]}, nj.Clock(t, 2.0, key))[0]["h"]
                seen.append(h)
            return jnp.stack(seen)

        rates = jax.vmap(one)(given.inputs, jax.random.split(key, 2))
        return objective.of_run(nj.fitting.Unrolled(None, rates, model.read_out(rates)), given)

    found = _slopes(rule, circuit, state.predictor, given, key)
    assert_same(found[:2], run(jax.value_and_grad(loss), parameters))
    assert not np.any(state.predictor["output"]) and np.any(state.predictor["hidden"])


def test_uncut_it_is_backpropagation():
    circuit, given = nj.circuits.MinimalGatedRNN(5, inputs=2, outputs=2), trials()
    rule = Synthetic(SGD, horizon=7)
    state = rule.init(circuit, given, jax.random.key(0))
    found = _slopes(rule, circuit, state.predictor, given)
    assert_same(found[:2], slopes(rules.BPTT(SGD), circuit, given))
    assert found[2].shape == found[3].shape == (3, 0, 5)


def test_resumed_training_is_that_in_one_piece(tmp_path):
    """Bit for bit, with the predictor; of another circuit, and one predictor for all cuts."""
    circuit, given = nj.circuits.MinimalGatedRNN(5, inputs=2, outputs=2), trials()
    rule = Synthetic(optax.adam(1e-2), horizon=2, hidden=6)
    options = {"rule": rule, "steps": 4, "checkpoint_every": 2, "progress": False}
    options["checkpoint"] = tmp_path / "run"
    whole = nj.train(circuit, given, **options)
    shutil.rmtree(tmp_path / "run" / "steps" / "4")  # as if the process had died before its end
    again = nj.train(circuit, given, resume=True, **options)
    assert (again.losses == whole.losses).all()
    assert (again.circuit.recurrent == whole.circuit.recurrent).all()
    for name, value in whole.rule_state.predictor.items():
        assert (again.rule_state.predictor[name] == value).all() and np.any(value)


def test_refusals():
    with pytest.raises(ValueError, match="horizon must be"):
        Synthetic(SGD, horizon=0)
    with pytest.raises(ValueError, match="hidden must be"):
        Synthetic(SGD, horizon=3, hidden=0)
