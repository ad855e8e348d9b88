"""Where a number means something else in NEST, given to both sides as each wants it."""

import in_nest
import in_neurojax as ours
import numpy as np
from frame import Case

STEPS = 500


def refractory_times():
    """NEST rounds up, ours to the nearest step."""
    t_ref = np.array([0.0, 0.04, 0.05, 0.1, 0.14, 0.25, 0.26, 0.5, 2.01, 2.0])
    whole = np.ceil(t_ref / 0.1 - 1e-6) * 0.1

    def nest(nest):
        in_nest.start(nest)
        cells = in_nest.cells(nest, "iaf_psc_exp", len(t_ref), t_ref=t_ref, I_e=1e5)
        return in_nest.watch(nest, cells, "V_m")(STEPS)

    def neurojax(nj):
        net = ours.network(nj, nj.neurons.LIF(n=len(t_ref), t_ref=whole))
        return ours.run(nj, net, STEPS, "V_m", inputs={"I_e": 1e5})

    limits = {"spikes": 0, "V_m": 1e-9}
    note = "t_ref that is no whole number of steps is given to ours rounded up"
    return Case("iaf_psc_exp, t_ref between steps", neurojax, {"nest": nest}, limits, note=note)


def at_threshold():
    """NEST spikes at V = V_th, ours above it."""
    times, weights = [[5.0, 20.0, 30.0]], np.array([[16.0, 15.999, 16.001]])

    def nest(nest):
        in_nest.start(nest)
        cells = in_nest.cells(nest, "iaf_psc_delta", 3, V_th=16.0, V_reset=0.0, V_m=0.0, E_L=0.0)
        in_nest.connect(nest, in_nest.trains(nest, times), cells, weights, 1.0)
        return in_nest.watch(nest, cells, "V_m")(STEPS)

    def neurojax(nj):
        below = np.nextafter(16.0, 0.0)
        cells = nj.neurons.LIF(
            n=3, E_L=0.0, V_reset=0.0, V_th=below, receptors={"d": nj.synapses.Delta()}
        )
        net = ours.network(nj, cells, times, [
            ours.connect(nj, "in", "cells", "d", weights, 1.0)
        ])  # fmt: skip
        return ours.run(nj, net, STEPS, "V_m")

    limits = {"spikes": 0, "V_m": 1e-9}
    note = "V_th is the next number below it here"
    return Case("iaf_psc_delta, V = V_th", neurojax, {"nest": nest}, limits, note=note)


CASES = [refractory_times(), at_threshold()]
