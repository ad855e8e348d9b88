"""Adaptation, a threshold that moves, slow receptors, receptors that rise and decay."""

import in_nest
import in_neurojax as ours
import numpy as np
from drives import delays, matrix, trains
from frame import Case
from frame import trains as split

STEPS, N = 3000, 4
TIMES = trains(8, 50.0, STEPS, seed=9)
LATE = delays(8, N)


def moving_threshold():
    """Two time constants of the threshold, no reset."""
    weights, drive = matrix(8, N, 300.0, 900.0), np.array([0.0, 200.0, 300.0, 500.0])
    cell = {"C_m": 100.0, "E_L": -70.0, "t_ref": 2.0}

    def nest(nest):
        in_nest.start(nest)
        cells = in_nest.cells(
            nest, "mat2_psc_exp", N, **cell, tau_m=5.0, tau_syn_ex=1.0, I_e=drive, omega=-51.0,
            alpha_1=37.0, alpha_2=2.0, tau_1=10.0, tau_2=200.0,
        )  # fmt: skip
        in_nest.connect(nest, in_nest.trains(nest, TIMES), cells, weights, LATE)
        return in_nest.watch(nest, cells, "V_m")(STEPS)

    def neurojax(nj):
        cells = nj.neurons.ALIF(
            n=N, **cell, g_L=20.0, V_th=-51.0, b=(37.0, 2.0), tau_b=(10.0, 200.0), reset="none",
            receptors={"exc": nj.synapses.ExpCurrent(1.0)},
        )  # fmt: skip
        net = ours.network(nj, cells, TIMES, [
            ours.connect(nj, "in", "cells", "exc", weights, LATE)
        ])  # fmt: skip
        return ours.run(nj, net, STEPS, "V_m", inputs={"I_e": drive})

    limits, single = {"spikes": 0, "V_m": 1e-9}, {"spikes": 0, "V_m": 2e-3}
    note = "V falls below the threshold again after each spike; where it does not, NEST repeats"
    return Case("mat2_psc_exp", neurojax, {"nest": nest}, limits, single, note=note)


def adaptation(dt):
    """A conductance that spikes open."""
    fine = round(0.1 / dt)
    drive, weights = np.array([500.0, 700.0, 900.0, 1500.0]), matrix(8, N, 1.0, 6.0)
    cell = {"C_m": 289.5, "g_L": 28.95, "E_L": -70.0, "V_th": -57.0, "V_reset": -70.0,
            "t_ref": 0.5, "q_sfa": 14.48, "tau_sfa": 110.0, "E_sfa": -70.0}  # fmt: skip

    def nest(nest):
        in_nest.start(nest, dt)
        cells = in_nest.cells(
            nest, "iaf_cond_exp_sfa_rr", N, **cell, q_rr=0.0, tau_syn_ex=1.5, E_ex=0.0, I_e=drive
        )
        in_nest.connect(nest, in_nest.trains(nest, TIMES), cells, weights, LATE)
        return split(in_nest.watch(nest, cells, dt=dt)(STEPS * fine)["spikes"], N)

    def neurojax(nj):
        cells = nj.neurons.LIFAdaptation(
            n=N, **cell, receptors={"exc": nj.synapses.ExpConductance(1.5, 0.0)}
        )
        synapses = [ours.connect(nj, "in", "cells", "exc", weights, LATE)]
        net = ours.network(nj, cells, TIMES, synapses, dt=dt)
        found = ours.run(nj, net, STEPS * fine, dt=dt, inputs={"I_e": drive})
        return split(found["spikes"], N)

    limits = {"times": 2 * dt + 1e-9, "counts": 0}
    name = f"iaf_cond_exp_sfa_rr, dt {dt} ms"
    return Case(name, neurojax, {"nest": nest}, limits, dt=dt)


def rise_and_decay(dt):
    """A conductance with two time constants, normalised by its peak."""
    fine, weights = round(0.1 / dt), matrix(8, N, 1.0, 6.0)
    leak = {"C_m": 250.0, "g_L": 16.6667, "E_L": -70.0, "V_th": 1e3, "V_reset": -70.0}

    def nest(nest):
        in_nest.start(nest, dt)
        cells = in_nest.cells(nest, "iaf_cond_beta", N, **leak, tau_rise_ex=0.7, tau_decay_ex=4.0)
        in_nest.connect(nest, in_nest.trains(nest, TIMES), cells, weights, LATE)
        found = in_nest.watch(nest, cells, "V_m", "g_ex", dt=dt)(STEPS * fine)
        return {"V_m": found["V_m"][fine - 1 :: fine], "g": found["g_ex"][fine - 1 :: fine]}

    def neurojax(nj):
        kind = nj.synapses.DoubleExpConductance(0.7, 4.0, 0.0)
        cells = nj.neurons.LIF(n=N, **leak, receptors={"exc": kind})
        synapses = [ours.connect(nj, "in", "cells", "exc", weights, LATE)]
        net = ours.network(nj, cells, TIMES, synapses, dt=dt)
        found = ours.run(nj, net, STEPS * fine, "V_m", "exc.g", dt=dt)
        return {k: found[n][fine - 1 :: fine] for k, n in (("V_m", "V_m"), ("g", "exc.g"))}

    name = f"iaf_cond_beta, dt {dt} ms"
    return Case(name, neurojax, {"nest": nest}, {"V_m": dt**2, "g": 1e-4}, dt=dt)


def saturating():
    """NMDA synapses of Wang (2002): release with the decay time of the receptor saturates them."""
    cell = {"C_m": 500.0, "g_L": 25.0, "E_L": -70.0, "V_th": -50.0, "V_reset": -55.0, "t_ref": 2.0}
    alpha, rise, decay, weights = 0.5, 2.0, 100.0, np.array([[0.5], [1.0], [1.5]])
    drive = np.array([550.0, 600.0, 800.0])
    # what a spike opens in NEST, whose x(t) lasts: k0 - k1 s
    steps_of_x = np.linspace(0.0, alpha * rise, 200_001)[1:]
    middle = steps_of_x - 0.5 * (steps_of_x[1] - steps_of_x[0])
    power = rise / decay
    integral = np.sum(middle ** (-power) * np.exp(-middle)) * (steps_of_x[1] - steps_of_x[0])
    k0, k1 = (alpha * rise) ** power * integral, -np.expm1(-alpha * rise)

    def nest(nest):
        in_nest.start(nest)
        ports = nest.GetDefaults("iaf_bw_2001")["receptor_types"]
        shared = {"alpha": alpha, "tau_rise_NMDA": rise, "tau_decay_NMDA": decay}
        first = in_nest.cells(nest, "iaf_bw_2001", 3, **cell, **shared)
        for one, current in zip(first, drive, strict=True):
            source = nest.Create("dc_generator", {"amplitude": current})
            nest.Connect(source, one, syn_spec={"delay": 0.1})
        second = in_nest.cells(
            nest, "iaf_bw_2001", 1, **(cell | {"V_th": 1e3}), **shared, gsl_error_tol=1e-8
        )
        in_nest.connect(nest, first, second, weights, 0.5, receptor_type=ports["NMDA"])
        found = in_nest.watch(nest, second, "V_m")(STEPS)
        return {"V_m": found["V_m"]}

    def neurojax(nj):
        receptor = nj.synapses.NMDA(tau_rise=1e-4, tau_decay=decay, Mg=1.0)
        second = nj.neurons.LIF(n=1, **(cell | {"V_th": 1e3}), receptors={"nmda": receptor})
        release = nj.synapses.TsodyksMarkram(U=k1, tau_rec=decay)
        synapses = [
            ours.connect(nj, "first", "cells", "nmda", k0 / k1 * weights, 0.5, release=release)
        ]
        net = ours.network(nj, second, synapses=synapses, first=nj.neurons.LIF(n=3, **cell))
        inputs = {"first": {"I_e": nj.inputs.Step(drive, start=0.2)}}
        sim = nj.simulate(net, duration=0.1 * STEPS, dt=0.1, inputs=inputs,
                          record={"V": nj.Trace("cells.V_m")})  # fmt: skip
        return {"V_m": np.asarray(sim["V"])}

    note = "weight times k0 / k1 of NEST's jump k0 - k1 s; ours has 1 - exp(-alpha tau_x) for both"
    limits = {"V_m": 1e-2}
    return Case("iaf_bw_2001, NMDA", neurojax, {"nest": nest}, limits, note=note)


CASES = [
    moving_threshold(), adaptation(0.1), adaptation(0.02), rise_and_decay(0.1),
    rise_and_decay(0.02), saturating(),
]  # fmt: skip
