import equinox as eqx
import jax
import numpy as np
import pytest
import small_worms

import neurojax as nj
from neurojax import UnknownNameError
from neurojax.core.paths import leaf_names
from neurojax.fitting import EdgeObserver, Estimator
from neurojax.fitting.parameters import rates, split
from neurojax.observations import Calcium, Identity


def estimator(observation=None, **options):
    circuit = small_worms.circuit(**options)
    observation = Identity() if observation is None else observation
    return Estimator(circuit, observation, EdgeObserver().bound(circuit))


def trained(tree):
    return {name.split(".args")[0] for name in leaf_names(tree)}


def test_all_weights_are_trained_and_no_counts_or_indices():
    parameters, rest = split(estimator(low_rank=1, noise=0.2), ())
    assert trained(parameters) == {
        "circuit.weight", "circuit.gap", "circuit.bias", "circuit.tau",
        "circuit.broadcast.0", "circuit.broadcast.1", "observer.K",
    }  # fmt: skip
    assert eqx.tree_equal(eqx.combine(parameters, rest), estimator(low_rank=1, noise=0.2))


def test_an_observation_is_trained_with_the_rest():
    parameters, _ = split(estimator(Calcium()), ())
    assert {"observation.tau_c", "observation.gain"} <= trained(parameters)


@pytest.mark.parametrize("name", ["gap", "circuit.gap"])
def test_names_may_leave_the_circuit_out(name):
    parameters, rest = split(estimator(), [name, "observer"])
    assert trained(parameters) == {"circuit.weight", "circuit.bias", "circuit.tau"}
    assert eqx.tree_equal(eqx.combine(parameters, rest), estimator())


def test_a_name_fits_whole_words_only():
    with pytest.raises(UnknownNameError):
        split(estimator(), ["ga"])


def test_unknown_names_come_with_a_suggestion():
    with pytest.raises(UnknownNameError, match=r"freeze: .*'biass'.*bias"):
        split(estimator(), ["biass"])
    parameters, _ = split(estimator(), ())
    with pytest.raises(UnknownNameError, match=r"learning_rates: .*'wieght'.*weight"):
        rates(parameters, {"wieght": 0.1})
    rnn = nj.circuits.RateRNN(3)
    with pytest.raises(
        UnknownNameError, match=r"Did you mean 'recurrent'\? Known: bias, recurrent"
    ):
        split(rnn, ["recurent"])


def test_freezing_everything_is_refused():
    with pytest.raises(ValueError, match="nothing is left to train"):
        split(estimator(), ["circuit", "observer"])


def test_rates_are_one_unless_named():
    parameters, _ = split(estimator(), ())
    found = rates(parameters, {"tau": 0.1, "observer": 0.0})
    named = dict(zip(leaf_names(parameters), jax.tree.leaves(found), strict=True))
    for name, factor in named.items():
        expected = 0.1 if "tau" in name else 0.0 if name.startswith("observer") else 1.0
        np.testing.assert_allclose(factor, expected)
    for bad in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="must be a factor of at least 0"):
            rates(parameters, {"tau": bad})
