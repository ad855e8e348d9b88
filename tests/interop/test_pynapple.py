"""Objects shaped like pynapple's become recordings."""

import sys
from types import SimpleNamespace as Like

import numpy as np
import pytest

from neurojax.interop import from_pynapple
from neurojax.recordings import RecordingError

T = np.array([0.0, 0.1, 0.2])


class Group:
    """Like pynapple's TsGroup: keys and items, but no Mapping."""

    index = np.array([0, 5])

    def keys(self):
        return [0, 5]

    def __getitem__(self, key):
        return Like(t=np.array([0.1, 0.3]) + key)

    def values(self):
        raise AssertionError("a method, not data")


def test_frames():
    frame = Like(t=T, d=np.arange(6.0).reshape(3, 2), columns=np.array(["AVAL", "AVAR"]))
    recording = from_pynapple(frame, unit="dF/F", name="mouse")
    assert recording.labels == ("AVAL", "AVAR")
    assert (recording.unit, recording.name) == ("dF/F", "mouse")
    np.testing.assert_array_equal(recording.values, frame.d)
    np.testing.assert_array_equal(recording.times, T)
    assert from_pynapple(Like(t=T, d=np.ones((3, 2)), columns=[0, 1])).labels == ("", "")
    assert from_pynapple(Like(index=T, values=np.ones((3, 2)))).values.shape == (3, 2)


def test_single_traces_and_missing_samples():
    recording = from_pynapple(Like(t=T, d=np.array([1.0, np.nan, 3.0])))
    assert recording.mask[:, 0].tolist() == [True, False, True]


def test_spikes():
    assert from_pynapple(Like(t=T)).spikes["0"].tolist() == T.tolist()
    recording = from_pynapple(Group(), name="probe")
    assert {k: v.tolist() for k, v in recording.spikes.items()} == {
        "0": [0.1, 0.3],
        "5": [5.1, 5.3],
    }
    assert len(recording.times) == 0 and recording.name == "probe"


def test_refusals():
    with pytest.raises(RecordingError, match="a list has no times `t`"):
        from_pynapple([1, 2])
    with pytest.raises(RecordingError, match="set of intervals"):
        from_pynapple(Like(start=[0], end=[1], index=[0], values=[[0, 1]]))
    with pytest.raises(RecordingError, match="values must have shape"):
        from_pynapple(Like(t=T, d=np.ones((3, 2, 2))))


def test_pynapple_is_not_imported():
    from_pynapple(Like(t=T))
    assert "pynapple" not in sys.modules
