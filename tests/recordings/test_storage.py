"""Files: everything comes back, and nothing but a clear error comes from bad bytes."""

import io
import json
import os
import string
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neurojax.recordings import Recording, RecordingError, Series, load
from neurojax.recordings.storage import load_recording

texts = st.text(max_size=8)
numbers = st.floats(-1e6, 1e6)


def example(**changes):
    arguments = {
        "times": [0.0, 0.6, 1.3],
        "values": np.array([[1.0, np.nan], [2.0, 5.0], [3.0, 6.0]], np.float32),
        "labels": ["AVAL", "RMF?"],
        "series": {
            "light/on": Series([0.0, 0.0], [True, False], kind="stimulus"),
            "angle": Series([0.5], [[1.0, 2.0]], unit="rad"),
        },
        "unit": "F/F0",
        "name": "worm",
        "metadata": {"licence": "CC0", "note": "µm \x00 \ud800"},
        "spikes": {"unit 1": [0.1, 0.2], "": []},
        "label_confidence": [3, np.nan],
    }
    return Recording(**(arguments | changes))


def assert_same(a, b):
    for field in ("times", "values", "mask", "label_confidence"):
        x, y = getattr(a, field), getattr(b, field)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)
    for field in ("labels", "unit", "name", "metadata"):
        assert getattr(a, field) == getattr(b, field)
    assert list(a.series) == list(b.series) and list(a.spikes) == list(b.spikes)
    for key, series in a.series.items():
        other = b.series[key]
        assert (series.unit, series.kind) == (other.unit, other.kind)
        assert series.values.dtype == other.values.dtype
        np.testing.assert_array_equal(series.times, other.times)
        np.testing.assert_array_equal(series.values, other.values)
    for key, train in a.spikes.items():
        np.testing.assert_array_equal(train, b.spikes[key])


def test_round_trip(tmp_path):
    path = tmp_path / "worm.npz"
    example().save(path)
    assert_same(load(path)[0], example())
    assert_same(load(str(path))["worm"], example())
    assert os.listdir(tmp_path) == ["worm.npz"]


@settings(max_examples=40)
@given(st.data())
def test_round_trip_of_anything(tmp_path, data):
    frames, neurons = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 4))
    times = sorted(data.draw(st.sets(numbers, min_size=frames, max_size=frames)))
    values = data.draw(
        hnp.arrays(
            data.draw(st.sampled_from([np.float32, np.float64])),
            (frames, neurons),
            elements=st.floats(width=32, allow_nan=True),
        )
    )
    clock = sorted(data.draw(st.lists(numbers, max_size=4)))
    kinds = st.sampled_from(["behaviour", "stimulus"])
    recording = Recording(
        times,
        values,
        data.draw(st.lists(texts, min_size=neurons, max_size=neurons)),
        series={
            name: Series(clock, np.arange(len(clock)), data.draw(texts), data.draw(kinds))
            for name in data.draw(st.sets(texts, max_size=3))
        },
        unit=data.draw(texts),
        name=data.draw(texts),
        metadata=data.draw(st.dictionaries(texts, texts, max_size=3)),
        spikes=dict.fromkeys(data.draw(st.sets(texts, max_size=3)), clock),
    )
    path = tmp_path / "any.npz"
    recording.save(path)
    assert_same(load_recording(path), recording)


def test_saving_replaces_whole_files_only(tmp_path, monkeypatch):
    path = tmp_path / "worm.npz"
    example().save(path)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        example(name="other").save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["worm.npz"]


def test_paths(tmp_path):
    with pytest.raises(RecordingError, match=r"must end in \.npz"):
        example().save(tmp_path / "worm")
    with pytest.raises(FileNotFoundError):
        example().save(tmp_path / "nowhere" / "worm.npz")
    with pytest.raises(FileNotFoundError):
        load_recording(tmp_path / "nothing.npz")
    with pytest.raises(RecordingError, match="no embedded recording and no file"):
        load(tmp_path / "nothing.npz")
    (tmp_path / "worm.mat").write_bytes(b"")
    with pytest.raises(RecordingError, match=r"known endings are \.npz, \.nwb"):
        load(tmp_path / "worm.mat")


def test_large_constant_recordings_can_be_read_back(tmp_path, monkeypatch):
    """The check of sizes never refuses our own files: above the limit they are stored plain."""
    monkeypatch.setattr("neurojax.recordings.storage._UNPACKED_AT_LEAST", 100_000)
    recording = Recording(np.arange(2000.0), np.zeros((2000, 50)))
    recording.save(tmp_path / "zeros.npz")
    assert_same(load_recording(tmp_path / "zeros.npz"), recording)


# --- hostile files --------------------------------------------------------------------------


def members(recording, tmp_path):
    path = tmp_path / "source.npz"
    recording.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(tmp_path, contents, method=zipfile.ZIP_DEFLATED):
    path = tmp_path / "hostile.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def npy(array, **kwargs):
    stream = io.BytesIO()
    np.save(stream, array, **kwargs)
    return stream.getvalue()


def header_of(contents, **changes):
    header = json.loads(np.load(io.BytesIO(contents["header.npy"])).tobytes())
    text = json.dumps(header | changes).encode()
    return contents | {"header.npy": npy(np.frombuffer(text, np.uint8))}


class Explosive:
    """Leaves a folder behind if it is ever unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return (os.mkdir, (self.folder,))


def test_pickles_are_never_opened(tmp_path):
    trace = tmp_path / "unpickled"
    contents = members(example(), tmp_path)
    for name in contents:
        bad = contents | {name: npy(np.array([Explosive(trace)], dtype=object), allow_pickle=True)}
        with pytest.raises(RecordingError, match=r"hostile\.npz"):
            load(written(tmp_path, bad))
    assert not trace.exists()


def test_bombs_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("neurojax.recordings.storage._UNPACKED_AT_LEAST", 2**20)
    contents = members(example(), tmp_path)
    bomb = written(tmp_path, contents | {"values.npy": bytes(10 * 2**20)})
    assert bomb.stat().st_size < 2**15
    with pytest.raises(RecordingError, match="claim to unpack to 1048"):
        load(bomb)


@pytest.mark.parametrize("shape", [(2**40, 2**40), (2**62,), (10**30,), (3, 3), (-3, -2), ()])
def test_declared_shapes_are_checked_against_the_bytes(tmp_path, shape):
    contents = members(example(), tmp_path)
    stream = io.BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, about)
    bad = contents | {"values.npy": stream.getvalue() + bytes(48)}
    with pytest.raises(RecordingError, match="declares shape"):
        load(written(tmp_path, bad))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "other"}, "its schema is not"),
        ({"version": 2}, "version 2 of the schema.*reads version 1"),
        ({"labels": "AVAL"}, "'labels' of its header is not a list"),
        ({"labels": ["AVAL", None]}, "'labels' of its header is not a list of texts"),
        ({"labels": ["AVAL"]}, "1 labels for 2 columns"),
        ({"series": [{}, {}]}, "not name, unit and kind"),
        ({"series": [{"name": 1, "unit": "", "kind": "behaviour"}] * 2}, "is not text"),
        ({"series": []}, "not expected:.*series_0"),
        ({"metadata": {"a": 1}}, "'metadata' of its header is not a table of texts"),
        ({"metadata": None}, "'metadata' of its header is not a dict"),
        ({"name": ["x"]}, "'name' of its header is not a str"),
        ({"spikes": ["a"] * 3}, "members missing"),
    ],
)
def test_wrong_headers(tmp_path, changes, message):
    contents = header_of(members(example(), tmp_path), **changes)
    with pytest.raises(RecordingError, match=message):
        load(written(tmp_path, contents))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("times", np.array([0.0, np.nan, 1.0]), "must be finite"),
        ("times", np.array([2.0, 1.0, 0.0]), "strictly increasing"),
        ("times", np.array(["a", "b", "c"]), "not plain numbers"),
        ("values", np.zeros((3, 2), complex), "not plain numbers"),
        ("values", np.zeros((2, 3)), "values must have shape"),
        ("mask", np.ones((3, 2)), "mask must be boolean"),
        ("mask", np.ones((3, 2), bool), "mask says that the sample is there"),
        ("header", np.zeros(3, np.uint8), "damaged or no recording"),
    ],
)
def test_wrong_arrays(tmp_path, name, array, message):
    contents = members(example(), tmp_path) | {f"{name}.npy": npy(array)}
    with pytest.raises(RecordingError, match=message):
        load(written(tmp_path, contents))


def test_other_files(tmp_path):
    contents = members(example(), tmp_path)
    deep = b"[" * 200_000
    with pytest.raises(RecordingError, match="has no header"):
        load(written(tmp_path, {"times.npy": contents["times.npy"]}))
    with pytest.raises(RecordingError, match=r"members missing: \['mask'\]"):
        load(written(tmp_path, {k: v for k, v in contents.items() if k != "mask.npy"}))
    with pytest.raises(RecordingError, match="not expected"):
        load(written(tmp_path, contents | {"more.npy": b"x"}))
    with pytest.raises(RecordingError, match="damaged"):
        load(written(tmp_path, contents | {"header.npy": npy(np.frombuffer(deep, np.uint8))}))
    for data in (b"", b"PK\x05\x06" + bytes(18), b"not a zip", npy(np.ones(3))):
        path = tmp_path / "other.npz"
        path.write_bytes(data)
        with pytest.raises(RecordingError, match=r"other\.npz"):
            load(path)


def test_a_member_twice(tmp_path):
    path = tmp_path / "twice.npz"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for _ in range(2):
            archive.writestr("header.npy", b"")
    with pytest.raises(RecordingError, match="occurs twice"):
        load(path)


_PLAIN = {"times": [0.0, 1.0], "values": np.ones((2, 2)), "mask": None, "label_confidence": None}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The bytes of one file compressed, and of one plain, whose members bend more easily."""
    folder = tmp_path_factory.mktemp("originals")
    example(**_PLAIN).save(folder / "a.npz")
    with zipfile.ZipFile(folder / "a.npz") as source:
        contents = {name: source.read(name) for name in source.namelist()}
    plain = written(folder, contents, zipfile.ZIP_STORED)
    return (folder / "a.npz").read_bytes(), plain.read_bytes()


@settings(max_examples=200)
@given(st.data())
def test_mutated_bytes_give_a_recording_or_a_recording_error(tmp_path, originals, data):
    original = bytearray(data.draw(st.sampled_from(originals)))
    kind = data.draw(st.sampled_from(["bytes", "cut", "insert", "swap"]))
    place = st.integers(0, len(original) - 1)
    if kind == "bytes":
        for _ in range(data.draw(st.integers(1, 8))):
            original[data.draw(place)] = data.draw(st.integers(0, 255))
    elif kind == "cut":
        del original[data.draw(place) : data.draw(place)]
        original = original[: data.draw(place)]
    elif kind == "insert":
        at = data.draw(place)
        original[at:at] = data.draw(st.binary(min_size=1, max_size=20))
    else:
        a, b, n = data.draw(place), data.draw(place), data.draw(st.integers(1, 64))
        original[a : a + n], original[b : b + n] = original[b : b + n], original[a : a + n]
    path = tmp_path / "mutated.npz"
    path.write_bytes(original)
    try:
        assert isinstance(load_recording(path), Recording)
    except RecordingError as error:
        assert "mutated.npz" in str(error)


@settings(max_examples=150)
@given(st.data())
def test_mutated_members_give_a_recording_or_a_recording_error(tmp_path, originals, data):
    """With checksums made right again, so that the mutation reaches the parsers behind them."""
    with zipfile.ZipFile(io.BytesIO(originals[0])) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    name = data.draw(st.sampled_from(sorted(contents)))
    member = bytearray(contents[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(member) - 1))
        member[at] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(_ASCII)))
    path = written(tmp_path, contents | {name: bytes(member)}, zipfile.ZIP_STORED)
    try:
        assert isinstance(load_recording(path), Recording)
    except RecordingError as error:
        assert "hostile.npz" in str(error)


_ASCII = [ord(c) for c in string.printable]
