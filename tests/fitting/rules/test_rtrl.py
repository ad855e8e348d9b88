"""Real-time recurrent learning against the gradient by backpropagation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

from .gradients import SGD, assert_same, leaky, rate, rules, run, slopes, trials

LOSS = {"activity": 0.7, "rate_penalty": 0.3}
NUMBERS = np.random.default_rng(5).normal(size=(5, 5))
SIGNS = np.array([[1.0, 1.0, 1.0, -1.0, -1.0]])


def test_exact_is_the_gradient():
    """With noise, feedback, trained time constants and starts, recorded units, two stages."""
    circuit = rate(feedback=NUMBERS[:, :2], noise=0.1, solver=nj.solvers.Heun())
    given, key = trials(), jax.random.key(2)
    found = slopes(rules.RTRL(SGD, **LOSS), circuit, given, key)
    assert_same(found, slopes(rules.BPTT(SGD, **LOSS), circuit, given, key))


def test_exact_with_signs_given_starts_and_cross_entropy():
    weights = nj.circuits.sign_kept(np.abs(NUMBERS) * SIGNS * (NUMBERS > -0.5), SIGNS)
    circuit = leaky(recurrent=weights, initial=0.0)
    given = trials(activity=None, recorded=None, initial=NUMBERS[:3])
    given = eqx.tree_at(lambda t: t.targets, given, jax.nn.softmax(given.targets))
    options = {"loss": "cross_entropy", "freeze": ["input"]}
    found = slopes(rules.RTRL(SGD, **options), circuit, given)
    absent = np.asarray(NUMBERS > -0.5)  # their parameters have no effect
    recurrent = found[1].recurrent.args[0]
    assert found[1].input is None and not np.any(recurrent[~absent]) and np.all(recurrent[absent])
    assert_same(found, slopes(rules.BPTT(SGD, **options), circuit, given))


def test_exact_for_a_gated_circuit():
    circuit = nj.circuits.MinimalGatedRNN(5, inputs=2, outputs=2)
    found = slopes(rules.RTRL(SGD), circuit, trials())
    assert_same(found, slopes(rules.BPTT(SGD), circuit, trials()))


@pytest.mark.parametrize("make", [rate, leaky])
def test_diagonal_is_the_gradient_of_units_that_do_not_couple(make):
    itself = nj.circuits.masked(np.diag([0.5, -1.0, 0.0, 1.2, 0.3]), np.eye(5, dtype=bool))
    circuit, given, key = make(noise=0.1, recurrent=itself), trials(), jax.random.key(2)
    found = slopes(rules.RTRL(SGD, approximation="diagonal", **LOSS), circuit, given, key)
    assert_same(found, slopes(rules.BPTT(SGD, **LOSS), circuit, given, key))


def test_diagonal_is_the_recursion_with_the_diagonal_of_the_jacobian():
    """Against its definition with all sensitivities, G' = diag(J) G + dF/dp, one trial."""
    low_rank = nj.circuits.low_rank(jax.random.key(1), 5, overlap=4.0)
    circuit = rate(feedback=NUMBERS[:, :2], recurrent=low_rank)
    circuit = eqx.tree_at(lambda c: c.solver, circuit, nj.solvers.ExponentialEuler())
    given = trials(batch=1, activity=None, recorded=None)
    parameters, rest = nj.fitting.parameters.split(circuit, ())
    flat, unflatten = jax.flatten_util.ravel_pytree(parameters)
    model = lambda p: nj.unwrap(eqx.combine(unflatten(p), rest))
    move = lambda p, x, u: model(p).step({"x": x}, {"u": u}, nj.Clock(0, 2.0))[0]["x"]
    total = float(given.mask.sum()) * 2

    def part(p, x, target, weight):
        error = model(p).read_out(model(p).rates({"x": x})) - target
        return weight * jnp.sum(error**2) / total

    def carried(p, diagonal):
        x, slope = model(p).init_state()["x"], 0.0
        G = jax.jacrev(lambda p: model(p).init_state()["x"])(p)
        for k in range(given.steps):
            M, J = jax.jacrev(move, (0, 1))(p, x, given.inputs[0, k])
            J = jnp.where(diagonal, jnp.diag(jnp.diag(J)), J)
            G, x = J @ G + M, move(p, x, given.inputs[0, k])
            direct, e = jax.grad(part, (0, 1))(p, x, given.targets[0, k], given.mask[0, k])
            slope = slope + direct + e @ G
        return slope

    expected, exact = run(jax.vmap(carried, (None, 0)), flat, jnp.array([True, False]))
    _, found = slopes(rules.RTRL(SGD, approximation="diagonal"), circuit, given)
    np.testing.assert_allclose(jax.flatten_util.ravel_pytree(found)[0], expected, atol=1e-10)
    assert np.max(np.abs(exact - expected)) > 1e-3  # an approximation it is


def test_refusals():
    given = trials()
    with pytest.raises(ValueError, match=r"Did you mean 'diagonal'"):
        rules.RTRL(SGD, approximation="diagonl")
    with pytest.raises(ValueError, match="approximation='diagonal' or BPTT"):
        rules.RTRL(SGD, limit=100).init(rate(), given, None)
    diagonal = rules.RTRL(SGD, approximation="diagonal")
    with pytest.raises(TypeError, match="MinimalGatedRNN"):
        diagonal.init(nj.circuits.MinimalGatedRNN(5, inputs=2, outputs=2), given, None)
    with pytest.raises(ValueError, match="Heun"):
        diagonal.init(rate(solver=nj.solvers.Heun()), given, None)
    curve = nj.circuits.Hennequin(gain=nj.positive(1.0))
    with pytest.raises(ValueError, match=r"freeze=\['nonlinearity'\]"):
        diagonal.init(rate(nonlinearity=curve), given, None)
    rules.RTRL(SGD, approximation="diagonal", freeze=["nonlinearity"]).init(
        rate(nonlinearity=curve), given, None
    )
