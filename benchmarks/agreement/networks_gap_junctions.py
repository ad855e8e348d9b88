"""Electrical synapses: between conductance neurons, and between leaky ones.

The conductance neuron is a model of the user's own here: the equations of Mancilla et al. (2007),
J. Neurosci. 27:2058, which NEST calls hh_psc_alpha_gap.
"""

import in_brian2
import in_nest
import in_neurojax as ours
import numpy as np
from frame import Case

DURATION, JUNCTION, DRIVE = 100.0, 0.5, 100.0
START = {"V": [-10.0, -69.604], "m": 0.0192, "h": 0.8685, "p": 0.00025, "n": 0.00057}


def rates(np, V, m, h, p, n, current):
    """The membrane and its four gates; `np` is numpy or jax.numpy."""
    singular = lambda x, width: x / -np.expm1(-x / width)
    sodium = 4500.0 * m**3 * h * (V - 74.0)
    potassium = (9.0 * n**4 + 9000.0 * p**2) * (V + 90.0)
    leak = 10.0 * (V + 70.0)
    return {
        "V": (current - sodium - potassium - leak) / 40.0,
        "m": 40.0 * singular(V - 75.5, 13.5) * (1 - m) - 1.2262 * np.exp(-V / 42.248) * m,
        "h": 0.0035 * np.exp(-V / 24.186) * (1 - h) - 0.017 * singular(V + 51.25, 5.2) * h,
        "p": singular(V - 95.0, 11.8) * (1 - p) - 0.025 * np.exp(-V / 22.222) * p,
        "n": 0.014 * singular(V + 44.0, 2.3) * (1 - n) - 0.0043 * np.exp(-(V + 44.0) / 34.0) * n,
    }


def junction(dt, fine=None):
    """NEST's step, and ours: `fine`, or none for the adaptive engine."""
    every, steps = round(0.1 / dt), round(DURATION / dt)

    def nest(nest):
        in_nest.start(nest, dt)
        nest.SetKernelStatus({"use_wfr": True, "wfr_comm_interval": max(0.1, dt), "wfr_tol": 1e-9,
                              "wfr_max_iterations": 50, "wfr_interpolation_order": 3})  # fmt: skip
        gates = {"Act_m": "m", "Inact_h": "h", "Inact_p": "p", "Act_n": "n"}
        cells = in_nest.cells(nest, "hh_psc_alpha_gap", 2, V_m=START["V"], I_e=DRIVE,
                              **{k: START[v] for k, v in gates.items()})  # fmt: skip
        nest.Connect(cells, cells, {"rule": "all_to_all", "allow_autapses": False},
                     {"synapse_model": "gap_junction", "weight": JUNCTION})  # fmt: skip
        found = in_nest.watch(nest, cells, "V_m", dt=dt)(steps)
        return {"V_m": found["V_m"][every - 1 :: every]}

    def neurojax(nj):
        import jax.numpy as jnp

        class Mancilla(nj.ContinuousDynamics):
            solver: nj.solvers.AbstractStepper = nj.solvers.RungeKutta4()

            def init_state(self, *, key=None):
                state = {k: jnp.broadcast_to(jnp.asarray(v), (2,)) for k, v in START.items()}
                return {"V_m": state.pop("V"), **state}

            def drift(self, t, state, inputs):
                gates = [state[k] for k in "mhpn"]
                found = rates(jnp, state["V_m"], *gates, inputs["I_e"])
                return {"V_m": found.pop("V"), **found}

        gap = nj.synapses.GapJunctions("cells", "cells", JUNCTION * (1.0 - np.eye(2)))
        model = nj.Block({"cells": Mancilla()}, [gap], solver=nj.solvers.RungeKutta4())
        options = {"dt": fine}
        if fine is None:
            import diffrax

            control = diffrax.PIDController(rtol=1e-10, atol=1e-10)
            options = {"solver": diffrax.Dopri8(), "stepsize_controller": control, "dt": 0.1}
        sim = nj.simulate(
            model, duration=DURATION, inputs={"cells": {"I_e": DRIVE}},
            record={"V": nj.Trace("cells.V_m", every=round(0.1 / options["dt"]))}, **options,
        )  # fmt: skip
        return {"V_m": np.asarray(sim["V"])}

    def scipy(scipy):
        from scipy.integrate import solve_ivp

        def flow(t, y):
            V, *gates = y.reshape(5, 2)
            found = rates(np, V, *gates, DRIVE + JUNCTION * (V[::-1] - V))
            return np.concatenate([found[k] for k in ("V", *"mhpn")])

        start = np.concatenate([np.broadcast_to(START[k], 2) for k in ("V", *"mhpn")])
        t = 0.1 * np.arange(1, round(DURATION / 0.1) + 1)
        solved = solve_ivp(flow, (0, t[-1]), start, "DOP853", t, rtol=1e-11, atol=1e-11)
        return {"V_m": solved.y[:2].T}

    # NEST at 0.1 ms is off itself, by what is shown
    limits = {"scipy V_m": 1e-6 if fine is None else 1e-3, "nest V_m": 1e-3 if dt < 0.05 else None}
    own = "adaptive" if fine is None else f"RungeKutta4 at {fine} ms"
    return Case(
        f"gap junction of hh_psc_alpha_gap, {own}, NEST at {dt} ms", neurojax,
        {"nest": nest, "scipy": scipy}, limits,
    )  # fmt: skip


def summed():
    """Leaky neurons that spike, joined by all junctions at once: Brian2's summed variables."""
    n, steps = 6, 2000
    g = np.random.RandomState(4).uniform(0.0, 3.0, (n, n))
    g = np.tril(g, -1) + np.tril(g, -1).T
    drive = np.linspace(200.0, 600.0, n)

    def brian2(b2):
        in_brian2.start(b2)
        cells = b2.NeuronGroup(
            n,
            """
            dv/dt = ((-70*mV - v) * 25*nS + i_gap + i_e) / (250*pF) : volt (unless refractory)
            i_gap : amp
            i_e : amp
            """,
            threshold="v > -55*mV", reset="v = -65*mV", refractory=2.1 * b2.ms, method="euler",
        )  # fmt: skip
        cells.v, cells.i_e = -70 * b2.mV, drive * b2.pA
        model = "g : siemens\ni_gap_post = g * (v_pre - v_post) : amp (summed)"
        junctions = b2.Synapses(cells, cells, model)
        rows, columns = np.nonzero(g)
        junctions.connect(i=rows, j=columns)
        junctions.g = g[rows, columns] * b2.nS
        found = in_brian2.run(b2, cells, [junctions], steps, {"v": b2.mV}, {})
        return {"spikes": found["spikes"], "V_m": found["v"]}

    def neurojax(nj):
        cells = nj.neurons.LIF(n=n, V_reset=-65.0, t_ref=2.0)
        gap = nj.synapses.GapJunctions("cells", "cells", g)
        model = nj.Block({"cells": cells}, [gap], solver=nj.solvers.Euler())
        return ours.run(nj, model, steps, "V_m", inputs={"I_e": drive})

    limits = {"spikes": 0, "V_m": 1e-9}
    note = "Euler on both sides; Brian2 holds a summed variable over the step with any method"
    return Case("leaky neurons, summed variable", neurojax, {"brian2": brian2}, limits,
                offset={"brian2": 0.1}, note=note)  # fmt: skip


CASES = [junction(0.1, 0.002), junction(0.05), junction(0.01), summed()]
