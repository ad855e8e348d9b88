"""Fixed points against closed forms, scipy's root finder and brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, root
from small_circuits import Additive, Ghost, Logistic

import neurojax as nj
from neurojax.analysis.dynamics import continuation, fixed_points, sample_states
from neurojax.analysis.dynamics._jacobian import jacobian

KEY = jax.random.key(0)


def starts(n, count=60, spread=1.5):
    return {"x": spread * jax.random.normal(KEY, (count, n))}


def as_set(states, digits=7):
    return sorted(tuple(row) for row in np.round(np.asarray(states["x"]), digits) + 0.0)


def test_pitchfork():
    """x' = -x + tanh(g x): one point below g = 1, three above, slopes in closed form."""
    one = fixed_points(Additive(jnp.eye(1), gain=0.8), starts(1))
    assert len(one) == 1 and one.stable[0] and one.counts[0] == 60
    np.testing.assert_allclose(one.eigenvalues[0, 0], -0.2, rtol=1e-9)
    three = fixed_points(Additive(jnp.eye(1), gain=2.0), starts(1))
    x = brentq(lambda x: np.tanh(2 * x) - x, 0.1, 2.0, xtol=1e-15)
    order = np.argsort(np.asarray(three.states["x"])[:, 0])
    np.testing.assert_allclose(np.asarray(three.states["x"])[order, 0], [-x, 0, x], atol=1e-12)
    assert three.stable[order].tolist() == [True, False, True]
    slopes = [-1 + 2 * (1 - x**2), 1.0, -1 + 2 * (1 - x**2)]
    np.testing.assert_allclose(three.eigenvalues[order, 0].real, slopes, rtol=1e-9)
    assert three.counts.sum() == 60 and three.lost == 0 and three.converged.all()


def test_three_bits_have_eight_stable_points_and_the_saddles_between():
    """Three bits, each a pitchfork: 27 points, 8 stable, 12 gates."""
    W = jnp.asarray(2.0 * np.eye(3))
    found = fixed_points(Additive(W), starts(3, 400, 2.0))
    x = brentq(lambda x: 2 * np.tanh(x) - x, 0.1, 3.0, xtol=1e-15)
    grid = itertools.product((-1, 0, 1), repeat=3)
    expected = sorted(tuple(np.round(np.array(p) * x, 7) + 0.0) for p in grid)
    assert as_set(found.states) == expected
    assert found.stable.sum() == 8
    assert np.bincount(found.unstable_directions).tolist() == [8, 12, 6, 1]
    assert len(found.select(found.stable)) == 8 and len(found.slow) == 0


def test_against_scipy():
    """Every point that scipy finds from the same starts is found, and each is a root to scipy."""
    rng = np.random.default_rng(3)
    W = 1.3 * rng.standard_normal((6, 6)) / np.sqrt(6) + 1.2 * np.eye(6)
    circuit, begin = Additive(jnp.asarray(W), tau=10.0), starts(6, 200)
    found = fixed_points(circuit, begin)
    f = lambda x: W @ np.tanh(x) - x
    jac = lambda x: W * (1 - np.tanh(x) ** 2) - np.eye(6)
    points = np.asarray(found.fixed.states["x"])
    np.testing.assert_allclose([f(p) for p in points], 0, atol=1e-12)
    for point, values in zip(points, found.fixed.eigenvalues, strict=True):
        reference = np.linalg.eigvals(jac(point)) / 10.0
        np.testing.assert_allclose(np.sort(values.real), np.sort(reference.real), atol=1e-10)
    known = [root(f, x, jac=jac, tol=1e-13) for x in np.asarray(begin["x"])]
    known = np.array([s.x for s in known if np.linalg.norm(f(s.x)) < 1e-11])
    for point in np.unique(known.round(8), axis=0):
        assert np.linalg.norm(points - point, axis=1).min() < 1e-6
    again = [root(f, p, jac=jac, tol=1e-13).x for p in points]
    np.testing.assert_allclose(again, points, atol=1e-9)


def test_neither_order_nor_batches_of_starts_matter():
    W = jnp.asarray(
        1.8 * np.eye(3) + np.array([[0.0, 0.3, 0.1], [-0.2, 0.0, 0.0], [0.0, 0.1, 0.0]])
    )
    begin = starts(3, 50)
    found = fixed_points(Additive(W), begin)
    order = np.random.default_rng(1).permutation(50)
    for other in (
        fixed_points(Additive(W), {"x": begin["x"][order]}),
        fixed_points(Additive(W), begin, batch_size=7),
    ):
        assert as_set(other.states) == as_set(found.states)
        assert sorted(other.counts) == sorted(found.counts)
    doubled = fixed_points(Additive(W), {"x": jnp.concatenate([begin["x"], begin["x"]])})
    assert as_set(doubled.states) == as_set(found.states)
    assert doubled.counts.sum() == 2 * found.counts.sum()


def test_a_large_circuit_uses_what_it_has_learnt():
    """Sixty-four units store two patterns: what 200 starts end in solves the one equation."""
    patterns = jnp.sign(jax.random.normal(jax.random.key(5), (2, 64)))
    found = fixed_points(Additive(1.5 * patterns.T @ patterns / 64), starts(64, 200), spectra=False)
    assert found.converged.all() and found.counts.sum() + found.lost == 200
    W = np.asarray(1.5 * patterns.T @ patterns / 64)
    for x in np.asarray(found.states["x"]):
        np.testing.assert_allclose(W @ np.tanh(x), x, atol=1e-11)
    again = fixed_points(Additive(W), {"x": starts(64, 200)["x"][::-1]}, spectra=False)
    assert as_set(again.states) == as_set(found.states)


def test_saddles_are_found_in_a_large_circuit():
    """Eighty units that turn three bits: the 27 points of the bits, from starts between them."""
    rotation = np.linalg.qr(np.random.default_rng(2).standard_normal((80, 80)))[0]

    class Turned(Additive):
        def drift(self, t, state, inputs):
            inner = super().drift(t, {"x": state["x"] @ rotation}, inputs)
            return {"x": rotation @ inner["x"]}

    bits = jnp.concatenate([2.0 * starts(3, 400)["x"] / 1.5, 0.1 * starts(77, 400)["x"]], axis=1)
    W = jnp.diag(jnp.where(jnp.arange(80) < 3, 2.0, 0.5))
    found = fixed_points(Turned(W), {"x": bits @ rotation.T})
    x = brentq(lambda x: 2 * np.tanh(x) - x, 0.1, 3.0, xtol=1e-15)
    grid = np.zeros((27, 80))
    grid[:, :3] = x * np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    points = np.asarray(found.states["x"]) @ rotation
    order = lambda p: p[np.lexsort(p.round(6).T[2::-1])]
    np.testing.assert_allclose(order(points), order(grid), atol=1e-10)
    assert found.converged.all() and found.counts.sum() + found.lost == 400
    assert np.bincount(found.unstable_directions).tolist() == [8, 12, 6, 1]


def test_jacobians_are_those_of_reverse_mode():
    """Diagonal parts that are kept apart, and programs in which there are none."""
    rng = np.random.default_rng(4)
    W, A, d = (jnp.asarray(rng.standard_normal(shape)) for shape in ((5, 5), (5, 5), 5))
    x = jnp.asarray(rng.standard_normal(5))
    for field in (
        lambda x: W @ jnp.tanh(x) - x,
        lambda x: (x * d - jnp.tanh(A @ jnp.sin(W @ x)) @ W) / 3.0,
        lambda x: -(d / x),
        lambda x: jnp.concatenate([x[:2], x[2:] * x[:3]]),
        lambda x: x * jnp.sum(x),
        lambda x: d,
    ):
        np.testing.assert_allclose(jacobian(field, x), jax.jacrev(field)(x), rtol=1e-13, atol=1e-13)


def test_the_shadow_of_a_saddle_node_is_a_slow_point():
    begin = 0.5 * jax.random.normal(KEY, (20, 2))
    found = fixed_points(Ghost(), begin)
    assert not found.converged.any() and len(found) == 1
    np.testing.assert_allclose(np.asarray(found.states), 0, atol=1e-3)
    np.testing.assert_allclose(found.speeds, 0.5e-6, rtol=1e-2)
    real = fixed_points(Ghost(e=-0.04), begin)
    np.testing.assert_allclose(np.sort(np.asarray(real.states)[:, 0]), [-0.2, 0.2], atol=1e-12)


def test_fixed_points_of_a_map():
    """The logistic map: 0 and 1 - 1/r with multipliers r and 2 - r."""
    found = fixed_points(Logistic(r=2.5), jnp.linspace(-0.5, 1.4, 12)[:, None], dt=1.0)
    order = np.argsort(np.asarray(found.states)[:, 0])
    np.testing.assert_allclose(np.asarray(found.states)[order, 0], [0, 0.6], atol=1e-12)
    np.testing.assert_allclose(found.eigenvalues[order, 0], [2.5, -0.5], atol=1e-9)
    assert found.stable[order].tolist() == [False, True]
    assert found.unstable_directions[order].tolist() == [1, 0]


class Everywhere(nj.ContinuousDynamics):
    """A large circuit that nowhere stands still."""

    solver: nj.solvers.AbstractStepper = nj.solvers.Euler()

    def init_state(self, *, key=None):
        return {"x": jnp.zeros(70)}

    def drift(self, t, state, inputs):
        return {"x": 1.0 + 0.1 * jnp.tanh(state["x"])}


@pytest.mark.parametrize("batch_size", [None, 64])
def test_a_large_circuit_without_points(batch_size):
    found = fixed_points(Everywhere(), starts(70, 80), batch_size=batch_size)
    assert len(found) == 0 and found.lost == 80


def test_neither_parameters_nor_inputs_nor_more_starts_compile_again():
    traced = []

    class Counting(Additive):
        def drift(self, t, state, inputs):
            traced.append(isinstance(self.gain, jax.core.Tracer))
            return super().drift(t, state, inputs)

    run = lambda gain, u, count: fixed_points(
        Counting(jnp.eye(2), gain=gain),
        starts(2, count),
        inputs={"u": jnp.full(2, u)},
        spectra=False,
    )
    first = run(0.5, 0.1, 10)
    compiled = sum(traced)
    second = run(0.9, -0.2, 70)
    assert sum(traced) == compiled > 0
    x = brentq(lambda x: np.tanh(0.9 * x) - x - 0.2, -3, 3, xtol=1e-15)
    np.testing.assert_allclose(np.asarray(second.states["x"]), np.full((1, 2), x), atol=1e-12)
    assert np.asarray(first.states["x"])[0, 0] > 0 and np.isnan(first.eigenvalues).all()


def test_single_precision(float32):
    found = fixed_points(Additive(2.0 * jnp.eye(3)), starts(3, 300, 2.0))
    assert len(found) == 27 and found.stable.sum() == 8 and found.converged.all()


def test_continuation_follows_a_branch_past_its_change_of_stability():
    gains = jnp.linspace(-1.0, 1.0, 21)[:, None]
    branch = continuation(Additive(0.5 * jnp.eye(1)), {"x": jnp.array([-1.4])}, {"u": gains})
    x = [brentq(lambda x, u=u: 0.5 * np.tanh(x) - x + u, -3, 3, xtol=1e-14) for u in gains[:, 0]]
    np.testing.assert_allclose(np.asarray(branch.states["x"])[:, 0], x, atol=1e-9)
    assert branch.converged.all() and branch.stable.all()
    slopes = 0.5 / np.cosh(np.array(x)) ** 2 - 1
    np.testing.assert_allclose(branch.eigenvalues[:, 0].real, slopes, atol=1e-8)
    # with gain 2 the lower branch folds back where 2 sech^2 x = 1, at u = x - 2 tanh x there
    fold = continuation(Additive(2.0 * jnp.eye(1)), {"x": jnp.array([-2.5])}, {"u": gains})
    x = -np.arccosh(np.sqrt(2.0))
    before = np.asarray(gains[:, 0]) < x - 2 * np.tanh(x)
    lower = np.asarray(fold.states["x"])[:, 0] < x
    assert (fold.converged & fold.stable & lower)[before].all()
    assert not (fold.converged & lower)[~before].any()


class Counted(nj.Dynamics):
    def init_state(self, *, key=None):
        return {"x": jnp.zeros(2), "n": jnp.zeros((), int)}

    def step(self, state, inputs, clock):
        return state, nj.Output()


def test_samples_of_recorded_states():
    recorded = {"x": jnp.arange(40.0).reshape(4, 5, 2), "n": jnp.arange(20).reshape(4, 5)}
    drawn = sample_states(Counted(), recorded, 20, key=KEY)
    assert sorted(np.asarray(drawn["n"])) == list(range(20))
    np.testing.assert_array_equal(drawn["x"][:, 0], 2.0 * drawn["n"])
    noisy = sample_states(
        Additive(jnp.eye(2)), {"x": jax.random.normal(KEY, (5000, 2))}, 5000, noise=1.0, key=KEY
    )
    np.testing.assert_allclose(noisy["x"].std(), np.sqrt(2), rtol=0.03)
    assert sample_states(Counted(), recorded, 70, key=KEY)["x"].shape == (70, 2)


def test_refusals():
    circuit, begin = Additive(jnp.eye(2)), starts(2, 3)
    with pytest.raises(ValueError, match="give dt="):
        fixed_points(Logistic(), jnp.ones((2, 1)))
    with pytest.raises(ValueError, match="first axis"):
        fixed_points(circuit, {"x": jnp.zeros(())})
    with pytest.raises(ValueError, match="finite"):
        fixed_points(circuit, {"x": jnp.full((1, 2), jnp.nan)})
    with pytest.raises(ValueError, match="tolerance must be a positive"):
        fixed_points(circuit, begin, tolerance=0.0)
    with pytest.raises(ValueError, match="constant arrays here"):
        fixed_points(circuit, begin, inputs={"u": nj.inputs.Step(1.0)})
    with pytest.raises(nj.UnknownNameError, match="never reads the input 'v'"):
        fixed_points(circuit, begin, inputs={"v": 1.0})
    with pytest.raises(TypeError, match="must be a neurojax Dynamics"):
        fixed_points(lambda x: x, begin)
    with pytest.raises(ValueError, match="count must be"):
        sample_states(circuit, begin, 0, key=KEY)
    with pytest.raises(ValueError, match="same axes before"):
        sample_states(circuit, {"x": jnp.zeros(2)}, 1, key=KEY)
    with pytest.raises(ValueError, match="tree like a state"):
        sample_states(circuit, jnp.zeros((3, 2)), 1, key=KEY)
    with pytest.raises(ValueError, match="sample_states draws"):
        fixed_points(circuit, {"x": jnp.zeros((3, 5, 2))})
    with pytest.raises(ValueError, match="same first axis"):
        continuation(circuit, {"x": jnp.zeros(2)}, {"u": jnp.zeros(())})
