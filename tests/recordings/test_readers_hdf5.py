"""The lab HDF5 layout, and HDF5 files made to harm."""

import numpy as np
import pytest

from neurojax.recordings.errors import RecordingError
from neurojax.recordings.readers import _apart, read_hdf5, read_nwb

h5py = pytest.importorskip("h5py", reason="needs the extra 'recordings'")

FRAMES, NEURONS = 20, 4


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "gcamp/trace_array": rng.normal(size=(FRAMES, NEURONS)),
        "gcamp/trace_array_original": rng.normal(size=(FRAMES, NEURONS)),
        "gcamp/traces_array_F_F20": rng.normal(size=(FRAMES, NEURONS)).astype(np.float32),
        "timing/timestamp_confocal": np.cumsum(rng.uniform(0.55, 0.675, FRAMES)),
        "behavior/velocity": rng.normal(size=FRAMES),
        "behavior/reversal_vec": rng.integers(0, 2, FRAMES),
        "behavior/pumping": np.full(FRAMES, np.nan),
        "behavior/body_angle": rng.normal(size=(FRAMES, 30)),
    }


@pytest.fixture
def write(tmp_path, arrays):
    """Writes the layout; `change` gets the open file for what a test is about."""

    def write(change=None, name="2022-07-26-31-data.h5", leave_out=(), **settings):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, array in arrays.items():
                if key not in leave_out:
                    file.create_dataset(key, data=array, **settings)
            if change is not None:
                change(file)
        return path

    return write


@pytest.mark.parametrize("settings", [{}, {"compression": "gzip", "shuffle": True}])
def test_reads_what_was_written(write, arrays, settings):
    worm = read_hdf5(write(**settings), labels={0: "AVAL", 3: "AVAR?"})
    np.testing.assert_array_equal(worm.values, arrays["gcamp/traces_array_F_F20"])
    assert worm.values.dtype == np.float32
    np.testing.assert_array_equal(worm.times, arrays["timing/timestamp_confocal"])
    assert (worm.name, worm.unit) == ("2022-07-26-31", "F/F20")
    assert worm.labels == ("AVAL", "", "", "AVAR?")
    assert set(worm.series) == {"velocity", "reversal_vec", "pumping", "body_angle"}
    for name, series in worm.series.items():
        np.testing.assert_array_equal(series.values, arrays[f"behavior/{name}"])
        np.testing.assert_array_equal(series.times, worm.times)
        assert series.kind == "behaviour"
    assert worm.series["velocity"].unit == "mm/s"
    assert worm.metadata["source"] == "2022-07-26-31-data.h5"
    assert "not read" not in worm.metadata


def test_other_traces(write, arrays):
    path = write()
    worm = read_hdf5(path, traces="trace_array")
    np.testing.assert_array_equal(worm.values, arrays["gcamp/trace_array"])
    assert worm.unit == "z-score"
    with pytest.raises(RecordingError, match="did you mean 'trace_array'"):
        read_hdf5(path, traces="trace_aray")
    worm = read_hdf5(write(leave_out=["gcamp/traces_array_F_F20"]))
    np.testing.assert_array_equal(worm.values, arrays["gcamp/trace_array_original"])
    assert worm.unit == "F"


def test_labels(write):
    path = write()
    assert read_hdf5(path).labels == ("",) * NEURONS
    assert read_hdf5(path, labels=["a", "b", "c", "d"]).labels == ("a", "b", "c", "d")
    with pytest.raises(RecordingError, match="columns run from 0 to 3; subtract 1"):
        read_hdf5(path, labels={4: "AVAL"})
    with pytest.raises(RecordingError, match="2 labels for 4 columns"):
        read_hdf5(path, labels=["a", "b"])


def test_missing_samples_are_masked(write, arrays):
    arrays["gcamp/traces_array_F_F20"][3, 1] = np.nan
    worm = read_hdf5(write())
    assert np.argwhere(~worm.mask).tolist() == [[3, 1]]


def test_what_is_no_series_is_named(write):
    def add(file):
        file["behavior/note"] = "a text"
        file["behavior/short"] = np.zeros(FRAMES - 1)
        file["behavior/video"] = np.zeros((FRAMES, 2, 2))
        file["behavior/elsewhere"] = h5py.ExternalLink("other.h5", "/x")
        file["behavior/dangling"] = h5py.SoftLink("/nowhere")
        file["behavior/again"] = h5py.SoftLink("velocity")

    worm = read_hdf5(write(add))
    assert set(worm.metadata["not read"].split(", ")) == {
        f"behavior/{k}" for k in ("note", "short", "video", "elsewhere", "dangling")
    }
    np.testing.assert_array_equal(worm.series["again"].values, worm.series["velocity"].values)


# --- wrong and hostile files ------------------------------------------------------------------


@pytest.fixture
def in_this_process(monkeypatch):
    """Spares the child process where a file is sound HDF5 and only its layout is wrong."""
    from neurojax.recordings.readers._child.main import answer

    monkeypatch.setattr(_apart, "_ask_child", answer)


def _replace(name, value, **settings):
    def change(file):
        del file[name]
        if isinstance(value, h5py.SoftLink | h5py.ExternalLink):
            file[name] = value
        else:
            file.create_dataset(name, **settings, **({} if value is None else {"data": value}))

    return change


TRACES, CLOCK = "gcamp/traces_array_F_F20", "timing/timestamp_confocal"


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_replace(TRACES, np.zeros((NEURONS, FRAMES))), r"must have shape \(time, neuron\)"),
        (_replace(TRACES, np.zeros(FRAMES)), r"must have shape \(time, neuron\)"),
        (_replace(TRACES, np.zeros((FRAMES, 2), complex)), "must hold numbers"),
        (_replace(TRACES, np.zeros((FRAMES, 2), "f8,i4")), "must hold numbers"),
        (_replace(TRACES, np.full((FRAMES, 2), b"x")), "must hold numbers"),
        (_replace(TRACES, h5py.Empty("f8")), "must hold numbers"),
        (_replace(TRACES, h5py.SoftLink("/" + TRACES)), "leads in a circle"),
        (_replace(TRACES, h5py.SoftLink("/gcamp")), "is no dataset"),
        (_replace(TRACES, None, shape=(2**40, 100), dtype="f8", chunks=(1024, 100)), "claims"),
        (_replace(TRACES, None, shape=(2**20, 100), dtype="f8", chunks=(1024, 100)), "claims"),
        (_replace(CLOCK, np.zeros(FRAMES)), "strictly increasing"),
        (_replace(CLOCK, np.arange(FRAMES)[::-1]), "strictly increasing"),
        (_replace(CLOCK, np.full(FRAMES, np.nan)), "must be finite"),
        (_replace(CLOCK, np.zeros((FRAMES, 2))), "one dimension"),
        (_replace(CLOCK, h5py.SoftLink("/nowhere")), "no dataset timing/timestamp_confocal"),
        (lambda file: file.__delitem__("gcamp"), "no group gcamp/"),
    ],
)
def test_wrong_layouts_are_refused(write, change, message):
    path = write(change)
    with pytest.raises(RecordingError, match=message) as error:
        read_hdf5(path)
    assert str(path) in str(error.value)


@pytest.fixture
def secret(tmp_path):
    """A file beside the recording whose content no reader may show."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["traces"] = np.full((FRAMES, NEURONS), 42.0)
    return path


def _external_link(file, secret):
    file[TRACES] = h5py.ExternalLink(secret.name, "/traces")


def _soft_link_through_an_external_one(file, secret):
    file["door"] = h5py.ExternalLink(secret.name, "/")
    file[TRACES] = h5py.SoftLink("/door/traces")


def _external_storage(file, secret):
    file.create_dataset(
        TRACES, (FRAMES, NEURONS), "f8", external=[(secret.name, 0, FRAMES * NEURONS * 8)]
    )


def _virtual_dataset(file, secret):
    layout = h5py.VirtualLayout((FRAMES, NEURONS), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "traces", (FRAMES, NEURONS))
    file.create_virtual_dataset(TRACES, layout)


@pytest.mark.parametrize(
    "lead_away",
    [_external_link, _soft_link_through_an_external_one, _external_storage, _virtual_dataset],
)
def test_other_files_are_never_opened(write, secret, lead_away):
    path = write(lambda file: lead_away(file, secret), leave_out=[TRACES])
    with h5py.File(path) as file:
        assert file[TRACES].shape == (FRAMES, NEURONS)  # h5py itself does open them
    with pytest.raises(RecordingError, match="another file"):
        read_hdf5(path)


def test_max_bytes(write):
    with pytest.raises(RecordingError, match="max_bytes=100"):
        read_hdf5(write(), max_bytes=100)


def test_files_of_another_kind(tmp_path, write):
    for data, message in ((b"", "empty"), (b"\x80\x04N." * 50, "signature is missing")):
        path = tmp_path / "wrong.h5"
        path.write_bytes(data)
        with pytest.raises(RecordingError, match=message):
            read_hdf5(path)
    path = write()
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(RecordingError, match="truncated"):
        read_hdf5(path)
    with pytest.raises(RecordingError, match="try read_hdf5"):
        read_nwb(write())
