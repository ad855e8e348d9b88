"""Short words for the Brian2 side of a case."""

import numpy as np


def start(b2, dt=0.1):
    """Interpreted code in double precision, a fresh clock."""
    b2.prefs.codegen.target = "numpy"
    b2.start_scope()
    b2.defaultclock.dt = dt * b2.ms


def trains(b2, times, dt=0.1):
    """A generator of given trains (ms, ends of steps as ours), as Brian2 labels them."""
    which = np.repeat(np.arange(len(times)), [len(t) for t in times])
    # the label is the beginning of the step
    return b2.SpikeGeneratorGroup(
        len(times), which, (np.concatenate(times) - dt) * b2.ms, sorted=False
    )


def connect(b2, pre, post, weights, delays, on_pre, unit):
    """Synapses from a matrix of weights (pre, post), zeros left out; `on_pre` uses `w`."""
    rows, columns = np.nonzero(weights)
    synapses = b2.Synapses(pre, post, f"w : {unit}", on_pre=on_pre)
    synapses.connect(i=rows, j=columns)
    units = {"1": 1, "volt": b2.mV, "amp": b2.pA, "siemens": b2.nS}
    synapses.w = weights[rows, columns] * units[unit]
    delays = np.broadcast_to(np.asarray(delays, float), np.shape(weights))
    synapses.delay = delays[rows, columns] * b2.ms
    return synapses


def run(b2, group, others, steps, traces, space, dt=0.1):
    """Spikes in ms as Brian2 labels them, and traces at the ends of steps; `traces` has units."""
    states = b2.StateMonitor(group, list(traces), record=True)
    spikes = b2.SpikeMonitor(group)
    network = b2.Network(group, states, spikes, *others)
    network.run((steps + 1) * dt * b2.ms, namespace=space)  # a record shows the step before
    found = np.stack([np.asarray(spikes.t / b2.ms), np.asarray(spikes.i, float)], axis=1)
    result = {"spikes": found[found[:, 0] < (steps - 0.5) * dt]}
    for name, unit in traces.items():
        result[name] = np.asarray(getattr(states, name) / unit).T[1 : steps + 1]
    return result
