"""The protocol of the claims, on the embedded recordings: a circuit and one shuffle of it."""

import jax
import numpy as np
import pytest

import neurojax as nj


@pytest.mark.slow
def test_the_connectome_helps_on_later_time_of_the_same_animals(float32):
    animals = nj.recordings.load("dag2023")
    labelled = {label for worm in animals for label in (worm.labels[i] for i in worm.exact)}
    names = [n for n in nj.connectomes.cook2019().names if n in labelled]
    wiring = nj.connectomes.cook2019().subset(names)
    circuit = nj.circuits.ConnectomeCircuit(wiring, key=jax.random.key(0))
    fit = nj.fit(
        circuit, animals, observer=nj.fitting.EdgeObserver(), steps=300,
        controls=[nj.fitting.Shuffled(1)], progress=False, key=jax.random.key(0),
    )  # fmt: skip
    assert fit.skipped == 0
    assert fit.scores("later time").mean >= 0.40
    gain = fit.connectome_gain("later time")
    assert gain.mean() >= 0.05 and np.sum(gain > 0) >= 4
