"""Time as a step count, and noise as a function of key, name and step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj


def test_time_is_never_accumulated(float32):
    """Adding 0.1 a million times in float32 is off by about a thousand ms."""
    clock = nj.Clock(step=1_000_000, dt=0.1)
    assert float(clock.t) == pytest.approx(1e5, rel=1e-7)


def test_all_fields_are_arrays():
    """A Python number would be part of the compiled program."""
    clock = nj.Clock(step=3, dt=1, key=jax.random.key(0))
    assert all(isinstance(x, jax.Array) for x in (clock.step, clock.dt, clock.key))
    assert jnp.issubdtype(clock.dt.dtype, jnp.inexact)
    assert jnp.issubdtype(clock.step.dtype, jnp.integer)


@pytest.mark.parametrize("noise", ["threefry", "counter"])
def test_noise_is_a_function_of_key_path_and_step(noise):
    clock = lambda step, seed=0: nj.Clock(step, 0.1, jax.random.key(seed), noise)
    draw = lambda c, name="V": np.asarray(c.normal(name, (50,)))
    same = draw(clock(7).child("E"))
    np.testing.assert_array_equal(same, draw(clock(7).child("E")))
    others = [
        draw(clock(8).child("E")),
        draw(clock(7, seed=1).child("E")),
        draw(clock(7).child("I")),
        draw(clock(7)),
        draw(clock(7).child("E"), "w"),
        draw(clock(7).child("E").child("E")),
    ]
    draws = [same, *others]
    for i, a in enumerate(draws):
        for b in draws[i + 1 :]:
            # counter noise has about a thousand values, so a few agree by chance
            assert np.mean(a == b) < 0.1


@pytest.mark.parametrize("noise", ["threefry", "counter"])
def test_noise_does_not_depend_on_the_step_length(noise):
    """So a finer grid can reuse a clock's numbers only by intent."""
    draws = [nj.Clock(3, dt, jax.random.key(0), noise).normal("x", (4,)) for dt in (0.1, 0.2)]
    np.testing.assert_array_equal(*draws)


def test_keys_of_the_old_style_work():
    old, new = jax.random.PRNGKey(5), jax.random.key(5)
    for noise in ("threefry", "counter"):
        a = nj.Clock(2, 0.1, old, noise).normal("x", (3,))
        b = nj.Clock(2, 0.1, new, noise).normal("x", (3,))
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("key", [0, 1.5, "seed", jnp.zeros(2), jnp.zeros(3, jnp.uint32)], ids=repr)
def test_what_is_no_key_is_refused(key):
    with pytest.raises(TypeError, match=r"jax\.random\.key\(0\)"):
        nj.Clock(0, 0.1, key)


def test_several_keys_are_refused():
    with pytest.raises(TypeError, match=r"shape \(3,\)"):
        nj.Clock(0, 0.1, jax.random.split(jax.random.key(0), 3))


def test_unknown_noise_is_refused():
    with pytest.raises(ValueError, match="'threefry' or 'counter'"):
        nj.Clock(0, 0.1, jax.random.key(0), noise="normal")


def test_a_draw_without_a_key_names_its_source():
    with pytest.raises(ValueError, match="'membrane' needs random numbers"):
        nj.Clock(0, 0.1).normal("membrane")


def counter_numbers(steps, n, seed=3, name="V"):
    clock = lambda k: nj.Clock(k, 0.1, jax.random.key(seed), "counter")
    return np.asarray(jax.vmap(lambda k: clock(k).normal(name, (n,)))(jnp.arange(steps)))


def test_moments_of_counter_noise():
    """Sum of eight bytes: variance 1, excess kurtosis -0.15; bounds are five standard errors."""
    z = counter_numbers(200, 10_000).ravel()
    N = len(z)
    assert abs(z.mean()) < 5 / np.sqrt(N)
    assert abs(z.var() - 1) < 5 * np.sqrt(2 / N)
    assert abs(np.mean(z**3)) < 5 * np.sqrt(15 / N)
    byte = np.arange(256) - 127.5
    kurtosis = np.mean(byte**4) / np.mean(byte**2) ** 2 - 3
    assert kurtosis / 8 == pytest.approx(-0.15, abs=1e-3)
    assert abs(np.mean(z**4) - (3 + kurtosis / 8)) < 5 * np.sqrt(96 / N)


def test_tails_of_counter_noise_are_those_of_a_sum_of_eight_bytes():
    """Against the exact law by convolution: frequencies beyond 2, 3 and 4, and the bound."""
    law = np.ones(1)
    for _ in range(8):
        law = np.convolve(law, np.ones(256) / 256)
    values = (np.arange(len(law)) - 8 * 127.5) / np.sqrt(8 * (256**2 - 1) / 12)
    assert values.max() == pytest.approx(4.88, abs=0.01)
    z = counter_numbers(200, 10_000).ravel()
    assert np.abs(z).max() <= values.max() + 1e-12
    for limit in (1.0, 2.0, 3.0, 4.0):
        p = law[values > limit].sum()
        for found in (np.mean(z > limit), np.mean(z < -limit)):
            assert abs(found - p) < 5 * np.sqrt(p / len(z)), limit


def test_counter_noise_has_no_correlations():
    """Between neighbours in index, step, name and key, at several distances, also of squares."""
    z = counter_numbers(256, 4096)
    bound = 5 / np.sqrt(z.size)
    for lag in (1, 2, 3, 16, 64, 128):
        for a, b in ((z[:, :-lag], z[:, lag:]), (z[:-lag], z[lag:])):
            assert abs(np.mean(a * b)) < 1.5 * bound, lag
            assert abs(np.mean((a**2 - 1) * (b**2 - 1))) < 3 * bound, lag
    for other in (counter_numbers(256, 4096, name="w"), counter_numbers(256, 4096, seed=4)):
        assert abs(np.mean(z * other)) < bound


def test_counter_bits_are_balanced():
    """Each of the 32 bits of both words, of their difference, and of neighbouring counters."""
    from neurojax.core import _counter

    a, b = (np.asarray(x) for x in _counter._lanes(jnp.array([1, 2], jnp.uint32), 1 << 18))
    for x in (a, b, a ^ b, a[1:] ^ a[:-1], b[1:] ^ b[:-1]):
        ones = (x[:, None] >> np.arange(32)) & 1
        assert np.all(np.abs(ones.mean(axis=0) - 0.5) < 5 * 0.5 / np.sqrt(len(x)))


def test_counter_bytes_are_independent():
    """The eight bytes of a number: uniform, uncorrelated, and so are their squares."""
    from neurojax.core import _counter

    N = 1 << 18
    lanes = _counter._lanes(jnp.array([3, 4], jnp.uint32), N)
    parts = np.stack([(np.asarray(x) >> shift) & 255 for x in lanes for shift in (0, 8, 16, 24)])
    for part in parts:
        chi2 = np.sum((np.bincount(part, minlength=256) - N / 256) ** 2) / (N / 256)
        assert abs(chi2 - 255) < 5 * np.sqrt(2 * 255)
    z = parts - 127.5
    for q in (z, z**2 - np.mean(z**2)):
        correlations = np.corrcoef(q)[~np.eye(8, dtype=bool)]
        assert np.max(np.abs(correlations)) < 5 / np.sqrt(N)


def test_counter_uniform():
    clock = nj.Clock(5, 0.1, jax.random.key(0), "counter")
    u = np.asarray(clock.uniform("x", (100_000,)))
    assert u.min() >= 0 and u.max() < 1
    counts = np.histogram(u, 100, (0, 1))[0]
    chi2 = np.sum((counts - 1000) ** 2 / 1000)
    assert chi2 < 99 + 5 * np.sqrt(2 * 99)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (100_000,)])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_threefry_numbers_are_those_of_jax(shape, dtype):
    """The default generator of JAX with the key of the step, normal numbers to rounding."""
    clock = nj.Clock(5, 0.1, jax.random.key(0))
    key = jax.random.fold_in(clock.child("x").key, 5)
    ours, theirs = clock.uniform("x", shape, dtype), jax.random.uniform(key, shape, dtype)
    assert ours.dtype == dtype and ours.shape == shape
    np.testing.assert_array_equal(ours, theirs)
    ours, theirs = clock.normal("x", shape, dtype), jax.random.normal(key, shape, dtype)
    assert ours.dtype == dtype and ours.shape == shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_other_generators_of_jax_work():
    clock = nj.Clock(5, 0.1, jax.random.key(0, impl="rbg"))
    key = jax.random.fold_in(clock.child("x").key, 5)
    np.testing.assert_array_equal(
        clock.normal("x", (3,), jnp.float32), jax.random.normal(key, (3,), jnp.float32)
    )


def test_moments_of_single_precision_threefry():
    z = np.asarray(nj.Clock(1, 0.1, jax.random.key(2)).normal("x", (1_000_000,), jnp.float32))
    z = z.astype(float)
    for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(np.mean(z**power) - moment) < 5 * np.sqrt(spread / len(z))
    assert np.abs(z).max() < 5.6 and np.mean(np.abs(z) > 4) < 2 * 6.3e-5


def test_order_of_parts_does_not_matter():
    """The stream of a part depends on its name alone."""
    clock = nj.Clock(0, 0.1, jax.random.key(0))
    forwards = {name: clock.child(name).normal("V", (3,)) for name in "abc"}
    backwards = {name: clock.child(name).normal("V", (3,)) for name in "cba"}
    for name in "abc":
        np.testing.assert_array_equal(forwards[name], backwards[name])
