"""Rules that hold a rate."""

import jax
import numpy as np
from trains import final_weights, network

import neurojax as nj

P = nj.plasticity


def test_scaling_by_hand():
    spikes = [np.arange(10.0, 400.0, 20.0), np.array([])]
    rule = P.SynapticScaling(rho0=10.0, tau_w=500.0, tau_r=100.0, every=50.0, r_start=0.0)
    net = network([[5.0], [6.0]], spikes, {"s": rule}, 2.0, 0.1, nj.connectivity.all_to_all())
    found = final_weights(net, 400.0)["s"].reshape(2, 2)
    for j, train in enumerate(spikes):
        w = 2.0
        for t in np.arange(50.0, 401.0, 50.0):
            past = train[train <= t + 1e-9]
            rate = 1e3 / 100.0 * np.sum(np.exp(-(t - past) / 100.0))
            w *= 1 + 50.0 / 500.0 * (1 - rate / 10.0)
        np.testing.assert_allclose(found[:, j], w, rtol=1e-9)


def test_scaling_beside_another_rule():
    both = [P.PairSTDP(A_plus=0.1), P.SynapticScaling(rho0=10.0, tau_w=500.0, every=50.0)]
    found = final_weights(network([[5.0]], [[9.0]], {"s": both}), 50.0)["s"]
    # the pair first (3.9 ms at the synapse), then one scaling; the rate started at 10 Hz
    rate = 10.0 * np.exp(-50.0 / 1e4) + 0.1 * np.exp(-41.0 / 1e4)
    expected = (1 + 0.1 * np.exp(-3.9 / 20.0)) * (1 + 0.1 * (1 - rate / 10.0))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_inhibition_drives_rates_to_the_target():
    cell = nj.neurons.LIF(
        C_m=200.0, g_L=10.0, E_L=-60.0, V_th=-50.0, V_reset=-60.0, t_ref=5.0,
        receptors={"gaba": nj.synapses.ExpConductance(tau=10.0, E_rev=-80.0)},
    )  # fmt: skip
    rule = P.InhibitorySTDP(eta=0.05, rho0=10.0, tau=20.0)
    net = nj.Network(
        {"I": nj.neurons.Poisson(rate=10.0, n=80), "E": cell.population(6)},
        [
            nj.Projection(
                "I", "E", "gaba", nj.connectivity.all_to_all(), weight=0.0, plasticity=rule
            )
        ],
    )
    drive = {"E": {"I_e": np.linspace(140.0, 260.0, 6)}}
    sim = nj.simulate(
        net, duration=16000.0, dt=0.5, inputs=drive, key=jax.random.key(0),
        record={"spikes": nj.Spikes("E")},
    )  # fmt: skip
    times, neurons = sim["spikes"].times, sim["spikes"].neurons
    early = np.bincount(neurons[times < 500.0], minlength=6) / 0.5
    late = np.bincount(neurons[times > 8000.0], minlength=6) / 8.0
    assert early.min() > 20.0 and early.max() / early.min() > 1.5
    # inhibition makes the trains dependent, which shifts the balance a little
    np.testing.assert_allclose(late, 10.0, rtol=0.2)
