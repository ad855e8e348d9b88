"""What is read off a drift's program: elementwise, affine, dependent on the state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models

import neurojax as nj
from neurojax.core.structure import depends_on_state, is_affine, local_jacobian, local_rates

Y = {"a": jnp.linspace(0.1, 0.9, 4), "b": jnp.linspace(-1.0, 1.0, 4)}
W = jnp.asarray(np.random.default_rng(0).normal(size=(4, 4)))

LOCAL = {
    "gates": lambda t, y, u: {
        "a": jax.nn.sigmoid(y["b"]) * (1 - y["a"]) - jnp.exp(-y["b"]) * y["a"],
        "b": -(y["a"] ** 3) * y["b"] + jnp.where(y["b"] > 0, y["b"], jnp.tanh(y["b"])),
    },
    "library functions": lambda t, y, u: {
        "a": jax.nn.softplus(y["a"]) - jax.nn.relu(y["b"]) * y["a"],
        "b": jnp.clip(y["b"], -0.5, 0.5) + jnp.power(jnp.abs(y["a"]), 1.5) * y["b"],
    },
    "parameters per neuron": lambda t, y, u: {"a": -y["a"] * W[0], "b": W[1] - y["b"] / 3.0},
    "coupled through a sum of the other": lambda t, y, u: {
        "a": -y["a"] + jnp.sum(y["b"]),
        "b": -y["b"] * jnp.mean(y["a"]),
    },
    "inside jit": jax.jit(lambda t, y, u: {"a": jnp.sin(y["a"]), "b": -y["b"]}),
}


@pytest.mark.parametrize("name", LOCAL)
def test_rates_of_an_elementwise_drift(name):
    """Against the diagonal of the full Jacobian of each leaf by itself."""
    f = LOCAL[name]
    slope, rates = local_rates(f, 0.0, Y, {})
    for leaf in ("a", "b"):
        np.testing.assert_allclose(slope[leaf], f(0.0, Y, {})[leaf])
        one = lambda x, leaf=leaf: f(0.0, Y | {leaf: x}, {})[leaf]
        expected = -np.diagonal(jax.jacfwd(one)(Y[leaf]))
        np.testing.assert_allclose(rates[leaf], expected, rtol=1e-12, atol=1e-14)


COUPLED = {
    "matrix": lambda t, y, u: {"a": W @ jnp.tanh(y["a"]), "b": -y["b"]},
    "mean field": lambda t, y, u: {"a": y["a"] - jnp.mean(y["a"]), "b": -y["b"]},
    "roll": lambda t, y, u: {"a": jnp.roll(y["a"], 1), "b": -y["b"]},
    "reverse": lambda t, y, u: {"a": y["a"][::-1], "b": -y["b"]},
    "sort": lambda t, y, u: {"a": jnp.sort(y["a"]), "b": -y["b"]},
    "cumsum": lambda t, y, u: {"a": jnp.cumsum(y["a"]), "b": -y["b"]},
    "gather": lambda t, y, u: {"a": y["a"][jnp.array([1, 0, 3, 2])], "b": -y["b"]},
    "softmax": lambda t, y, u: {"a": jax.nn.softmax(y["a"]), "b": -y["b"]},
    "outer": lambda t, y, u: {"a": jnp.sum(y["a"][:, None] * y["a"][None], axis=1), "b": -y["b"]},
    "scan": lambda t, y, u: {
        "a": jax.lax.scan(lambda c, x: (c + x, c), 0.0, y["a"])[1], "b": -y["b"],
    },
    "through the second leaf": lambda t, y, u: {"a": -y["a"], "b": (W @ y["b"])},
}  # fmt: skip


@pytest.mark.parametrize("name", COUPLED)
def test_a_coupled_drift_is_refused(name):
    with pytest.raises(ValueError, match="couples its elements"):
        local_rates(COUPLED[name], 0.0, Y, {})


def test_one_neuron_is_never_coupled():
    one = {"a": jnp.array([0.3]), "b": jnp.array([0.2])}
    f = lambda t, y, u: {"a": jnp.sum(jnp.tanh(y["a"])) * jnp.ones(1), "b": -y["b"]}
    _, rates = local_rates(f, 0.0, one, {})
    assert float(rates["a"][0]) == pytest.approx(-(1 - np.tanh(0.3) ** 2))


AFFINE = {
    "leaky": lambda t, y, u: {"a": -y["a"] / 5.0 + u["I"], "b": y["a"] - y["b"] * W[0]},
    "matrix": lambda t, y, u: {"a": W @ y["a"] + 3.0, "b": jnp.sum(y["a"]) * jnp.ones(4)},
    "shuffled": lambda t, y, u: {"a": y["b"][::-1], "b": jnp.concatenate([y["a"][2:], y["b"][:2]])},
    "gather and scatter": lambda t, y, u: {
        "a": y["a"][jnp.array([1, 0, 3, 2])],
        "b": jnp.zeros(4).at[jnp.array([0, 0, 1, 2])].add(y["b"]),
    },
    "switch by a parameter": lambda t, y, u: {"a": jnp.where(W[0] > 0, y["a"], 0.0), "b": -y["b"]},
}


@pytest.mark.parametrize("name", AFFINE)
def test_affine_drifts(name):
    assert is_affine(AFFINE[name], 0.0, Y, {"I": jnp.ones(4)})


NOT_AFFINE = {
    "product": lambda t, y, u: {"a": y["a"] * y["b"], "b": -y["b"]},
    "input times state": lambda t, y, u: {"a": u["I"] * y["a"], "b": -y["b"]},
    "square": lambda t, y, u: {"a": y["a"] ** 2, "b": -y["b"]},
    "division": lambda t, y, u: {"a": 1.0 / y["a"], "b": -y["b"]},
    "rectified": lambda t, y, u: {"a": jax.nn.relu(y["a"]), "b": -y["b"]},
    "switch by the state": lambda t, y, u: {
        "a": jnp.where(y["b"] > 0, y["a"], 0.0), "b": -y["b"],
    },
    "rounded": lambda t, y, u: {"a": y["a"].astype(int).astype(float), "b": -y["b"]},
    "absolute": lambda t, y, u: {"a": jnp.abs(y["a"]), "b": -y["b"]},
    "time": lambda t, y, u: {"a": t * y["a"], "b": -y["b"]},
    "time alone": lambda t, y, u: {"a": t - y["a"], "b": -y["b"]},
    "loop": lambda t, y, u: {
        "a": jax.lax.fori_loop(0, 3, lambda i, x: x * x, y["a"]), "b": -y["b"],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_AFFINE)
def test_drifts_that_are_not_affine(name):
    assert not is_affine(NOT_AFFINE[name], 0.0, Y, {"I": jnp.ones(4)})


def test_jacobian_of_cells():
    f = AFFINE["leaky"]
    matrices = local_jacobian(f, 0.0, Y, {"I": 0.0})
    for i in range(4):
        np.testing.assert_allclose(matrices[i], [[-0.2, 0.0], [1.0, -W[0, i]]], rtol=1e-12)
    assert local_jacobian(AFFINE["matrix"], 0.0, Y, {"I": 0.0}) is None
    uneven = lambda t, y, u: {"a": -y["a"], "b": -y["b"]}
    assert local_jacobian(uneven, 0.0, {"a": jnp.ones(3), "b": jnp.ones(2)}, {}) is None


def test_dependence_of_noise_on_the_state():
    assert not depends_on_state(lambda t, y, u: {"a": jnp.ones(4) * u["s"]}, 0.0, Y, {"s": 1.0})
    assert not depends_on_state(lambda t, y, u: {"a": jnp.zeros_like(y["a"])}, 0.0, Y, {})
    assert depends_on_state(lambda t, y, u: {"a": 0.1 * y["b"]}, 0.0, Y, {})


def test_checks_work_inside_transforms():
    """The program is looked at, not the values."""
    W3 = np.eye(3)
    end = lambda tau: nj.simulate(
        models.RateCircuit(W3, tau=tau), duration=1.0, dt=0.1, solver=nj.solvers.ExponentialEuler()
    ).final_state.state.sum()
    for transform in (jax.jit, jax.grad, lambda f: lambda x: jax.vmap(f)(jnp.ones(2))):
        with pytest.raises(ValueError, match="couples its elements"):
            transform(end)(3.0)
