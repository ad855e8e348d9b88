"""Weights in the forms that people have them, and what cannot be done inside jit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

C = nj.circuits
KEY = jax.random.key(0)


@pytest.mark.parametrize("kind", [C.GRU, C.MinimalGatedRNN])
def test_gated_circuits_draw_a_matrix_for_each_gate(kind):
    weights = nj.unwrap(kind(5, inputs=1, recurrent=C.Orthogonal(), key=KEY)).recurrent
    gates = np.split(np.asarray(weights), len(weights) // 5)
    for one in gates:
        np.testing.assert_allclose(one @ one.T, np.eye(5), atol=1e-6)
    assert not np.allclose(gates[0], gates[1])
    with pytest.raises(ValueError, match="one matrix for each gate"):
        kind(10, inputs=1, recurrent=C.DaleBalanced(), key=KEY)


def test_spectra_of_what_initialisers_give():
    dale, low = C.DaleBalanced(radius=0.7).draw(KEY, 10), C.low_rank(KEY, 20, overlap=2.0)
    assert float(C.spectral_radius(dale)) == pytest.approx(0.7)
    dense = np.asarray(low.m) @ np.asarray(low.n).T / 20
    assert float(C.spectral_abscissa(low)) == pytest.approx(np.linalg.eigvals(dense).real.max())
    with pytest.raises(TypeError, match="scales matrices, got LowRank"):
        C.with_spectral_radius(low, 0.5)
    with pytest.raises(ValueError, match="must not be negative"):
        C.with_spectral_radius(np.eye(3), -1.0)
    with pytest.raises(ValueError, match="on the host, not inside jit"):
        jax.jit(lambda k: C.RateRNN(8, recurrent=C.DaleBalanced(), key=k).bias)(KEY)


def test_populations_differ_without_overlap():
    several = C.low_rank(KEY, 6000, populations=3)
    products = np.asarray(several.m * several.n)[:, 0]
    assert not np.allclose(several.n, C.low_rank(KEY, 6000).n)
    assert abs(products.mean()) < 0.15
    kind = np.asarray(jax.random.randint(jax.random.split(KEY, 4)[0], (6000,), 0, 3))
    means = [products[kind == k].mean() for k in range(3)]
    assert np.ptp(means) > 0.3


def test_the_overlap_may_be_traced():
    draw = lambda overlap: C.low_rank(KEY, 20, populations=2, overlap=overlap).n
    for overlap in (0.0, 1.5):
        np.testing.assert_allclose(jax.jit(draw)(overlap), draw(overlap), rtol=1e-6)


def test_negative_masks():
    with pytest.raises(ValueError, match="mask is a weight"):
        nj.tasks.Trials(jnp.ones((4, 1)), jnp.ones((4, 1)), -jnp.ones(4), dt=1.0)
