"""Leaky neurons with conductances, beside NEST and an adaptive solution on the same grid.

NEST's solver for these models allows errors of 1e-3 (mV, nS) in a step and cannot be told
otherwise (it does better here), so scipy is the judge. Ours is of second order: a crossing that
comes close to a label may fall into the step beside it, so times of spikes are compared, and V is
that of neurons that cannot spike.
"""

import in_nest
import in_neurojax as ours
import numpy as np
from drives import delays, matrix, trains
from frame import Case
from frame import trains as split
from in_scipy import arrivals, on_grid

N, STEPS = 12, 1500
LEAK = {"C_m": 250.0, "g_L": 16.6667, "E_L": -70.0, "V_reset": -60.0}
LEAK["V_th"] = np.repeat([-55.0, 1e3], 6)  # the last six do not spike
T_REF = np.tile([0.1, 1.0, 2.0, 2.0, 5.0, 0.5], 2)
I_E = np.tile(np.linspace(0.0, 200.0, 6), 2)
TAUS = {"ex": 1.5, "in": 4.0}
REVERSALS = {"ex": 0.0, "in": -85.0}
TIMES = trains(steps=STEPS)
EXCITE, INHIBIT = matrix(8, 6, 2.0, 9.0), matrix(4, 6, 2.0, 10.0)
EXCITE, INHIBIT = np.tile(EXCITE, 2), np.tile(INHIBIT, 2)
NONE_E, NONE_I = np.zeros_like(EXCITE), np.zeros_like(INHIBIT)
LATE = delays(12, N)


def conductance(model, dt=0.1):
    """One kind of synapse at one step length."""
    alpha = "alpha" in model
    fine = round(0.1 / dt)

    def thin(found):
        free = found["V_m"][fine - 1 :: fine, 6:]
        return {"V_m": free} | split(found["spikes"], N)

    def nest(nest):
        in_nest.start(nest, dt)
        names = {f"tau_syn_{k}": v for k, v in TAUS.items()}
        names |= {f"E_{k}": v for k, v in REVERSALS.items()}
        cells = in_nest.cells(nest, model, N, **LEAK, **names, t_ref=T_REF, I_e=I_E)
        weights = np.vstack([EXCITE, -INHIBIT])
        in_nest.connect(nest, in_nest.trains(nest, TIMES), cells, weights, LATE)
        return thin(in_nest.watch(nest, cells, "V_m", dt=dt)(STEPS * fine))

    def neurojax(nj):
        kind = nj.synapses.AlphaConductance if alpha else nj.synapses.ExpConductance
        cells = nj.neurons.LIF(
            n=N, **LEAK, t_ref=T_REF,
            receptors={k: kind(TAUS[k], REVERSALS[k]) for k in TAUS},
        )  # fmt: skip
        net = ours.network(nj, cells, TIMES, [
            ours.connect(nj, "in", "cells", "ex", np.vstack([EXCITE, NONE_I]), LATE),
            ours.connect(nj, "in", "cells", "in", np.vstack([NONE_E, INHIBIT]), LATE),
        ], dt=dt)  # fmt: skip
        return thin(ours.run(nj, net, STEPS * fine, "V_m", dt=dt, inputs={"I_e": I_E}))

    def scipy(scipy):
        steps = STEPS * fine
        into = [
            arrivals(TIMES, np.vstack(pair), LATE, steps, dt)
            for pair in ([EXCITE, NONE_I], [NONE_E, INHIBIT])
        ]
        tau, rev = np.array([*TAUS.values()])[:, None], np.array([*REVERSALS.values()])[:, None]

        def rates(y, held):
            V, first, g = y[0], y[1:3], y[3:5]
            synaptic = np.sum((g if alpha else first) * (rev - V), axis=0)
            rate = (synaptic + I_E - LEAK["g_L"] * (V - LEAK["E_L"])) / LEAK["C_m"]
            return np.vstack([np.where(held, 0.0, rate), -first / tau, first - g / tau])

        def arrive(y, k):
            gain = np.e / tau if alpha else 1.0
            y[1:3] += gain * np.stack([a[k] for a in into])
            return y

        def reset(y, fired):
            y[0] = np.where(fired, LEAK["V_reset"], y[0])
            return y

        start = np.zeros((5, N))
        start[0] = LEAK["E_L"]
        held = np.rint(T_REF / dt).astype(int)
        trace, spikes = on_grid(
            rates, start, arrive, lambda y: y[0] >= LEAK["V_th"], reset, held, steps, dt
        )
        return thin({"V_m": trace[:, 0], "spikes": spikes})

    peers = {"nest": nest, "scipy": scipy}
    # error of second order; a crossing may move to the next step, and the next one with it
    limits = {"V_m": 1.0 * dt**2, "times": 2 * dt + 1e-9, "counts": 0}
    single = limits | {"V_m": 1.0 * dt**2 + 2e-3} if dt == 0.1 else {}
    return Case(f"{model}, dt {dt} ms", neurojax, peers, limits, single, dt)


CASES = [
    conductance("iaf_cond_exp"),
    conductance("iaf_cond_alpha"),
    conductance("iaf_cond_alpha", 0.02),
]
