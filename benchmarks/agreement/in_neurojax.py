"""Short words for our side of a case."""

import numpy as np


def connect(nj, source, target, port, weights, delays, name=None, **options):
    """A projection from a matrix of weights (pre, post), zeros left out, and delays in ms."""
    rows, columns = np.nonzero(weights)
    delays = np.broadcast_to(np.asarray(delays, float), np.shape(weights))[rows, columns]
    delay = float(delays[0]) if len(set(delays.tolist())) == 1 else delays
    edges = nj.connectivity.from_edges(rows, columns)
    return nj.Projection(
        source, target, port, edges, weight=weights[rows, columns], delay=delay,
        name=name or port, **options,
    )  # fmt: skip


def network(nj, neurons, times=(), synapses=(), dt=0.1, **populations):
    """`neurons` as "cells", trains of spikes as "in", and what `synapses` lists."""
    parts = {"cells": neurons, **populations}
    if len(times):
        parts["in"] = nj.neurons.SpikeTimes(list(times))
    return nj.Network(parts, list(synapses), dt=dt)


def run(nj, net, steps, *names, dt=0.1, inputs=None, **options):
    """Spikes and traces of "cells"."""
    record = {name: nj.Trace(f"cells.{name}") for name in names} | {"spikes": nj.Spikes("cells")}
    inputs = {} if inputs is None else {"cells": inputs}
    sim = nj.simulate(net, duration=steps * dt, dt=dt, inputs=inputs, record=record, **options)
    events = sim["spikes"]
    events = events["cells"] if isinstance(events, dict) else events
    times = np.asarray(events.times)
    found = {"spikes": np.stack([times, np.asarray(events.neurons, float)], axis=1)}
    return found | {name: np.asarray(sim[name]) for name in names}
