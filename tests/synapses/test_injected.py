"""Conductances and currents that are given from outside."""

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neurojax as nj

C_M, G_L, E_L = 250.0, 25.0, -70.0  # defaults of LIF


def membrane(inputs, dt, cell=nj.neurons.LIF, duration=60.0, **receptors):
    model = cell(receptors=receptors)
    run = nj.simulate(model, duration=duration, dt=dt, inputs=inputs, record={"V": "V_m"})
    return np.asarray(run["V"])[:, 0]


def test_a_constant_conductance_is_the_closed_form_at_second_order():
    g, E_rev = 8.0, -62.0
    errors, V_inf = [], (G_L * E_L + g * E_rev) / (G_L + g)
    for dt in (0.4, 0.2, 0.1):
        V = membrane({"g": g}, dt, g=nj.synapses.InjectedConductance(E_rev))
        t = dt * np.arange(1, len(V) + 1)
        errors.append(np.abs(V - V_inf - (E_L - V_inf) * np.exp(-(G_L + g) * t / C_M)).max())
    rate = (G_L + g) / C_M  # Heun's leading error is rate^3 dt^2 t exp(-rate t) / 6
    leading = rate**2 * 0.1**2 / (6 * np.e) * abs(E_L - V_inf)
    np.testing.assert_allclose(errors[-1], leading, rtol=0.05)
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 4.0, atol=0.2)


def test_a_sine_of_conductance_against_an_integrator():
    g = nj.inputs.Sine(6.0, frequency=40.0, offset=7.0)
    E_rev = -58.0

    def slope(t, V):
        now = 7.0 + 6.0 * np.sin(2 * np.pi * 0.04 * t)
        return (-G_L * (V - E_L) + now * (E_rev - V)) / C_M

    V = membrane({"g": g}, 0.1, g=nj.synapses.InjectedConductance(E_rev))
    t = 0.1 * np.arange(1, len(V) + 1)
    exact = solve_ivp(slope, (0.0, 60.0), [E_L], t_eval=t, rtol=1e-10, atol=1e-10).y[0]
    np.testing.assert_allclose(V, exact, atol=1e-4)


@pytest.mark.parametrize("kind", ["LIF", "AdEx", "EIF", "QIF", "Izhikevich", "GLIF"])
def test_an_injected_current_is_that_of_I_e(kind):
    pulse = nj.inputs.Step(20.0, start=2.0, stop=7.0)
    cell = getattr(nj.neurons, kind)
    V = membrane({"x": pulse}, 0.5, cell, 10.0, x=nj.synapses.InjectedCurrent())
    expected = membrane({"I_e": pulse}, 0.5, cell, 10.0, x=nj.synapses.InjectedCurrent())
    assert np.ptp(expected) > 0.1
    np.testing.assert_array_equal(V, expected)


def test_ports_of_a_network_beside_synapses():
    """A step at one port, noise at another, spikes at a third; the noise is that of its process."""
    cell = nj.neurons.LIF(
        V_th=1e3,
        receptors={
            "noise": nj.synapses.InjectedCurrent(),
            "g": nj.synapses.InjectedConductance(E_rev=-70.0),
            "jump": nj.synapses.Delta(),
        },
    )
    source = nj.neurons.SpikeTimes([[50.0]])
    net = nj.Network(
        {"S": source, "A": cell.population(400)},
        [nj.Projection("S", "A", "jump", nj.connectivity.all_to_all(), weight=4.0)],
    )
    noise = nj.inputs.OrnsteinUhlenbeck(0.0, 100.0, tau=5.0, shape=(400,))
    drive = {"I_e": nj.inputs.Step(250.0), "g": 25.0, "noise": noise}
    run = nj.simulate(
        net, duration=50.1, dt=0.1, inputs={"A": drive}, record={"V": "A.V_m"},
        key=jax.random.key(0),
    )  # fmt: skip
    before, after = np.asarray(run["V"])[-2:]
    # tau_m = 5 ms with both conductances: sd = (100 / 50) sqrt(5 / (5 + 5))
    assert abs(before.mean() + 65.0) < 5 * 1.414 / 20
    assert abs(before.std() - 1.414) < 5 * 1.414 / np.sqrt(800)
    np.testing.assert_allclose(after - before, 4.0, atol=0.5)
