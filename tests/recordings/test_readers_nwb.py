"""NWB: files written by pynwb and compared with what pynwb reads, and files made to harm."""

import datetime
import shutil

import numpy as np
import pytest

from neurojax.recordings.errors import RecordingError
from neurojax.recordings.readers import _apart, read_hdf5, read_nwb

h5py = pytest.importorskip("h5py", reason="needs the extra 'recordings'")
pynwb = pytest.importorskip("pynwb", reason="needs the extra 'recordings'")

FRAMES, NEURONS = 30, 4
NAMES = ["AVAL", "AVAR", "RIM?", ""]


class Session:
    """An NWB session under construction."""

    def __init__(self, **texts):
        start = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)
        self.nwb = pynwb.NWBFile("a test", "worm 1", start, **texts)
        self.rng = np.random.default_rng(1)

    def module(self, name="ophys"):
        if name not in self.nwb.processing:
            self.nwb.create_processing_module(name, name)
        return self.nwb.processing[name]

    def rois(self, columns, module="ophys", rows=range(NEURONS)):
        """A region of a table of neurons with these label columns."""
        device = self.nwb.create_device("microscope")
        light = pynwb.ophys.OpticalChannel(name="green", description="-", emission_lambda=510.0)
        plane = self.nwb.create_imaging_plane(
            name="plane",
            optical_channel=light,
            description="-",
            device=device,
            excitation_lambda=488.0,
            imaging_rate=1.0,
            indicator="GCaMP6",
            location="head",
        )
        images = pynwb.ophys.ImageSegmentation()
        table = images.create_plane_segmentation(
            name="neurons", description="-", imaging_plane=plane
        )
        for name in columns:
            table.add_column(name, "-")
        for i in range(NEURONS):
            table.add_roi(pixel_mask=[(i, i, 1.0)], **{k: v[i] for k, v in columns.items()})
        self.module(module).add(images)
        return table.create_roi_table_region(region=list(rows), description="-")

    def fluorescence(self, rois, container="Fluorescence", name="RoiResponseSeries", **how):
        data = self.rng.normal(size=(FRAMES, NEURONS))
        how = {"data": data, "unit": "a.u.", "rate": 10.0, "starting_time": 1.0} | how
        if container not in self.module().data_interfaces:
            self.module().add(getattr(pynwb.ophys, container)(name=container))
        self.module()[container].create_roi_response_series(name=name, rois=rois, **how)

    def series(self, name, shape=(FRAMES,), **how):
        how = {"data": self.rng.normal(size=shape), "unit": "V", "rate": 5.0} | how
        return pynwb.TimeSeries(name=name, **how)

    def write(self, path):
        with pynwb.NWBHDF5IO(path, "w") as io:
            io.write(self.nwb)
        return path


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A session with everything that is read."""
    session = Session(
        session_id="s1", lab="a lab", experimenter=["A, B", "C, D"], related_publications=["a DOI"]
    )
    session.nwb.subject = pynwb.file.Subject(subject_id="w1", species="C. elegans", age="P3D")
    stamps = np.cumsum(session.rng.uniform(0.5, 0.7, FRAMES))
    rois = session.rois({"quality": [1.0] * NEURONS, "label": NAMES})
    data = session.rng.normal(size=(FRAMES, NEURONS))
    data[2, 1] = np.nan
    session.fluorescence(rois, data=data, timestamps=stamps, rate=None, starting_time=None)
    session.nwb.add_stimulus(session.series("odour", starting_time=2.0))
    behaviour = session.module("behavior")
    speed = session.series("speed", timestamps=stamps, rate=None, conversion=2.0, offset=1.0)
    behaviour.add(pynwb.behavior.BehavioralTimeSeries(time_series=speed))
    place = pynwb.behavior.SpatialSeries(
        name="place", data=session.rng.normal(size=(FRAMES, 2)), rate=5.0, reference_frame="-"
    )
    behaviour.add(pynwb.behavior.Position(spatial_series=place))
    session.nwb.add_acquisition(session.series("temperature", unit="C"))
    video = pynwb.image.ImageSeries(
        name="video", data=np.zeros((3, 2, 2), "u1"), rate=1.0, unit="n.a."
    )
    session.nwb.add_acquisition(video)
    session.nwb.add_unit_column("unit_name", "-")
    session.nwb.add_unit(spike_times=[0.1, 0.2, 0.2, 5.0], unit_name="u1")
    session.nwb.add_unit(spike_times=[], unit_name="u2")
    session.nwb.add_unit(spike_times=[0.3], unit_name="u3")
    return session.write(tmp_path_factory.mktemp("nwb") / "full.nwb")


def test_agrees_with_pynwb(full):
    worm = read_nwb(full)
    with pynwb.NWBHDF5IO(full, "r") as io:
        nwb = io.read()
        traces = nwb.processing["ophys"]["Fluorescence"]["RoiResponseSeries"]
        np.testing.assert_array_equal(worm.values, traces.data[:])
        np.testing.assert_array_equal(worm.times, traces.timestamps[:])
        behaviour = nwb.processing["behavior"]
        there = {
            "odour": nwb.stimulus["odour"],
            "temperature": nwb.acquisition["temperature"],
            "speed": behaviour["BehavioralTimeSeries"]["speed"],
            "place": behaviour["Position"]["place"],
        }
        assert set(worm.series) == set(there)
        for name, series in there.items():
            expected = series.data[:] * series.conversion + series.offset
            np.testing.assert_array_equal(worm.series[name].values, expected)
            np.testing.assert_allclose(
                worm.series[name].times, series.get_timestamps(), rtol=1e-15, atol=1e-15
            )
            assert worm.series[name].unit == series.unit
            kind = "stimulus" if name == "odour" else "behaviour"
            assert worm.series[name].kind == kind
        units = nwb.units.to_dataframe()
        for name, times in zip(units["unit_name"], units["spike_times"], strict=True):
            np.testing.assert_array_equal(worm.spikes[name], times)
    assert list(worm.spikes) == ["u1", "u2", "u3"]
    assert worm.labels == tuple(NAMES)
    assert np.argwhere(~worm.mask).tolist() == [[2, 1]]
    assert (worm.name, worm.unit) == ("worm 1", "a.u.")


def test_metadata(full):
    about = read_nwb(full).metadata
    assert about["source"] == "full.nwb"
    assert about["identifier"] == "worm 1"
    assert about["session_start_time"].startswith("2024-05-01T00:00:00")
    assert about["experimenter"] == "A, B; C, D"
    assert about["citation"] == "a DOI"
    assert (about["subject_id"], about["species"], about["age"]) == ("w1", "C. elegans", "P3D")
    assert about["traces"] == "processing/ophys/Fluorescence/RoiResponseSeries"
    assert about["not read"] == "acquisition/video"


def test_spike_times_alone(full, tmp_path):
    worm = read_nwb(full, series="units")
    assert worm.values.shape == (0, 0)
    assert list(worm.spikes) == ["u1", "u2", "u3"]
    session = Session()
    session.nwb.add_unit(spike_times=[0.5, 0.7], id=12)
    worm = read_nwb(session.write(tmp_path / "units.nwb"))
    assert worm.values.shape == (0, 0)
    np.testing.assert_array_equal(worm.spikes["12"], [0.5, 0.7])


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Three series of traces in two containers; the columns are neurons in reverse order."""
    session = Session()
    rois = session.rois(
        {"ID_labels": NAMES, "note": ["n0", "n1", "n2", "n3"], "number": [7, 8, 9, 10]},
        rows=[3, 2, 1, 0],
    )
    session.fluorescence(rois, rate=4.0, conversion=0.5, offset=3.0)
    ones = np.ones((FRAMES, NEURONS), np.float32)
    session.fluorescence(rois, "DfOverF", "raw", data=ones)
    session.fluorescence(rois, "DfOverF", "smooth", data=2 * ones)
    return session.write(tmp_path_factory.mktemp("nwb") / "several.nwb")


def test_a_series_is_chosen_by_name_path_or_container(several):
    with pytest.raises(RecordingError, match="choose one with series=") as error:
        read_nwb(several)
    for name in ("Fluorescence/RoiResponseSeries", "DfOverF/raw", "DfOverF/smooth"):
        assert f"processing/ophys/{name}" in str(error.value)
    for series in ("raw", "DfOverF/raw", "/processing/ophys/DfOverF/raw"):
        worm = read_nwb(several, series=series)
        assert (worm.values == 1.0).all()
        assert worm.values.dtype == np.float32
    with pytest.raises(RecordingError, match="may mean"):
        read_nwb(several, series="DfOverF")
    with pytest.raises(RecordingError, match="did you mean 'processing/ophys/DfOverF/smooth'"):
        read_nwb(several, series="processing/ophys/DfOverF/smoth")


def test_rate_conversion_and_table_region(several):
    worm = read_nwb(several, series="Fluorescence")
    with h5py.File(several) as file:
        raw = file["processing/ophys/Fluorescence/RoiResponseSeries/data"][()]
    np.testing.assert_array_equal(worm.values, raw * 0.5 + 3.0)
    np.testing.assert_allclose(worm.times, 1.0 + np.arange(FRAMES) / 4.0, rtol=1e-15)
    assert worm.labels == tuple(NAMES[::-1])


def test_label_column(several):
    assert read_nwb(several, series="raw", label_column="note").labels == ("n3", "n2", "n1", "n0")
    numbers = read_nwb(several, series="raw", label_column="number").labels
    assert numbers == ("10", "9", "8", "7")
    with pytest.raises(RecordingError, match="did you mean 'note'"):
        read_nwb(several, series="raw", label_column="notes")
    with pytest.raises(RecordingError, match="no column 'pixel_mask'"):
        read_nwb(several, series="raw", label_column="pixel_mask")


def test_electrodes_and_channel_conversion(tmp_path):
    session = Session()
    device = session.nwb.create_device("probe")
    group = session.nwb.create_electrode_group("g", description="-", location="-", device=device)
    session.nwb.add_electrode_column("channel_name", "-")
    for name in ("ch0", "ch1", "ch2"):
        session.nwb.add_electrode(location="-", group=group, channel_name=name)
    region = session.nwb.create_electrode_table_region([2, 0], "-")
    data = session.rng.integers(-99, 99, (FRAMES, 2)).astype(np.int16)
    voltage = pynwb.ecephys.ElectricalSeries(
        name="lfp", data=data, electrodes=region, rate=1e3, channel_conversion=[1.0, 2.0]
    )
    session.nwb.add_acquisition(voltage)
    session.nwb.add_acquisition(session.series("other", (FRAMES, 3)))
    worm = read_nwb(session.write(tmp_path / "lfp.nwb"))
    np.testing.assert_array_equal(worm.values, data * np.array([1.0, 2.0]))
    assert worm.labels == ("ch2", "ch0")
    assert worm.unit == "volts"
    assert set(worm.series) == {"other"}


def test_plain_two_dimensional_series(tmp_path):
    session = Session()
    session.nwb.add_acquisition(session.series("rates", (FRAMES, 3), unit="Hz"))
    session.nwb.add_stimulus(session.series("x", (FRAMES, 3)))
    session.nwb.add_acquisition(session.series("x"))
    worm = read_nwb(session.write(tmp_path / "plain.nwb"))
    assert worm.values.shape == (FRAMES, 3)
    assert (worm.labels, worm.unit) == (("", "", ""), "Hz")
    assert set(worm.series) == {"acquisition/x", "stimulus/presentation/x"}


def test_linked_clock_and_single_trace(tmp_path):
    session = Session()
    first = session.series("first", timestamps=np.arange(FRAMES) * 0.3, rate=None)
    second = session.series("second", timestamps=first, rate=None)
    session.nwb.add_acquisition(first)
    session.nwb.add_acquisition(second)
    worm = read_nwb(session.write(tmp_path / "linked.nwb"), series="second")
    assert worm.values.shape == (FRAMES, 1)
    np.testing.assert_array_equal(worm.times, np.arange(FRAMES) * 0.3)


def test_worm_files_with_a_list_of_labels_and_an_extension(full, tmp_path):
    """The layout of C. elegans files on DANDI, whose types are an extension."""

    def change(file):
        labels = file.create_group("processing/ophys/NeuronIDs")
        labels.attrs["neurodata_type"] = "SegmentationLabels"
        labels["labels"] = ["I1L", "I1R", "", "MI"]
        del file["processing/ophys/ImageSegmentation/neurons/label"]
        traces = file["processing/ophys/Fluorescence/RoiResponseSeries"]
        traces.attrs["neurodata_type"] = "AnExtensionOfIt"

    worm = read_nwb(_changed(full, tmp_path, change))
    assert worm.labels == ("I1L", "I1R", "", "MI")


# --- wrong and hostile files ------------------------------------------------------------------


@pytest.fixture
def in_this_process(monkeypatch):
    """Spares the child process where a file is sound HDF5 and only its layout is wrong."""
    from neurojax.recordings.readers._child.main import answer

    monkeypatch.setattr(_apart, "_ask_child", answer)


def _changed(source, folder, change):
    path = folder / "changed.nwb"
    shutil.copy(source, path)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


TRACES = "processing/ophys/Fluorescence/RoiResponseSeries"


def _replace(name, value):
    def change(file):
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = value
        if isinstance(value, np.ndarray | float):
            file[name].attrs.update(attributes)

    return change


def _attribute(name, key, value):
    return lambda file: file[name].attrs.__setitem__(key, value)


def _deep(file):
    file["acquisition/" + "/".join("g" * 200) + "/x"] = 1.0


def _circle(file):
    file["acquisition/a/b"] = 1.0
    file["acquisition/a/back"] = file["acquisition"]
    file["acquisition/a/self"] = h5py.SoftLink("/acquisition/a/self")


def test_circles_of_links_do_no_harm(full, tmp_path):
    assert read_nwb(_changed(full, tmp_path, _circle)).labels == tuple(NAMES)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.attrs.__delitem__("nwb_version"), "no NWB file"),
        (_attribute("/", "nwb_version", "1.0.6"), "it is NWB 1.0.6"),
        (_replace(f"{TRACES}/data", np.zeros((NEURONS, FRAMES))), "transposed"),
        (_replace(f"{TRACES}/data", np.zeros((FRAMES + 1, NEURONS))), "30 timestamps"),
        (_replace(f"{TRACES}/data", np.zeros((FRAMES, NEURONS, 2))), "no traces"),
        (_replace(f"{TRACES}/data", np.full((FRAMES, NEURONS), b"x")), "no traces"),
        (_replace(f"{TRACES}/data", h5py.ExternalLink("x.nwb", "/x")), "another file"),
        (_replace(f"{TRACES}/data", h5py.SoftLink(f"/{TRACES}/data")), "circle"),
        (_replace(f"{TRACES}/timestamps", np.full(FRAMES, np.nan)), "must be finite"),
        (_replace(f"{TRACES}/timestamps", np.zeros(FRAMES)), "strictly increasing"),
        (_replace(f"{TRACES}/timestamps", np.full(FRAMES, b"1")), "must hold numbers"),
        (_replace(f"{TRACES}/rois", np.arange(NEURONS) + 1), "points to row 4"),
        (_replace(f"{TRACES}/rois", np.arange(NEURONS - 1)), "3 rows for 4 columns"),
        (_attribute(f"{TRACES}/data", "conversion", "x"), "conversion .* finite number"),
        (_attribute(f"{TRACES}/data", "conversion", np.nan), "conversion .* finite number"),
        (_attribute("stimulus/presentation/odour/starting_time", "rate", -1.0), "positive"),
        (_attribute("stimulus/presentation/odour/starting_time", "rate", 0.0), "positive"),
        (
            _replace("processing/ophys/ImageSegmentation/neurons/label", np.array([b"\xff"] * 4)),
            "not UTF-8",
        ),
        (_replace("units/spike_times_index", np.array([9, 1, 5])), "spike_times_index must rise"),
        (_replace("units/spike_times_index", np.array([1, 2, 2**40])), "spike_times_index"),
        (_replace("units/spike_times", np.array([2.0, 1.0, 3.0, 4.0, 5.0])), "must not decrease"),
        (_deep, "nested too deeply"),
    ],
)
def test_wrong_files_are_refused(full, tmp_path, change, message):
    path = _changed(full, tmp_path, change)
    with pytest.raises(RecordingError, match=message) as error:
        read_nwb(path)
    assert str(path) in str(error.value)


def test_nothing_to_read(tmp_path):
    path = Session().write(tmp_path / "empty.nwb")
    with pytest.raises(RecordingError, match=r"no traces .* no time series"):
        read_nwb(path)
    with pytest.raises(RecordingError, match="use read_nwb"):
        read_hdf5(path)
