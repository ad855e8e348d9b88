"""Leaky, AdEx and Izhikevich neurons as they are written in Brian2.

Brian2 labels a spike with the beginning of its step; one step is added here. Its `refractory=t`
holds V for t / dt - 1 steps, since the step of the reset counts.
"""

import in_brian2
import in_neurojax as ours
import numpy as np
from drives import STEPS, delays, matrix, trains
from frame import Case
from frame import trains as split

N, DT = 8, 0.1
LEAK = {"C_m": 250.0, "E_L": -70.0, "V_th": -55.0, "V_reset": -65.0}
I_E = np.linspace(0.0, 420.0, N)
HELD = np.array([0, 1, 2, 5, 10, 20, 20, 50])  # steps in which V is held
TAU_M = np.array([10.0, 10.0, 5.0, 20.0, 10.0, 4.0, 5.0, 10.0])
TIMES = trains()
EXCITE, INHIBIT = matrix(8, N, 20.0, 200.0), matrix(4, N, -100.0, -20.0)
WEIGHTS, LATE = np.vstack([EXCITE, INHIBIT]), delays(12, N)
TAU = 2.5


def refractory(b2):
    """What Brian2 calls the refractory time of each neuron."""
    return np.where(HELD > 0, (HELD + 1) * DT, 0.0) * b2.ms


def constants(b2):
    """Parameters that all share."""
    return {"C_m": 250 * b2.pF, "E_L": -70 * b2.mV, "V_th": -55 * b2.mV, "V_reset": -65 * b2.mV,
            "tau": TAU * b2.ms, "E_rev": 0 * b2.mV}  # fmt: skip


def leaky(b2, equations):
    """Leaky neurons that Brian2 integrates exactly, and the trains that come in."""
    in_brian2.start(b2)
    cells = b2.NeuronGroup(
        N, equations, threshold="v > V_th", reset="v = V_reset", refractory="held",
        method="exact",
    )  # fmt: skip
    cells.v, cells.tau_m, cells.i_e = -70 * b2.mV, TAU_M * b2.ms, I_E * b2.pA
    cells.held = refractory(b2)
    source = in_brian2.trains(b2, TIMES)
    return cells, source


def current():
    """Exact integration of an exponential current."""
    equations = """
    dv/dt = (E_L - v) / tau_m + (i_syn + i_e) / C_m : volt (unless refractory)
    di_syn/dt = -i_syn / tau : amp
    tau_m : second (constant)
    i_e : amp (constant)
    held : second (constant)
    """

    def brian2(b2):
        cells, source = leaky(b2, equations)
        synapses = in_brian2.connect(b2, source, cells, WEIGHTS, LATE, "i_syn_post += w", "amp")
        traces = {"v": b2.mV, "i_syn": b2.pA}
        found = in_brian2.run(b2, cells, [source, synapses], STEPS, traces, constants(b2))
        return {"spikes": found["spikes"], "V_m": found["v"], "I": found["i_syn"]}

    def neurojax(nj):
        cells = nj.neurons.LIF(
            n=N, **LEAK, g_L=250.0 / TAU_M, t_ref=HELD * DT,
            receptors={"exc": nj.synapses.ExpCurrent(TAU)},
        )  # fmt: skip
        net = ours.network(nj, cells, TIMES, [
            ours.connect(nj, "in", "cells", "exc", WEIGHTS, LATE)
        ])  # fmt: skip
        found = ours.run(nj, net, STEPS, "V_m", "exc.I", inputs={"I_e": I_E})
        return {"spikes": found["spikes"], "V_m": found["V_m"], "I": found["exc.I"]}

    limits = {"spikes": 0, "V_m": 1e-9, "I": 1e-9}
    single = {"spikes": 0, "V_m": 2e-3, "I": 1e-2}
    return Case("LIF, method exact", neurojax, {"brian2": brian2}, limits, single,
                offset={"brian2": DT})  # fmt: skip


def jump():
    """Jumps: Brian2 looks at the threshold before synapses act, unless told otherwise."""
    equations = """
    dv/dt = (E_L - v) / tau_m + i_e / C_m : volt (unless refractory)
    tau_m : second (constant)
    i_e : amp (constant)
    held : second (constant)
    """
    weights = WEIGHTS / 60.0

    def brian2(b2):
        cells, source = leaky(b2, equations)
        # synapses before thresholds, as here and in NEST; they then hear of a spike a step later
        early = LATE - DT
        synapses = in_brian2.connect(b2, source, cells, weights, early, "v_post += w", "volt")
        network = [source, synapses]
        synapses.pre.when, synapses.pre.order = "thresholds", -1
        found = in_brian2.run(b2, cells, network, STEPS, {"v": b2.mV}, constants(b2))
        return {"spikes": found["spikes"], "V_m": found["v"]}

    def neurojax(nj):
        cells = nj.neurons.LIF(
            n=N, **LEAK, g_L=250.0 / TAU_M, t_ref=HELD * DT, receptors={"d": nj.synapses.Delta()}
        )
        net = ours.network(nj, cells, TIMES, [
            ours.connect(nj, "in", "cells", "d", weights, LATE)
        ])  # fmt: skip
        return ours.run(nj, net, STEPS, "V_m", inputs={"I_e": I_E})

    limits = {"spikes": 0, "V_m": 1e-9}
    note = "Brian2's synapses are moved before its thresholds; by default they come after them"
    return Case("LIF, v += w", neurojax, {"brian2": brian2}, limits, offset={"brian2": DT},
                note=note)  # fmt: skip


def conductance(dt):
    """Exponential Euler there is of first order, ours of second."""
    equations = """
    dv/dt = (E_L - v) / tau_m + (g * (E_rev - v) + i_e) / C_m : volt (unless refractory)
    dg/dt = -g / tau : siemens
    tau_m : second (constant)
    i_e : amp (constant)
    """
    weights = matrix(8, N, 1.0, 5.0)
    fine = round(0.1 / dt)
    steps = 1000 * fine

    def thin(V, spikes):
        return {"V_m": V[fine - 1 :: fine, 4:]} | split(spikes, N)

    threshold = np.repeat([-55.0, 1e3], 4)

    def brian2(b2):
        in_brian2.start(b2, dt)
        cells = b2.NeuronGroup(
            N, equations + "v_th : volt (constant)", threshold="v > v_th", reset="v = V_reset",
            refractory=2 * b2.ms + dt * b2.ms, method="exponential_euler",
        )  # fmt: skip
        cells.v, cells.tau_m, cells.i_e = -70 * b2.mV, TAU_M * b2.ms, 0.5 * I_E * b2.pA
        cells.v_th = threshold * b2.mV
        source = in_brian2.trains(b2, TIMES[:8], dt)
        synapses = in_brian2.connect(b2, source, cells, weights, LATE[:8], "g_post += w", "siemens")
        found = in_brian2.run(b2, cells, [source, synapses], steps, {"v": b2.mV}, constants(b2), dt)
        spikes = found["spikes"] + [dt, 0.0]
        return thin(found["v"], spikes)

    def neurojax(nj):
        cells = nj.neurons.LIF(
            n=N, **(LEAK | {"V_th": threshold}), g_L=250.0 / TAU_M, t_ref=2.0,
            receptors={"exc": nj.synapses.ExpConductance(TAU, 0.0)},
        )  # fmt: skip
        synapses = [ours.connect(nj, "in", "cells", "exc", weights, LATE[:8])]
        net = ours.network(nj, cells, TIMES[:8], synapses, dt=dt)
        found = ours.run(nj, net, steps, "V_m", dt=dt, inputs={"I_e": 0.5 * I_E})
        return thin(found["V_m"], found["spikes"])

    limits = {"V_m": 3.0 * dt, "times": 10 * dt + 1e-9, "counts": 0}
    return Case(
        f"LIF with a conductance, exponential_euler, dt {dt} ms", neurojax, {"brian2": brian2},
        limits, dt=dt, note="Brian2's method is of first order",
    )  # fmt: skip


def izhikevich():
    """Forward Euler of the same equations."""
    kinds = {"a": [0.02, 0.02, 0.1], "b": [0.2, 0.2, 0.2], "c": [-65.0, -55.0, -65.0],
             "d": [8.0, 4.0, 2.0]}  # fmt: skip
    equations = """
    dv/dt = (0.04 * v**2 + 5 * v + 140 - u + 10) / ms : 1
    du/dt = a * (b * v - u) / ms : 1
    a : 1
    b : 1
    c : 1
    d : 1
    """

    def brian2(b2):
        in_brian2.start(b2)
        cells = b2.NeuronGroup(
            3, equations, threshold="v > 30", reset="v = c; u += d", method="euler"
        )
        for name, value in kinds.items():
            setattr(cells, name, value)
        cells.v, cells.u = -65.0, -65.0 * np.array(kinds["b"])
        found = in_brian2.run(b2, cells, [], STEPS, {"v": 1, "u": 1}, {})
        return {"spikes": found["spikes"], "V_m": found["v"], "u": found["u"]}

    def neurojax(nj):
        parameters = {k: np.array(v) for k, v in kinds.items()}
        cells = nj.neurons.Izhikevich(n=3, **parameters, solver=nj.solvers.Euler())
        return ours.run(nj, ours.network(nj, cells), STEPS, "V_m", "u", inputs={"I_e": 10.0})

    limits = {"spikes": 0, "V_m": 1e-2, "u": 1e-3}
    return Case("Izhikevich, euler", neurojax, {"brian2": brian2}, limits, offset={"brian2": DT})


def adex(dt):
    """Brian2's equations with its Runge-Kutta method of second order."""
    c = {"C_m": 281.0, "g_L": 30.0, "E_L": -70.6, "V_th": -50.4, "Delta_T": 2.0, "a": 4.0,
         "b": 80.5, "tau_w": 144.0}  # fmt: skip
    drive = np.array([700.0, 900.0, 1200.0])
    fine = round(0.1 / dt)
    steps = 2000 * fine
    equations = """
    dv/dt = (g_L * (E_L - v + Delta_T * exp((v - V_T) / Delta_T)) - w + i_e) / C_m
        : volt (unless refractory)
    dw/dt = (a * (v - E_L) - w) / tau_w : amp
    i_e : amp
    """

    def brian2(b2):
        in_brian2.start(b2, dt)
        space = {
            "C_m": 281 * b2.pF, "g_L": 30 * b2.nS, "E_L": -70.6 * b2.mV, "V_T": -50.4 * b2.mV,
            "Delta_T": 2 * b2.mV, "a": 4 * b2.nS, "b": 80.5 * b2.pA, "tau_w": 144 * b2.ms,
        }  # fmt: skip
        cells = b2.NeuronGroup(
            3, equations, threshold="v > -40*mV", reset="v = -60*mV; w += b",
            refractory=(2 + dt) * b2.ms, method="rk4", namespace=space,
        )  # fmt: skip
        cells.v, cells.i_e = -70.6 * b2.mV, drive * b2.pA
        found = in_brian2.run(b2, cells, [], steps, {"v": b2.mV}, {}, dt)
        return split(found["spikes"] + [dt, 0.0], 3)

    def neurojax(nj):
        cells = nj.neurons.AdEx(n=3, **c, V_peak=-40.0, V_reset=-60.0, t_ref=2.0)
        net = ours.network(nj, cells, dt=dt)
        found = ours.run(nj, net, steps, dt=dt, inputs={"I_e": drive})
        return split(found["spikes"], 3)

    limits = {"times": 4 * dt + 1e-9, "counts": 0}
    return Case(f"AdEx, rk4, dt {dt} ms", neurojax, {"brian2": brian2}, limits, dt=dt)


def written(title, equations, reset, start, cell, limits, threshold="v > v_th", **options):
    """Equations in Brian2 beside a neuron of ours with the same solver; a current, no synapses.

    `options`: Brian2's `method` and the steps in which V is held. `start` has the state of both.
    """
    method, held = options["method"], options["held"]
    drive, steps = options["drive"], 4000
    names = {"V_m": "v", "w": "w", "theta_1": "x", "theta_2": "y"}

    def brian2(b2):
        in_brian2.start(b2)
        cells = b2.NeuronGroup(
            len(drive), equations + "\ndrive : 1 (constant)", threshold=threshold, reset=reset,
            refractory=(held + 1) * DT * b2.ms if held else False, method=method,
            namespace=options["numbers"],
        )  # fmt: skip
        cells.drive = drive
        for name, value in start.items():
            setattr(cells, names[name], value)
        traces = {names[name]: 1 for name in start}
        found = in_brian2.run(b2, cells, [], steps, traces, {})
        return {"spikes": found["spikes"]} | {name: found[names[name]] for name in start}

    def neurojax(nj):
        net = ours.network(nj, cell(nj, len(drive)))
        return ours.run(nj, net, steps, *start, inputs={"I_e": drive})

    return Case(title, neurojax, {"brian2": brian2}, limits, offset={"brian2": DT})


def several():
    """Models that reset, adapt or subtract; numbers in mV, ms, pA, nS, pF on both sides."""
    leak = "dv/dt = (25 * (-70 - v) + drive {}) / 250 / ms : 1 (unless refractory)\n"
    exact = {"spikes": 0, "V_m": 1e-9, "w": 1e-9, "theta_1": 1e-9, "theta_2": 1e-9}
    drive = np.array([300.0, 450.0, 700.0, 1500.0])
    common = {"drive": drive, "numbers": {"v_th": -55.0}}
    rest = {"V_m": -70.0}
    return [
        written(
            "LIF, subtractive reset", leak.format(""), "v -= 15", rest,
            lambda nj, n: nj.neurons.LIF(n=n, reset="subtract", t_ref=1.0),
            exact, method="exact", held=10, **common,
        ),
        written(
            "ALIF",
            leak.format("") + "dx/dt = -x / (20*ms) : 1\ndy/dt = -y / (200*ms) : 1",
            "v = -70; x += 2; y += 0.5", rest | {"theta_1": 0.0, "theta_2": 0.0},
            lambda nj, n: nj.neurons.ALIF(n=n, b=(2.0, 0.5), tau_b=(20.0, 200.0), t_ref=2.0),
            exact, "v > v_th + x + y", method="exact", held=20, **common,
        ),
        written(
            "LIFAdaptation, current", leak.format("- w") + "dw/dt = -w / (110*ms) : 1",
            "v = -70; w += 40", rest | {"w": 0.0},
            lambda nj, n: nj.neurons.LIFAdaptation(
                n=n, q_sfa=40.0, tau_sfa=110.0, adaptation="current", t_ref=2.0
            ),
            exact, method="exact", held=20, **common,
        ),
        written(
            "EIF, rk4",
            "dv/dt = (10 * (-65 - v + 3.48 * exp((v + 59.9) / 3.48)) + drive) / 100 / ms"
            " : 1 (unless refractory)",
            "v = -68", {"V_m": -65.0},
            lambda nj, n: nj.neurons.EIF(
                n=n, V_peak=-45.0, t_ref=1.7, solver=nj.solvers.RungeKutta4()
            ),
            {"spikes": 0, "V_m": 1e-9}, method="rk4", held=17,
            drive=np.array([60.0, 100.0, 200.0, 400.0]), numbers={"v_th": -45.0},
        ),
        written(
            "QIF, rk4",
            "dv/dt = (0.5 * (v + 70) * (v + 50) + drive) / 100 / ms : 1 (unless refractory)",
            "v = -68", {"V_m": -70.0},
            lambda nj, n: nj.neurons.QIF(
                n=n, C_m=100.0, g_L=10.0, E_L=-70.0, V_th=-50.0, V_peak=-30.0, V_reset=-68.0,
                t_ref=2.0, solver=nj.solvers.RungeKutta4(),
            ),
            {"spikes": 0, "V_m": 1e-9}, method="rk4", held=20,
            drive=np.array([60.0, 100.0, 200.0, 400.0]), numbers={"v_th": -30.0},
        ),
    ]  # fmt: skip


CASES = [
    current(), jump(), *several(), conductance(0.1), conductance(0.02), izhikevich(), adex(0.1),
    adex(0.01),
]  # fmt: skip
