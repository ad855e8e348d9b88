"""Neurons that are driven by plastic synapses, so that weights move spikes and spikes weights."""

import in_nest
import in_neurojax as ours
import numpy as np
from frame import Case

N_PRE, N, STEPS, DT = 40, 10, 10_000, 0.1
CELL = {"C_m": 250.0, "E_L": -70.0, "V_th": -55.0, "V_reset": -70.0, "t_ref": 2.0}
TAU_M, TAU_SYN, TAU_PLUS, TAU_MINUS, W_MAX = 10.0, 2.0, 20.0, 30.0, 200.0
FORWARD, RECURRENT, ALPHA, MU_PLUS, MU_MINUS = 0.01, 0.02, 1.05, 0.4, 0.2
DRAWS = np.random.RandomState(3)
TRAINS = [np.flatnonzero(DRAWS.rand(STEPS - 30) < 30e-3 * DT) + 21 for _ in range(N_PRE)]
WEIGHTS = DRAWS.uniform(40.0, 160.0, (N_PRE, N))
RING = np.where(np.eye(N, dtype=bool), 0.0, 30.0)
I_E = np.linspace(250.0, 420.0, N)
DELAYS = {
    "delays of 1 step": (1, 1),
    "delays of 5 steps": (5, 5),
    "delays of 1 to 25 steps": (DRAWS.randint(1, 26, (N_PRE, N)), DRAWS.randint(1, 26, (N, N))),
}


def case(name):
    """A feed-forward and a recurrent projection, both plastic."""
    forward, recurrent = (np.broadcast_to(DT * np.asarray(d), s) for d, s in zip(
        DELAYS[name], ((N_PRE, N), (N, N)), strict=True
    ))  # fmt: skip

    def neurojax(nj):
        rule = lambda speed: nj.plasticity.PairSTDP(
            A_plus=speed * W_MAX, A_minus=ALPHA * speed * W_MAX, tau_plus=TAU_PLUS,
            tau_minus=TAU_MINUS, w_max=W_MAX, dependence="gutig", mu_plus=MU_PLUS,
            mu_minus=MU_MINUS, delay="dendritic",
        )  # fmt: skip
        cells = nj.neurons.LIF(
            n=N, g_L=CELL["C_m"] / TAU_M, receptors={"exc": nj.synapses.ExpCurrent(TAU_SYN)}, **CELL
        )
        net = ours.network(nj, cells, [DT * t for t in TRAINS], [
            ours.connect(nj, "in", "cells", "exc", WEIGHTS, forward, "s", plasticity=rule(FORWARD)),
            ours.connect(
                nj, "cells", "cells", "exc", RING, recurrent, "r", plasticity=rule(RECURRENT)
            ),
        ])  # fmt: skip
        record = {"w": nj.Trace("projections.s.weights"), "s": nj.Spikes("cells")}
        sim = nj.simulate(net, duration=STEPS * DT, dt=DT, inputs={"cells": {"I_e": I_E}},
                          record=record)  # fmt: skip
        w = np.asarray(sim["w"]).reshape(STEPS, N_PRE, N)
        spikes = np.stack([sim["s"].times, np.asarray(sim["s"].neurons, float)], axis=1)
        weights = np.concatenate([w[t - 1, i].ravel() for i, t in enumerate(TRAINS)])
        return {"weights": weights, "spikes": spikes}

    def nest(nest):
        in_nest.start(nest, DT)
        cells = in_nest.cells(
            nest, "iaf_psc_exp", N, **CELL, tau_m=TAU_M, tau_syn_ex=TAU_SYN, tau_syn_in=TAU_SYN,
            tau_minus=TAU_MINUS, I_e=I_E, V_m=CELL["E_L"],
        )  # fmt: skip
        parrots = nest.Create("parrot_neuron", N_PRE)
        generators = in_nest.trains(nest, [np.round(DT * t - 1.0, 1) for t in TRAINS])
        nest.Connect(generators, parrots, "one_to_one", {"delay": 1.0})
        recorder = nest.Create("weight_recorder")
        learning = {"alpha": ALPHA, "mu_plus": MU_PLUS, "mu_minus": MU_MINUS, "Wmax": W_MAX}
        learning |= {"tau_plus": TAU_PLUS}
        first = {"weight_recorder": recorder, "lambda": FORWARD}
        nest.CopyModel("stdp_synapse", "forward", first | learning)
        nest.CopyModel("stdp_synapse", "recurrent", {"lambda": RECURRENT} | learning)
        in_nest.connect(nest, parrots, cells, WEIGHTS, forward, synapse_model="forward")
        in_nest.connect(nest, cells, cells, RING, recurrent, synapse_model="recurrent")
        result = in_nest.watch(nest, cells)(STEPS)
        events = recorder.events
        order = np.lexsort((events["targets"], events["times"], events["senders"]))
        return result | {"weights": np.asarray(events["weights"])[order]}

    limits = {"weights": 1e-9, "spikes": 0}
    return Case(f"iaf_psc_exp and stdp_synapse, {name}", neurojax, {"nest": nest}, limits)


CASES = [case(name) for name in DELAYS]
