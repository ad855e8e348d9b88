"""The recording itself: what it refuses, how it is cut, and who its neurons are."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurojax.recordings import Recording, RecordingError, Series, mirrored_label, tidy_label

NEURONS = Path(__file__).parents[3] / "shared" / "data" / "celegans" / "neurons.csv"


def make(frames=6, labels=("AVAL", "AVAR", "", "RIS"), **changes):
    values = np.arange(frames * len(labels), dtype=float).reshape(frames, len(labels))
    return dataclasses.replace(Recording(np.arange(frames) * 0.5, values, labels), **changes)


def test_values_without_a_mask_are_missing_where_they_are_not_finite():
    recording = Recording([0.0, 1.0], [[1.0, np.nan], [np.inf, 4.0]])
    assert recording.mask.tolist() == [[True, False], [False, True]]
    np.testing.assert_array_equal(recording.values, [[1.0, np.nan], [np.nan, 4.0]])


def test_masked_samples_are_nan_whatever_was_given():
    recording = Recording([0.0, 1.0], [[1.0], [99.0]], mask=[[True], [False]])
    assert np.isnan(recording.values[1, 0])


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), ("i2", "f8"), ("?", "f8"), (">f8", "f8")],
)
def test_types_of_values(dtype, kept):
    assert Recording([0.0], np.ones((1, 2), dtype)).values.dtype == np.dtype(kept)


def test_nothing_outside_can_change_a_recording():
    times, values = np.array([0.0, 1.0]), np.ones((2, 1))
    recording = Recording(times, values, series={"v": Series(times, values)})
    times[0], values[0] = -5.0, 7.0
    assert recording.times[0] == 0 and recording.values[0, 0] == 1
    assert recording.series["v"].values[0, 0] == 1
    for array in (recording.times, recording.values, recording.mask, recording.label_confidence):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        recording.name = "other"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"times": [0.0, 1.0, 1.0]}, r"strictly increasing, but times\[2\] = 1.0"),
        ({"times": [0.0, 2.0, 1.0]}, "strictly increasing"),
        ({"times": [0.0, np.nan, 1.0]}, "times must be finite, but item 1"),
        ({"times": [[0.0, 1.0, 2.0]]}, "one dimension"),
        ({"times": ["a", "b", "c"]}, "real numbers"),
        ({"times": np.array([0, 1, 2], dtype="datetime64[s]")}, "real numbers"),
        ({"values": np.ones(3)}, r"values\[:, None\]"),
        ({"values": np.ones((2, 3))}, r"values.T"),
        ({"values": np.ones((4, 2))}, r"\(time, neuron\) = \(3, n\)"),
        ({"values": [[1.0], [1.0, 2.0], [1.0]]}, "array of numbers"),
        ({"values": np.array([[None], [1], [2]])}, "real numbers, but the type is object"),
        ({"values": np.ones((3, 2), complex)}, "real numbers"),
        ({"mask": np.ones((3, 2))}, "mask must be boolean"),
        ({"mask": np.ones((3, 1), bool)}, "shape of values"),
        (
            {"values": [[1, 2], [np.nan, 3], [4, 5]], "mask": np.ones((3, 2), bool)},
            r"values\[1, 0\]",
        ),
        ({"labels": ["AVAL"]}, "1 labels for 2 columns"),
        ({"labels": "AV"}, "one text per column"),
        ({"labels": ["AVAL", 3]}, r"labels\[1\] must be a text"),
        ({"label_confidence": [1.0]}, "label_confidence must have shape"),
        ({"series": {"v": np.ones(3)}}, "must be a Series"),
        ({"metadata": {"year": 2023}}, r"metadata\['year'\] must be a text"),
        ({"spikes": {"u": [2.0, 1.0]}}, "must not decrease"),
        ({"spikes": {"u": [np.inf]}}, "must be finite"),
    ],
)
def test_bad_content_is_refused_with_its_reason(wrong, message):
    arguments = {"times": [0.0, 1.0, 2.0], "values": np.ones((3, 2))} | wrong
    with pytest.raises(RecordingError, match=message):
        _unchecked(Recording)(**arguments)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"values": [1.0]}, "one row for each of its times"),
        ({"values": np.ones((2, 1, 1))}, "must have shape"),
        ({"times": [1.0, 0.0]}, "must not decrease"),
        ({"kind": "smell"}, "'behaviour' or 'stimulus', but is 'smell'"),
    ],
)
def test_bad_series_are_refused(wrong, message):
    with pytest.raises(RecordingError, match=message):
        Series(**({"times": [0.0, 1.0], "values": [0.0, 1.0]} | wrong))


def _unchecked(cls):
    """The class as users have it: without the type checks that the tests switch on."""
    return lambda **kwargs: _construct(cls, kwargs)


def _construct(cls, kwargs):
    plain = cls.__init__
    while hasattr(plain, "__wrapped__"):
        plain = plain.__wrapped__
    self = object.__new__(cls)
    plain(self, **kwargs)
    return self


def test_exact_leaves_out_unsure_repeated_and_empty_labels():
    recording = make(labels=("AVAL", "RMF?", "", "SIBVL", "SIBVL", "RIS", ""))
    assert recording.exact == (0, 5)


def test_dt_is_the_median_interval():
    assert Recording([0.0, 1.0, 3.0, 4.0], np.ones((4, 1))).dt == 1.0
    with pytest.raises(RecordingError, match="two frames"):
        Recording([0.0], [[1.0]]).dt  # noqa: B018


@pytest.mark.skipif(not NEURONS.exists(), reason="the shared neuron table is not here")
def test_homologues_among_the_302_neurons_are_of_one_class():
    with NEURONS.open(newline="") as file:
        classes = {row["name"]: row["neuron_class"] for row in csv.DictReader(file)}
    everyone = Recording([0.0], np.zeros((1, len(classes))), list(classes))
    pairs = {name: everyone.homologue(name) for name in classes if everyone.homologue(name)}
    assert len(pairs) == 2 * 99
    for name, partner in pairs.items():
        assert pairs[partner] == name
        assert classes[partner] == classes[name]


def test_homologue_must_be_in_the_recording_for_certain():
    recording = make(labels=("RMDDL", "RMDDR", "IL2DR", "AVAR", "AVAR"))
    assert recording.homologue("RMDDL") == "RMDDR"
    assert recording.homologue("IL2DL") == "IL2DR"  # the neuron itself need not be there
    assert recording.homologue("AVAL") is None
    assert recording.homologue("DVA") is None


def test_spelling_of_names():
    names = ["VA01", "VA10", "VB02", "DB03?", "AS11", "I1L", "M4", "avm", "", "neuron 007"]
    tidy = ["VA1", "VA10", "VB2", "DB3?", "AS11", "I1L", "M4", "AVM", "", "NEURON 007"]
    assert [tidy_label(k) for k in names] == tidy
    assert mirrored_label("AWCOFF") == "AWCON"
    assert mirrored_label("L") is None and mirrored_label("") is None


def test_select_by_label_and_number():
    recording = make(label_confidence=[1, 2, 3, 4])
    part = recording.select(["RIS", 2])
    assert part.labels == ("RIS", "")
    assert part.label_confidence.tolist() == [4, 3]
    np.testing.assert_array_equal(part.values, recording.values[:, [3, 2]])
    np.testing.assert_array_equal(recording.select("RIS").values, recording.values[:, [3]])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["AVAK"], "no neuron 'AVAK'.*did you mean 'AVAR' or 'AVAL'|'AVAL' or 'AVAR'"),
        ([""], "no neuron ''"),
        (["AVAL", 0], "selected twice"),
        ([4], "no column 4"),
        ([-1], "no column -1"),
    ],
)
def test_select_refuses(labels, message):
    with pytest.raises(RecordingError, match=message):
        make().select(labels)


def test_a_repeated_label_is_not_a_name():
    with pytest.raises(RecordingError, match=r"occurs 2 times, in columns \[0, 1\]"):
        make(labels=("A?", "A?"), values=np.ones((6, 2)), mask=None, label_confidence=None).trace(
            "A?"
        )


def test_between_cuts_series_and_spikes_alike():
    light = Series([0.1, 0.9, 1.0, 2.0], [1, 2, 3, 4], kind="stimulus")
    recording = make(series={"light": light}, spikes={"u": np.array([0.4, 0.5, 1.49, 1.5])})
    part = recording.between(0.5, 1.5)
    assert part.times.tolist() == [0.5, 1.0]
    assert part.series["light"].values.tolist() == [2, 3]
    assert part.series["light"].kind == "stimulus"
    assert part.spikes["u"].tolist() == [0.5, 1.49]
    with pytest.raises(RecordingError, match="no frame lies in"):
        recording.between(10.0, 11.0)


@given(st.integers(1, 300), st.floats(0, 1))
def test_head_and_tail_are_a_partition(frames, fraction):
    recording = Recording(np.arange(frames) * 0.1, np.arange(frames)[:, None])
    kept = []
    for part, share in ((recording.head, fraction), (recording.tail, 1 - fraction)):
        try:
            kept.extend(part(share).values[:, 0])
        except RecordingError as error:
            assert "less than one frame" in str(error)
    assert kept == list(range(frames))


def test_head_counts_frames():
    recording = Recording(np.arange(800) * 0.6, np.zeros((800, 1)))
    assert len(recording.head(0.6).times) == 480
    assert recording.tail(0.4).times[0] == recording.times[480]
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(RecordingError, match="from 0 to 1"):
            recording.head(wrong)
        with pytest.raises(RecordingError, match="from 0 to 1"):
            recording.tail(wrong)


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=30, unique=True),
    st.floats(-10, 110),
    st.floats(-10, 110),
)
def test_between_takes_the_frames_that_a_comparison_takes(times, start, stop):
    times = np.sort(times)
    recording = Recording(times, times[:, None])
    expected = [t for t in times if start <= t < stop]
    if expected:
        assert recording.between(start, stop).times.tolist() == expected
    else:
        with pytest.raises(RecordingError):
            recording.between(start, stop)


def test_with_values_keeps_missing_samples_missing():
    recording = Recording([0.0, 1.0], [[1.0, np.nan], [3.0, 4.0]])
    other = recording.with_values([[10.0, 20.0], [np.inf, 40.0]], unit="sd")
    assert other.mask.tolist() == [[True, False], [False, True]]
    assert other.unit == "sd" and recording.with_values(recording.values).unit == ""
    assert recording.with_values(np.ones((2, 2)), mask=np.ones((2, 2), bool)).mask.all()
    with pytest.raises(RecordingError, match="values must have shape"):
        recording.with_values([1.0, 2.0])


def test_rename():
    recording = make()
    assert recording.rename({"RIS": "RIR"}).labels == ("AVAL", "AVAR", "", "RIR")
    assert recording.rename(str.lower).labels == ("aval", "avar", "", "ris")
    with pytest.raises(RecordingError, match="did you mean 'RIS'"):
        recording.rename({"RISS": "RIR"})


def test_empty_recordings_are_allowed_for_spikes_alone():
    recording = Recording([], np.zeros((0, 0)), spikes={"u": [1.0]})
    assert recording.exact == () and "1 spike trains" in repr(recording)
