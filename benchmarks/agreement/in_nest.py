"""Short words for the NEST side of a case."""

import numpy as np


def start(nest, dt=0.1):
    """A fresh kernel."""
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.SetKernelStatus({"resolution": dt})


def cells(nest, model, n, **parameters):
    """Neurons; an array is one value per neuron."""
    found = nest.Create(model, n)
    for name, value in parameters.items():
        value = np.broadcast_to(np.asarray(value, float), (n,))
        found.set([{name: float(x)} for x in value])
    return found


def trains(nest, times):
    """Generators of the given trains, a list of arrays in ms."""
    found = nest.Create("spike_generator", len(times))
    for one, train in zip(found, times, strict=True):
        one.spike_times = [float(t) for t in train]
    return found


def connect(nest, pre, post, weights, delays, **synapse):
    """Synapses from a matrix of weights (pre, post), zeros left out, and delays of its shape."""
    rows, columns = np.nonzero(weights)
    delays = np.broadcast_to(np.asarray(delays, float), np.shape(weights))
    spec = {"synapse_model": "static_synapse", **synapse}
    spec |= {"weight": weights[rows, columns], "delay": delays[rows, columns]}
    first, second = np.array(pre.tolist()), np.array(post.tolist())
    nest.Connect(first[rows], second[columns], "one_to_one", spec)


def watch(nest, neurons, *names, dt=0.1):
    """Record at every step; gives a function of the number of steps that simulates and reads."""
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    meter = None
    if names:
        meter = nest.Create("multimeter", {"record_from": list(names), "interval": dt})
        nest.Connect(meter, neurons)
    ids = np.array(neurons.tolist())

    def read(steps):
        nest.Simulate((steps + 10) * dt)  # the last record comes a step late
        events = recorder.events
        found = np.stack([events["times"], np.searchsorted(ids, events["senders"])], axis=1)
        result = {"spikes": found[found[:, 0] < (steps + 0.5) * dt]}
        if meter is not None:
            events = meter.events
            order = np.lexsort((events["senders"], events["times"]))
            for name in names:
                result[name] = np.asarray(events[name])[order].reshape(-1, len(ids))[:steps]
        return result

    return read
