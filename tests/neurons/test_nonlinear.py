"""Nonlinear integrate-and-fire neurons: closed forms, an adaptive integrator, published counts."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

import neurojax as nj

RECORD = {"spikes": nj.Spikes(), "all": nj.Trace(lambda state: state)}


def run(cell, duration, current, dt):
    return nj.simulate(cell, duration=duration, dt=dt, inputs={"I_e": current}, record=RECORD)


def adex_reference(duration, current, t_ref=0.0):
    """Spike times and (t, V, w) of AdEx with the defaults of the paper, by events."""

    def rates(t, y):
        V, w = y
        up = 2.0 * np.exp((min(V, 25.0) + 50.4) / 2.0)  # trial steps may overshoot the peak
        return [(30.0 * (-70.6 - V + up) - w + current) / 281.0, (4.0 * (V + 70.6) - w) / 144.0]

    # from -10 mV to the peak at 20 mV it takes less than a millionth of a millisecond
    peak = lambda t, y: y[0] + 10.0
    peak.terminal = True
    options = {"rtol": 1e-9, "atol": 1e-9, "method": "DOP853"}
    t, y, spikes = 0.0, [-70.6, 0.0], []
    while t < duration:
        part = solve_ivp(rates, (t, duration), y, events=peak, **options)
        if not part.t_events[0].size:
            return np.array(spikes), part.y[:, -1]
        t, w = part.t[-1], part.y[1, -1] + 80.5
        spikes.append(t)
        decayed = w * np.exp(-t_ref / 144.0)  # V is held at E_L
        t, y = t + t_ref, [-70.6, decayed]
    return np.array(spikes), None


@pytest.mark.parametrize("dt", [0.2, 0.1, 0.02])
def test_adex_spikes_in_the_step_in_which_an_adaptive_integrator_says(dt):
    """Without refractory steps nothing waits for the grid, so that lateness does not add up."""
    expected, _ = adex_reference(300.0, 1000.0)
    times = run(nj.neurons.AdEx(), 300.0, 1000.0, dt)["spikes"].times
    assert len(times) == len(expected) > 10
    late = times - expected
    assert np.all((late > -0.1 * dt) & (late < 1.1 * dt))


def test_adex_held_from_the_end_of_a_step():
    """As in NEST: up to a step late at each spike, whose label says when V is set free."""
    expected, _ = adex_reference(200.0, 1000.0, 4.0)
    for dt in (0.1, 0.02):
        times = run(nj.neurons.AdEx(t_ref=4.0), 200.0, 1000.0, dt)["spikes"].times
        assert len(times) == len(expected)
        assert np.all(np.abs(times - expected) < dt * (1 + np.arange(len(times))))


def test_adex_by_another_solver_spikes_on_the_grid():
    """Each spike waits for the end of its step, and an explicit step may miss the end of the
    upswing once: two steps late at most."""
    expected, _ = adex_reference(200.0, 1000.0)
    for solver in (nj.solvers.Heun(), nj.solvers.RungeKutta4()):
        found = run(nj.neurons.AdEx(solver=solver), 200.0, 1000.0, 0.1)
        times = found["spikes"].times
        assert len(times) == len(expected) and not np.any(found["all"]["left"])
        assert np.all(np.abs(times - expected) < 0.2 * (1 + np.arange(len(times))))


def test_upswing_keeps_the_spike_of_a_neuron_that_is_inhibited_in_the_same_step():
    cell = nj.neurons.EIF(receptors={"in": nj.synapses.Delta()})
    state = cell.init_state() | {"V_m": cell.V_peak + jnp.array([0.3])}
    assert float(cell.receive(state, {"in": jnp.array([-5.0])})["V_m"][0]) == pytest.approx(0.3)


def test_upswing_with_a_peak_that_single_precision_cannot_see(float32):
    """exp((V_peak - V_th) / Delta_T) is beyond float32."""
    cell = nj.neurons.EIF(Delta_T=0.3, V_peak=20.0, t_ref=0.0)
    sim = run(cell, 200.0, 200.0, 0.1)
    assert len(sim["spikes"].times) > 5
    assert bool(jnp.isfinite(sim["all"]["V_m"]).all())


def eif_interval(C_m, Delta_T, V_reset, current):
    """Between spikes, by quadrature of dV / f(V)."""
    rate = lambda V: (
        (10.0 * (-65.0 - V) + 10.0 * Delta_T * np.exp((V + 50.0) / Delta_T) + current) / C_m
    )
    # from 30 Delta_T above the threshold on it takes no time that counts
    parts = [V_reset, -50.0, -50.0 + 10 * Delta_T, min(-20.0, -50.0 + 30 * Delta_T)]
    between = [quad(lambda V: 1 / rate(V), *ends, epsrel=1e-10)[0] for ends in pairwise(parts)]
    return sum(between)


@pytest.mark.parametrize(
    ("C_m", "Delta_T", "V_reset", "current", "dt"),
    [
        (100.0, 1.0, -65.0, 600.0, 0.25),
        (100.0, 1.0, -65.0, 400.0, 0.5),
        (100.0, 2.0, -65.0, 600.0, 0.5),
        (100.0, 2.0, -65.0, 1000.0, 0.25),
        (100.0, 0.5, -65.0, 600.0, 0.25),
        (100.0, 0.05, -65.0, 600.0, 0.25),
        (100.0, 10.0, -65.0, 300.0, 0.5),
        (120.0, 1.5, -60.0, 2000.0, 0.1),
    ],
)
def test_eif_that_is_driven_over_delta_t_in_a_step(C_m, Delta_T, V_reset, current, dt):
    """A step may be longer than the upswing, and than the drive takes over Delta_T."""
    cell = nj.neurons.EIF(
        C_m=C_m, g_L=10.0, E_L=-65.0, V_th=-50.0, V_peak=-20.0, t_ref=0.0, Delta_T=Delta_T,
        V_reset=V_reset, initial={"V_m": V_reset},
    )  # fmt: skip
    found = run(cell, 300.0, current, dt)
    labels = found["spikes"].times
    left = found["all"]["left"][:, 0][np.rint(labels / dt).astype(int) - 1]
    exact = eif_interval(C_m, Delta_T, V_reset, current)
    np.testing.assert_allclose(np.diff(labels - dt * left).mean(), exact, rtol=2e-3)


@pytest.mark.parametrize("current", [1300.0, 1500.0, 1800.0, 2000.0])
def test_intervals_of_one_to_two_steps(current):
    """What a step has left after its spike is more than a step where the last one left some."""
    cell = nj.neurons.EIF(
        C_m=100.0, g_L=10.0, E_L=-65.0, V_th=-50.0, V_peak=-20.0, V_reset=-60.0, t_ref=0.0,
        Delta_T=2.0,
    )  # fmt: skip
    labels = run(cell, 1000.0, current, 0.8)["spikes"].times
    exact = eif_interval(100.0, 2.0, -60.0, current)
    assert 0.8 < exact < 1.6
    np.testing.assert_allclose((labels[-1] - labels[0]) / (len(labels) - 1), exact, rtol=0.01)


def test_derivative_of_an_interval_in_large_steps():
    """By what the interval of quadrature says, though a step is driven over Delta_T."""

    def last(V_th, dt=0.25):
        cell = nj.neurons.EIF(
            C_m=100.0, g_L=10.0, E_L=-65.0, V_th=V_th, V_peak=-20.0, V_reset=-65.0, t_ref=0.0,
            Delta_T=1.0,
        )  # fmt: skip
        return run(cell, 28.0, 600.0, dt)["all"]["V_m"][-1, 0]

    h = 1e-6
    fine = (last(-50.0 + h, 0.01) - last(-50.0 - h, 0.01)) / (2 * h)  # of seven intervals
    np.testing.assert_allclose(jax.grad(last)(-50.0), fine, rtol=0.05)


def test_upswing_is_for_upswings():
    refused = lambda kind: pytest.raises(ValueError, match=rf"^Upswing .* {kind} has none.*Heun")
    for kind in ("QIF", "LIF"):
        with refused(kind):
            getattr(nj.neurons, kind)(solver=nj.neurons.Upswing())
    block = nj.Block({"a": nj.neurons.EIF()}, solver=nj.neurons.Upswing())
    with refused("Block"):
        nj.simulate(block, duration=1.0, dt=0.1)


def test_adex_is_second_order_between_spikes():
    _, exact = adex_reference(8.0, 900.0)
    assert exact is not None and exact[0] > -54.0  # before the first spike

    def end(dt):
        last = run(nj.neurons.AdEx(), 8.0, 900.0, dt)["all"]
        return np.array([last["V_m"][-1, 0], last["w"][-1, 0]])

    coarse, fine = (np.abs(end(dt) - exact) for dt in (0.1, 0.05))
    assert np.all((coarse / fine > 3.5) & (coarse / fine < 4.5))


def test_adex_stays_finite_in_single_precision(float32):
    """Beyond the peak the exponential would overflow at the next stage."""
    sim = run(nj.neurons.AdEx(), 100.0, 5000.0, 0.5)
    assert sim["all"]["w"].dtype == jnp.float32
    assert float(jnp.abs(sim["all"]["w"]).max()) < 5000.0
    assert float(sim["all"]["V_m"].max()) <= 20.0


@pytest.mark.parametrize("current", [600.0, 1234.0])
def test_eif_stays_finite_by_exponential_euler(float32, current):
    cell = nj.neurons.EIF()
    runs = [
        nj.simulate(cell, duration=400.0, dt=0.1, inputs={"I_e": current}, solver=solver)
        for solver in (None, nj.solvers.ExponentialEuler())
    ]
    upswing, grid = (int(run.stats.spikes[""]) for run in runs)
    assert 0.95 * upswing < grid <= upswing

    def mean(current):
        run = nj.simulate(
            cell, duration=50.0, dt=0.1, inputs={"I_e": current}, record={"V": nj.Trace("V_m")},
            solver=nj.solvers.ExponentialEuler(),
        )  # fmt: skip
        return jnp.mean(jnp.clip(run["V"], -80.0, -40.0))

    assert jnp.isfinite(jax.grad(mean)(current))


def test_visible_adex_shows_w_after_the_jump():
    cell = nj.neurons.AdEx()
    state = cell.init_state() | {"V_m": jnp.array([25.0]), "w": jnp.array([3.0])}
    state |= {"left": jnp.array([0.25])}
    seen = cell.visible(state)
    assert float(seen["V_m"][0]) == pytest.approx(-70.6)
    assert float(seen["w"][0]) == pytest.approx(83.5)
    begun = cell.begin(state, nj.Clock(0, 0.1))  # a quarter of a step after the peak
    assert float(begun["w"][0]) == pytest.approx(3.0 + 80.5 * np.exp(-0.025 / 144.0))
    assert float(begun["left"][0]) == pytest.approx(0.25)


def test_qif_interval_is_the_closed_form():
    """With x the distance from the middle of the fixed points, C dx/dt = k x^2 + mu."""
    cell = nj.neurons.QIF(V_peak=200.0, V_reset=-100.0)
    k, middle, half = 25.0 / 15.0, -62.5, 7.5
    current = 400.0
    mu = current - k * half**2
    rate = np.sqrt(k * mu) / 250.0
    angle = lambda V: np.arctan((V - middle) * np.sqrt(k / mu))
    interval = (angle(200.0) - angle(-100.0)) / rate
    dt = 0.01
    times = run(cell, 100.0, current, dt)["spikes"].times
    # two steps of slack: the step in which the spike lies, and the upswing in the last one
    np.testing.assert_allclose(np.diff(times), interval, atol=2 * dt)


def test_qif_follows_the_tangent():
    cell = nj.neurons.QIF(initial={"V_m": -62.5})
    k = 25.0 / 15.0
    mu = 400.0 - k * 7.5**2
    t = 0.05 * np.arange(1, 101)
    exact = -62.5 + np.sqrt(mu / k) * np.tan(np.sqrt(k * mu) / 250.0 * t)
    V = run(cell, 5.0, 400.0, 0.05)["all"]["V_m"][:, 0]
    np.testing.assert_allclose(V, exact, atol=2e-4)


def test_qif_rests_below_its_rheobase():
    """The saddle-node lies at I = g_L (V_th - E_L) / 4."""
    rheobase = 25.0 * 15.0 / 4
    cell = nj.neurons.QIF(n=2)
    sim = run(cell, 400.0, jnp.array([0.97, 1.1]) * rheobase, 0.1)
    silent, firing = sim["spikes"].counts()
    assert silent == 0 and firing > 0
    root = -62.5 - 7.5 * np.sqrt(1 - 0.97)
    np.testing.assert_allclose(sim["all"]["V_m"][-1, 0], root, atol=1e-2)


@pytest.mark.parametrize("t_ref", [0.0, 1.7])
def test_eif_against_an_adaptive_integrator(t_ref):
    cell = nj.neurons.EIF(t_ref=t_ref)

    def rates(t, y):
        up = 3.48 * np.exp((y[0] + 59.9) / 3.48)
        return [(10.0 * (-65.0 - y[0] + up) + 150.0) / 100.0]

    peak = lambda t, y: y[0]
    peak.terminal = True
    options = {"rtol": 1e-10, "atol": 1e-10, "events": peak}
    first = solve_ivp(rates, (0.0, 100.0), [-65.0], **options).t[-1]
    climb = solve_ivp(rates, (0.0, 100.0), [-68.0], **options).t[-1]
    dt = 0.1
    times = run(cell, 60.0, 150.0, dt)["spikes"].times
    late = times - first - np.arange(len(times)) * (climb + t_ref)
    assert len(times) > 2
    assert np.all((late > -0.05 * dt) & (late < dt * (1.05 if t_ref == 0 else len(times))))


KINDS = {"regular": {}, "fast": {"a": 0.1, "d": 2.0}}


@pytest.mark.parametrize(("kind", "count"), [("regular", 12), ("fast", 69)])
def test_izhikevich_counts_of_the_equations(kind, count):
    cell = nj.neurons.Izhikevich(**KINDS[kind])
    sim = nj.simulate(cell, duration=500.0, dt=0.01, inputs={"I_e": 10.0})
    assert int(sim.stats.spikes[""]) == count


def program(steps, a=0.02, d=8.0):
    """The program of the paper for one neuron: times of spikes, counted where they are reset."""
    v, u, times = -65.0, -13.0, []
    for t in range(steps + 1):
        if v >= 30:
            times.append(t)
            v, u = -65.0, u + d
        v = v + 0.5 * (0.04 * v * v + 5 * v + 140 - u + 10.0)
        v = v + 0.5 * (0.04 * v * v + 5 * v + 140 - u + 10.0)
        u = u + a * (0.2 * v - u)
    return times


def test_izhikevich_counts_as_published():
    """The same spikes as the program until rounding decides (the map is chaotic)."""
    expected = {kind: program(500, **KINDS[kind]) for kind in KINDS}
    assert {k: len(v) for k, v in expected.items()} == {"regular": 10, "fast": 32}
    a, d = jnp.array([0.02, 0.1]), jnp.array([8.0, 2.0])
    sim = run(nj.neurons.IzhikevichPublished(n=2, a=a, d=d), 500.0, 10.0, 1.0)
    regular, fast = sim["spikes"].train(0), sim["spikes"].train(1)
    np.testing.assert_array_equal(regular, expected["regular"])
    np.testing.assert_array_equal(fast[:7], expected["fast"][:7])
    assert 28 <= len(fast) <= 36  # the equations give 69


def test_izhikevich_as_published_refuses_other_steps():
    with pytest.raises(ValueError, match=r"dt=1.0 ms, got dt=0.5"):
        run(nj.neurons.IzhikevichPublished(), 10.0, 10.0, 0.5)


def test_coupled_cells_spike_within_a_step():
    """Junctions of no conductance change nothing; with Heun's method nothing is left of steps."""
    cell = nj.neurons.EIF(n=2, t_ref=0.0, V_peak=-50.0)
    junctions = nj.synapses.GapJunctions("E", "E", np.zeros((2, 2)))
    net = nj.Network({"E": cell}, [], [junctions])
    record = {"left": nj.Trace("E.left"), "s": nj.Spikes("E")}
    for options in ({}, {"solver": nj.solvers.Heun()}):
        joined = nj.simulate(
            net, duration=200.0, dt=0.1, inputs={"E": {"I_e": 200.0}}, record=record, **options
        )
        alone = nj.simulate(
            cell, duration=200.0, dt=0.1, inputs={"I_e": 200.0},
            record={"left": nj.Trace("left"), "s": nj.Spikes()}, **options,
        )  # fmt: skip
        assert np.any(joined["left"]) == (not options)
        np.testing.assert_allclose(joined["left"], alone["left"], atol=1e-9)
        assert len(alone["s"].times) > 0
        np.testing.assert_array_equal(joined["s"].train(0), alone["s"].train(0))


def test_derivative_of_an_upswing_by_its_parameters():
    """Up to the peak and beyond, against central differences in double precision."""

    def end(parameters, duration):
        cell = nj.neurons.AdEx(b=60.0, **parameters)
        record = {"w": nj.Trace("w"), "V": nj.Trace("V_m")}
        sim = nj.simulate(cell, duration=duration, dt=0.1, inputs={"I_e": 900.0}, record=record)
        return sim["w"][-1, 0] + sim["V"][-1, 0]

    start = {"V_th": -50.4, "Delta_T": 2.0, "a": 4.0, "tau_w": 144.0}
    for duration in (12.0, 40.0):  # before the first spike, after two of them
        found = jax.grad(end)(start, duration)
        for name, value in start.items():
            up, down = (end(start | {name: value + h}, duration) for h in (1e-5, -1e-5))
            expected = (up - down) / 2e-5
            np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-6)
