"""Small networks with delays: who hears whom, and when."""

import in_brian2
import in_nest
import in_neurojax as ours
import numpy as np
from drives import trains
from frame import Case

STEPS = 2000
EXACT = {"spikes": 0, "V_m": 1e-9}


def relay(steps_late):
    """A generator and a parrot, one delay: the parrot repeats at t + d."""
    late = 0.1 * steps_late
    times = trains(3, 50.0, STEPS)

    def nest(nest):
        in_nest.start(nest)
        cells = nest.Create("parrot_neuron", 3)
        in_nest.connect(nest, in_nest.trains(nest, times), cells, np.eye(3), late)
        return in_nest.watch(nest, cells)(STEPS)

    def neurojax(nj):
        synapses = [ours.connect(nj, "in", "cells", "spikes", np.eye(3), late)]
        net = ours.network(nj, nj.neurons.Parrot(n=3), times, synapses)
        return ours.run(nj, net, STEPS)

    name = f"parrot, delay of {steps_late} steps"
    return Case(name, neurojax, {"nest": nest}, {"spikes": 0}, {"spikes": 0})


def mutual(kind):
    """Two neurons that excite and inhibit each other, 1.5 ms one way, 0.1 ms the other."""
    weights, late = np.array([[0.0, 900.0], [-500.0, 0.0]]), np.array([[0.1, 1.5], [0.1, 0.1]])
    drive = np.array([450.0, 300.0])

    def nest(nest):
        in_nest.start(nest)
        cells = in_nest.cells(nest, f"iaf_psc_{kind}", 2, I_e=drive)
        in_nest.connect(nest, cells, cells, weights, late)
        return in_nest.watch(nest, cells, "V_m")(STEPS)

    def neurojax(nj):
        receptor = {"exp": nj.synapses.ExpCurrent, "alpha": nj.synapses.AlphaCurrent}[kind](2.0)
        cells = nj.neurons.LIF(n=2, receptors={"syn": receptor})
        net = ours.network(nj, cells, synapses=[
            ours.connect(nj, "cells", "cells", "syn", weights, late)
        ])  # fmt: skip
        return ours.run(nj, net, STEPS, "V_m", inputs={"I_e": drive})

    single = {"spikes": 0, "V_m": 2e-3}
    return Case(f"two neurons, {kind}", neurojax, {"nest": nest}, EXACT, single)


def recurrent(kind):
    """120 neurons, 20 partners each, delays of 0.1 to 3 ms, a drive near threshold."""
    n, draw = 120, np.random.RandomState(11)
    weights = np.where(draw.rand(n, n) < 1 / 6, draw.uniform(10.0, 60.0, (n, n)), 0.0)
    weights[96:] *= -3.0
    late = 0.1 * draw.randint(1, 31, (n, n))
    drive = draw.uniform(360.0, 420.0, n)
    scale = 1.0 / 40.0 if kind == "delta" else 1.0

    def nest(nest):
        in_nest.start(nest)
        cells = in_nest.cells(nest, f"iaf_psc_{kind}", n, I_e=drive)
        in_nest.connect(nest, cells, cells, scale * weights, late)
        return in_nest.watch(nest, cells, "V_m")(STEPS)

    def neurojax(nj):
        kinds = {"exp": lambda: nj.synapses.ExpCurrent(2.0), "delta": nj.synapses.Delta,
                 "alpha": lambda: nj.synapses.AlphaCurrent(2.0)}  # fmt: skip
        cells = nj.neurons.LIF(n=n, receptors={"syn": kinds[kind]()})
        net = ours.network(nj, cells, synapses=[
            ours.connect(nj, "cells", "cells", "syn", scale * weights, late)
        ])  # fmt: skip
        return ours.run(nj, net, STEPS, "V_m", inputs={"I_e": drive})

    def brian2(b2):
        in_brian2.start(b2)
        cells = b2.NeuronGroup(
            n,
            """
            dv/dt = (-70*mV - v) / (10*ms) + (i_syn + i_e) / (250*pF) : volt (unless refractory)
            di_syn/dt = -i_syn / (2*ms) : amp
            i_e : amp (constant)
            """,
            threshold="v > -55*mV", reset="v = -70*mV", refractory=2.1 * b2.ms, method="exact",
        )  # fmt: skip
        cells.v, cells.i_e = -70 * b2.mV, drive * b2.pA
        synapses = in_brian2.connect(b2, cells, cells, weights, late, "i_syn_post += w", "amp")
        found = in_brian2.run(b2, cells, [synapses], STEPS, {"v": b2.mV}, {})
        return {"spikes": found["spikes"], "V_m": found["v"]}

    peers = {"nest": nest} | ({"brian2": brian2} if kind == "exp" else {})
    single = {"spikes": 0, "V_m": 2e-3}
    return Case(f"recurrent network of {n}, {kind}", neurojax, peers, EXACT, single,
                offset={"brian2": 0.1})  # fmt: skip


CASES = [
    *(relay(k) for k in (1, 2, 3, 20)),
    *(mutual(k) for k in ("exp", "alpha")),
    *(recurrent(k) for k in ("exp", "alpha", "delta")),
]
