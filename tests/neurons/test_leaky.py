"""Leaky neurons: closed forms, an independent integrator, modes of reset, refractory steps."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neurojax as nj

C, G, E, TH, RESET = 250.0, 25.0, -70.0, -55.0, -70.0  # tau 10 ms
SPIKES = {"spikes": nj.Spikes(), "V": nj.Trace("V_m")}


def run(cell, duration, inputs, dt=0.1, **options):
    return nj.simulate(cell, duration=duration, dt=dt, inputs=inputs, record=SPIKES, **options)


def pulses(times, size, dt=0.1, steps=200):
    """Impulses that arrive at the ends of the steps with these labels, (step, neuron)."""
    values = np.zeros((steps, 1))
    for t, w in zip(times, np.broadcast_to(size, len(times)), strict=True):
        values[round(t / dt) - 1] = w
    return nj.inputs.Sampled(values, dt)


def test_membrane_decays_as_the_exponential():
    cell = nj.neurons.LIF(initial={"V_m": -60.0})
    V = run(cell, 20.0, {})["V"][:, 0]
    t = 0.1 * np.arange(1, 201)
    np.testing.assert_allclose(V, E + 10.0 * np.exp(-t / 10.0), rtol=1e-12)


def test_rate_against_current_is_the_closed_form():
    """The interval is t_ref + tau log((RI) / (RI - theta)), up to the step in which it ends."""
    currents = np.array([400.0, 500.0, 1000.0, 3000.0] * 2)
    t_ref, dt = np.repeat([0.0, 2.0], 4), 0.01
    cell = nj.neurons.LIF(n=8, t_ref=t_ref)
    sim = run(cell, 150.0, {"I_e": jnp.asarray(currents)}, dt=dt)
    drive = currents / G
    climb = 10.0 * np.log(drive / (drive - (TH - RESET)))
    for i in range(8):
        intervals = np.diff(sim["spikes"].train(i))
        expected = np.ceil(climb[i] / dt) * dt + t_ref[i]
        np.testing.assert_allclose(intervals, expected, atol=1e-9)


def test_rate_zero_below_rheobase():
    assert int(run(nj.neurons.LIF(), 100.0, {"I_e": 374.0}).stats.spikes[""]) == 0


@pytest.mark.parametrize("tau_syn", [2.0, 10.0])
def test_propagator_is_exact_also_where_the_time_constants_are_equal(tau_syn):
    """Against a tight adaptive integrator; 10 ms is tau_m too, a repeated eigenvalue."""
    cell = nj.neurons.LIF(receptors={"in": nj.synapses.ExpCurrent(tau=tau_syn)})
    assert isinstance(cell.solver, nj.solvers.Propagator)
    inputs = {"I_e": 50.0, "in": pulses([1.0], 300.0, dt=0.5, steps=40)}
    V = run(cell, 20.0, inputs, dt=0.5)["V"][:, 0]

    def rates(t, y):
        return [(50.0 + y[1] - G * (y[0] - E)) / C, -y[1] / tau_syn]

    options = {"rtol": 1e-12, "atol": 1e-12, "method": "DOP853"}
    first = solve_ivp(rates, (0.0, 1.0), [E, 0.0], t_eval=[0.5, 1.0], **options)
    start = first.y[:, -1] + [0.0, 300.0]
    grid = np.linspace(1.0, 20.0, 39)
    second = solve_ivp(rates, (1.0, 20.0), start, t_eval=grid, **options)
    expected = np.concatenate([first.y[0], second.y[0][1:]])
    np.testing.assert_allclose(V, expected, rtol=1e-10)


def test_conductances_are_second_order():
    """Halving dt divides the error by four."""
    receptor = nj.synapses.ExpConductance(tau=3.0, E_rev=0.0)

    def end(dt):
        cell = nj.neurons.LIF(receptors={"in": receptor}, initial={"in.g": 10.0})
        return float(run(cell, 4.0, {}, dt=dt)["V"][-1, 0])

    rates = lambda t, y: [(-y[1] * y[0] - G * (y[0] - E)) / C, -y[1] / 3.0]
    exact = solve_ivp(rates, (0, 4.0), [E, 10.0], rtol=1e-12, atol=1e-12).y[0, -1]
    coarse, fine = abs(end(0.2) - exact), abs(end(0.1) - exact)
    assert 3.8 < coarse / fine < 4.2


def test_refractory_time_is_twenty_whole_steps():
    """Strong drive: a spike in every first free step, so 20 steps held and one to cross."""
    sim = run(nj.neurons.LIF(t_ref=2.0), 20.0, {"I_e": 1e6})
    steps = np.round(sim["spikes"].times / 0.1).astype(int)
    np.testing.assert_array_equal(np.diff(steps), 21)
    held = np.asarray(sim["V"][:, 0])
    np.testing.assert_array_equal(held, RESET)  # visible: the reset is applied at once


def test_refractory_time_is_rounded():
    t_ref, steps = np.array([0.0, 0.04, 0.06, 0.1]), [1, 1, 2, 2]
    sim = run(nj.neurons.LIF(n=4, t_ref=t_ref), 2.0, {"I_e": 1e6})
    for i in range(4):
        labels = np.round(sim["spikes"].train(i) / 0.1).astype(int)
        np.testing.assert_array_equal(np.diff(labels), steps[i])


@pytest.mark.parametrize("x64", [True, False])
def test_half_a_step_of_refractory_time_is_rounded_up(x64):
    """Multiples of half a step of 0.1 ms, which neither precision holds exactly."""
    t_ref = np.round(0.05 * np.arange(41), 2)
    with jax.enable_x64(x64):
        cell = nj.neurons.LIF(n=41, t_ref=t_ref)
        spikes = run(cell, 5.0, {"I_e": 1e7})["spikes"]
        held = [np.diff(np.round(spikes.train(i) / 0.1))[0] - 1 for i in range(41)]
        count = jax.jit(lambda t: cell.begin_refractory({"refractory": jnp.zeros(3, int)}, True, t,
                                                        nj.Clock(0, 0.1)))  # fmt: skip
        few = count(jnp.array([0.1499, 0.15, 0.1501]))
        slope = jax.grad(lambda t: count(jnp.broadcast_to(t, (3,))).sum().astype(float))(0.2)
    np.testing.assert_array_equal(held, (np.arange(41) + 1) // 2)
    np.testing.assert_array_equal(few, [1, 2, 2])
    assert slope == 0.0


def test_a_start_above_threshold_is_reset_and_emits_nothing():
    cell = nj.neurons.LIF(n=2, initial={"V_m": jnp.array([-50.0, -60.0])})
    sim = run(cell, 1.0, {})
    assert int(sim.stats.spikes[""]) == 0
    np.testing.assert_array_equal(sim["V"][:, 0], RESET)


def test_subtractive_reset_keeps_what_was_above():
    """One jump to 4 mV above threshold; t_ref 0, so the next step decays from 4 mV above reset."""
    cell = nj.neurons.LIF(reset="subtract", t_ref=0.0, receptors={"in": nj.synapses.Delta()})
    V = run(cell, 1.0, {"in": pulses([0.5], 19.0)})["V"][:, 0]
    np.testing.assert_allclose(V[4], RESET + 4.0, rtol=1e-12)
    np.testing.assert_allclose(V[5], E + 4.0 * np.exp(-0.01), rtol=1e-12)


def test_subtractive_reset_spikes_again_only_after_the_refractory_time():
    cell = nj.neurons.LIF(reset="subtract", t_ref=0.5, receptors={"in": nj.synapses.Delta()})
    sim = run(cell, 3.0, {"in": pulses([0.5], 40.0)})
    # 40 mV above rest: 25 mV after one reset, still above the 15 mV of the threshold; the sixth
    # step after the spike is the first free one
    np.testing.assert_allclose(sim["spikes"].times, [0.5, 1.1])


def test_without_reset_a_spike_is_a_crossing_from_below():
    cell = nj.neurons.LIF(reset="none", t_ref=0.0, receptors={"in": nj.synapses.Delta()})
    sim = run(cell, 20.0, {"in": pulses([0.5, 10.0], [30.0, 30.0])})
    np.testing.assert_allclose(sim["spikes"].times, [0.5, 10.0])
    t = 0.1 * np.arange(1, 201)
    expected = E + sum(30.0 * np.exp(-(t - s) / 10) * (t > s - 0.05) for s in (0.5, 10.0))
    np.testing.assert_allclose(sim["V"][:, 0], expected, rtol=1e-10)


def test_without_reset_a_crossing_in_the_refractory_time_is_lost():
    cell = nj.neurons.LIF(reset="none", t_ref=5.0, receptors={"in": nj.synapses.Delta()})
    sim = run(cell, 10.0, {"in": pulses([0.5, 3.0, 9.0], [16.0, 5.0, 10.0], steps=100)})
    np.testing.assert_allclose(sim["spikes"].times, [0.5, 9.0])


@pytest.mark.parametrize("mode", ["ignore", "integrate"])
def test_impulses_while_refractory(mode):
    """A spike at 0.5 ms holds V until 1.5 ms; what arrives meanwhile decays and is added then."""
    cell = nj.neurons.LIF(refractory_input=mode, t_ref=1.0, receptors={"in": nj.synapses.Delta()})
    V = run(cell, 3.0, {"in": pulses([0.5, 0.8, 1.2], [20.0, 2.0, 3.0], steps=30)})["V"][:, 0]
    np.testing.assert_array_equal(V[4:15], RESET)
    # the first free step ends at 1.6 ms
    waited = 2.0 * np.exp(-0.8 / 10) + 3.0 * np.exp(-0.4 / 10)
    expected = E + (waited if mode == "integrate" else 0.0)
    np.testing.assert_allclose(V[15], expected, rtol=1e-12)
    np.testing.assert_allclose(V[16], E + (expected - E) * np.exp(-0.01), rtol=1e-12)


def test_adaptive_threshold_by_hand():
    """Jumps that meet the threshold of a neuron that has spiked before."""
    cell = nj.neurons.ALIF(
        b=(4.0, 2.0), tau_b=(5.0, 50.0), t_ref=0.0, receptors={"in": nj.synapses.Delta()},
        initial={"V_m": -70.0},
    )  # fmt: skip
    theta = lambda t: 4.0 * np.exp(-t / 5.0) + 2.0 * np.exp(-t / 50.0)
    needed = 15.0 + theta(4.0)  # above reset, 4 ms after the first spike
    for extra, spikes in ((-0.01, 1), (0.01, 2)):
        record = SPIKES | {"theta": nj.Trace("theta_1")}
        sim = nj.simulate(
            cell, duration=6.0, dt=0.1, record=record,
            inputs={"in": pulses([1.0, 5.0], [16.0, needed + extra], steps=60)},
        )  # fmt: skip
        assert len(sim["spikes"].times) == spikes
        # visible: the rise is there as soon as the spike
        np.testing.assert_allclose(sim["theta"][9:12, 0], 4.0 * np.exp([0, -0.02, -0.04]))


@pytest.mark.parametrize("kind", ["current", "conductance"])
def test_spike_frequency_adaptation_against_an_integrator(kind):
    """One spike by a jump, then the membrane under the adaptation."""
    cell = nj.neurons.LIFAdaptation(
        adaptation=kind, q_sfa=50.0, tau_sfa=30.0, E_sfa=-80.0, t_ref=0.5, V_reset=-60.0,
        receptors={"in": nj.synapses.Delta()},
    )  # fmt: skip
    exact = kind == "current"
    assert isinstance(cell.solver, nj.solvers.Propagator if exact else nj.solvers.Heun)
    dt = 0.05
    V = run(cell, 10.0, {"in": pulses([0.5], 16.0, dt=dt)}, dt=dt)["V"][:, 0]

    def rates(t, y):
        own = y[1] if exact else y[1] * (y[0] + 80.0)
        return [(-own - G * (y[0] - E)) / C, -y[1] / 30.0]

    start = [-60.0, 50.0 * np.exp(-0.5 / 30.0)]  # V is free from 1 ms on, adaptation from 0.5 ms
    grid = dt * np.arange(20, 201)
    options = {"rtol": 1e-11, "atol": 1e-11}
    expected = solve_ivp(rates, (1.0, 10.0), start, t_eval=grid, **options).y[0]
    np.testing.assert_allclose(V[19:], expected, rtol=1e-9 if exact else 5e-5)


def test_adaptation_slows_to_the_closed_form():
    """Periodic firing with adaptation w: w falls from w* + q to w* in one interval."""
    cell = nj.neurons.LIFAdaptation(adaptation="current", q_sfa=60.0, tau_sfa=100.0, t_ref=0.0)
    times = run(cell, 1000.0, {"I_e": 600.0}, dt=0.05)["spikes"].times
    interval = np.diff(times)[-5:].mean()
    assert np.diff(times)[0] < 0.7 * interval

    def climb(T):
        w = 60.0 / (1.0 - np.exp(-T / 100.0))  # after a spike
        # V of a membrane under I - w exp(-t / 100), from rest
        slow = -w / G * (np.exp(-T / 100.0) - np.exp(-T / 10.0)) / (1.0 - 10.0 / 100.0)
        return 24.0 * (1.0 - np.exp(-T / 10.0)) + slow - 15.0

    from scipy.optimize import brentq

    # a spike waits for the end of its step, half a step on average
    assert interval == pytest.approx(brentq(climb, 5.0, 100.0), abs=0.05)


def test_parameters_per_neuron_equal_single_neurons():
    th = jnp.array([-58.0, -55.0, -52.0])
    together = run(nj.neurons.LIF(n=3, V_th=th), 100.0, {"I_e": 500.0})
    for i in range(3):
        alone = run(nj.neurons.LIF(V_th=th[i]), 100.0, {"I_e": 500.0})
        np.testing.assert_array_equal(together["spikes"].train(i), alone["spikes"].times)


def test_population_draws_parameters_and_states():
    cell = nj.neurons.LIF().population(
        500, V_th=nj.random.Uniform(-55.0, -50.0), key=jax.random.key(0),
        initial={"V_m": nj.random.Uniform(-65.0, -60.0)},
    )  # fmt: skip
    assert cell.V_th.shape == (500,) and float(cell.V_th.std()) > 1.0
    V = cell.init_state(key=jax.random.key(1))["V_m"]
    assert -65 <= float(V.min()) < -64.9 and -60.1 < float(V.max()) < -60


def test_population_with_other_receptors_has_their_solver():
    cell = nj.neurons.LIF().population(3, receptors={"in": nj.synapses.ExpConductance()})
    assert isinstance(cell.solver, nj.solvers.Heun)


def test_gradient_passes_a_spike():
    """The backward pass sees the surrogate of the population, at the normalised distance."""
    cell = nj.neurons.LIF(surrogate=nj.surrogate.Sigmoid(beta=2.0))

    def spike(V):
        state = cell.init_state() | {"V_m": jnp.broadcast_to(V, (1,))}
        return cell.emit(state, nj.Clock()).spikes.values()[0]

    V = jnp.asarray(-54.0)
    s = 1 / (1 + np.exp(-2.0 * 1.0 / 15.0))
    np.testing.assert_allclose(jax.grad(spike)(V), 2.0 * s * (1 - s) / 15.0, rtol=1e-12)
    assert float(spike(V)) == 1.0


@pytest.mark.parametrize("kind", ["GLIF", "SpikeResponse"])
@pytest.mark.parametrize("rest", [-70.0, -40.0])
def test_gradient_has_its_sign_where_the_resting_potential_is_above_threshold(kind, rest):
    options = {"level": 1} if kind == "GLIF" else {}
    cell = getattr(nj.neurons, kind)(
        E_L=rest, V_th=-55.0, surrogate=nj.surrogate.Sigmoid(beta=2.0), **options
    )

    def spike(V):
        state = cell.init_state() | {"V_m": jnp.broadcast_to(V, (1,))}
        return cell.emit(state, nj.Clock()).spikes.values()[0]

    s = 1 / (1 + np.exp(-2.0 * 1.0 / 15.0))  # 1 mV above threshold, 15 mV to rest
    np.testing.assert_allclose(
        jax.grad(spike)(jnp.asarray(-54.0)), 2.0 * s * (1 - s) / 15.0, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nj.neurons.LIF(n=3, V_th=jnp.zeros(2)), r"V_th of LIF .*\(3,\).*\(2,\)"),
        (lambda: nj.neurons.LIF(n=0), "n must be a positive whole number"),
        (lambda: nj.neurons.LIF(reset="soft"), "unknown reset of LIF: 'soft'"),
        (lambda: nj.neurons.LIF(refractory_input="add"), "unknown refractory_input"),
        (lambda: nj.neurons.LIF(C_m=0.0), "C_m of LIF must be positive"),
        (lambda: nj.neurons.LIF(t_ref=-1.0), "t_ref of LIF must not be negative"),
        (lambda: nj.neurons.LIF(V_reset=-50.0), "V_reset of LIF must lie below V_th"),
        (lambda: nj.neurons.ALIF(b=(1.0, 2.0)), "as many components"),
        (lambda: nj.neurons.LIFAdaptation(adaptation="x"), "unknown adaptation"),
        (lambda: nj.neurons.LIFAdaptation(q_sfa=-1.0), "q_sfa of LIFAdaptation must not be neg"),
        (lambda: nj.neurons.EscapeLIF(reset="none"), "unknown reset of EscapeLIF"),
        (lambda: nj.neurons.GLIF(level=6), "unknown level of GLIF: 6"),
        (lambda: nj.neurons.SpikeResponse(receptors={"g": nj.synapses.ExpConductance()}),
         "'g'.* is a conductance"),
    ],
)  # fmt: skip
def test_refusals(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_parameters_may_be_wrapped_and_traced():
    assert nj.neurons.LIFAdaptation(adaptation="current", q_sfa=-5.0).q_sfa == -5.0
    assert nj.unwrap(nj.neurons.LIF(C_m=nj.positive(200.0))).C_m == pytest.approx(200.0)
    batch = eqx.filter_vmap(lambda th: nj.neurons.LIF(V_th=th))(jnp.array([-55.0, -50.0]))
    assert batch.V_th.shape == (2,)
