"""Izhikevich's neuron: the published scheme, forward Euler, and the equations."""

import in_nest
import in_neurojax as ours
import numpy as np
from drives import delays, matrix, trains
from frame import Case

KINDS = {  # regular spiking, bursting, chattering, fast spiking, low threshold
    "a": [0.02, 0.02, 0.02, 0.1, 0.02], "b": [0.2, 0.2, 0.2, 0.2, 0.25],
    "c": [-65.0, -55.0, -50.0, -65.0, -65.0], "d": [8.0, 4.0, 2.0, 2.0, 2.0],
}  # fmt: skip
N = 5
KINDS = {k: np.array(v) for k, v in KINDS.items()}
DRIVE = np.array([10.0, 10.0, 10.0, 10.0, 5.0])


def scheme(consistent, dt):
    """NEST's two schemes; the other one is forward Euler, with u at the old V."""
    # the published scheme is chaotic: after 200 steps the last bit of a number has decided
    steps = round(300 / dt) if consistent else 120
    times = trains(6, 40.0, steps, dt, seed=5)
    weights, late = matrix(6, N, -3.0, 6.0), delays(6, N, dt)

    def nest(nest):
        in_nest.start(nest, dt)
        cells = in_nest.cells(nest, "izhikevich", N, **KINDS, V_th=30.0, I_e=DRIVE, V_m=-65.0,
                              U_m=-65.0 * KINDS["b"])  # fmt: skip
        cells.consistent_integration = consistent
        if consistent:
            in_nest.connect(nest, in_nest.trains(nest, times), cells, weights, late)
        found = in_nest.watch(nest, cells, "V_m", "U_m", dt=dt)(steps)
        return {"spikes": found["spikes"], "V_m": found["V_m"], "u": found["U_m"]}

    def neurojax(nj):
        receptors = {"d": nj.synapses.Delta()}
        if consistent:
            cells = nj.neurons.Izhikevich(
                n=N, **KINDS, receptors=receptors, solver=nj.solvers.Euler()
            )
        else:
            cells = nj.neurons.IzhikevichPublished(n=N, **KINDS, receptors=receptors)
        synapses = [ours.connect(nj, "in", "cells", "d", weights, late)] if consistent else []
        net = ours.network(nj, cells, times, synapses, dt=dt)
        return ours.run(nj, net, steps, "V_m", "u", dt=dt, inputs={"I_e": DRIVE})

    name = "Euler" if consistent else "as published"
    # the map enlarges rounding, in the fast spiking cell most
    limits = {"spikes": 0, "V_m": 1e-2, "u": 1e-3}
    note = "" if consistent else "NEST adds the weight of a spike in both half steps; no synapses"
    return Case(
        f"izhikevich, {name}, dt {dt} ms", neurojax, {"nest": nest}, limits, dt=dt, note=note
    )


CASES = [scheme(False, 1.0), scheme(True, 0.1)]
