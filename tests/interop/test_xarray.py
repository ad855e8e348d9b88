"""Recordings as xarray data sets and back."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurojax.interop import from_xarray, to_xarray
from neurojax.recordings import Recording, RecordingError, Series

xr = pytest.importorskip("xarray")
names = st.text(max_size=6)


def example(**changes):
    arguments = {
        "times": [0.0, 0.6, 1.3],
        "values": np.array([[1.0, np.nan], [2.0, 5.0], [3.0, 6.0]], np.float32),
        "labels": ["AVAL", "RMF?"],
        "series": {
            "values": Series([0.0, 0.0], [True, False], kind="stimulus"),
            "angle": Series([0.5], [[1.0, 2.0]], unit="rad"),
        },
        "unit": "F/F0",
        "name": "worm",
        "metadata": {"licence": "CC0", "name": "another name"},
        "spikes": {"time": [0.1, 0.2], "": []},
        "label_confidence": [3, np.nan],
    }
    return Recording(**(arguments | changes))


def assert_same(a, b):
    for field in ("times", "values", "mask", "label_confidence"):
        assert getattr(a, field).dtype == getattr(b, field).dtype
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
    for field in ("labels", "unit", "name", "metadata"):
        assert getattr(a, field) == getattr(b, field)
    assert list(a.series) == list(b.series) and list(a.spikes) == list(b.spikes)
    for key, series in a.series.items():
        other = b.series[key]
        assert (series.unit, series.kind) == (other.unit, other.kind)
        np.testing.assert_array_equal(series.times, other.times)
        np.testing.assert_array_equal(series.values, other.values)
    for key, train in a.spikes.items():
        np.testing.assert_array_equal(train, b.spikes[key])


def test_round_trip():
    assert_same(from_xarray(to_xarray(example())), example())
    assert_same(from_xarray(example().to_xarray()), example())


@given(
    st.lists(names, max_size=3),
    st.dictionaries(names, names, max_size=3),
    st.sets(names, max_size=3),
    names,
)
def test_round_trip_of_any_names(labels, metadata, parts, text):
    recording = Recording(
        [0.0, 1.0],
        np.arange(2.0 * len(labels)).reshape(2, -1),
        labels,
        series={name: Series([0.0], [1.0], text) for name in parts},
        spikes={key: [0.5] for key in parts},
        metadata=metadata,
        name=text,
        unit=text,
    )
    assert_same(from_xarray(to_xarray(recording)), recording)


def test_the_data_set_is_labelled():
    data = to_xarray(example())
    assert data["values"].dims == ("time", "neuron") and data["time"].attrs["units"] == "s"
    assert float(data["values"].sel(time=1.3).isel(neuron=1)) == 6
    assert data.attrs["metadata:licence"] == "CC0"


def test_netcdf_round_trip(tmp_path):
    example(spikes={}).to_xarray().to_netcdf(tmp_path / "worm.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "worm.nc", engine="scipy") as data:
        assert_same(from_xarray(data.load()), example(spikes={}))


def test_a_transposed_data_set_is_turned():
    assert_same(from_xarray(to_xarray(example()).transpose("neuron", "time", ...)), example())


def test_plain_arrays():
    traces = xr.DataArray(
        [[1.0, 2.0], [3.0, np.nan]],
        dims=("time", "roi"),
        coords={"time": [0, 1], "label": ("roi", ["AVAL", ""])},
        name="worm",
        attrs={"units": "V"},
    )
    recording = from_xarray(traces)
    assert recording.labels == ("AVAL", "") and recording.unit == "V" and recording.name == "worm"
    assert recording.mask.tolist() == [[True, True], [True, False]]
    numbered = traces.drop_vars("label").assign_coords(roi=[3, 4])
    assert from_xarray(numbered).labels == ("", "")


def test_refusals():
    data = to_xarray(example())
    with pytest.raises(RecordingError, match="no variable 'values'"):
        from_xarray(data.drop_vars("values"))
    with pytest.raises(RecordingError, match="no coordinate 'time'"):
        from_xarray(data.drop_vars("time"))
    with pytest.raises(RecordingError, match="seconds as numbers"):
        from_xarray(data.assign_coords(time=np.array([0, 1, 2], "datetime64[s]").astype("M8[ns]")))
    with pytest.raises(RecordingError, match="'time' and one other, but has 'a', 'b'"):
        from_xarray(xr.DataArray(np.ones((2, 2)), dims=("a", "b")))
    with pytest.raises(RecordingError, match="no coordinate of times"):
        from_xarray(data.drop_vars("time of angle"))


def test_without_xarray(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r"pip install 'neurojax-dynamics\[recordings\]'"):
        to_xarray(example())
