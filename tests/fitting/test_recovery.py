"""Recordings simulated from a known circuit: the fit of the docs page finds its weights."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

import neurojax as nj

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "parameter_recovery.py"
ANIMALS = 5

pytestmark = pytest.mark.slow


def load_example():
    spec = importlib.util.spec_from_file_location("parameter_recovery", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example = load_example()


@pytest.fixture(scope="module")
def truth():
    """The neurons that are identified in any of the embedded recordings, with known weights."""
    with jax.enable_x64(False):
        wiring = nj.connectomes.cook2019().subset(nj.recordings.load("dag2023").labels)
        return example.known_circuit(wiring, jax.random.key(0))


def animals(truth, seen):
    return [
        example.simulated_recording(truth, jax.random.key(10 + i), seen=seen[i])
        for i in range(ANIMALS)
    ]


def recover(truth, recordings, penalty):
    return example.recover(
        truth.connectome(), recordings, penalty=penalty, steps=400, key=jax.random.key(1)
    )


def test_all_neurons_seen(truth, float32):
    found = recover(truth, animals(truth, [None] * ANIMALS), penalty=0.03)
    result = example.agreement(truth, found)
    assert result["edges"] > 1200
    assert result["r"] >= 0.88
    assert result["sign"] >= 0.85


def test_thirty_per_cent_seen_in_each_animal(truth, float32):
    n = len(truth.names)
    rng = np.random.default_rng(0)
    seen = [rng.choice(n, round(0.3 * n), replace=False) for _ in range(ANIMALS)]
    recordings = animals(truth, seen)
    together = example.seen_together(truth, recordings)
    found = recover(truth, recordings, penalty=0.3)
    assert 300 < together.sum() < 700
    assert example.agreement(truth, found, together)["r"] >= 0.70
    # what was never seen together is not found, and must not be claimed
    assert example.agreement(truth, found, ~together)["r"] < 0.5
