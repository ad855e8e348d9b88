"""Currents that change in time, several receptors, noisy thresholds."""

import in_nest
import in_neurojax as ours
import numpy as np
from drives import delays, matrix, trains
from frame import Case

STEPS = 1000
EXACT = {"spikes": 0, "V_m": 1e-9}
SINGLE = {"spikes": 0, "V_m": 2e-3}


def stepped(late):
    """A generator of steps acts from its time plus its delay."""
    times, values = [0.1, 20.0, 50.0], [300.0, 600.0, -200.0]

    def nest(nest):
        in_nest.start(nest)
        cells = nest.Create("iaf_psc_exp", 1)
        source = nest.Create("step_current_generator",
                             {"amplitude_times": times, "amplitude_values": values})  # fmt: skip
        nest.Connect(source, cells, syn_spec={"delay": late})
        return in_nest.watch(nest, cells, "V_m")(STEPS)

    def neurojax(nj):
        currents = np.zeros(STEPS)
        for t, x in zip(times, values, strict=True):
            currents[round((t + late) / 0.1) :] = x
        net = ours.network(nj, nj.neurons.LIF(n=1))
        drive = nj.inputs.Sampled(currents[:, None], 0.1)
        return ours.run(nj, net, STEPS, "V_m", inputs={"I_e": drive})

    return Case(
        f"step_current_generator, delay {late} ms", neurojax, {"nest": nest}, EXACT, SINGLE,
        note="ours acts from the step that begins at its start: add the delay to NEST's times",
    )  # fmt: skip


def switched():
    """A direct current between two times."""

    def nest(nest):
        in_nest.start(nest)
        cells = nest.Create("iaf_psc_exp", 1)
        source = nest.Create("dc_generator", {"amplitude": 600.0, "start": 10.0, "stop": 50.0})
        nest.Connect(source, cells, syn_spec={"delay": 0.1})
        return in_nest.watch(nest, cells, "V_m")(STEPS)

    def neurojax(nj):
        net = ours.network(nj, nj.neurons.LIF(n=1))
        drive = nj.inputs.Step(600.0, start=10.1, stop=50.1)
        return ours.run(nj, net, STEPS, "V_m", inputs={"I_e": drive})

    note = "add the delay to NEST's start and stop; a start at 0 counts there as one at dt"
    return Case("dc_generator", neurojax, {"nest": nest}, EXACT, SINGLE, note=note)


def waves():
    """A sine from the start."""

    def nest(nest):
        in_nest.start(nest)
        cells = nest.Create("iaf_psc_exp", 1)
        form = {"amplitude": 500.0, "offset": 200.0, "frequency": 30.0, "phase": 40.0}
        nest.Connect(nest.Create("ac_generator", form), cells, syn_spec={"delay": 0.1})
        return in_nest.watch(nest, cells, "V_m")(STEPS)

    def neurojax(nj):
        net = ours.network(nj, nj.neurons.LIF(n=1))
        t = 0.1 * np.arange(-1, STEPS - 1)  # what a step begins with, sent a step before
        values = 200.0 + 500.0 * np.sin(2 * np.pi * 0.03 * t + np.deg2rad(40.0))
        values[:2] = 0.0
        drive = nj.inputs.Sampled(values[:, None], 0.1)
        return ours.run(nj, net, STEPS, "V_m", inputs={"I_e": drive})

    note = "NEST holds the value of a step's start, less the delay; nj.inputs.Sine takes the mean"
    return Case("ac_generator", neurojax, {"nest": nest}, EXACT, SINGLE, note=note)


def several_ports():
    """Three time constants."""
    taus, n = [1.0, 9.0, 30.0], 4
    times, late = trains(9), delays(9, n)
    weights = matrix(9, n, -20.0, 90.0)
    parts = [weights * (np.arange(9) % 3 == k)[:, None] for k in range(3)]

    def nest(nest):
        in_nest.start(nest)
        cells = nest.Create("iaf_psc_exp_multisynapse", n, {"tau_syn": taus, "I_e": 150.0})
        sources = in_nest.trains(nest, times)
        for k, part in enumerate(parts):
            in_nest.connect(nest, sources, cells, part, late, receptor_type=k + 1)
        return in_nest.watch(nest, cells, "V_m")(STEPS)

    def neurojax(nj):
        receptors = {f"p{k}": nj.synapses.ExpCurrent(tau) for k, tau in enumerate(taus)}
        cells = nj.neurons.LIF(n=n, receptors=receptors)
        synapses = [
            ours.connect(nj, "in", "cells", f"p{k}", part, late) for k, part in enumerate(parts)
        ]
        net = ours.network(nj, cells, times, synapses)
        return ours.run(nj, net, STEPS, "V_m", inputs={"I_e": 150.0})

    return Case("iaf_psc_exp_multisynapse", neurojax, {"nest": nest}, EXACT, SINGLE)


def escape():
    """Rates of an exponential escape rate; the numbers that are drawn differ."""
    n, steps = 500, 10_000
    drive = np.repeat([120.0, 140.0, 160.0, 180.0, 220.0], n // 5)
    cell = {"C_m": 80.0, "g_L": 4.0, "E_L": -70.0, "V_reset": -55.0, "t_ref": 4.0}

    def summary(spikes):
        spikes = spikes[spikes[:, 0] > 100.0]
        counts = np.bincount(spikes[:, 1].astype(int), minlength=n).reshape(5, -1)
        order = np.lexsort((spikes[:, 0], spikes[:, 1]))
        same = np.diff(spikes[order, 1]) == 0
        group = (spikes[order, 1][1:][same] // (n // 5)).astype(int)
        gaps = np.diff(spikes[order, 0])[same]
        cv = [gaps[group == k].std() / gaps[group == k].mean() for k in range(5)]
        return {"rate": counts.mean(1) / 0.9, "cv": np.array(cv)}

    def nest(nest):
        in_nest.start(nest)
        cells = in_nest.cells(
            nest, "gif_psc_exp", n, **cell, V_T_star=-40.0, Delta_V=2.0, lambda_0=100.0, I_e=drive
        )
        return summary(in_nest.watch(nest, cells)(steps)["spikes"])

    def neurojax(nj):
        import jax

        cells = nj.neurons.EscapeLIF(n=n, **cell, V_th=-40.0, Delta_V=2.0, rho_0=100.0)
        net = ours.network(nj, cells)
        options = {"inputs": {"I_e": drive}, "key": jax.random.key(0)}
        return summary(ours.run(nj, net, steps, **options)["spikes"])

    # four standard errors of a difference of two means over 100 neurons
    limits = {"rate": 1.0, "cv": 0.03}
    return Case("gif_psc_exp without adaptation, rates in Hz", neurojax, {"nest": nest}, limits)


CASES = [stepped(0.1), stepped(0.3), switched(), waves(), several_ports(), escape()]
