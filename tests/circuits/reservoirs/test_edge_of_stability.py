"""The reservoir at the edge of stability against a loop, its spectrum and its memory."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.analysis.reservoirs import conditional_lyapunov, memory_capacity
from neurojax.circuits.reservoirs.edge_of_stability import EdgeOfStability


def driven(reservoir, u):
    trials = nj.tasks.Trials(u, np.zeros((len(u), 0)), dt=1.0)
    return np.asarray(nj.fitting.unroll(reservoir, trials).rates)


def matrix(reservoir):
    plain = nj.unwrap(reservoir)
    W = np.asarray(plain.recurrent if eqx.is_array(plain.recurrent) else plain.recurrent.dense())
    return W / np.abs(np.linalg.eigvals(W)).max()


def test_it_is_the_loop_of_its_equation():
    n, scaling = 12, np.array([0.5, 2.0])
    reservoir = EdgeOfStability(
        n, inputs=2, proximity=0.3, radius=0.7, density=0.3, input_scaling=scaling,
        bias_scaling=0.4, key=jax.random.key(3),
    )  # fmt: skip
    plain, W = nj.unwrap(reservoir), matrix(reservoir)
    O, B, b = (np.asarray(x) for x in (plain.orthogonal, plain.input, plain.bias))
    u, h, expected = np.random.default_rng(0).normal(size=(30, 2)), np.zeros(n), []
    for row in u:
        h = 0.3 * np.tanh(0.7 * W @ h + B @ (scaling * row) + 0.4 * b) + 0.7 * O @ h
        expected.append(h)
    np.testing.assert_allclose(driven(reservoir, u), expected, rtol=1e-9, atol=1e-12)


def test_all_lyapunov_exponents_are_near_zero():
    n, beta = 10, 0.01
    reservoir = EdgeOfStability(n, inputs=1, proximity=beta, bias_scaling=0.0)
    u = np.random.default_rng(1).uniform(-1, 1, size=(400, 1))
    find = lambda drive: np.asarray(
        conditional_lyapunov(reservoir, reservoir.init_state(), drive, dt=1.0, count=n)
    )
    J = beta * 0.9 * matrix(reservoir) + (1 - beta) * np.asarray(nj.unwrap(reservoir).orthogonal)
    spread = beta * 0.9 * np.linalg.norm(matrix(reservoir), 2)
    for exponents in (find(u), find(np.zeros_like(u))):
        assert exponents.max() < np.log(1 - beta + spread) < 0.03
        assert exponents.min() > np.log(1 - beta - spread) > -0.05
    # at rest they are those of the linear map, whose complex pairs a finite run blurs
    expected = np.sort(np.log(np.abs(np.linalg.eigvals(J))))[::-1]
    np.testing.assert_allclose(np.cumsum(exponents), np.cumsum(expected), atol=5e-3)
    assert exponents.sum() == pytest.approx(np.log(abs(np.linalg.det(J))), rel=1e-9)


def test_it_remembers_more_than_the_leaky_network():
    n = 50
    u = np.random.default_rng(2).uniform(-0.8, 0.8, size=(2000, 1))

    @eqx.filter_jit
    def capacity(reservoir):
        trials = nj.tasks.Trials(u, np.zeros((len(u), 0)), dt=1.0)
        rates = nj.fitting.unroll(reservoir, trials).rates
        return memory_capacity(rates, u, 2 * n, washout=200, held_out=0.3).total

    def best(reservoirs):
        return max(float(capacity(reservoir)) for reservoir in reservoirs)

    options = {"inputs": 1, "density": 0.2, "bias_scaling": 0.0, "key": jax.random.key(5)}
    edge = best([EdgeOfStability(n, proximity=0.05, **options)])
    leaky = best(
        nj.circuits.EchoState(n, radius=radius, leak=leak, input_scaling=scaling, **options)
        for radius, leak, scaling in ((0.99, 1.0, 0.01), (0.99, 1.0, 0.1), (0.9, 0.5, 0.1))
    )
    assert leaky < 0.65 * n < 0.9 * n < edge <= n, (edge, leaky)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"proximity": 0.0}, "proximity must be"),
        ({"orthogonal": 2 * np.eye(5)}, "orthogonal is not"),
        ({"orthogonal": np.eye(4)}, r"orthogonal must have shape \(5, 5\)"),
        ({"recurrent": np.triu(np.ones((5, 5)), 1)}, "spectral radius 0"),
        ({"recurrent": np.eye(5), "density": 0.1}, "leave it out"),
        ({"input_scaling": np.ones(3), "inputs": 2}, "one per input channel"),
    ],
)
def test_bad_input_is_refused_at_the_door(arguments, message):
    with pytest.raises(ValueError, match=message):
        EdgeOfStability(5, **arguments)


def test_proximity_has_a_gradient():
    reservoir = EdgeOfStability(8, inputs=1, proximity=nj.positive(0.2))
    u = np.random.default_rng(3).normal(size=(20, 1))
    trials = nj.tasks.Trials(u, np.zeros((20, 0)), dt=1.0)

    def loss(beta):
        changed = eqx.tree_at(lambda r: r.proximity, nj.unwrap(reservoir), beta)
        return jnp.mean(nj.fitting.unroll(changed, trials).rates ** 2)

    value = jax.jit(loss)
    e = 1e-6
    numeric = (value(0.2 + e) - value(0.2 - e)) / (2 * e)
    assert jax.grad(loss)(0.2) == pytest.approx(float(numeric), rel=1e-6)
