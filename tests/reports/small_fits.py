"""Fits of a handful of neurons and steps, for pictures, reports and the command line."""

import jax
import numpy as np

import neurojax as nj

NAMES = ["AVAL", "AVAR", "AVBL", "AVBR", "RIML", "RIMR"]


def worms(animals=2, frames=120):
    """Recordings of six neurons that follow one common signal."""
    rng = np.random.default_rng(0)
    found = []
    for a in range(animals):
        common = np.cumsum(rng.normal(size=frames))
        values = common[:, None] * np.linspace(0.5, 1.5, 6) + rng.normal(size=(frames, 6))
        found.append(
            nj.recordings.Recording(
                np.arange(frames) * 0.6,
                values,
                labels=NAMES,
                name=f"worm <{a}>",
                metadata={"source": "<script>alert(1)</script>", "licence": "CC0"},
            )
        )
    return found


def small_fit(animals=2, steps=3, controls=(), objective=None, **options):
    """A fit that takes a second or two."""
    wiring = nj.connectomes.cook2019().subset(NAMES)
    circuit = nj.circuits.ConnectomeCircuit(wiring, key=jax.random.key(0))
    if objective is None:
        objective = nj.fitting.MaskedNeurons(0.1, 0.5, window=12, burn_in=2)
    if animals > 1:
        options.setdefault("hold_out", nj.fitting.LeaveOneAnimalOut())
    return nj.fit(
        circuit,
        worms(animals),
        objective=objective,
        controls=controls,
        steps=steps,
        batch=4,
        progress=False,
        key=jax.random.key(1),
        **options,
    )
