"""The five levels of the generalised leaky integrate-and-fire neuron."""

import in_nest
import in_neurojax as ours
import numpy as np
from drives import delays, matrix, trains
from frame import Case
from frame import trains as split

N = 4
CELL = {
    "C_m": 58.72, "g": 9.43, "E_L": -78.85, "V_th": -51.68, "V_reset": -70.0, "th_spike_add": 3.7,
    "th_spike_decay": 0.009, "voltage_reset_fraction": 0.2, "voltage_reset_add": 5.0,
    "th_voltage_index": 0.005, "th_voltage_decay": 0.09,
}  # fmt: skip
T_REF = np.array([1.0, 3.7, 0.5, 2.0])
ASC = {"asc_amps": (-9.18, -98.94), "asc_decay": (0.003, 0.1), "asc_r": (0.9, 0.8)}
I_E = np.array([280.0, 350.0, 400.0, 500.0])
TAU = 2.0


def level(number, dt):
    """One level at one step length."""
    steps, fine = round(200 / dt), round(0.1 / dt)
    times = trains(6, 60.0, 2000, 0.1, seed=7)
    weights, late = matrix(6, N, -40.0, 120.0), delays(6, N)

    def thin(found):
        found = {"V_m": found["V_m"][fine - 1 :: fine], "spikes": found["spikes"]}
        return found if number in (1, 3) else split(found["spikes"], N)

    def nest(nest):
        in_nest.start(nest, dt)
        cells = in_nest.cells(nest, "glif_psc", N, **CELL, t_ref=T_REF)
        cells.set({
            "spike_dependent_threshold": number in (2, 4, 5), "after_spike_currents": number > 2,
            "adapting_threshold": number == 5, **ASC, "asc_init": [0.0, 0.0], "tau_syn": [TAU],
        })  # fmt: skip
        for cell, current in zip(cells, I_E, strict=True):
            # nothing is sent at time 0: the first step that the current drives begins at 2 dt
            source = nest.Create("dc_generator", {"amplitude": current})
            nest.Connect(source, cell, syn_spec={"delay": dt})
        sources = in_nest.trains(nest, times)
        in_nest.connect(nest, sources, cells, weights, late, receptor_type=1)
        return thin(in_nest.watch(nest, cells, "V_m", dt=dt)(steps))

    def neurojax(nj):
        cells = nj.neurons.GLIF(
            n=N, **CELL, **ASC, t_ref=T_REF, level=number,
            receptors={"in": nj.synapses.AlphaCurrent(TAU)},
        )  # fmt: skip
        synapses = [ours.connect(nj, "in", "cells", "in", weights, late)]
        net = ours.network(nj, cells, times, synapses, dt=dt)
        current = nj.inputs.Step(I_E, start=2 * dt)
        return thin(ours.run(nj, net, steps, "V_m", dt=dt, inputs={"I_e": current}))

    if number == 1:
        limits, note = {"spikes": 0, "V_m": 1e-9}, ""
    elif number == 3:
        limits = {"spikes": 0, "V_m": 0.1 * dt**2}
        note = "NEST takes the mean of an after-spike current over a step, ours is exact"
    else:
        # some spikes fall into the step beside, and those after them
        limits = {"times": 5 * dt + 1e-9, "counts": 0}
        note = "NEST resets V from its value before the step of the spike, ours from that after it"
    title = f"glif_psc, level {number}, dt {dt} ms"
    return Case(title, neurojax, {"nest": nest}, limits, dt=dt, note=note)


CASES = [*(level(k, 0.1) for k in (1, 2, 3, 4, 5)), *(level(k, 0.01) for k in (2, 3, 4, 5))]
