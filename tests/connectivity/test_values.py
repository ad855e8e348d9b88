"""Weights and delays of synapses, and distributions that are drawn on the host."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import neurojax as nj

graphs = nj.connectivity


def edges_with(**values):
    return graphs.Edges([0, 0, 1], [1, 2, 0], 2, 3, **values)


def test_numbers_arrays_and_matrices():
    rng, edges = np.random.default_rng(0), edges_with()
    assert graphs.synapse_values(2, edges, rng) == 2.0
    assert isinstance(graphs.synapse_values(np.float32(2), edges, rng), float)
    assert graphs.synapse_values([1, 2, 3], edges, rng).tolist() == [1.0, 2.0, 3.0]
    assert graphs.synapse_values(jax.numpy.ones(3), edges, rng).dtype == np.float64
    table = np.arange(6).reshape(2, 3)
    assert graphs.synapse_values(table, edges, rng).tolist() == [1.0, 2.0, 3.0]


def test_what_the_graph_was_given():
    rng = np.random.default_rng(0)
    edges = edges_with(weight=[1.0, 2.0, 3.0], delay=[0.5, 1.0, 1.5])
    assert graphs.synapse_values(None, edges, rng).tolist() == [1.0, 2.0, 3.0]
    assert graphs.synapse_values(None, edges, rng, "delay").tolist() == [0.5, 1.0, 1.5]


def test_functions_of_distance():
    edges, rng = edges_with(distance=[3.0, 1.0, 2.0]), np.random.default_rng(0)
    assert graphs.synapse_values(lambda d: 0.1 + d / 2, edges, rng, "delay").tolist() == [
        1.6, 0.6, 1.1,
    ]  # fmt: skip
    kernel = graphs.exponential(2.0)
    np.testing.assert_allclose(
        graphs.synapse_values(kernel, edges, rng), np.exp([-1.5, -0.5, -1.0]), rtol=1e-15
    )
    law = graphs.Dale([1, -1], excitatory=lambda d: d, inhibitory=lambda d: 10 * d)
    assert graphs.synapse_values(law, edges, rng).tolist() == [3.0, 1.0, -20.0]


@pytest.mark.parametrize(
    ("distribution", "law"),
    [
        (nj.random.Uniform(-2.0, 3.0), stats.uniform(-2.0, 5.0)),
        (nj.random.Normal(1.0, 0.5), stats.norm(1.0, 0.5)),
        (nj.random.LogNormal(2.0, 0.7), stats.lognorm(0.7, scale=2.0)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_draws_on_the_host_follow_the_law(distribution, law):
    """And those by a jax key: Kolmogorov and Smirnov's test at 1e-3."""
    drawn = distribution.draw(np.random.default_rng(0), (20_000,))
    assert drawn.dtype == np.float64
    assert stats.kstest(drawn, law.cdf).pvalue > 1e-3
    sampled = np.asarray(distribution.sample(jax.random.key(0), (20_000,)))
    assert stats.kstest(sampled, law.cdf).pvalue > 1e-3
    assert np.shape(distribution.draw(np.random.default_rng(0))) == ()


def test_clipped():
    clipped = nj.random.Clipped(nj.random.Normal(1.0, 2.0), 0.0, 3.0)
    for drawn in (
        clipped.draw(np.random.default_rng(0), (20_000,)),
        np.asarray(clipped.sample(jax.random.key(0), (20_000,))),
    ):
        assert drawn.min() == 0.0 and drawn.max() == 3.0
        for bound, mass in ((0.0, stats.norm.cdf(-0.5)), (3.0, stats.norm.sf(1.0))):
            error = abs(np.mean(drawn == bound) - mass)
            assert error < 5 * np.sqrt(mass * (1 - mass) / 20_000)
        inside = drawn[(drawn > 0) & (drawn < 3)]
        assert stats.kstest(inside, stats.truncnorm(-0.5, 1.0, 1.0, 2.0).cdf).pvalue > 1e-3
    below = nj.random.Clipped(nj.random.Normal(0.0, 1.0), high=0.5)
    assert below.draw(np.random.default_rng(0), (1000,)).max() == 0.5
    assert below.draw(np.random.default_rng(0), (1000,)).min() < -2


def test_a_value_for_each_synapse_is_drawn():
    edges = graphs.fixed_indegree(20).build(50, 40, np.random.default_rng(0))
    law = nj.random.Normal(0.0, 1.0)
    weights = graphs.synapse_values(law, edges, np.random.default_rng(7))
    assert weights.shape == (800,)
    np.testing.assert_array_equal(weights, np.random.default_rng(7).standard_normal(800))


def test_weights_may_be_traced():
    """A network can be built inside a function that is differentiated by its weights."""
    rng, edges = np.random.default_rng(0), edges_with()

    def total(weight, power):
        values = graphs.synapse_values(weight, edges, rng)
        return (jnp.arange(1.0, 4.0) * jnp.broadcast_to(values, (3,)) ** power).sum()

    assert float(jax.grad(total)(2.0, 1.0)) == 6.0
    assert jax.grad(total)(jnp.full(3, 2.0), 2.0).tolist() == [4.0, 8.0, 12.0]
    matrix = jax.grad(total)(jnp.ones((2, 3)), 1.0)
    expected = np.zeros((2, 3))
    expected[edges.pre, edges.post] = [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(matrix, expected)
    with pytest.raises(
        ValueError, match=r"a number or have shape \(3,\), one per edge, got \(2,\)"
    ):
        jax.grad(total)(jnp.ones(2), 1.0)
    with pytest.raises(ValueError, match=r"delay is traced .* build it outside"):
        jax.grad(lambda d: graphs.synapse_values(d, edges, rng, "delay"))(1.0)


def test_refusals():
    rng, edges = np.random.default_rng(0), edges_with()
    with pytest.raises(ValueError, match="it has no weights; give a number"):
        graphs.synapse_values(None, edges, rng)
    with pytest.raises(ValueError, match="delay is a function of distance, but the graph has no"):
        graphs.synapse_values(lambda d: d, edges, rng, "delay")
    with pytest.raises(ValueError, match=r"weight must have shape \(3,\)"):
        graphs.synapse_values([1.0, 2.0], edges, rng)
    with pytest.raises(ValueError, match=r"must have shape \(pre, post\) = \(2, 3\)"):
        graphs.synapse_values(np.ones((3, 2)), edges, rng)
    with pytest.raises(ValueError, match="weight must be finite, got nan"):
        graphs.synapse_values(np.nan, edges, rng)
    for strange in ("2 nS", True):
        with pytest.raises(TypeError, match="weight must be a number, an array, a distribution"):
            graphs.synapse_values(strange, edges, rng)
    with pytest.raises(ValueError, match="Dale has 3 signs, but there are 2 sending neurons"):
        graphs.synapse_values(graphs.Dale([1, 1, 1]), edges, rng)
    with pytest.raises(ValueError, match="inhibitory sizes must not be negative, got -2"):
        graphs.synapse_values(graphs.Dale([1, -1], inhibitory=-2.0), edges, rng)
