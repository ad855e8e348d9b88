"""Triplets, inhibitory synapses and dopamine, beside NEST's synapses."""

import given_trains as given
import numpy as np
from frame import Case

TRAINS = given.pairs()
LIMIT, SINGLE = {"weights": 1e-9}, {"weights": 1e-4}
TAU_C, TAU_N, BASELINE = 300.0, 150.0, 0.004
DOPAMINE = np.unique(np.random.RandomState(9).randint(100, given.STEPS - 1000, 20))  # steps


def triplet():
    """`stdp_triplet_synapse`."""

    def neurojax(nj):
        rule = nj.plasticity.TripletSTDP(
            A2_plus=5e-4, A3_plus=6.2e-3, A2_minus=7e-3, A3_minus=2.3e-3, tau_plus=16.8,
            tau_minus=33.7, tau_x=101.0, tau_y=125.0, w_max=100.0, delay="dendritic",
        )  # fmt: skip
        return given.neurojax(nj, rule, TRAINS)

    def nest(nest):
        return given.nest(
            nest, "stdp_triplet_synapse", TRAINS, {"tau_minus": 33.7, "tau_minus_triplet": 125.0},
            Aplus=5e-4, Aplus_triplet=6.2e-3, Aminus=7e-3, Aminus_triplet=2.3e-3, tau_plus=16.8,
            tau_plus_triplet=101.0, Wmax=100.0,
        )  # fmt: skip

    # weights grow to 37
    return Case("stdp_triplet_synapse", neurojax, {"nest": nest}, LIMIT, {"weights": 2e-3})


def inhibitory():
    """`vogels_sprekeler_synapse`, away from the upper bound."""
    tau, alpha = 20.0, 0.4

    def neurojax(nj):
        rule = nj.plasticity.InhibitorySTDP(
            eta=0.005, rho0=1e3 * alpha / (2 * tau), tau=tau, w_max=100.0, delay="dendritic"
        )
        return given.neurojax(nj, rule, TRAINS)

    def nest(nest):
        synapse = {"eta": 0.005, "alpha": alpha, "tau": tau, "Wmax": 100.0}
        return given.nest(nest, "vogels_sprekeler_synapse", TRAINS, {"tau_minus": tau}, **synapse)

    note = "at the bound NEST clips twice per presynaptic spike"
    return Case("vogels_sprekeler_synapse", neurojax, {"nest": nest}, LIMIT, SINGLE, note=note)


def modulator():
    """What ours wants for dopamine in spikes: within a step it takes a constant."""
    fired = np.zeros(given.STEPS + 1)
    fired[DOPAMINE] = 1.0 / TAU_N
    n, now = np.zeros(given.STEPS), 0.0
    for k in range(given.STEPS):
        now += fired[k]
        n[k] = now
        now *= np.exp(-given.DT / TAU_N)
    # the mean of n over a step, weighted by an eligibility that decays within it
    both = 1.0 / (1.0 / TAU_C + 1.0 / TAU_N)
    mean = both * np.expm1(-given.DT / both) / (TAU_C * np.expm1(-given.DT / TAU_C))
    return n * mean - BASELINE


def dopamine():
    """`stdp_dopamine_synapse`."""

    def neurojax(nj):
        rule = nj.plasticity.ThreeFactorSTDP(
            A_plus=0.05, A_minus=0.06, tau_plus=20.0, tau_minus=30.0, tau_e=TAU_C, w_min=-1e3,
            w_max=1e3, delay="dendritic",
        )  # fmt: skip
        inputs = {"modulator": nj.inputs.Sampled(modulator(), given.DT)}
        return given.neurojax(nj, rule, TRAINS, inputs)

    def before(nest):
        times = np.round(given.DT * DOPAMINE, 1)
        generator = nest.Create("spike_generator", {"spike_times": times.tolist()})
        parrot = nest.Create("parrot_neuron")
        transmitter = nest.Create("volume_transmitter")
        # all in all as late as the trains
        nest.Connect(generator, parrot, "one_to_one", {"delay": given.LAG - 0.5})
        nest.Connect(parrot, transmitter, "one_to_one", {"delay": 0.5})
        return {"volume_transmitter": transmitter, "A_plus": 0.05, "A_minus": 0.06,
                "tau_c": TAU_C, "tau_n": TAU_N, "tau_plus": 20.0, "b": BASELINE, "Wmin": -1e3,
                "Wmax": 1e3}  # fmt: skip

    def nest(nest):
        return given.nest(nest, "stdp_dopamine_synapse", TRAINS, {"tau_minus": 30.0}, before=before)

    note = "the shortest delay in NEST must be one step: else it mixes up the order of events"
    single = {"weights": 2e-2}  # weights go 80 up and down
    return Case("stdp_dopamine_synapse", neurojax, {"nest": nest}, LIMIT, single, note=note)


CASES = [triplet(), inhibitory(), dopamine()]
