"""Leaky neurons with current-based synapses; both sides are exact, so nothing may differ."""

import in_nest
import in_neurojax as ours
import numpy as np
from drives import STEPS, delays, matrix, trains
from frame import Case

N = 8
LEAK = {"C_m": 250.0, "E_L": -70.0, "V_th": -55.0, "V_reset": -65.0}
I_E = np.linspace(0.0, 420.0, N)
T_REF = np.array([0.0, 0.1, 0.5, 1.0, 2.0, 2.0, 5.0, 5.0])
TAU_M = np.array([10.0, 10.0, 5.0, 20.0, 10.0, 2.0, 0.5, 10.0])
# equal to tau_m, nearly so, and apart
TAU_EX = np.array([2.0, 10.0, 5.0, 3.0, 10.0, 2.0, 0.5, 0.5])
TAU_IN = np.array([10.0, 4.0, 5.0, 20.0, 10.0 - 1e-6, 2.0, 2.0, 1.0])
TIMES = trains()
EXCITE, INHIBIT = matrix(8, N, 20.0, 200.0), matrix(4, N, -100.0, -20.0)
LATE = delays(12, N)
EXACT = {"V_m": 1e-9, "spikes": 0}
SINGLE = {"V_m": 2e-3, "spikes": 0}


def with_synapses(model, scale):
    """One case for a kind of synapse."""

    def nest(nest):
        in_nest.start(nest)
        cells = in_nest.cells(
            nest, model, N, **LEAK, tau_m=TAU_M, t_ref=T_REF, I_e=I_E, tau_syn_ex=TAU_EX,
            tau_syn_in=TAU_IN,
        )  # fmt: skip
        sources = in_nest.trains(nest, TIMES)
        in_nest.connect(nest, sources, cells, scale * np.vstack([EXCITE, INHIBIT]), LATE)
        return in_nest.watch(nest, cells, "V_m")(STEPS)

    def neurojax(nj):
        kind = nj.synapses.ExpCurrent if "exp" in model else nj.synapses.AlphaCurrent
        cells = nj.neurons.LIF(
            n=N, **LEAK, g_L=LEAK["C_m"] / TAU_M, t_ref=T_REF,
            receptors={"exc": kind(TAU_EX), "inh": kind(TAU_IN)},
        )  # fmt: skip
        weights = scale * np.vstack([EXCITE, INHIBIT])
        net = ours.network(nj, cells, TIMES, [
            ours.connect(nj, "in", "cells", "exc", np.maximum(weights, 0.0), LATE),
            ours.connect(nj, "in", "cells", "inh", np.minimum(weights, 0.0), LATE),
        ])  # fmt: skip
        return ours.run(nj, net, STEPS, "V_m", inputs={"I_e": I_E})

    return Case(model, neurojax, {"nest": nest}, EXACT, SINGLE)


def delta(mode):
    """Voltage jumps, lost or kept while refractory."""
    jumps = np.vstack([EXCITE, INHIBIT]) / 60.0

    def nest(nest):
        in_nest.start(nest)
        cells = in_nest.cells(nest, "iaf_psc_delta", N, **LEAK, tau_m=TAU_M, t_ref=T_REF, I_e=I_E)
        cells.refractory_input = mode == "integrate"
        in_nest.connect(nest, in_nest.trains(nest, TIMES), cells, jumps, LATE)
        return in_nest.watch(nest, cells, "V_m")(STEPS)

    def neurojax(nj):
        cells = nj.neurons.LIF(
            n=N, **LEAK, g_L=LEAK["C_m"] / TAU_M, t_ref=T_REF, refractory_input=mode,
            receptors={"d": nj.synapses.Delta()},
        )  # fmt: skip
        net = ours.network(nj, cells, TIMES, [ours.connect(nj, "in", "cells", "d", jumps, LATE)])
        return ours.run(nj, net, STEPS, "V_m", inputs={"I_e": I_E})

    return Case(f"iaf_psc_delta, refractory input: {mode}", neurojax, {"nest": nest}, EXACT, SINGLE)


CASES = [
    with_synapses("iaf_psc_exp", 1.0),
    with_synapses("iaf_psc_alpha", 0.5),
    delta("ignore"),
    delta("integrate"),
]
