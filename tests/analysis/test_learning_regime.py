"""Measures of rich and lazy learning, against Jacobians written out and cases by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurojax import analysis

RNG = np.random.default_rng(0)
INPUTS = jnp.asarray(RNG.normal(size=(7, 3)))


def cosine(K, L):
    return np.sum(K * L) / np.linalg.norm(K) / np.linalg.norm(L)


def network(weights):
    return jnp.tanh(INPUTS @ weights["in"].T) @ weights["out"].T


def weights():
    return {
        "in": jnp.asarray(RNG.normal(size=(5, 3))),
        "out": jnp.asarray(RNG.normal(size=(2, 5))),
    }


def jacobian(w):
    """By hand: outputs [sample, read-out] by parameters."""
    inner, outer, x = (np.asarray(a) for a in (w["in"], w["out"], INPUTS))
    h = np.tanh(x @ inner.T)
    by_in = np.einsum("oh,ph,pi->pohi", outer, 1 - h**2, x)
    by_out = np.einsum("ph,ok->pokh", h, np.eye(2))
    return np.concatenate([by_in.reshape(14, -1), by_out.reshape(14, -1)], axis=1)


def test_tangent_kernel_is_that_of_the_jacobian():
    before, after = weights(), weights()
    kernels = [jacobian(w) @ jacobian(w).T for w in (before, after)]
    found = analysis.tangent_kernel(network, before, batch_size=4)
    np.testing.assert_allclose(found, kernels[0], rtol=1e-10)
    found = analysis.tangent_kernel_alignment(network, before, after)
    assert float(found) == pytest.approx(cosine(*kernels), rel=1e-10)
    # of one parameter: the others are closed over
    part = analysis.tangent_kernel(lambda w: network({**before, "in": w}), before["in"])
    np.testing.assert_allclose(part, jacobian(before)[:, :15] @ jacobian(before)[:, :15].T)


def test_the_jacobian_is_never_made():
    """Outputs times parameters would be 40 x 10^6 numbers."""
    x = jax.ShapeDtypeStruct((40, 1000), np.float32)
    w = jax.ShapeDtypeStruct((1000, 1000), np.float32)

    def kernel(x, w):
        return analysis.tangent_kernel(lambda w: jnp.tanh(x @ w).mean(axis=1), w, batch_size=4)

    compiled = jax.jit(kernel).lower(x, w).compile()
    used = compiled.memory_analysis()
    if used is None:
        pytest.skip("this backend does not report memory")
    assert used.temp_size_in_bytes < 40e6 * 4 / 2


def test_a_model_that_is_linear_in_its_weights_is_lazy():
    after = RNG.normal(size=3)
    found = analysis.tangent_kernel_alignment(
        lambda w: INPUTS @ w, jnp.zeros(3), jnp.asarray(after)
    )
    assert float(found) == pytest.approx(1.0, abs=1e-12)


def test_representation_alignment():
    before, after = RNG.normal(2.0, 1.0, (9, 4)), RNG.normal(size=(9, 30))
    found = float(analysis.representation_alignment(before, after))
    assert found == pytest.approx(cosine(before @ before.T, after @ after.T), rel=1e-12)
    turned = -3.0 * before @ np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    assert float(analysis.representation_alignment(before, turned)) == pytest.approx(1.0, abs=1e-12)
    # centred, it is linear CKA
    free = [a - a.mean(axis=0) for a in (before, after)]
    cka = float(analysis.similarity.linear_cka(before, after))
    assert float(analysis.representation_alignment(*free)) == pytest.approx(cka, rel=1e-12)


def test_weights():
    before, after = weights(), weights()
    flat = [np.concatenate([np.ravel(w["in"]), np.ravel(w["out"])]) for w in (before, after)]
    change = np.linalg.norm(flat[1] - flat[0])
    assert float(analysis.weight_change(before, after)) == pytest.approx(change)
    relative = analysis.weight_change(before, after, relative=True)
    assert float(relative) == pytest.approx(change / np.linalg.norm(flat[0]))
    same = np.mean(np.sign(flat[0]) == np.sign(flat[1]))
    assert float(analysis.sign_similarity(before, after)) == pytest.approx(same)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="parameters must be arrays in floating point"):
        analysis.tangent_kernel(lambda w: w * 1.0, jnp.arange(3))
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        analysis.tangent_kernel(lambda w: w, jnp.ones(3), batch_size=0)
    with pytest.raises(ValueError, match="before and after must be the same weights"):
        analysis.weight_change(jnp.ones(3), jnp.ones(4))
    with pytest.raises(ValueError, match="before and after must have one shape"):
        analysis.kernel_alignment(jnp.eye(3), jnp.eye(4))
