"""AdEx beside NEST, whose resets lie within a step, and beside scipy, with resets on the grid."""

import in_nest
import in_neurojax as ours
import numpy as np
from drives import delays, matrix, trains
from frame import Case
from frame import trains as split
from in_scipy import arrivals, on_grid

N, STEPS = 6, 1500
CELL = {
    "C_m": 281.0, "g_L": 30.0, "E_L": -70.6, "V_th": -50.4, "Delta_T": 2.0, "a": 4.0, "b": 80.5,
    "tau_w": 144.0, "V_reset": -60.0,
}  # fmt: skip
V_PEAK = 0.0
T_REF = np.array([0.0, 2.0, 5.0, 2.0, 2.0, 2.0])
I_E = np.array([700.0, 900.0, 1200.0, 0.0, 200.0, 400.0])  # the last three do not spike
TAUS, REVERSALS = {"ex": 1.0, "in": 4.0}, {"ex": 0.0, "in": -85.0}
TIMES = trains(steps=STEPS)
NONE_E, NONE_I = np.zeros((8, N)), np.zeros((4, N))
LATE = delays(12, N)


def adex(model, dt):
    """One kind of synapse and one length of step."""
    alpha, current = "alpha" in model, "psc" in model
    fine = round(0.1 / dt)
    unit = 15.0 if current else 1.0
    excite, inhibit = matrix(8, N, unit, 2 * unit), matrix(4, N, unit, 2 * unit)

    def thin(found):
        free = {k: found[k][fine - 1 :: fine, 3:] for k in ("V_m", "w")}
        return free | split(found["spikes"], N)

    def nest(nest):
        in_nest.start(nest, dt)
        names = {f"tau_syn_{k}": v for k, v in TAUS.items()}
        names |= {} if current else {f"E_{k}": v for k, v in REVERSALS.items()}
        cells = in_nest.cells(
            nest, model, N, V_peak=V_PEAK, t_ref=T_REF, I_e=I_E, **CELL, **names,
            gsl_error_tol=1e-12,
        )  # fmt: skip
        weights = np.vstack([excite, -inhibit])
        in_nest.connect(nest, in_nest.trains(nest, TIMES), cells, weights, LATE)
        return thin(in_nest.watch(nest, cells, "V_m", "w", dt=dt)(STEPS * fine))

    def neurojax(nj):
        if current:
            kind = nj.synapses.AlphaCurrent if alpha else nj.synapses.ExpCurrent
            receptors = {k: kind(TAUS[k]) for k in TAUS}
        else:
            kind = nj.synapses.AlphaConductance if alpha else nj.synapses.ExpConductance
            receptors = {k: kind(TAUS[k], REVERSALS[k]) for k in TAUS}
        cells = nj.neurons.AdEx(n=N, **CELL, V_peak=V_PEAK, t_ref=T_REF, receptors=receptors)
        sign = -1.0 if current else 1.0
        net = ours.network(nj, cells, TIMES, [
            ours.connect(nj, "in", "cells", "ex", np.vstack([excite, NONE_I]), LATE),
            ours.connect(nj, "in", "cells", "in", np.vstack([NONE_E, sign * inhibit]), LATE),
        ], dt=dt)  # fmt: skip
        return thin(ours.run(nj, net, STEPS * fine, "V_m", "w", dt=dt, inputs={"I_e": I_E}))

    def scipy(scipy):
        steps = STEPS * fine
        pairs = [excite, NONE_I], [NONE_E, inhibit * (-1.0 if current else 1.0)]
        into = [arrivals(TIMES, np.vstack(pair), LATE, steps, dt) for pair in pairs]
        tau, rev = np.array([*TAUS.values()])[:, None], np.array([*REVERSALS.values()])[:, None]
        c = CELL

        def rates(y, held):
            V, w, first, g = np.minimum(y[0], 0.0), y[1], y[2:4], y[4:6]
            g = g if alpha else first
            synaptic = np.sum(g if current else g * (rev - V), axis=0)
            upswing = c["Delta_T"] * np.exp((V - c["V_th"]) / c["Delta_T"])
            rate = (c["g_L"] * (c["E_L"] - V + upswing) - w + synaptic + I_E) / c["C_m"]
            slow = (c["a"] * (V - c["E_L"]) - w) / c["tau_w"]
            second = y[2:4] - y[4:6] / tau
            return np.vstack([np.where(held, 0.0, rate)[None], slow[None], -first / tau, second])

        def arrive(y, k):
            y[2:4] += (np.e / tau if alpha else 1.0) * np.stack([a[k] for a in into])
            return y

        def reset(y, fired):
            y[0], y[1] = np.where(fired, c["V_reset"], y[0]), y[1] + c["b"] * fired
            return y

        start = np.zeros((6, N))
        start[0] = c["E_L"]
        held = np.rint(T_REF / dt).astype(int)
        trace, spikes = on_grid(
            rates, start, arrive, lambda y: y[0] >= 0.0, reset, held, steps, dt, 1e-10
        )
        return thin({"V_m": trace[:, 0], "w": trace[:, 1], "spikes": spikes})

    peers = {"nest": nest} | ({"scipy": scipy} if dt == 0.1 else {})
    # V without spikes is of second order; on the grid each spike comes up to a step late
    limits = {"V_m": dt**2, "w": dt**2, "times": 10 * dt + 1e-9, "nest times": 1e-9, "counts": 0}
    note = "resets within the step, as in NEST; scipy resets on the grid"
    return Case(f"{model}, dt {dt} ms", neurojax, peers, limits, dt=dt, note=note)


def exponential(dt):
    """Without adaptation."""
    fine = round(0.1 / dt)
    cell = {k: CELL[k] for k in ("C_m", "g_L", "E_L", "V_th", "Delta_T", "V_reset")}
    drive, held = np.array([300.0, 600.0, 800.0, 1000.0]), np.array([2.0, 0.0, 0.5, 5.0])

    def nest(nest):
        in_nest.start(nest, dt)
        cells = in_nest.cells(nest, "aeif_psc_exp", 4, **cell, V_peak=0.0, t_ref=held, a=0.0,
                              b=0.0, I_e=drive, gsl_error_tol=1e-12)  # fmt: skip
        return split(in_nest.watch(nest, cells, dt=dt)(STEPS * fine)["spikes"], 4)

    def neurojax(nj):
        cells = nj.neurons.EIF(n=4, **cell, V_peak=0.0, t_ref=held)
        net = ours.network(nj, cells, dt=dt)
        found = ours.run(nj, net, STEPS * fine, dt=dt, inputs={"I_e": drive})
        return split(found["spikes"], 4)

    limits = {"times": 1e-9, "counts": 0}
    name = f"aeif_psc_exp without adaptation (EIF), dt {dt} ms"
    return Case(name, neurojax, {"nest": nest}, limits, dt=dt)


CASES = [
    exponential(0.1), exponential(0.02),
    adex("aeif_cond_exp", 0.1), adex("aeif_cond_exp", 0.02), adex("aeif_cond_alpha", 0.1),
    adex("aeif_psc_exp", 0.1), adex("aeif_psc_alpha", 0.1),
]  # fmt: skip
