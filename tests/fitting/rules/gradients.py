"""What the tests of rules with slopes share: circuits, trials, and the gradient that BPTT takes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import neurojax as nj
from neurojax.core.paths import leaf_names
from neurojax.fitting.parameters import split

rules = nj.fitting.rules
SGD = optax.sgd(0.1)


def trials(batch=3, steps=7, inputs=2, outputs=2, n=5, **parts):
    """Random inputs, targets, weights of the steps; two recorded units."""
    draw = np.random.default_rng(0).normal
    given = {"activity": draw(size=(batch, steps, 2)), "recorded": [0, 3]} | parts
    return nj.tasks.Trials(
        draw(size=(batch, steps, inputs)), draw(size=(batch, steps, outputs)),
        np.random.default_rng(1).uniform(size=(batch, steps)), dt=2.0, **given,
    )  # fmt: skip


def rate(n=5, **parts):
    """A `RateRNN` all of whose parameters are trained, with time constants of its own."""
    given = {
        "recurrent": nj.circuits.Gaussian(1.5), "tau": nj.positive(jnp.linspace(5.0, 20.0, n)),
        "bias": jnp.linspace(-0.3, 0.4, n), "initial": nj.bounded(jnp.full(n, 0.2), -1.0, 1.0),
    } | parts  # fmt: skip
    return nj.circuits.RateRNN(n, inputs=2, outputs=2, key=jax.random.key(3), **given)


def leaky(n=5, **parts):
    """A `LeakyRNN` with a trained leak, one number for all units."""
    given = {
        "leak": nj.bounded(0.3, 0.0, 1.0), "bias": jnp.linspace(-0.3, 0.4, n),
        "initial": nj.bounded(jnp.full(n, 0.2), -1.0, 1.0),
    } | parts  # fmt: skip
    return nj.circuits.LeakyRNN(n, inputs=2, outputs=2, key=jax.random.key(4), **given)


def slopes(rule, circuit, trials, key=None):
    """The loss and its slope by a rule; by reverse-mode differentiation for BPTT."""
    drawn = None
    if not isinstance(rule, rules.BPTT):
        drawn = rule.init(circuit, trials, jax.random.key(8)).drawn
    arrays, rest = eqx.partition((circuit, drawn), eqx.is_array)
    find = lambda arrays, trials, key: _slopes(rule, *eqx.combine(arrays, rest), trials, key)
    return run(find, arrays, trials, key)


def run(function, *arguments):
    """A function compiled with little optimisation: it runs once, on little."""
    quickly = {"xla_backend_optimization_level": 0}
    return jax.jit(function, compiler_options=quickly)(*arguments)


def learnt(rule, circuit, trials, steps):
    """The losses of some updates by the same trials, and the last state of the rule."""
    start, rest = eqx.partition(
        (circuit, rule.init(circuit, trials, jax.random.key(8))), eqx.is_array
    )

    def update(arrays, key):
        circuit, state = eqx.combine(arrays, rest)
        circuit, state, loss = rule.update(circuit, state, trials, key)
        return eqx.filter((circuit, state), eqx.is_array), loss

    every = lambda start: jax.lax.scan(update, start, jax.random.split(jax.random.key(9), steps))
    last, losses = run(every, start)
    return losses, eqx.combine(last, rest)[1]


def _slopes(rule, circuit, drawn, trials, key):
    if not isinstance(rule, rules.BPTT):
        return rule.slope(*split(circuit, rule.objective.freeze), drawn, trials, key)
    parameters, rest = split(circuit, rule.freeze)
    return jax.value_and_grad(lambda p: rule.value(eqx.combine(p, rest), trials, key))(parameters)


def assert_same(found, expected, atol=1e-10, but=()):
    """Leaf by leaf; leaves whose names begin as in `but` must differ."""
    assert abs(float(found[0] - expected[0])) < 1e-12
    names = leaf_names(expected[1])
    pairs = zip(names, jax.tree.leaves(found[1]), jax.tree.leaves(expected[1]), strict=True)
    for name, a, b in pairs:
        if name.startswith(tuple(but)) and but:
            assert np.max(np.abs(a - b)) > 1e-6, name
        else:
            np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=name)
            assert np.max(np.abs(b)) > 1e-6, f"{name}: nothing to compare"
