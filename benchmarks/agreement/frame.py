"""What a comparison is: a case, the sides that compute it, and the list of all cases.

A file `TOPIC_*.py` in this folder, TOPIC one of `TOPICS`, holds a list `CASES`; nothing else is
needed for its cases to be found. It is imported by every simulator's own Python, so at the top it
may import only numpy and the modules of this folder; each side gets its package as an argument.
"""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
TOPICS = ("neurons", "synapses", "networks", "plasticity")
PEERS = ("nest", "brian2", "scipy")


@dataclass(frozen=True)
class Case:
    """One comparison.

    A side is a function of its simulator's package (`neurojax`, `nest`, `brian2`, `scipy`) that
    gives a dictionary. Names that begin with `spikes` are events: times in ms, shape (k,), or rows
    (time, neuron), shape (k, 2). All others are numbers, such as traces (step, neuron), of the same
    shape on both sides.

    Arguments:
        name: a short title.
        neurojax: our side; it runs in double and in single precision.
        peers: the other sides by name, one or more of `PEERS`.
        limits: by name of a result: the largest absolute difference, in its unit, or for spikes
            how many may differ; `"nest V_m"` goes before `"V_m"`. What has no limit, or None, is
            not judged, but shown.
        single: the same for single precision; default: not run. The times of spikes are compared
            on the grid `dt`, so that they are whole numbers in either.
        dt: ms, the grid on which spikes are compared.
        offset: by name of a peer: ms that are added to its spikes, where its labels differ by
            convention.
        note: the convention, or why a limit is not zero.
    """

    name: str
    neurojax: Callable
    peers: dict[str, Callable]
    limits: dict[str, float | None]
    single: dict[str, float | None] = field(default_factory=dict)
    dt: float = 0.1
    offset: dict[str, float] = field(default_factory=dict)
    note: str = ""


def modules():
    """The files with cases, in order."""
    found = (path.stem for topic in TOPICS for path in sorted(FOLDER.glob(f"{topic}_*.py")))
    return list(found)


def cases(only=""):
    """All cases, or those whose title or file has `only` in it, by (file, name)."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    found = {}
    for name in modules():
        for case in importlib.import_module(name).CASES:
            if only in name or only in case.name:
                found[name, case.name] = case
    return found


def compare(case, peer, own, theirs, single=False):
    """Differences of two results by name, each beside its limit."""
    limits = case.single if single else case.limits
    rows = {}
    for name in theirs:
        limit = limits.get(f"{peer} {name}", limits.get(name))
        if name.startswith("spikes"):
            first = _events(own[name], case.dt)
            second = _events(theirs[name], case.dt, case.offset.get(peer, 0.0))
            value = sum(abs(first.get(k, 0) - second.get(k, 0)) for k in {*first, *second})
            rows[name] = {"differ": value, "of": sum(second.values())}
        else:
            a, b = np.asarray(own[name], float), np.asarray(theirs[name], float)
            if a.shape != b.shape:
                raise ValueError(f"{case.name}: {name} has shapes {a.shape} and {b.shape}")
            # NaN on one side only must not pass
            value = float(np.max(np.abs(a - b))) if a.size else 0.0
            rows[name] = {"difference": value, "scale": float(np.ptp(b)) if b.size else 0.0}
        rows[name] |= {"limit": limit, "met": None if limit is None else bool(value <= limit)}
    return rows


def trains(spikes, n):
    """Spikes of neuron 0 in order, then of neuron 1 and so on, and how many each has.

    Where two sides differ by a step here and there, these are compared in place of the events.
    """
    spikes = np.asarray(spikes, float).reshape(-1, 2)
    order = np.lexsort((spikes[:, 0], spikes[:, 1]))
    counts = np.bincount(spikes[:, 1].astype(int), minlength=n)
    return {"times": spikes[order, 0], "counts": counts}


def _events(spikes, dt, offset=0.0):
    """How often each (step, neuron) occurs."""
    spikes = np.asarray(spikes, float)
    if spikes.ndim == 1:
        spikes = np.stack([spikes, np.zeros_like(spikes)], axis=1)
    steps = np.rint((spikes[:, 0] + offset) / dt).astype(int)
    keys, counts = np.unique(
        np.stack([steps, spikes[:, 1].astype(int)]), axis=1, return_counts=True
    )
    return {tuple(k): int(c) for k, c in zip(keys.T.tolist(), counts, strict=True)}
