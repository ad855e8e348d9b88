import numpy as np
import pytest

from neurojax.fitting.problem import align
from neurojax.recordings import Recording, load


def recording(labels, frames=10, name="", dt=0.5, seed=0):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.8 * dt, 1.2 * dt, frames))
    return Recording(times, rng.normal(size=(frames, len(labels))), labels=labels, name=name)


def test_each_sample_lands_in_the_slot_of_its_neuron():
    names = ["c", "a", "x", "b"]
    worms = [recording(["a", "", "b"], 10, "one"), recording(["b", "c"], 7, "two", seed=1)]
    both = align(worms, names)
    assert both.values.shape == (2, 10, 4) and both.values.dtype == np.float32
    for a, worm in enumerate(worms):
        for i, name in enumerate(names):
            if name in worm.labels:
                n = len(worm.times)
                np.testing.assert_array_equal(
                    both.values[a, :n, i], worm.trace(name).astype(np.float32)
                )
                assert both.mask[a, :n, i].all() and not both.mask[a, n:, i].any()
            else:
                assert not both.mask[a, :, i].any() and not both.values[a, :, i].any()
    assert both.lengths.tolist() == [10, 7] and both.animals == ("one", "two")
    assert both.labelled.tolist() == [[False, True, False, True], [True, False, False, True]]
    assert not both.values[~both.mask].any()


def test_intervals_are_the_true_ones_in_ms():
    worms = [recording(["a"], 10, "one"), recording(["a"], 7, "two", dt=0.1, seed=1)]
    both = align(worms, ["a"])
    for a, worm in enumerate(worms):
        n = len(worm.times)
        np.testing.assert_allclose(both.dt[a, 1:n], 1000 * np.diff(worm.times), rtol=1e-12)
        median = 1000 * np.median(np.diff(worm.times))
        np.testing.assert_allclose(both.dt[a, [0, *range(n, 10)]], median, rtol=1e-12)


def test_missing_samples_are_zero_and_masked():
    worm = Recording(np.arange(3.0), [[1.0, np.nan], [np.nan, 2.0], [3.0, 4.0]], labels=["a", "b"])
    both = align(worm, ["b", "a"])
    assert both.mask[0].tolist() == [[False, True], [True, False], [True, True]]
    assert both.values[0].tolist() == [[0.0, 1.0], [2.0, 0.0], [4.0, 3.0]]


def test_only_certain_labels_are_used_and_the_others_counted():
    labels = ["AVAL", "AVAR?", "", "SIBVL", "SIBVL", "XXX"]
    both = align(recording(labels), ["AVAL", "AVAR", "SIBVL"])
    assert both.labelled[0].tolist() == [True, False, False]
    assert both.unknown == (("XXX",),) and both.unidentified == (4,)
    assert "1 traces of other neurons and 4 unidentified" in repr(both)


def test_zero_padded_names_are_the_same_neuron_unless_two_traces_claim_it():
    assert align(recording(["VB02", "AVAL"]), ["VB2", "AVAL"]).labelled.all()
    both = align(recording(["VB02", "VB2"]), ["VB2"])
    assert both.unknown == (("VB02",),)
    np.testing.assert_array_equal(
        both.values[0, :, 0], recording(["VB02", "VB2"]).values[:, 1].astype(np.float32)
    )
    with pytest.raises(ValueError, match="no trace"):
        align(recording(["VB02", "VB002"]), ["VB2"])


def test_split_cuts_like_head_and_tail():
    worms = [recording(["a"], 10, "one"), recording(["a"], 7, "two", seed=1)]
    both = align(worms, ["a"])
    train, test = both.split(0.6)
    for a, worm in enumerate(worms):
        n = len(worm.times)
        assert both.values[a, train[a], 0].tolist() == pytest.approx(worm.head(0.6).values[:, 0])
        assert both.values[a, test[a], 0].tolist() == pytest.approx(worm.tail(0.4).values[:, 0])
        assert (train[a] ^ test[a])[:n].all() and not (train[a] | test[a])[n:].any()


def test_clipping():
    worm = Recording(np.arange(3.0), [[-9.0], [1.0], [5.0]], labels=["a"])
    assert align(worm, ["a"]).clipped(4.0).values[0, :, 0].tolist() == [-4.0, 1.0, 4.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: align([], ["a"]), "recordings is empty"),
        (lambda: align(recording(["a"]), ["a", "b", "a"]), "'a' twice"),
        (lambda: align(recording(["a"], 1, "short"), ["a"]), "'short' has 1 frames"),
        (lambda: align(recording(["a"], name="w"), ["b"]), "'w' has no trace .* labels are a"),
        (lambda: align(recording(["a"]), ["a"]).split(0.01), "0 of the 10 frames"),
        (lambda: align(recording(["a"]), ["a"]).split(1.0), "10 of the 10 frames"),
        (lambda: align(recording(["a"]), ["a"]).clipped(0.0), "limit must be positive"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_embedded_recordings_find_their_neurons():
    worms = load("dag2023")
    both = align(worms, worms.labels)
    assert both.labelled.sum(axis=1).tolist() == [len(worm.exact) for worm in worms]
    assert both.labelled.any(axis=0).all() and both.lengths.tolist() == [800] * 5
    assert not any(both.unknown)
