"""The echo-state network against plain loops, and its sparse weights against matrices."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import neurojax as nj

EchoState, SparseWeights = nj.circuits.EchoState, nj.circuits.SparseWeights


def driven(reservoir, u):
    return np.asarray(
        nj.fitting.unroll(reservoir, nj.tasks.Trials(u, np.zeros((*u.shape[:-1], 0)), dt=1.0)).rates
    )


@pytest.mark.parametrize("form", ["internal", "external"])
def test_it_is_the_loop_of_its_equations(form):
    rng = np.random.default_rng(0)
    n, leak = 12, rng.uniform(0.2, 1.0, 12)
    reservoir = EchoState(
        n, inputs=2, outputs=1, radius=0.7, density=0.3, input_scaling=np.array([0.5, 2.0]),
        bias_scaling=0.3, leak=leak, feedback=True, output=rng.normal(size=(1, n)), form=form,
    )  # fmt: skip
    plain = nj.unwrap(reservoir)
    W = np.asarray(plain.recurrent if eqx.is_array(plain.recurrent) else plain.recurrent.dense())
    W = 0.7 * W / np.abs(np.linalg.eigvals(W)).max()
    u, x, h, expected = rng.normal(size=(30, 2)), np.zeros(n), np.zeros(n), []
    for row in u:
        c = W @ h + np.asarray(plain.input) @ (np.array([0.5, 2.0]) * row) + 0.3 * plain.bias
        c = c + np.asarray(plain.feedback) @ (np.asarray(plain.output) @ h)
        if form == "internal":
            h = (1 - leak) * h + leak * np.tanh(c)
        else:
            x = (1 - leak) * x + leak * c
            h = np.tanh(x)
        expected.append(h)
    np.testing.assert_allclose(driven(reservoir, u), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("n", "density"), [(60, 0.05), (300, 0.05), (300, 1.0)])
def test_the_spectral_radius_is_exact(n, density):
    plain = nj.unwrap(EchoState(n, radius=1.3, density=density))
    W = plain.recurrent if eqx.is_array(plain.recurrent) else plain.recurrent.dense()
    found = np.abs(np.linalg.eigvals(1.3 / float(plain.unit) * np.asarray(W))).max()
    assert found == pytest.approx(1.3, rel=1e-9)
    assert np.all(np.sum(np.asarray(W) != 0, axis=1) == round(density * n))


def test_sparse_weights_are_their_matrix():
    W = scipy.sparse.random_array((40, 40), density=0.1, rng=np.random.default_rng(1)).toarray()
    W[3] = 0.0  # rows of different lengths, one empty
    sparse = SparseWeights.from_matrix(W)
    h = np.random.default_rng(2).normal(size=(5, 40))
    np.testing.assert_array_equal(sparse.dense(), W)
    np.testing.assert_allclose(sparse.apply(h[0]), W @ h[0], rtol=1e-12)
    np.testing.assert_allclose(sparse.apply(h), h @ W.T, rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(sparse.apply)(h), h @ W.T, rtol=1e-12)
    np.testing.assert_array_equal(sparse.to_scipy().toarray(), W)
    np.testing.assert_allclose(jax.jacobian(sparse.apply)(h[0]), W, rtol=1e-12)
    slopes = jax.grad(lambda W: jnp.sum(W.dense()), allow_int=True)(sparse)
    parts = [x for group in slopes.groups for x in (group.head, group.rest)]
    moved = sum(int(np.sum(np.asarray(x) != 0)) for x in parts)
    assert moved == np.sum(W != 0)


@pytest.mark.parametrize("most", [1, 7, 30, 39])
def test_sparse_weights_with_rows_of_any_length(most):
    rng = np.random.default_rng(most)
    W = np.zeros((40, 40))
    for row, count in zip(W, np.sort(rng.integers(0, most + 1, 40)), strict=True):
        row[rng.choice(40, count, replace=False)] = rng.normal(size=count)
    W[11, :most] = 1.0
    sparse, h = SparseWeights.from_matrix(W), rng.normal(size=40)
    np.testing.assert_allclose(sparse.apply(h), W @ h, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(sparse.dense(), W)
    np.testing.assert_array_equal(sparse.to_scipy().toarray(), W)


@pytest.mark.parametrize("kind", [nj.circuits.EchoState, nj.circuits.EdgeOfStability])
def test_all_weights_are_drawn_for_many_keys_at_once(kind):
    made = lambda key: kind(20, inputs=2, density=1.0, radius=None, key=key)
    keys = jax.random.split(jax.random.key(0), 3)
    several = jax.vmap(lambda key: nj.unwrap(made(key)).recurrent)(keys)
    for key, W in zip(keys, several, strict=True):
        np.testing.assert_allclose(W, nj.unwrap(made(key)).recurrent, rtol=1e-14)
    with pytest.raises(ValueError, match="sparse weights are drawn on the host"):
        jax.vmap(lambda key: kind(20, radius=None, key=key).bias)(keys)


def test_a_batch_and_a_single_series_agree():
    reservoir = EchoState(80, inputs=1, recurrent=SparseWeights.from_matrix(_sparse(80)))
    u = np.random.default_rng(0).normal(size=(64, 10, 1))
    np.testing.assert_allclose(driven(reservoir, u)[7], driven(reservoir, u[7]), rtol=1e-10)


def test_derivatives_of_sparse_weights_are_those_of_the_matrix():
    sparse = SparseWeights.from_matrix(_sparse(30))
    H = np.random.default_rng(0).normal(size=(4, 30))
    loss = lambda W, H: jnp.sum(jnp.sin(jax.vmap(W.apply)(H)))
    exact = lambda W, H: jnp.sum(jnp.sin(H @ W.dense().T))
    for argument in (0, 1):
        slopes = jax.grad(loss, argument, allow_int=True)(sparse, H)
        expected = jax.grad(exact, argument, allow_int=True)(sparse, H)
        for a, b in zip(jax.tree.leaves(slopes), jax.tree.leaves(expected), strict=True):
            if a.dtype == np.float64:
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    second = jax.hessian(lambda h: jnp.sum(jnp.sin(sparse.apply(h))))(H[0])
    W = sparse.dense()
    np.testing.assert_allclose(second, W.T @ jnp.diag(-jnp.sin(W @ H[0])) @ W, atol=1e-10)
    _, moved = jax.jvp(sparse.apply, (H[0],), (H[1],))
    np.testing.assert_allclose(moved, W @ H[1], rtol=1e-9)


def test_a_sweep_is_a_loop_and_the_gradient_is_right():
    reservoir = EchoState(30, inputs=1, density=0.2)
    u = np.random.default_rng(0).normal(size=(40, 1))
    trials = nj.tasks.Trials(u, np.zeros((40, 0)), dt=1.0)

    def size(radius, leak):
        changed = eqx.tree_at(lambda r: (r.radius, r.leak), reservoir, (radius, leak))
        return jnp.mean(nj.fitting.unroll(changed, trials).rates ** 2)

    radii = jnp.array([0.5, 0.9, 1.3])
    swept = jax.vmap(size, (0, None))(radii, jnp.array(0.4))
    looped = [float(size(r, 0.4)) for r in radii]
    np.testing.assert_allclose(swept, looped, rtol=1e-10)
    slope = jax.grad(size, (0, 1))(jnp.array(0.9), jnp.array(0.4))
    e = 1e-6
    numeric = [(size(0.9 + e, 0.4) - size(0.9 - e, 0.4)) / (2 * e),
               (size(0.9, 0.4 + e) - size(0.9, 0.4 - e)) / (2 * e)]  # fmt: skip
    np.testing.assert_allclose(slope, numeric, rtol=1e-6)


def test_single_precision_follows_double(float32):
    reservoir = EchoState(100, inputs=1, radius=0.8, density=0.1)
    u = np.random.default_rng(0).normal(size=(50, 1))
    single = driven(reservoir, u)
    assert single.dtype == np.float32
    with jax.enable_x64(True):
        to64 = lambda x: jnp.asarray(x, jnp.float64) if eqx.is_inexact_array(x) else x
        double = driven(jax.tree.map(to64, reservoir), u)
    np.testing.assert_allclose(single, double, atol=2e-6)


def test_training_leaves_the_reservoir_alone_but_for_what_is_asked():
    reservoir = EchoState(20, inputs=1, outputs=1, radius=nj.positive(0.8), key=jax.random.key(1))
    trials = nj.tasks.Trials(np.ones((2, 10, 1)), np.ones((2, 10, 1)), dt=1.0)

    def loss(circuit):
        return jnp.mean(nj.fitting.unroll(circuit, trials).rates)

    slopes = eqx.filter_grad(loss)(reservoir)
    moved = {name for name in ("recurrent", "radius", "input", "bias", "leak")
             if any(np.any(x != 0) for x in jax.tree.leaves(getattr(slopes, name)))}  # fmt: skip
    assert moved == {"radius"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"leak": 0.0}, "leak must lie"),
        ({"form": "inner"}, "unknown form"),
        ({"density": 0.1, "recurrent": np.eye(10)}, "leave it out"),
        ({"recurrent": np.triu(np.ones((10, 10)), 1)}, "spectral radius 0"),
        ({"input_scaling": np.ones(3), "inputs": 2}, "one per input channel"),
        ({"density": 1.5}, "density"),
        ({"recurrent": np.ones((3, 3))}, "recurrent must have shape"),
    ],
)
def test_bad_input_is_refused_at_the_door(arguments, message):
    with pytest.raises(ValueError, match=message):
        EchoState(10, **arguments)


@pytest.mark.parametrize("arguments", [
    {"recurrent": 1j * np.eye(10)}, {"recurrent": scipy.sparse.csr_array(1j * np.eye(10))},
    {"recurrent": nj.frozen(1j * np.eye(10))}, {"input": 1j * np.ones((10, 1))}, {"bias": 1j},
    {"radius": 1j},
])  # fmt: skip
def test_imaginary_parts_are_not_lost(arguments):
    with pytest.raises(TypeError, match=f"{next(iter(arguments))} must be real numbers, got compl"):
        EchoState(10, inputs=1, **arguments)


@pytest.mark.parametrize("name", ["leak", "noise"])
def test_what_is_no_number_is_named(name):
    with pytest.raises(TypeError, match=f"{name} must be a number or an array of numbers, got 'a'"):
        EchoState(10, **{name: "a"})


def test_functions_of_numpy_are_refused():
    with pytest.raises(TypeError, match=r"that of NumPy, .*: give jax\.numpy\.tanh"):
        EchoState(10, nonlinearity=np.tanh)


@pytest.mark.parametrize("outputs", [0, 1])
def test_feedback_may_be_false(outputs):
    assert EchoState(10, outputs=outputs, feedback=False).feedback is None


def test_sources_out_of_range_are_refused():
    with pytest.raises(ValueError, match="sources must be units"):
        SparseWeights(np.ones((3, 1)), np.full((3, 1), 3))


def _sparse(n):
    return scipy.sparse.random_array((n, n), density=0.05, rng=np.random.default_rng(1))
