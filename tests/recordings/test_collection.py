"""Several recordings: looked up, mapped, joined in time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurojax.recordings import Recording, RecordingError, Recordings, Series, concatenate


def make(labels, frames=3, start=0.0, name="", **more):
    values = np.arange(frames * len(labels), dtype=float).reshape(frames, -1) + 100 * start
    return Recording(start + np.arange(frames), values, labels, name=name, **more)


def test_recordings_are_a_sequence():
    a, b, c = (make(["RIS"], name=n) for n in "abc")
    worms = Recordings([a, b, c])
    assert len(worms) == 3 and worms[1] is b and worms[-1] is c and worms["c"] is c
    assert list(worms) == [a, b, c]
    assert isinstance(worms[1:], Recordings) and worms[1:].names == ("b", "c")
    with pytest.raises(KeyError, match="no recording 'd'"):
        worms["d"]
    with pytest.raises(IndexError):
        worms[3]


def test_labels_are_the_union_of_the_certain_ones():
    a = make(["RIS", "AVAL", "X?", ""], name="a")
    b = make(["RIS", "AVAR", "AIB", "AIB"], name="b")
    assert Recordings([a, b]).labels == ("AVAL", "AVAR", "RIS")


def test_names_are_unique_and_given_where_absent():
    assert Recordings([make(["A"]), make(["A"])]).names == ("recording 0", "recording 1")
    assert Recordings(make(["A"], name="a")).names == ("a",)
    with pytest.raises(RecordingError, match="two recordings are named 'a'"):
        Recordings([make(["A"], name="a"), make(["B"], name="a")])


def test_map():
    worms = Recordings([make(["A", "B"], name="a")]).map(lambda r: r.select(["B"]))
    assert worms[0].labels == ("B",)


def test_joining_masks_neurons_that_a_session_lacks():
    a = make(["AVAL", "", "RIS"], name="day 1", metadata={"lab": "x", "day": "1"})
    b = make(["RIS", "AVAR"], start=10.0, name="day 2", metadata={"lab": "x", "day": "2"})
    both = concatenate([a, b])
    assert both.labels == ("AVAL", "", "RIS", "AVAR")
    assert both.mask.tolist() == [[True, True, True, False]] * 3 + [[False, False, True, True]] * 3
    np.testing.assert_array_equal(both.trace("RIS"), [*a.trace("RIS"), *b.trace("RIS")])
    assert both.name == "day 1 + day 2"
    assert both.metadata == {"lab": "x", "day": "1; 2"}
    assert both.times.tolist() == [0, 1, 2, 10, 11, 12]


def test_unsure_columns_are_never_matched():
    a = make(["RIS", "RMF?", "", "AIB", "AIB"])
    b = make(["RMF?", "AIB", "", "RIS"], start=5.0)
    both = concatenate([a, b])
    assert both.values.shape[1] == 5 + 3
    assert {both.labels[i] for i in both.exact} == {"RIS", "AIB"}
    np.testing.assert_array_equal(both.trace("AIB"), [np.nan] * 3 + list(b.trace("AIB")))


def test_gap_shifts_series_and_spikes():
    light = Series([0.5, 1.0], [1.0, 2.0], kind="stimulus", unit="mW")
    a = make(["A"], series={"light": light}, spikes={"u": [0.5]})
    b = make(["A"], series={"light": light}, spikes={"u": [0.25], "w": [1.0]})
    both = concatenate([a, b], gap=4.0)
    assert both.times.tolist() == [0, 1, 2, 6, 7, 8]
    assert both.series["light"].times.tolist() == [0.5, 1.0, 6.5, 7.0]
    assert both.series["light"].kind == "stimulus" and both.series["light"].unit == "mW"
    assert both.spikes["u"].tolist() == [0.5, 6.25] and both.spikes["w"].tolist() == [7.0]


def test_what_cannot_be_joined():
    a = make(["A"])
    with pytest.raises(RecordingError, match="nothing to concatenate"):
        concatenate([])
    with pytest.raises(RecordingError, match="give gap="):
        concatenate([a, a])
    with pytest.raises(RecordingError, match="gap must be a positive"):
        concatenate([a, a], gap=0.0)
    with pytest.raises(RecordingError, match="different units"):
        concatenate([a, make(["A"], unit="V")], gap=1.0)
    one, two = Series([0.0], [1.0], unit="V"), Series([0.0], [1.0], unit="A")
    with pytest.raises(RecordingError, match="series 'light' differs"):
        concatenate(
            [make(["A"], series={"light": one}), make(["A"], series={"light": two})], gap=1.0
        )


@given(
    st.lists(
        st.lists(st.sampled_from(["AVAL", "AVAR", "RIS", "RMF?", "", "AIB"]), max_size=6),
        min_size=1,
        max_size=4,
    )
)
def test_every_sample_survives_joining(sessions):
    parts = [make(labels, name=str(i)) if labels else None for i, labels in enumerate(sessions)]
    parts = [p for p in parts if p is not None]
    if not parts:
        return
    both = concatenate(parts, gap=1.0)
    assert both.mask.sum() == sum(p.mask.sum() for p in parts)
    for i, part in enumerate(parts):
        rows = both.values[3 * i : 3 * i + 3]
        seen = [tuple(c) for c in rows.T if np.isfinite(c).all()]
        assert sorted(seen) == sorted(map(tuple, part.values.T))
        for column in part.exact:
            label = part.labels[column]
            np.testing.assert_array_equal(rows[:, both.labels.index(label)], part.values[:, column])
    assert {both.labels[i] for i in both.exact} >= set(Recordings(parts).labels)
