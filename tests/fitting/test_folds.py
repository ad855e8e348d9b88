import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurojax.connectomes import homologue_pairs, neurons
from neurojax.fitting.folds import homologue_indices, neuron_folds


@given(
    labelled=st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=4),
    n_folds=st.integers(2, 4),
    repeats=st.integers(1, 3),
    seed=st.integers(0, 5),
    paired=st.booleans(),
)
def test_each_labelled_neuron_is_hidden_once_per_repeat(labelled, n_folds, repeats, seed, paired):
    labelled = np.array(labelled)
    labelled[:, [0, 3, 6, 9]] = True  # enough units for the folds
    pairs = [(0, 1), (4, 2)] if paired else []
    folds = neuron_folds(
        labelled, n_folds, key=jax.random.key(seed), repeats=repeats, homologues=pairs
    )
    assert len(folds) == len(labelled) * n_folds * repeats
    for a, here in enumerate(labelled):
        part = folds.of(a)
        by_repeat = part.hidden.reshape(repeats, n_folds, -1)
        assert (by_repeat.sum(axis=1) == here).all()
        for fold in part.hidden:
            for i, j in pairs:
                assert not (here[i] and here[j]) or fold[i] == fold[j]
        units = by_repeat.sum(axis=2)
        if not pairs:
            assert units.max() - units.min() <= 1


def test_folds_are_a_function_of_key_and_animal_alone():
    labelled = np.ones((3, 20), bool)
    key = jax.random.key(0)
    folds = neuron_folds(labelled, key=key)
    np.testing.assert_array_equal(folds.hidden, neuron_folds(labelled, key=key).hidden)
    np.testing.assert_array_equal(
        folds.of([0, 1]).hidden, neuron_folds(labelled[:2], key=key).hidden
    )
    other = neuron_folds(labelled, key=jax.random.key(1))
    assert (folds.hidden != other.hidden).any()
    assert (folds.of(0).hidden != folds.of(1).hidden).any()
    repeated = neuron_folds(labelled, key=key, repeats=2).of(0).hidden
    assert (repeated[:5] != repeated[5:]).any()
    np.testing.assert_array_equal(repeated[:5], folds.of(0).hidden)


def test_every_pair_of_neurons_can_be_split():
    hidden = np.concatenate(
        [neuron_folds(np.ones((1, 6), bool), 3, key=jax.random.key(s)).hidden for s in range(60)]
    ).astype(int)
    together = hidden.T @ hidden  # each neuron is hidden 60 times; with a given other one, 12 +- 3
    off = together[~np.eye(6, dtype=bool)]
    assert (np.diag(together) == 60).all() and off.min() > 2 and off.max() < 27


def test_homologue_indices_are_the_pairs_of_the_worm():
    names = neurons().names
    pairs = [(names[i], names[j]) for i, j in homologue_indices(names)]
    assert {frozenset(p) for p in pairs} == {frozenset(p) for p in homologue_pairs()}
    assert len(pairs) == 99


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_folds": 1}, "n_folds must be at least 2"),
        ({"repeats": 0}, "repeats must be at least 1"),
        ({"n_folds": 7}, "animal 0 has 6 labelled neurons, fewer than n_folds = 7"),
        ({"homologues": [(0, 1), (2, 3)]}, "animal 0 has 4 labelled neurons or pairs"),
        ({"homologues": [(0, 1), (1, 2)]}, "neuron 1 in two pairs"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        neuron_folds(np.ones((2, 6), bool), key=jax.random.key(0), **options)
