import jax
import numpy as np
import pytest
import small_worms

from neurojax.fitting import HeldOutNeurons, LaterTime, LeaveOneAnimalOut, align

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def aligned():
    return align(small_worms.worms(), small_worms.NAMES)


def test_later_time_is_one_fit_on_all_animals(aligned):
    (split,) = LaterTime(0.7).splits(aligned, KEY)
    assert split.train == split.test == (0, 1) and split.shown.all()
    assert LaterTime(0.7).train == 0.7


def test_each_animal_is_left_out_once(aligned):
    whole, *others = LeaveOneAnimalOut().splits(aligned, KEY)
    assert whole.train == whole.test == (0, 1)
    assert [(s.train, s.test) for s in others] == [((1,), (0,)), ((0,), (1,))]
    assert [s.name for s in others] == ["without first", "without second"]


def test_one_animal_cannot_be_left_out():
    alone = align(small_worms.worm("alone"), small_worms.NAMES)
    with pytest.raises(ValueError, match="at least two recordings"):
        LeaveOneAnimalOut().splits(alone, KEY)


def test_held_out_neurons_are_recorded_ones_and_follow_the_key(aligned):
    labelled = aligned.labelled.any(axis=0)
    chosen = set()
    for i in range(8):
        (split,) = HeldOutNeurons(0.34).splits(aligned, jax.random.key(i))
        assert (~split.shown).sum() == 2 and labelled[~split.shown].all()
        assert split.train == split.test == (0, 1)
        chosen.add(tuple(np.flatnonzero(~split.shown)))
        (again,) = HeldOutNeurons(0.34).splits(aligned, jax.random.key(i))
        np.testing.assert_array_equal(again.shown, split.shown)
    assert len(chosen) > 3


def test_hiding_all_neurons_is_refused(aligned):
    with pytest.raises(ValueError, match="would hide all 6 neurons"):
        HeldOutNeurons(0.99).splits(aligned, KEY)


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.2, 7.0, float("nan")])
def test_bad_fractions_are_named(bad):
    for make in (LaterTime, LeaveOneAnimalOut, lambda x: HeldOutNeurons(train=x)):
        with pytest.raises(ValueError, match="train must be a fraction between 0 and 1"):
            make(bad)
    with pytest.raises(ValueError, match="fraction must be a fraction"):
        HeldOutNeurons(bad)
