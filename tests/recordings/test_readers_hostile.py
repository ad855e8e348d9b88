"""Damaged bytes give a `RecordingError`, whatever the C libraries do with them."""

import datetime
import importlib.util
import io
import os
import sys

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from neurojax.recordings import Recording, Recordings
from neurojax.recordings.errors import RecordingError
from neurojax.recordings.readers import _apart, read_hdf5, read_nwb, read_parquet
from neurojax.recordings.readers._door import check_text

needs_extra = pytest.mark.skipif(
    any(importlib.util.find_spec(k) is None for k in ("h5py", "pynwb", "pyarrow")),
    reason="needs the extra 'recordings'",
)

FRAMES = 16


def _lab_hdf5(path):
    import h5py

    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "gcamp/traces_array_F_F20", data=rng.normal(size=(FRAMES, 3)), compression="gzip"
        )
        file["timing/timestamp_confocal"] = np.arange(FRAMES) * 0.6
        file["behavior/velocity"] = rng.normal(size=FRAMES)


def _nwb(path):
    import pynwb

    rng = np.random.default_rng(0)
    start = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)
    session = pynwb.NWBFile("a test", "worm 1", start)
    for name, shape in (("voltage", (FRAMES, 3)), ("speed", (FRAMES,))):
        session.add_acquisition(
            pynwb.TimeSeries(name=name, data=rng.normal(size=shape), unit="V", rate=10.0)
        )
    session.add_unit(spike_times=[0.1, 0.5])
    with pynwb.NWBHDF5IO(path, "w", manager=pynwb.get_manager()) as file:
        file.write(session, cache_spec=False)


def _parquet(path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    times = [np.arange(FRAMES, dtype=np.float32) * np.float32(0.333)] * 2
    table = {
        "source_dataset": ["Kato2015"] * 2,
        "worm": ["worm0"] * 2,
        "neuron": ["AVAL", "17"],
        "is_labeled_neuron": [True, False],
        "calcium_data": [rng.normal(size=FRAMES).astype(np.float32) for _ in range(2)],
        "time_in_seconds": times,
    }
    pq.write_table(pa.table(table), path)


FORMATS = {
    "worm.h5": (_lab_hdf5, read_hdf5),
    "worm.nwb": (_nwb, read_nwb),
    "worm.parquet": (_parquet, read_parquet),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The bytes of one good file of each format."""
    folder = tmp_path_factory.mktemp("sources")
    for name, (write, read) in FORMATS.items():
        write(folder / name)
        assert isinstance(read(folder / name), Recording | Recordings)
    return {name: (folder / name).read_bytes() for name in FORMATS}


# Positions count from either end: that is where both formats keep what describes the rest.
_PLACES = st.one_of(st.integers(0, 10**6), st.integers(-400, 4000))
_CHANGES = st.one_of(
    st.tuples(st.just("overwrite"), _PLACES, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("overwrite"), _PLACES, st.sampled_from([b"\xff" * 8, b"\x00" * 8])),
    st.tuples(st.just("insert"), _PLACES, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("delete"), _PLACES, st.integers(1, 64)),
)


def _mutated(data, changes):
    data = bytearray(data)
    for how, place, what in changes:
        place %= len(data)
        if how == "overwrite":
            data[place : place + len(what)] = what
        elif how == "insert":
            data[place:place] = what
        else:
            del data[place : place + what]
    return bytes(data)


def _read_or_refuse(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    try:
        result = FORMATS[name][1](path)
    except RecordingError as error:
        assert str(path) in str(error)
    else:
        assert isinstance(result, Recording | Recordings)


@needs_extra
@pytest.mark.parametrize("name", FORMATS)
@given(changes=st.lists(_CHANGES, min_size=1, max_size=6))
@settings(max_examples=10, phases=[Phase.generate])
def test_mutated_bytes(tmp_path, sources, name, changes):
    _read_or_refuse(tmp_path, name, _mutated(sources[name], changes))


@pytest.mark.slow
@needs_extra
@pytest.mark.parametrize("name", FORMATS)
@given(changes=st.lists(_CHANGES, min_size=1, max_size=12))
@settings(max_examples=50, phases=[Phase.generate])
def test_many_mutated_bytes(tmp_path, sources, name, changes):
    _read_or_refuse(tmp_path, name, _mutated(sources[name], changes))


@needs_extra
@pytest.mark.parametrize("name", FORMATS)
def test_truncated_files(tmp_path, sources, name):
    path = tmp_path / name
    for fraction in (0.01, 0.5, 0.99):
        path.write_bytes(sources[name][: int(fraction * len(sources[name]))])
        with pytest.raises(RecordingError, match=name):
            FORMATS[name][1](path)


# --- the child process ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os; os.kill(os.getpid(), 11)", "crashed .signal 11."),
        ("import sys; sys.exit('out of luck')", "failed with exit code 1 .out of luck."),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_a_crash_is_an_error(tmp_path, monkeypatch, program, message):
    path = tmp_path / "worm.h5"
    path.write_bytes(b"x")
    monkeypatch.setattr(_apart, "_PROGRAM", program)
    with pytest.raises(RecordingError, match=message):
        _apart.read_apart("lab_hdf5", str(path), 10, traces=None)


_LIMITED = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); import _child.main as main; "
    "request = json.load(sys.stdin); main._limit(request['seconds'], request['address_space']); "
)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are those of Linux")
def test_an_endless_read_is_ended(tmp_path, monkeypatch):
    path = tmp_path / "worm.h5"
    path.write_bytes(b"x")
    monkeypatch.setattr(_apart, "_PROGRAM", _LIMITED + "[0 for _ in iter(int, 1)]")
    monkeypatch.setattr(_apart, "_SECONDS", 1)
    with pytest.raises(RecordingError, match="did not end within 1 s of processor time"):
        _apart.read_apart("lab_hdf5", str(path), 10, traces=None)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are those of Linux")
def test_memory_is_limited(tmp_path, monkeypatch):
    path = tmp_path / "worm.h5"
    path.write_bytes(b"x")
    monkeypatch.setattr(_apart, "_PROGRAM", _LIMITED + "bytearray(2**31)")
    with pytest.raises(RecordingError, match="MemoryError"):
        _apart.read_apart("lab_hdf5", str(path), 10, traces=None)


def test_the_answer_comes_back_as_it_was():
    from neurojax.recordings.readers._child.answer import write_answer

    clock = np.arange(3.0)
    answer = {
        "recordings": [{"times": clock, "mask": np.ones((3, 2), bool), "labels": ["a", "ä"]}],
        "spikes": {"array": clock, "none": np.zeros(0)},
        "whole": np.array(7, np.int32),
    }
    stream = io.BytesIO()
    write_answer(stream, answer)
    back = _apart._read_answer(stream.getvalue())
    np.testing.assert_array_equal(back["recordings"][0]["times"], clock)
    np.testing.assert_array_equal(back["recordings"][0]["mask"], np.ones((3, 2), bool))
    assert back["recordings"][0]["labels"] == ["a", "ä"]
    np.testing.assert_array_equal(back["spikes"]["array"], clock)
    assert back["spikes"]["none"].shape == (0,)
    assert back["whole"] == 7


def test_the_child_never_imports_the_package():
    """It would start ten times slower."""
    import ast

    folder = os.path.join(os.path.dirname(_apart.__file__), "_child")
    for name in os.listdir(folder):
        if name.endswith(".py"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                tree = ast.parse(file.read())
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    assert not any(a.name.startswith("neurojax") for a in node.names), name
                if isinstance(node, ast.ImportFrom):
                    assert not (node.module or "").startswith("neurojax"), name


# --- the door ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "package"),
    [(read_hdf5, "h5py"), (read_nwb, "h5py"), (read_parquet, "pyarrow")],
)
def test_a_missing_package_names_the_command(tmp_path, monkeypatch, read, package):
    path = tmp_path / "any"
    path.write_bytes(b"x")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install 'neurojax-dynamics\[recordings\]'"):
        read(path)


@needs_extra
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_before_it_is_opened(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for read in (read_hdf5, read_nwb, read_parquet):
        with pytest.raises(RecordingError, match="no regular file"):
            read(path)


def test_texts_are_checked():
    with pytest.raises(TypeError, match="series must be a str or None, but is 3"):
        check_text("series", 3)
