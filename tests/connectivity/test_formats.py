"""Dense, sparse and procedural connections against products with a matrix, written out in numpy."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

N_PRE, N_POST, DEGREE = 70, 45, 5
FORMATS = ["dense", "sparse", "sparse, one weight", "procedural", "procedural, weight per row"]


def rng(seed=0):
    return np.random.default_rng(seed)


@functools.cache
def made(kind):
    """Connections and their matrix [pre, post]."""
    if kind.startswith("procedural"):
        weight = 0.7 if kind == "procedural" else rng(3).normal(size=N_PRE)
        synapses = nj.connectivity.Procedural(11, N_PRE, N_POST, DEGREE, weight)
        edges = synapses.to_edges()
        weights = edges.weight
    else:
        # multi-edges, and neurons without any synapse
        pre, post = rng(1).integers(0, N_PRE - 9, 300), rng(2).integers(0, N_POST, 300)
        edges = nj.connectivity.Edges(pre, post, N_PRE, N_POST)
        weights = np.full(300, 0.7) if kind.endswith("one weight") else rng(3).normal(size=300)
        given = 0.7 if kind.endswith("one weight") else weights
        chosen = nj.connectivity.Dense if kind == "dense" else nj.connectivity.Sparse
        synapses = chosen.from_edges(edges, jnp.asarray(given))
    matrix = np.zeros((N_PRE, N_POST))
    np.add.at(matrix, (edges.pre, edges.post), weights)
    return synapses, matrix


def spikes(seed, density=0.2, **options):
    """Membrane potentials around a threshold at zero."""
    V = rng(seed).normal(np.quantile(rng(0).normal(size=10000), density), 1.0, N_PRE)
    return nj.SpikeOutput(jnp.asarray(V), 0.0, **options)


@pytest.fixture(scope="module", params=FORMATS)
def format_(request):
    return made(request.param)


@eqx.filter_jit
def act(synapses, V, x):
    """What spikes, amplitudes and values give; compiled once for each format."""
    return synapses.deliver(nj.SpikeOutput(V, 0.0)), synapses.deliver(x), synapses.apply(x)


def test_sums_are_those_of_the_matrix(format_):
    synapses, W = format_
    assert (synapses.n_pre, synapses.n_post) == W.shape
    np.testing.assert_allclose(synapses.to_dense(), W, atol=1e-14)
    for seed, density in [(0, 0.2), (1, 0.02), (2, 0.9)]:
        V = spikes(seed, density).value
        x = np.where(rng(5).random(N_PRE) < density, rng(6).normal(size=N_PRE), 0.0)
        fired, graded, applied = act(synapses, V, jnp.asarray(x))
        np.testing.assert_allclose(fired, (np.asarray(V) > 0) @ W, atol=1e-12)
        np.testing.assert_allclose(graded, x @ W, atol=1e-12)
        np.testing.assert_allclose(applied, x @ W, atol=1e-12)


def test_nobody_or_everybody_fires_at_once(format_):
    synapses, W = format_
    for V in (-1.0, 1.0):
        everyone, twice = (jnp.asarray(np.full(N_PRE, x)) for x in (V, max(2 * V, 0.0)))
        fired, graded, _ = act(synapses, everyone, twice)
        np.testing.assert_allclose(fired, (V > 0) * W.sum(0), atol=1e-12)
        np.testing.assert_allclose(graded, (V > 0) * 2 * W.sum(0), atol=1e-12)


def test_graded_events_keep_their_values(format_):
    synapses, W = format_
    x = np.where(rng(5).random(N_PRE) < 0.3, rng(6).normal(size=N_PRE), 0.0)
    tiny = 1e-300 * x
    _, found, _ = act(synapses, jnp.asarray(np.ones(N_PRE)), jnp.asarray(tiny))
    np.testing.assert_allclose(found, tiny @ W, rtol=1e-12, atol=0)
    _, found, _ = act(synapses, jnp.asarray(np.ones(N_PRE)), jnp.asarray(x).at[3].set(jnp.nan))
    assert np.isnan(np.asarray(found)[W[3] != 0]).all()


def with_weight(synapses, weight):
    return eqx.tree_at(lambda s: s.weight, synapses, weight)


@pytest.mark.parametrize("kind", ["dense", "sparse", "procedural, weight per row"])
def test_derivatives_by_values_and_weights(kind):
    synapses, _ = made(kind)
    # amplitudes of zero have a derivative as well
    x = jnp.asarray(np.where(rng(5).random(N_PRE) < 0.3, rng(6).normal(size=N_PRE), 0.0))
    w, y = jnp.asarray(synapses.weight), jnp.asarray(rng(7).normal(size=N_POST))
    real = w != 0  # not padding
    dx, dw = (jnp.asarray(rng(i).normal(size=a.shape)) for i, a in ((8, x), (9, w)))
    dw = jnp.where(real, dw, 0.0)

    def derivatives(deliver, apply):
        def f(x, w):
            own = with_weight(synapses, w)
            return jnp.sum((jnp.sin(deliver(own, x)) + jnp.cos(apply(own, x))) * y)

        slope = lambda x, w: jax.grad(f, (0, 1))(x, w)
        (by_x, by_w), (x2, w2) = jax.jvp(slope, (x, w), (dx, dw))
        change = f(x + 1e-5 * dx, w + 1e-5 * dw) - f(x - 1e-5 * dx, w - 1e-5 * dw)
        only = lambda a: jnp.where(real, a, 0.0)
        return change / 2e-5, jax.jvp(f, (x, w), (dx, dw))[1], by_x, only(by_w), x2, only(w2)

    by_matrix = lambda s, x: x @ s.to_dense()
    expected = jax.jit(lambda: derivatives(by_matrix, by_matrix))()
    found = jax.jit(lambda: derivatives(lambda s, x: s.deliver(x), lambda s, x: s.apply(x)))()
    change, along, by_x, by_w, *_ = found
    np.testing.assert_allclose(change, along, rtol=1e-7)
    np.testing.assert_allclose(jnp.vdot(by_x, dx) + jnp.vdot(by_w, dw), along, rtol=1e-9)
    for a, b in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


@pytest.mark.parametrize("surrogate", [nj.surrogate.Triangle(0.5), nj.surrogate.Gaussian(0.4)])
@pytest.mark.parametrize("kind", ["dense", "sparse", "procedural"])
def test_the_derivative_by_the_membrane_is_that_of_the_surrogate(kind, surrogate):
    synapses, W = made(kind)
    V, dV = spikes(3).value, jnp.asarray(rng(9).normal(size=N_PRE))
    y, on = jnp.asarray(rng(7).normal(size=N_POST)), jnp.asarray(rng(8).random(N_PRE) < 0.5)

    def ours(V, armed):
        events = nj.SpikeOutput(V, 0.0, armed, surrogate, 1.3)
        return jnp.sum(jnp.sin(synapses.deliver(events)) * y)

    def dense(V, armed):
        events = surrogate(V / 1.3)
        events = events if armed is None else jnp.where(armed, events, 0.0)
        return jnp.sum(jnp.sin(events @ jnp.asarray(W)) * y)

    def derivatives(f):
        run = lambda armed: (jax.grad(f)(V, armed), jax.jvp(lambda V: f(V, armed), (V,), (dV,))[1])
        return jax.jit(lambda: (run(None), run(on)))()

    found, expected = derivatives(ours), derivatives(dense)
    assert np.count_nonzero(expected[1][0]) > 5
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("kind", ["dense", "sparse", "procedural, weight per row"])
def test_trials_by_vmap_equal_a_loop(kind):
    synapses, _ = made(kind)
    V = jnp.stack([spikes(s, d).value for s, d in enumerate([0.0, 0.05, 1.0])])
    x, w = jnp.where(V > 0, V, 0.0), jnp.asarray(synapses.weight)

    def run(V, x):
        loss = lambda x, w: jnp.sum(with_weight(synapses, w).deliver(x) ** 2)
        events = synapses.deliver(nj.SpikeOutput(V, 0.0))
        return events, synapses.apply(x), jax.grad(loss, (0, 1))(x, w)

    alone, found = jax.jit(run), jax.jit(jax.vmap(run))(V, x)
    for i in range(3):
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(alone(V[i], x[i])), strict=True):
            np.testing.assert_allclose(a[i], b, atol=1e-11)


@pytest.mark.parametrize("kind", ["dense", "sparse", "procedural"])
def test_vmaps_may_be_nested(kind):
    synapses, W = made(kind)
    x = rng(4).normal(size=(2, 3, N_PRE)) * (rng(5).random((2, 3, N_PRE)) < 0.2)
    scales = jnp.array([1.0, 2.0])
    run = lambda x, s: with_weight(synapses, s * synapses.weight).deliver(x)
    found = jax.jit(jax.vmap(jax.vmap(run, (0, None))))(jnp.asarray(x), scales)
    np.testing.assert_allclose(found, (x @ W) * np.array([1.0, 2.0])[:, None, None], atol=1e-12)


@pytest.mark.parametrize("kind", ["dense", "sparse", "procedural"])
def test_works_without_x64(kind, float32):
    synapses, W = made.__wrapped__(kind)
    V, x = (jnp.asarray(rng(s).normal(size=N_PRE), jnp.float32) for s in (0, 4))
    expected = ((np.asarray(V) > 0) @ W, np.asarray(x) @ W, np.asarray(x) @ W)
    for a, b in zip(act(synapses, V, x), expected, strict=True):
        assert a.dtype == jnp.float32
        np.testing.assert_allclose(a, b, atol=1e-5)
    slope = jax.jit(jax.grad(lambda x: jnp.sum(synapses.deliver(x))))(x)
    np.testing.assert_allclose(slope, W.sum(1), atol=1e-5)


# -- procedural ----------------------------------------------------------------------------------


def hashed(seed, i, k, n):
    """The target in Python's whole numbers."""
    mask, golden = 0xFFFFFFFF, 0x9E3779B9

    def mix(x):
        x = (x ^ x >> 16) * 0x7FEB352D & mask
        x = (x ^ x >> 15) * 0x846CA68B & mask
        return x ^ x >> 16

    first = mix((seed >> 32) ^ mix(i + golden & mask))
    second = mix((seed & mask) + first + i * golden & mask)
    first = mix(first + second * golden & mask)
    return mix(mix(k + first & mask) ^ second) * n >> 32


@pytest.mark.parametrize("n_post", [1, 45, 70_000, 2**31 - 1])
def test_targets_are_those_of_the_formula(n_post):
    seed = 2**40 + 12345
    synapses = nj.connectivity.Procedural(seed, 10**6, n_post, 9)
    rows = [0, 1, 31, 999_999]
    expected = [[hashed(seed, i, k, n_post) for k in range(9)] for i in rows]
    assert synapses.targets_of(rows).tolist() == expected


def test_the_list_of_edges_agrees():
    synapses = nj.connectivity.Procedural(5, 5000, 300, 7, 2.0)
    edges = synapses.to_edges()
    assert (edges.out_degrees() == 7).all() and (edges.weight == 2.0).all()
    for i in (0, 4095, 4096, 4999):
        assert sorted(hashed(5, i, k, 300) for k in range(7)) == edges.post[edges.pre == i].tolist()
    explicit = nj.connectivity.Sparse.from_edges(edges)
    V = jnp.asarray(rng(0).normal(size=5000))
    events = nj.SpikeOutput(V, 1.0)
    run = eqx.filter_jit(lambda synapses: synapses.deliver(events))
    np.testing.assert_array_equal(run(synapses), run(explicit))


def test_targets_are_uniform_and_independent():
    from scipy import stats

    n, degree = 256, 64
    targets = np.asarray(nj.connectivity.Procedural(0, 4096, n, degree).targets_of(np.arange(4096)))
    counts = np.bincount(targets.ravel(), minlength=n)
    assert stats.chisquare(counts).pvalue > 1e-3
    # neighbouring synapses of a row, neighbouring rows, and the same row under another seed
    other = np.asarray(nj.connectivity.Procedural(1, 4096, n, degree).targets_of(np.arange(4096)))
    for a, b in [
        (targets[:, :-1], targets[:, 1:]), (targets[:-1], targets[1:]), (targets, other),
    ]:  # fmt: skip
        table = np.histogram2d(a.ravel(), b.ravel(), bins=[16, 16], range=[[0, n]] * 2)[0]
        assert stats.chi2_contingency(table).pvalue > 1e-3
        assert abs(np.mean(a == b) * n - 1.0) < 5 / np.sqrt(a.size / n)


def test_the_table_is_never_stored():
    synapses = nj.connectivity.Procedural(0, 2000, 2000, 500, 1.0)
    loss = lambda V: jnp.sum(synapses.deliver(nj.SpikeOutput(V, 0.0)) ** 2)
    compiled = jax.jit(jax.grad(loss)).lower(jnp.zeros(2000)).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 4 * 2000 * 500 / 4


def test_bad_arguments_are_refused():
    P, S, D = nj.connectivity.Procedural, nj.connectivity.Sparse, nj.connectivity.Dense
    edges = nj.connectivity.Edges([0, 1], [0, 1], 2, 2)
    for make, message in [
        (lambda: P(-1, 4, 4, 2), "seed must be between 0"),
        (lambda: P(0, 4, 4, 0), "out_degree must be"),
        (lambda: P(0, 4, 4, 2, np.ones(3)), r"weight must be a number or have shape \(4,\)"),
        (lambda: S.from_edges(edges, np.ones(3)), r"shape \(2,\), one per edge"),
        (lambda: S.from_edges(nj.connectivity.Edges([], [], 0, 2)), "neurons on both sides"),
        (lambda: D.from_edges(edges, np.nan), "weight must be finite"),
        (lambda: D(np.ones(3)), "weight must be a matrix"),
        (lambda: D(np.ones((0, 3))), r"neurons on both sides, got shape \(0, 3\)"),
        (lambda: S.from_edges(edges).deliver(jnp.ones(3)), r"events must have shape \(2,\)"),
        (lambda: D.from_edges(edges).apply(jnp.ones((2, 2))), "use jax.vmap"),
        (lambda: P(0, 4, 4, 2).deliver(nj.SpikeOutput(jnp.ones(3), 0.0)), "spikes of 3 neurons"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()


def test_complex_numbers_are_refused():
    P, S, D = nj.connectivity.Procedural, nj.connectivity.Sparse, nj.connectivity.Dense
    edges, x = nj.connectivity.Edges([0, 1], [0, 1], 2, 2), np.array([1j, 2.0])
    for format_ in (P(0, 2, 2, 1), S.from_edges(edges), D.from_edges(edges)):
        with pytest.raises(TypeError, match="events must be real numbers, got complex"):
            format_.deliver(x)
        with pytest.raises(TypeError, match="values must be real numbers, got complex"):
            format_.apply(x)
    for kind in (S, D):
        with pytest.raises(TypeError, match="weight must be of real numbers, got complex"):
            kind.from_edges(edges, x)
