"""Escape noise against the integral of its hazard, the response form against the LIF neuron."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

import neurojax as nj


def test_intervals_follow_the_hazard():
    """The survivor function is exp(-sum of rho dt) over the free steps since the last spike."""
    n, dt, t_ref, steps = 2000, 0.1, 1.0, 300
    cell = nj.neurons.EscapeLIF(n=n, t_ref=t_ref, rho_0=200.0, Delta_V=3.0, V_reset=-80.0)
    sim = nj.simulate(
        cell, duration=steps * dt, dt=dt, inputs={"I_e": 350.0}, key=jax.random.key(0),
        record={"s": nj.Spikes()},
    )  # fmt: skip
    # the first spike of each neuron: from rest, no refractory time
    first = np.full(n, np.inf)
    record = sim["s"]
    np.minimum.at(first, record.neurons, record.times)
    k = np.arange(1, steps + 1)
    V = -70.0 + 14.0 * (1 - np.exp(-k * dt / 10))
    hazard = 0.2 * np.exp((V + 55.0) / 3.0) * dt
    survivor = np.exp(-np.cumsum(hazard))
    edges = np.concatenate(
        [[0], np.searchsorted(-survivor, -np.linspace(0.97, survivor[-1] + 0.02, 12)) + 1]
    )
    alive = np.concatenate([[1.0], survivor])[edges]
    expected = n * np.append(-np.diff(alive), alive[-1])
    bins = np.append((edges + 0.5) * dt, np.inf)
    observed, _ = np.histogram(np.where(np.isinf(first), 1e9, first), np.append(bins[:-1], 1e10))
    assert stats.chisquare(observed, expected).pvalue > 0.01
    # later intervals never fall below t_ref and one free step
    gaps = np.concatenate([np.diff(record.train(i)) for i in range(50)])
    assert gaps.min() > t_ref + dt / 2


def test_probability_of_a_step():
    """At V_th the chance of a step is 1 - exp(-rho_0 dt)."""
    n = 100_000
    cell = nj.neurons.EscapeLIF(n=n, rho_0=500.0, E_L=-55.0, V_th=-55.0)
    clock = nj.Clock(0, 1.0, jax.random.key(2))
    state, output = jax.jit(lambda state: cell.step(state, {}, clock))(cell.init_state())
    p = 1 - np.exp(-0.5)
    sd = np.sqrt(n * p * (1 - p))
    assert abs(int(output.spikes.count()) - n * p) < 4 * sd
    again = cell.emit(state, nj.Clock(1, 1.0)).spikes.fired()  # a function of the state alone
    np.testing.assert_array_equal(again, output.spikes.fired())


def test_a_narrow_threshold_is_a_lif_neuron():
    inputs, record = {"I_e": 600.0}, {"s": nj.Spikes()}
    options = {"duration": 100.0, "dt": 0.1, "inputs": inputs, "record": record}
    sharp = nj.neurons.EscapeLIF(Delta_V=1e-9, rho_0=1000.0)
    noisy = nj.simulate(sharp, key=jax.random.key(0), **options)
    plain = nj.simulate(nj.neurons.LIF(), **options)
    assert len(plain["s"].times) > 5
    np.testing.assert_array_equal(noisy["s"].times, plain["s"].times)


def test_response_form_is_lif_with_subtractive_reset():
    receptors = {"in": nj.synapses.ExpCurrent(tau=2.0)}
    rng = np.random.default_rng(0)
    arrivals = nj.inputs.Sampled(400.0 * rng.poisson(0.4, (1000, 1)), 0.1)
    options = {
        "duration": 100.0, "dt": 0.1, "inputs": {"I_e": 300.0, "in": arrivals},
        "record": {"s": nj.Spikes(), "V": nj.Trace("V_m")},
    }  # fmt: skip
    lif = nj.neurons.LIF(reset="subtract", t_ref=0.0, receptors=receptors)
    response = nj.neurons.SpikeResponse(t_ref=0.0, receptors=receptors)
    a, b = nj.simulate(lif, **options), nj.simulate(response, **options)
    assert len(a["s"].times) > 5
    np.testing.assert_array_equal(a["s"].times, b["s"].times)
    np.testing.assert_allclose(a["V"], b["V"], rtol=1e-10)


def test_response_is_the_sum_of_its_kernels():
    """Two spikes by hand, with the memory of all spikes and of the last one."""
    for memory in ("all", "last"):
        cell = nj.neurons.SpikeResponse(
            eta_0=-20.0, tau_eta=4.0, t_ref=0.0, memory=memory,
            receptors={"in": nj.synapses.Delta()},
        )  # fmt: skip
        values = np.zeros((100, 1))
        values[[9, 29]] = [[16.0], [60.0]]
        sim = nj.simulate(
            cell, duration=10.0, dt=0.1, inputs={"in": nj.inputs.Sampled(values, 0.1)},
            record={"s": nj.Spikes(), "V": nj.Trace("V_m")},
        )  # fmt: skip
        spikes = sim["s"].times
        np.testing.assert_allclose(spikes[:2], [1.0, 3.0])
        t = 0.1 * np.arange(1, 101)
        after = lambda s, t=t: (t > s - 0.05) * 1.0
        V = -70.0 + sum(
            w * np.exp(-(t - s) / 10.0) * after(s) for s, w in ((1.0, 16.0), (3.0, 60.0))
        )
        for i, s in enumerate(spikes):
            end = spikes[i + 1] if memory == "last" and i + 1 < len(spikes) else np.inf
            V += -20.0 * np.exp(-(t - s) / 4.0) * after(s) * (t < end - 0.05)
        np.testing.assert_allclose(sim["V"][:, 0], V, rtol=1e-10)


def test_expected_spikes_have_the_derivative_of_their_probability():
    """Straight through: the mean derivative with respect to the rate is that of 1 - exp(-r dt)."""

    def total(rate):
        source = nj.neurons.Poisson(rate=rate, n=10)
        _, output = source.step(source.init_state(), {}, nj.Clock(0, 1.0, jax.random.key(0)))
        return output.spikes.values().sum()

    slope = jax.grad(total)(jnp.asarray(100.0))
    np.testing.assert_allclose(slope, 10 * 1e-3 * np.exp(-0.1), rtol=1e-12)


def test_a_given_rate_of_zero_has_the_derivative_of_the_constant_one():
    source = nj.neurons.InhomogeneousPoisson(n=10)

    def total(rate):
        clock = nj.Clock(0, 1.0, jax.random.key(0))
        _, output = source.step(source.init_state(), {"rate": rate}, clock)
        return output.spikes.values().sum()

    for rate, slope in ((0.0, 10 * 1e-3), (100.0, 10 * 1e-3 * np.exp(-0.1)), (-1.0, 0.0)):
        found = jax.grad(total)(jnp.asarray(rate))
        np.testing.assert_allclose(found, slope, rtol=1e-12)


def test_derivatives_of_a_neuron_that_hardly_ever_escapes(float32):
    def mean(rho_0, C_m):
        where = lambda cell: (cell.rho_0, cell.C_m)
        cell = eqx.tree_at(where, nj.neurons.EscapeLIF(), (rho_0, C_m))
        sim = nj.simulate(
            cell, duration=5.0, dt=0.1, inputs={"I_e": 300.0}, key=jax.random.key(0),
            record={"V": nj.Trace("V_m"), "s": "spikes"},
        )  # fmt: skip
        return jnp.mean(sim["V"]) + jnp.mean(sim["s"])

    value, slopes = jax.value_and_grad(mean, (0, 1))(jnp.float32(1e-30), jnp.float32(250.0))
    assert jnp.isfinite(value) and all(map(jnp.isfinite, slopes))
    assert slopes[1] < 0  # a larger capacitance charges less
