"""A tiny wiring and recordings of it, for tests of fits."""

import numpy as np

import neurojax as nj

NAMES = ("AVAL", "AVAR", "AVBL", "AVBR", "RIML", "RIMR")
CHEMICAL = [(0, 1), (0, 3), (1, 0), (1, 2), (2, 1), (2, 4), (3, 2), (3, 5), (4, 5), (5, 0)]
GAP = [(0, 1), (1, 4), (2, 5), (3, 4)]


def wiring():
    """Six neurons, ten chemical edges, four gap junctions."""
    chemical, gap = np.zeros((6, 6)), np.zeros((6, 6))
    for count, (i, j) in enumerate(CHEMICAL):
        chemical[i, j] = count + 1.0
    for i, j in GAP:
        gap[i, j] = gap[j, i] = 2.0
    return nj.connectomes.Connectome(NAMES, chemical, gap)


def circuit(**options):
    """A circuit on the wiring."""
    return nj.circuits.ConnectomeCircuit(wiring(), **options)


def worm(name, frames=80, labels=NAMES, seed=0, missing=0.0):
    """Slow noise, partly shared by all neurons; some samples may be missing."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(frames, len(labels))) + rng.normal(size=(frames, 1))
    values = np.zeros_like(noise)
    for k in range(1, frames):
        values[k] = 0.8 * values[k - 1] + noise[k]
    if missing:
        values[rng.uniform(size=values.shape) < missing] = np.nan
    return nj.recordings.Recording(0.6 * np.arange(frames), values, labels=labels, name=name)


def worms():
    """Two animals with different lengths and neurons."""
    return [worm("first"), worm("second", 70, NAMES[::-1][:5], seed=1)]


SMALL = nj.fitting.MaskedNeurons(0.2, 0.5, window=10, burn_in=3)
