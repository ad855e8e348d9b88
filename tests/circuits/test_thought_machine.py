"""The parts of a continuous thought machine, against equinox and against sums over all steps."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import neurojax as nj

Ticks, Synchronised = nj.circuits.NeuronLevelModels, nj.circuits.Synchronised
KEY = jax.random.key(0)


def _ticks(**parts):
    draw = np.random.default_rng(0).normal
    circuit = Ticks(4, inputs=2, outputs=1, memory=3, hidden=5, bias=0.1, key=KEY, **parts)
    where = lambda c: (c.inner_bias, c.outer_bias, c.initial)
    return eqx.tree_at(where, circuit, (draw(size=(4, 5)), draw(size=4), draw(size=(4, 3))))


def test_each_unit_is_a_perceptron_of_its_own():
    """One `eqx.nn.MLP` for each unit with the same weights, stepped in a loop by hand."""
    circuit, u = _ticks(), np.random.default_rng(1).normal(size=(6, 2))

    def mlp(i):
        blank = eqx.nn.MLP(3, "scalar", 5, 1, activation=jnp.tanh, key=KEY)
        where = lambda m: [x for layer in m.layers for x in (layer.weight, layer.bias)]
        weights = (circuit.inner[i], circuit.inner_bias[i], circuit.outer[i][None])
        return eqx.tree_at(where, blank, [*weights, circuit.outer_bias[i][None]])

    models, call = [mlp(i) for i in range(4)], eqx.filter_jit(lambda model, h: model(h))
    past = [list(row) for row in np.asarray(circuit.initial)]  # all currents so far
    z = np.array([call(models[i], jnp.asarray(past[i])) for i in range(4)])
    expected = []
    for now in u:
        a = np.asarray(circuit.recurrent) @ z + np.asarray(circuit.input) @ now + 0.1
        for i in range(4):
            past[i].append(a[i])
        z = np.array([call(models[i], jnp.asarray(past[i][-3:])) for i in range(4)])
        expected.append(z)
    trials = nj.tasks.Trials(u, np.zeros((6, 1)), dt=1.0)
    np.testing.assert_allclose(nj.fitting.unroll(circuit, trials).rates, expected, rtol=1e-10)


def test_no_unit_sees_the_history_of_another():
    circuit = _ticks()
    slope = jax.jacobian(circuit.private)(circuit.initial)  # (n, n, memory)
    own = np.eye(4, dtype=bool)
    assert (slope[~own] == 0).all() and (np.abs(slope[own]) > 1e-6).all()


def _direct(r, pairs, decay):
    """S of every step by its definition, in numpy."""
    S = np.zeros((len(r), len(pairs)))
    for t in range(len(r)):
        for p, (i, j) in enumerate(pairs):
            weight = np.exp(-decay[p] * (t - np.arange(t + 1)))
            S[t, p] = np.sum(weight * r[: t + 1, i] * r[: t + 1, j]) / np.sqrt(weight.sum())
    return S


PAIRS, DECAY = np.array([[0, 1], [2, 2], [3, 0]]), np.array([0.0, 0.3, 20.0])


def test_the_recursion_is_the_direct_sum():
    """With decays from none to one that leaves the last step alone; with jit, vmap and slope."""
    inner, u = _ticks(), np.random.default_rng(2).normal(size=(2, 9, 2))
    circuit = Synchronised(inner, PAIRS, outputs=2, decay=DECAY, key=KEY)
    trials = nj.tasks.Trials(u, np.zeros((2, 9, 2)), dt=1.0)

    def run(decay, trials):
        changed = eqx.tree_at(lambda c: c.decay, circuit, decay)
        return nj.fitting.unroll(changed, trials)

    found, r = jax.jit(run)(DECAY, trials), nj.fitting.unroll(inner, _one_output(trials)).rates
    expected = np.stack([_direct(x, PAIRS, DECAY) for x in np.asarray(r)])
    np.testing.assert_allclose(found.rates, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.outputs, expected @ circuit.output.T, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.rates[..., 2], r[..., 3] * r[..., 0], rtol=0, atol=1e-7)

    total = lambda decay: jnp.sum(run(decay, trials).rates ** 2)
    slope = jax.jit(jax.grad(total))(DECAY)
    S = lambda decay: np.sum(np.stack([_direct(x, PAIRS, decay) for x in np.asarray(r)]) ** 2)
    for p in range(2):  # the third is flat
        h = 1e-6 * np.eye(3)[p]
        assert slope[p] == pytest.approx((S(DECAY + h) - S(DECAY - h)) / 2e-6, rel=1e-6)


def _one_output(trials):
    return eqx.tree_at(lambda t: t.targets, trials, trials.targets[..., :1])


def test_before_the_first_step_nothing_is_synchronised():
    circuit = Synchronised(_ticks(), PAIRS, outputs=1)
    slope = jax.grad(lambda state: jnp.sum(circuit.rates(state)), allow_int=True)
    state = circuit.init_state()
    assert (circuit.rates(state) == 0).all()
    assert np.isfinite(slope(state)["beta"]).all() and (slope(state)["alpha"] == 1).all()


def test_a_machine_learns_parity():
    """Of three bits, given one after the other: no linear read-out of the inputs has it."""
    bits = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, 8).T
    u, parity = np.zeros((8, 6, 1)), np.zeros((8, 6, 1))
    u[:, :3, 0], parity[:, :, 0] = bits, np.prod(bits, axis=1)[:, None]
    mask = np.broadcast_to(np.arange(6) == 5, (8, 6)) * 1.0
    trials = nj.tasks.Trials(u, parity, mask, dt=1.0)
    ticks = Ticks(12, inputs=1, memory=4, hidden=4, key=jax.random.key(1))
    circuit = Synchronised(ticks, 24, outputs=1)
    rule = nj.fitting.rules.BPTT(optax.adam(1e-2))
    trained = nj.train(circuit, trials, rule=rule, steps=300, progress=False)
    assert trained.losses[0] > 0.9 and trained.losses[-1] < 0.05
    decay = np.asarray(nj.unwrap(trained.circuit).decay)
    assert (decay > 0).all() and np.ptp(decay) > 1e-3


def test_refusals():
    for options, message in (
        ({"memory": 0}, "memory must be"),
        ({"hidden": 0}, "hidden must be"),
        ({"initial": np.zeros(4)}, r"initial must be a scalar or have shape \(4, 10\)"),
    ):
        with pytest.raises(ValueError, match=message):
            Ticks(4, **options)
    ticks = _ticks()
    for pairs, options, message in (
        ([[0, 4]], {}, "units from 0 to 3, got 0 to 4"),
        ([[0.0, 1.0]], {}, r"whole numbers of shape \(pairs, 2\)"),
        (0, {}, "pairs must be"),
        (PAIRS, {"decay": -1.0}, "decay"),
        (PAIRS, {"decay": np.ones(2)}, r"decay must be a scalar or have shape \(3,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            Synchronised(ticks, pairs, **options)
    with pytest.raises(ValueError, match="feeds its outputs back"):
        Synchronised(_ticks(feedback=True), PAIRS)
    with pytest.raises(TypeError, match="must be a recurrent circuit"):
        Synchronised(1.0, PAIRS)
