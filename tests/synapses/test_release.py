"""Short-term plasticity and quantal release: closed forms, event-driven numpy, moments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import binom

import neurojax as nj

S = nj.synapses


def run(release, spikes, dt, key=None, n=1):
    """The amplitudes at each step, for spikes (step,) of every neuron, and the last state."""

    def step(state, both):
        k, fired = both
        amplitude, state = release.release(
            state, jnp.broadcast_to(fired, (n,)), nj.Clock(k, dt, key)
        )  # fmt: skip
        return state, amplitude

    steps = jnp.arange(len(spikes)), jnp.asarray(spikes)
    state, amplitudes = jax.jit(lambda: jax.lax.scan(step, release.init_state(n), steps))()
    return np.asarray(amplitudes), state


def event_driven(times, U, tau_rec, tau_facil):
    """Spike after spike, without steps between."""
    u, x, last, amplitudes = 0.0, 1.0, None, []
    for t in times:
        if last is not None:
            u *= np.exp(-(t - last) / tau_facil) if tau_facil else 0.0
            x = 1 - (1 - x) * (np.exp(-(t - last) / tau_rec) if tau_rec else 0.0)
        u += U * (1 - u)
        amplitudes.append(u * x)
        x -= u * x
        last = t
    return np.array(amplitudes)


CASES = {
    "depressing": (0.5, 800.0, 0.0),
    "facilitating": (0.15, 130.0, 530.0),
    "only facilitating": (0.1, 0.0, 300.0),
    "neither": (0.3, 0.0, 0.0),
    "all at once": (1.0, 50.0, 10.0),
}


@pytest.mark.parametrize("name", CASES)
def test_amplitudes_of_an_irregular_train(name):
    """Against the event-driven computation; they depend on the times, not on the step."""
    U, tau_rec, tau_facil = CASES[name]
    spikes = np.random.default_rng(1).random(1200) < 0.03
    spikes[[5, 6, 7]] = True  # in steps one after the other
    dt = 0.5
    amplitudes, _ = run(S.TsodyksMarkram(U, tau_rec, tau_facil), spikes, dt)
    expected = event_driven(dt * np.flatnonzero(spikes), U, tau_rec, tau_facil)
    np.testing.assert_allclose(amplitudes[spikes, 0], expected, rtol=1e-12)
    assert np.all(np.isfinite(amplitudes))


def test_steady_state_of_a_regular_train():
    """The closed form, one case per neuron."""
    U, tau_rec, tau_facil = (np.array(x) for x in zip(*CASES.values(), strict=True))
    T, dt = 20.0, 2.0
    spikes = np.arange(4000) % 10 == 0
    amplitudes, _ = run(S.TsodyksMarkram(U, tau_rec, tau_facil), spikes, dt, n=5)
    with np.errstate(divide="ignore"):
        facilitated, unrecovered = np.exp(-T / tau_facil), np.exp(-T / tau_rec)
    u = U / (1 - (1 - U) * facilitated)
    x = (1 - unrecovered) / (1 - (1 - u) * unrecovered)
    np.testing.assert_allclose(amplitudes[spikes][-1], u * x, rtol=1e-12)
    np.testing.assert_allclose(amplitudes[0], U, rtol=1e-15)  # after silence


def test_by_hand():
    """Paired spikes 10 ms apart with U = 0.5: the second finds 1 - 0.5 exp(-10 / 100)."""
    amplitudes, state = run(S.TsodyksMarkram(0.5, 100.0), [True, False, True], 5.0)
    second = 0.5 * (1 - 0.5 * np.exp(-0.1))
    np.testing.assert_allclose(amplitudes[[0, 2], 0], [0.5, second], rtol=1e-14)
    np.testing.assert_allclose(state["depleted"], 0.5 * np.exp(-0.1) + second, rtol=1e-14)


def test_a_silent_neuron_is_left_alone():
    release = S.TsodyksMarkram(0.4, 100.0, 50.0)
    state = release.init_state(2)
    _, state = release.release(state, jnp.array([True, False]), nj.Clock(0, 1.0))
    np.testing.assert_allclose(state["u"], [0.4, 0.0], rtol=1e-15)
    np.testing.assert_allclose(state["depleted"], [0.4, 0.0], rtol=1e-15)


def test_small_steps_in_single_precision(float32):
    """100 000 steps: what is left of a decay per step is 1 - 1e-5, of which 6e-8 is rounding."""
    spikes = np.arange(100_001) % 50_000 == 0
    amplitudes, _ = run(S.TsodyksMarkram(0.6, 1000.0, 700.0), spikes, 0.01)
    expected = event_driven([0.0, 500.0, 1000.0], 0.6, 1000.0, 700.0)
    np.testing.assert_allclose(amplitudes[spikes, 0], expected, rtol=5e-3)


def test_gradients():
    """Against central differences; at tau_facil = 0 it is finite and zero, the limit."""
    spikes = np.arange(60) % 7 == 0
    weights = np.linspace(1, 2, 60)

    def total(U, tau_rec, tau_facil):
        state, sum_ = S.TsodyksMarkram(U, tau_rec, tau_facil).init_state(1), 0.0

        def step(carry, both):
            state, sum_ = carry
            k, fired, weight = both
            release = S.TsodyksMarkram(U, tau_rec, tau_facil)
            amplitude, state = release.release(state, fired[None], nj.Clock(k, 3.0))
            return (state, sum_ + weight * jnp.where(fired, amplitude[0], 0.0)), None

        over = jnp.arange(60), jnp.asarray(spikes), jnp.asarray(weights)
        return jax.lax.scan(step, (state, sum_), over)[0][1]

    slope, f = jax.jit(jax.grad(total, (0, 1, 2))), jax.jit(total)
    at = np.array([0.3, 90.0, 40.0])
    for i, found in enumerate(slope(*at)):
        h = 1e-5 * at[i] * np.eye(3)[i]
        expected = (f(*(at + h)) - f(*(at - h))) / (2 * h[i])
        np.testing.assert_allclose(found, expected, rtol=1e-7)
    for i, found in enumerate(slope(0.3, 0.0, 0.0)):
        assert np.isfinite(found) and (i == 0 or found == 0)


KEY = jax.random.key(7)


def test_binomial_release():
    """Mean p, variance p (1 - p) / N, and every count; bounds of five standard errors."""
    N, n, p = 4, 20_000, 0.3
    clock = nj.Clock(3, 0.1, KEY)
    release = S.Quantal(N, p)
    amplitude, state = release.release(release.init_state(n), jnp.ones(n, bool), clock)
    counts = np.bincount(np.rint(N * np.asarray(amplitude)).astype(int), minlength=N + 1)
    expected = n * binom.pmf(np.arange(N + 1), N, p)
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected) + 5)
    assert abs(amplitude.mean() - p) < 5 * np.sqrt(p * (1 - p) / (N * n))
    np.testing.assert_array_equal(state["full"], N - np.rint(N * np.asarray(amplitude)))


def test_quantal_release_has_the_mean_of_its_deterministic_twin():
    """With depletion, recovery and facilitation at once; both moments of the first releases."""
    n, N, p, tau_rec, tau_facil = 20_000, 3, 0.35, 60.0, 40.0
    spikes = np.zeros(40, bool)
    spikes[[0, 1, 4, 10, 30]] = True
    amplitudes, _ = run(S.Quantal(N, p, tau_rec, tau_facil), spikes, 5.0, KEY, n)
    mean = event_driven(5.0 * np.flatnonzero(spikes), p, tau_rec, tau_facil)
    found = amplitudes[spikes]
    error = found.std(axis=1) / np.sqrt(n)
    assert np.all(np.abs(found.mean(axis=1) - mean) < 5 * error)
    assert np.all(amplitudes[~spikes] == 0)
    # each site alone is a Bernoulli variable with that mean, and sites are independent
    variance = mean * (1 - mean) / N
    assert np.all(np.abs(found.var(axis=1) / variance - 1) < 5 * np.sqrt(2 / n) * 1.5)
    # two releases of the same sites: the second needs a site that kept or regained its vesicle
    u2 = p + p * np.exp(-5 / tau_facil) * (1 - p)
    refilled = 1 - np.exp(-5 / tau_rec)
    both = p * refilled * u2  # one site releases twice
    covariance = (both - mean[0] * mean[1]) / N
    sample = np.cov(found[0], found[1])[0, 1]
    assert abs(sample - covariance) < 5 * found[0].std() * found[1].std() / np.sqrt(n)


def test_recovery_does_not_depend_on_the_step():
    """The chance to be refilled within 10 ms, in one step and in a hundred."""
    n, tau_rec = 20_000, 15.0
    for dt in (10.0, 0.1):
        spikes = np.zeros(round(10.0 / dt) + 1, bool)
        spikes[[0, -1]] = True
        amplitudes, _ = run(S.Quantal(1, 1.0, tau_rec), spikes, dt, KEY, n)
        chance = 1 - np.exp(-10.0 / tau_rec)
        assert np.all(amplitudes[0] == 1)
        assert abs(amplitudes[-1].mean() - chance) < 5 * np.sqrt(chance * (1 - chance) / n)


def test_release_is_a_function_of_key_and_step():
    release, fired = S.Quantal(2, 0.5, 30.0), jnp.ones(50, bool)
    draw = lambda step, key: release.release(
        release.init_state(50), fired, nj.Clock(step, 1.0, key)
    )
    np.testing.assert_array_equal(draw(3, KEY)[0], draw(3, KEY)[0])
    assert np.any(draw(3, KEY)[0] != draw(4, KEY)[0])
    assert np.any(draw(3, KEY)[0] != draw(3, jax.random.key(8))[0])
    with pytest.raises(ValueError, match=r"'release' needs random numbers"):
        draw(3, None)


def test_saturation_of_nmda_gating():
    """Wang's gating with a brief x is depression with the decay time, by a stiff solution."""
    alpha, tau_x, tau = 500.0, 0.002, 100.0  # alpha * tau_x = 1: a spike opens 63 %
    dt, spikes = 5.0, np.array([1, 0, 0, 0, 1, 1, 0, 1, 0, 0], bool)
    s, x = 0.0, 0.0
    for fired in spikes:
        f = lambda t, y: [-y[0] / tau + alpha * y[1] * (1 - y[0]), -y[1] / tau_x]
        x += fired
        s, x = solve_ivp(f, (0, dt), [s, x], method="LSODA", rtol=1e-9, atol=1e-12).y[:, -1]
    amplitudes, _ = run(S.TsodyksMarkram(1 - np.exp(-alpha * tau_x), tau), spikes, dt)
    steps = np.flatnonzero(spikes)
    left = np.exp(-dt * (len(spikes) - steps) / tau)
    # tau_x / tau = 2e-5 is what the limit leaves out
    np.testing.assert_allclose(amplitudes[spikes, 0] @ left, s, rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: S.TsodyksMarkram(U=1.5), "U of TsodyksMarkram must lie between 0 and 1"),
        (lambda: S.TsodyksMarkram(tau_rec=-1.0), "tau_rec of TsodyksMarkram must not be negative"),
        (lambda: S.Quantal(N=0), "N of Quantal must be a positive whole number, got 0"),
        (lambda: S.Quantal(N=True), "N of Quantal"),
        (lambda: S.Quantal(p=-0.1), "p of Quantal must lie between 0 and 1"),
        (lambda: S.TsodyksMarkram(U=jnp.ones(2)).init_state(3), r"U of .* shape \(3,\)"),
    ],
)
def test_refused_parameters(make, message):
    with pytest.raises(ValueError, match=message):
        make()
