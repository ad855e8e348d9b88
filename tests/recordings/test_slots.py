"""Slots: the same column for the same neuron in every animal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurojax.recordings import Recording, RecordingError, to_slots

NAMES = ("AVAL", "AVAR", "RIS", "VA1", "VA10", "AS10")


def make(labels, confidence=None):
    values = np.arange(2.0 * len(labels)).reshape(2, -1)
    return Recording([0.0, 1.0], values, labels, label_confidence=confidence)


def test_named_neurons_go_to_their_slots():
    recording = make(["VA10", "", "AVAL", "RIS?"], [1, 2, 3, 4])
    ordered, named, unknown = to_slots(recording, NAMES)
    assert ordered.labels == NAMES
    assert named.tolist() == [True, False, False, False, True, False]
    assert not unknown.any()
    np.testing.assert_array_equal(ordered.mask.any(axis=0), named)
    np.testing.assert_array_equal(ordered.trace("VA10"), recording.trace("VA10"))
    np.testing.assert_array_equal(ordered.label_confidence, [3, *[np.nan] * 3, 1, np.nan])


def test_unknown_neurons_fill_free_slots_in_order():
    recording = make(["", "RIS", "AVAL", "odd", "VA10?"])
    ordered, named, unknown = to_slots(recording, NAMES, unknown=True)
    assert unknown.tolist() == [False, True, False, True, True, False]
    assert ordered.labels == ("AVAL", "", "RIS", "", "", "AS10")
    np.testing.assert_array_equal(ordered.values[:, unknown], recording.values[:, [0, 3, 4]])
    assert not (named & unknown).any()


def test_zero_padded_names_find_their_slot_unless_that_makes_a_pair():
    assert to_slots(make(["VA01", "va10"]), NAMES).named.tolist() == [False] * 3 + [True] * 2 + [
        False
    ]
    assert not to_slots(make(["VA01", "VA1"]), NAMES).named.any()


def test_refusals():
    with pytest.raises(RecordingError, match="'A' occurs twice"):
        to_slots(make(["A"]), ["A", "B", "A"])
    with pytest.raises(RecordingError, match="2 unidentified neurons do not fit into 1 free"):
        to_slots(make(["", "", "A"]), ["A", "B"], unknown=True)


def test_the_default_is_the_302_neurons():
    ordered, named, _ = to_slots(make(["RIS", "AVAL"]))
    assert ordered.values.shape == (2, 302)
    assert list(ordered.labels) == sorted(ordered.labels)
    assert [ordered.labels[i] for i in np.flatnonzero(named)] == ["AVAL", "RIS"]


@given(st.lists(st.sampled_from([*NAMES, "", "X?", "odd"]), max_size=6))
def test_no_sample_is_lost_with_unknown_ones_kept(labels):
    recording = make(labels)
    ordered, named, unknown = to_slots(recording, NAMES, unknown=True)
    kept = ordered.values[:, named | unknown]
    assert sorted(map(tuple, kept.T)) == sorted(map(tuple, recording.values.T))
    for i in np.flatnonzero(named):
        np.testing.assert_array_equal(ordered.values[:, i], recording.trace(NAMES[i]))
