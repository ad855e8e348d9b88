"""A threshold that finds the rate of its neuron."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

Homeostatic = nj.plasticity.HomeostaticThreshold
DRIVE = np.array([420.0, 450.0, 900.0])


def test_the_shift_counts_spikes_and_time():
    cell = nj.neurons.LIF(n=3, receptors={"in": nj.synapses.ExpCurrent(tau=3.0)})
    slow = Homeostatic(cell, eta=0.3, rho0=10.0, theta=[0.0, 1.0, 2.0])
    net = nj.Network(
        {"E": slow}, [nj.Projection("E", "E", "in", nj.connectivity.all_to_all(), weight=20.0)]
    )
    sim = nj.simulate(
        net, duration=400.0, dt=0.1, inputs={"E": {"I_e": DRIVE}},
        record={"theta": nj.Trace("E.theta_h"), "V": nj.Trace("E.V_m"), "s": nj.Spikes("E")},
    )  # fmt: skip
    assert np.all(sim["s"].counts() > 0)
    k = np.arange(1, 4001)
    spikes = np.zeros((4000, 3))
    spikes[np.rint(sim["s"].times / 0.1).astype(int) - 1, sim["s"].neurons] = 1
    expected = np.array([0.0, 1.0, 2.0]) + 0.3 * (
        np.cumsum(spikes, 0) - 10.0 * 1e-3 * 0.1 * k[:, None]
    )
    np.testing.assert_allclose(sim["theta"], expected, rtol=1e-9, atol=1e-11)
    # each spike is followed by a reset, and no voltage stays above the threshold
    assert np.all(sim["V"][spikes > 0] == -70.0)
    assert np.all(sim["V"] <= -55.0 + sim["theta"])


def test_spikes_are_those_of_the_moved_threshold():
    # a constant current and exact steps: V = V_inf + (V_reset - V_inf) exp(-t / tau)
    dt, eta, rho0, steps, current = 0.1, 0.5, 20.0, 3000, 700.0
    cell = nj.neurons.LIF(C_m=250.0, g_L=25.0, E_L=-70.0, V_th=-55.0, V_reset=-70.0, t_ref=2.0)
    assert isinstance(cell.solver, nj.solvers.Propagator)
    sim = nj.simulate(
        Homeostatic(cell, eta=eta, rho0=rho0), duration=steps * dt, dt=dt,
        inputs={"I_e": current}, record={"s": nj.Spikes()},
    )  # fmt: skip
    V_inf, V, theta, left, fired, found = -70.0 + current / 25.0, -70.0, 0.0, 0, False, []
    for k in range(1, steps + 1):
        theta += eta * (fired - rho0 * 1e-3 * dt)
        V, left = (-70.0, 20) if fired else (V, max(left - 1, 0))
        V = V if left else V_inf + (V - V_inf) * np.exp(-dt / 10.0)
        fired = -55.0 + theta < V
        found += [k * dt] if fired else []
    assert len(found) > 8 and np.ptp(np.diff(found)) > 2.0
    np.testing.assert_allclose(sim["s"].times, found, atol=1e-9)


@pytest.mark.parametrize(
    "cell",
    [nj.neurons.LIF(n=3, reset="subtract"), nj.neurons.AdEx(n=3), nj.neurons.EscapeLIF(n=3)],
    ids=lambda cell: type(cell).__name__,
)
def test_rates_settle_at_the_target(cell):
    slow = Homeostatic(cell, eta=0.5, rho0=8.0)
    options = {"dt": 0.1, "inputs": {"I_e": DRIVE + 400.0}, "record": {"s": nj.Spikes()}}
    sim = nj.simulate(slow, duration=4000.0, key=jax.random.key(0), **options)
    late = sim["s"].neurons[sim["s"].times > 2000.0]
    rates = np.bincount(late, minlength=3) / 2.0
    free = nj.simulate(cell, duration=500.0, key=jax.random.key(0), **options)["s"].counts() / 0.5
    assert np.min(free) > 11.0
    np.testing.assert_allclose(rates, 8.0, atol=2.5)  # 16 spikes; escape noise is irregular


def test_the_surrogate_slope_reaches_eta():
    cell = nj.neurons.LIF(V_th=-60.0)

    def theta(eta):
        sim = nj.simulate(
            Homeostatic(cell, eta=eta), duration=60.0, dt=0.1, inputs={"I_e": 500.0},
            record={"theta": nj.Trace("theta_h")},
        )  # fmt: skip
        return sim["theta"][-1, 0]

    value, slope = jax.jit(jax.value_and_grad(theta))(0.2)
    assert value > 0.2 and jnp.isfinite(slope) and slope > 0


def test_bad_arguments_are_refused():
    cell = nj.neurons.LIF(n=2)
    with pytest.raises(TypeError, match=r"integrate-and-fire population with a threshold V_th"):
        Homeostatic(nj.neurons.Poisson(rate=5.0))
    with pytest.raises(ValueError, match="rho0 of HomeostaticThreshold must be positive"):
        Homeostatic(cell, rho0=0.0)
    with pytest.raises(ValueError, match="theta_min of HomeostaticThreshold must lie below"):
        Homeostatic(cell, theta_min=5.0, theta_max=1.0)
    with pytest.raises(ValueError, match=r"eta of HomeostaticThreshold must be a scalar"):
        Homeostatic(cell, eta=np.ones(3))
    with pytest.raises(TypeError, match="theta of HomeostaticThreshold is the distribution"):
        Homeostatic(cell, theta=nj.random.Uniform(0.0, 1.0))
    with pytest.raises(ValueError, match="theta of HomeostaticThreshold must be a number, got nan"):
        Homeostatic(cell, theta=np.nan)
    for theta in (-50.0, np.array([0.0, 3.0])):
        with pytest.raises(ValueError, match="must lie between theta_min and theta_max, got theta"):
            Homeostatic(cell, theta=theta, theta_max=2.0)
    with pytest.raises(ValueError, match=r"theta_min=-15.0 .* too low for its cell: V_reset of"):
        Homeostatic(cell, theta_min=-15.0)
    with pytest.raises(ValueError, match="too low for its cell: E_L of QIF must lie below V_th"):
        Homeostatic(nj.neurons.QIF(n=2), theta_min=-20.0)
    # a reset above the beginning of the upswing, as of neurons that burst
    burst = nj.neurons.AdEx(V_reset=-47.0)
    assert Homeostatic(burst).cell.n == 1
    moved = jax.jit(lambda low: Homeostatic(cell, theta_min=low).init_state()["theta_h"])(-9.0)
    np.testing.assert_array_equal(moved, 0.0)
