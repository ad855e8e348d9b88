"""Streamed records read back: what comes, and what damaged folders do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models
from hypothesis import given, settings
from hypothesis import strategies as st

import neurojax as nj
from neurojax.core import run as run_module
from neurojax.core.store import as_folder

RECORD = {
    "V": "V",
    "one": nj.Trace("w", 1, every=7),
    "tree": nj.Trace(lambda s: {"sum": s["V"].sum(), "both": (s, [s["w"], None])}, every=3),
    "at": nj.Trace("V", at=[5.0, 5.1, 8.33, 12.05, 15.0]),
    "half": nj.Trace(lambda s: s["V"].astype(jnp.bfloat16), every=50),
    "../odd name": nj.Trace("V", every=2),
    "odd.name": nj.Trace("w", every=2),
}


def run(**arguments):
    arguments = {"duration": 10.0, "dt": 0.1, "t0": 5.0, "record": RECORD} | arguments
    return nj.simulate(models.Oscillator(), inputs={"I": 0.5}, **arguments)


def equal(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_array_equal(x, y)


@pytest.fixture
def folder(tmp_path):
    run(stream_to=tmp_path / "run")
    return tmp_path / "run"


def test_records_come_back(folder):
    plain, records = run(), nj.open_records(folder)
    assert list(records.records) == list(RECORD)
    for name in RECORD:
        equal(records[name], plain[name])
        np.testing.assert_array_equal(records.times(name), plain.times(name))
    assert (records.dt, records.t0) == (0.1, 5.0)
    assert isinstance(records["V"], np.memmap) and not records["V"].flags.writeable
    with pytest.raises(nj.UnknownNameError, match=r"no record 'W'.*Known: V, one"):
        _ = records["W"]


def test_an_interrupted_run_leaves_what_it_recorded(tmp_path, monkeypatch):
    """Half of the parts, then a stop; also where the process was killed while it wrote the next."""
    run_steps, calls = run_module.run_steps, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return run_steps(*arguments)

    monkeypatch.setattr(run_module, "run_steps", interrupted)
    record = {name: RECORD[name] for name in ("V", "one", "tree")}
    record["at"] = nj.Trace("V", at=[5.0, 8.33, 16.04, 17.63, 20.0])
    with pytest.raises(KeyboardInterrupt) as stop:
        run(stream_to=tmp_path / "run", duration=25.2, record=record)
    (partial,) = tmp_path.iterdir()
    assert partial.name.startswith("run.partial-") and str(partial) in stop.value.__notes__[0]
    monkeypatch.undo()
    for file in partial.glob("*.npy"):
        with file.open("ab") as handle:
            handle.write(bytes(1001))
    records, plain = nj.open_records(partial), run(duration=25.2, record=record)
    assert records.steps == 6 * 21
    for name in record:
        n = np.sum(plain.times(name) <= 5.0 + 12.6 + 1e-9)
        assert 0 < n < len(plain.times(name))
        np.testing.assert_array_equal(records.times(name), plain.times(name)[:n])
        equal(records[name], jax.tree.map(lambda x, n=n: x[:n], plain[name]))


def test_a_run_that_fails_before_its_first_part_says_that_nothing_is_kept(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_module.Store, "append_tree", full)
    with pytest.raises(OSError, match="No space") as stop:
        run(stream_to=tmp_path / "run", record={"V": "V"})
    assert not list(tmp_path.iterdir())
    (note,) = stop.value.__notes__
    assert "Nothing is kept" in note and str(tmp_path / "run") in note


def test_spikes_come_back(tmp_path):
    net = nj.Network({"E": nj.neurons.LIF().population(40), "I": nj.neurons.LIF()})
    drive = {"E": {"I_e": np.linspace(300.0, 900.0, 40)}}
    record = {"both": nj.Spikes("E", "I"), "E": nj.Spikes("E"), "all": "E.spikes"}
    arguments = {"duration": 40.0, "dt": 0.1, "inputs": drive, "record": record}
    plain = nj.simulate(net, **arguments)
    streamed = nj.simulate(net, **arguments, stream_to=str(tmp_path / "run"))
    records = nj.open_records(str(tmp_path / "run"))
    for sim in (plain, streamed):
        for mine, its in (
            (records["E"], sim["E"]), (records["both"]["E"], sim["both"]["E"]),
            (records["both"]["I"], sim["both"]["I"]),
        ):  # fmt: skip
            equal((mine.steps, mine.words, mine.dt), (its.steps, its.words, its.dt))
            assert mine.n == its.n
            np.testing.assert_array_equal(mine.times, its.times)
            np.testing.assert_array_equal(mine.counts(), its.counts())
        equal(records["all"], sim["all"])
    assert records["E"].times.size > 100 and records["both"]["I"].times.size == 0
    np.testing.assert_array_equal(records.times("E"), plain.times("E"))
    with pytest.raises(ValueError, match="several populations"):
        records.times("both")
    run = nj.simulate(nj.Network({"cells": nj.neurons.LIF(n=2), "others": nj.neurons.LIF(n=2)}),
                      duration=1.0, dt=0.1, record={"s": nj.Spikes("cells", "others")})  # fmt: skip
    with pytest.raises(ValueError, match=r"use sim\['s'\]\['cells'\]\.times"):
        run.times("s")


@pytest.mark.filterwarnings("ignore:record 'V' stays empty")
def test_an_empty_record_comes_back(tmp_path):
    run(record={"V": nj.Trace("V", every=1000)}, stream_to=tmp_path / "run")
    records = nj.open_records(tmp_path / "run")
    assert records["V"].shape == (0, 2) and records.times("V").shape == (0,)


def test_a_run_that_stopped_early_comes_back(tmp_path):
    model = models.Oscillator(solver=nj.solvers.Euler())
    arguments = {"duration": 1000.0, "dt": 10.0, "record": {"V": "V"}, "throw": False}
    sim = nj.simulate(model, **arguments, stream_to=tmp_path / "run")
    assert 0 < len(sim["V"]) < 100
    records = nj.open_records(tmp_path / "run")
    np.testing.assert_array_equal(records["V"], sim["V"])
    np.testing.assert_array_equal(records.times("V"), sim.times("V"))


def test_other_nodes_come_back_by_dotted_name(tmp_path):
    read = lambda s: {"own": nj.SimState(s["V"], s["w"])}
    run(record={"x": nj.Trace(read)}, stream_to=tmp_path / "run")
    records, plain = nj.open_records(tmp_path / "run"), run(record={"x": nj.Trace(read)})
    assert sorted(records["x"]) == ["own.state", "own.step"]
    np.testing.assert_array_equal(records["x"]["own.state"], plain["x"]["own"].state)


def test_another_process_reads_them(folder):
    code = (
        "import sys, neurojax as nj; r = nj.open_records(sys.argv[1]); "
        "print(repr(float(r['tree']['sum'][-1])), repr(float(r.times('tree')[-1])))"
    )
    path = os.pathsep.join([str(Path(nj.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    plain = run()
    expected = float(plain["tree"]["sum"][-1]), float(plain.times("tree")[-1])
    assert done.stdout.split() == [repr(x) for x in expected]


# -- folders that are not whole ---------------------------------------------------------------


def test_missing_folders_and_files(folder):
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*nowhere'; .*stream_to="):
        nj.open_records(folder / "nowhere")
    (folder / "V.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"V\.npy' is missing: it holds 'V'"):
        nj.open_records(folder)
    (folder / "index.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"index\.json' is missing"):
        nj.open_records(folder)


def test_a_folder_of_an_earlier_version(folder):
    (folder / "index.json").write_text('{"V": "V.npy"}')
    with pytest.raises(ValueError, match=r"index\.json' was written by an earlier neurojax"):
        nj.open_records(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-1], r"V\.npy' is damaged .*bytes instead of"),
        (lambda b: b + b"x", r"V\.npy' is damaged .*bytes instead of"),
        (lambda b: b[:20], r"V\.npy' is damaged"),
        (lambda b: b"", r"V\.npy' is damaged"),
        (
            lambda b: b.replace(b"<f8", b"<i8"),
            r"V\.npy' is damaged .*int64 .* the index says float",
        ),
        (lambda b: b.replace(b"<f8", b"|O8"), r"V\.npy' is damaged"),
        (lambda b: b.replace(b"(100, 2)", b"(9<<9,2)"), r"V\.npy' is damaged"),
        (lambda b: b.replace(b"(100, 2)", b"(999, 2)"), r"V\.npy' is damaged .*\(999, 2\)"),
    ],
    ids=["cut", "longer", "header", "empty", "dtype", "object", "code", "shape"],
)
def test_damaged_arrays(folder, change, message):
    path = folder / "V.npy"
    data = path.read_bytes()
    assert change(data) != data
    path.write_bytes(change(data))
    with pytest.raises(ValueError, match=message):
        nj.open_records(folder)


def edited(folder, place, value):
    index = json.loads((folder / "index.json").read_text())
    *path, last = place
    node = index
    for key in path:
        node = node[key]
    node[last] = value
    (folder / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["dt"], 0.0),
        (["dt"], float("nan")),
        (["steps"], -3),
        (["first_step"], None),
        (["version"], 2),
        (["files"], []),
        (["files", "V"], "V.npy"),
        (["files", "V", "file"], "../V.npy"),
        (["files", "V", "shape"], [-1, 2]),
        (["files", "V", "dtype"], "O"),
        (["records"], 3),
        (["records", "V", "every"], 0),
        (["records", "V", "tree"], "nothing"),
        (["records", "V", "tree"], {"set": ["V"]}),
        (["records", "V", "tree"], {"tuple": ["V", "one"]}),
        (["records", "V"], {"neurons": {"": 2}, "several": False}),
        (["records", "at", "at"], [5.0, 99.0]),
        (["records", "at", "at"], [5.0]),
    ],
    ids=str,
)
def test_damaged_indices(folder, place, value):
    edited(folder, place, value)
    with pytest.raises(ValueError, match=r"index\.json' (is damaged|has format version 2)"):
        nj.open_records(folder)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", "[1]", '"V"', "\xff"], ids=len)
def test_an_index_that_is_no_json(folder, text):
    (folder / "index.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"index\.json' "):
        nj.open_records(folder)


@settings(max_examples=200)
@given(st.data())
def test_mutated_bytes(tmp_path_factory, data):
    """Any damage to the index gives records or an error that is ours."""
    folder = tmp_path_factory.mktemp("fuzz") / "run"
    raw = _template(tmp_path_factory, folder)
    kind = data.draw(st.sampled_from(["flip", "cut", "insert"]))
    place = data.draw(st.integers(0, len(raw) - 1))
    if kind == "flip":
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    elif kind == "cut":
        raw = raw[:place]
    else:
        raw[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    (folder / "index.json").write_bytes(bytes(raw))
    try:
        nj.open_records(folder)
    except (ValueError, FileNotFoundError) as error:
        assert str(folder) in str(error)


_TEMPLATE: dict[str, bytes] = {}


def _template(factory, folder):
    """The files of one run in a new folder; its index comes back."""
    if not _TEMPLATE:
        first = factory.mktemp("template") / "run"
        run(stream_to=first, record={name: RECORD[name] for name in ("V", "tree", "at")})
        _TEMPLATE.update({path.name: path.read_bytes() for path in first.iterdir()})
    folder.mkdir()
    for name, content in _TEMPLATE.items():
        (folder / name).write_bytes(content)
    return bytearray(_TEMPLATE["index.json"])


def test_what_names_no_folder_is_refused():
    with pytest.raises(ValueError, match=r"stream_to must be the name of a folder, got ''"):
        run(stream_to="")
    with pytest.raises(ValueError, match=r"folder must be the name of a folder, got ''"):
        nj.open_records("")
    with pytest.raises(TypeError, match=r"stream_to must be a folder, .* got 3"):
        as_folder("stream_to", 3)
