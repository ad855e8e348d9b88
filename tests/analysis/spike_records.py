"""Spike records and processes with known statistics."""

import numpy as np

import neurojax as nj


def record(times, neurons, n, dt=0.1):
    """A SpikeRecord packed here bit by bit: neuron i is bit i // words of word i % words."""
    steps = np.rint(np.asarray(times, float) / dt).astype(int)
    words = -(-n // 32)
    labels = np.unique(steps)
    packed = np.zeros((len(labels), words), np.uint32)
    for step, neuron in zip(steps, neurons, strict=True):
        row = np.searchsorted(labels, step)
        packed[row, neuron % words] |= np.uint32(1) << np.uint32(neuron // words)
    return nj.SpikeRecord(labels, packed, np.asarray(dt), n)


def poisson(rng, rate, n, duration):
    """Trains of independent Poisson neurons; rate in Hz, duration in ms."""
    numbers = rng.poisson(rate * duration * 1e-3, n)
    return [np.sort(rng.uniform(0.0, duration, k)) for k in numbers]
