"""The reader of the signal propagation atlas: right way round, and safe with any file."""

import pickle
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurojax.connectomes import neurons, read_funatlas

REAL = Path(__file__).parents[3] / "shared" / "data" / "celegans" / "funatlas_randi2023_wt.npz"
CONVERTER = Path(__file__).parents[2] / "tools" / "convert_funatlas.py"
NAMES = ["AVAL", "AWCOF", "RIML"]


def tables():
    """A small atlas as the files have it: [responding, stimulated]."""
    rng = np.random.default_rng(0)
    seen = np.array([[0, 2, 0], [1, 0, 0], [3, 0, 1]])
    i, j = np.nonzero(seen)
    i, j = np.repeat(i, seen[i, j]), np.repeat(j, seen[i, j])
    value = rng.normal(size=len(i)).astype(np.float32)
    total = np.zeros((3, 3))
    np.add.at(total, (i, j), value)
    with np.errstate(invalid="ignore"):
        response = (total / seen).astype(np.float32)
    q = np.where(seen, rng.uniform(size=(3, 3)), np.nan).astype(np.float32)
    return {
        "names": np.array(NAMES),
        "dFF": response,
        "q": q,
        "q_eq": 1 - q,
        "occ": seen.astype(np.int32),
        "q_eq_th": np.float32(1.2),
        "dFF_all_value": value,
        "dFF_all_i": i.astype(np.int16),
        "dFF_all_j": j.astype(np.int16),
    }


@pytest.fixture
def saved(tmp_path):
    def save(**changes):
        path = tmp_path / "atlas.npz"
        arrays = {k: v for k, v in (tables() | changes).items() if v is not None}
        np.savez_compressed(path, **arrays)
        return path

    return save


def check(atlas):
    raw = tables()
    assert atlas.names == ("AVAL", "AWCOFF", "RIML")
    for responding in range(3):
        for stimulated in range(3):
            there, here = (responding, stimulated), (stimulated, responding)
            np.testing.assert_array_equal(atlas.response[here], raw["dFF"][there])
            np.testing.assert_array_equal(atlas.q[here], raw["q"][there])
            np.testing.assert_array_equal(atlas.q_equivalence[here], raw["q_eq"][there])
            assert atlas.observations[here] == raw["occ"][there]
    np.testing.assert_array_equal(atlas.trial_stimulated, raw["dFF_all_j"])
    np.testing.assert_array_equal(atlas.trial_responding, raw["dFF_all_i"])
    np.testing.assert_array_equal(atlas.trial_response, raw["dFF_all_value"])
    assert repr(atlas) == "FunctionalAtlas(3 neurons, 4 observed pairs, 7 trials)"


def test_npz_is_read_the_right_way_round(saved):
    check(read_funatlas(saved()))


def write_hdf5(path):
    h5py = pytest.importorskip("h5py")
    raw = tables()
    with h5py.File(path, "w") as file:
        file["neuron_ids"] = raw["names"].astype("S5")
        for ours, theirs in (("dFF", "dFF"), ("q", "q"), ("q_eq", "q_eq"), ("occ", "occ1")):
            file[f"wt/{theirs}"] = raw[ours]
        kind = h5py.vlen_dtype(np.float64)
        trials = file.create_dataset("wt/dFF_all", shape=(3, 3), dtype=kind)
        for i in range(3):
            for j in range(3):
                here = (raw["dFF_all_i"] == i) & (raw["dFF_all_j"] == j)
                trials[i, j] = raw["dFF_all_value"][here].astype(np.float64)


@pytest.mark.skipif(not CONVERTER.exists(), reason="tools/ is not beside the tests")
def test_the_hdf5_file_is_converted(tmp_path):
    converter = runpy.run_path(str(CONVERTER))
    write_hdf5(tmp_path / "atlas.h5")
    converter["convert"](tmp_path / "atlas.h5", tmp_path / "atlas.npz")
    check(read_funatlas(tmp_path / "atlas.npz"))


@pytest.mark.skipif(not REAL.exists(), reason="no reference data in ../shared")
def test_the_published_atlas():
    atlas = read_funatlas(REAL)
    assert len(atlas) == 300
    assert set(atlas.names) - set(neurons().names) == {"AWCON", "AWCOFF"}
    others = ~np.eye(300, dtype=bool)
    assert np.count_nonzero(atlas.observations[others]) == 25172
    assert np.count_nonzero(atlas.q[others] < 0.05) == 1151
    # The means are those of the trials, found through the trials' own indices.
    known = np.isfinite(atlas.trial_response)
    place = atlas.trial_stimulated[known], atlas.trial_responding[known]
    total, count = np.zeros((300, 300)), np.zeros((300, 300))
    np.add.at(total, place, atlas.trial_response[known])
    np.add.at(count, place, 1)
    both = np.isfinite(atlas.response)
    np.testing.assert_allclose(total[both] / count[both], atlas.response[both], atol=1e-5)


# --- files that are not what they should be -----------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"q": None, "occ": None}, "it lacks occ, q$"),
        ({"dFF": np.zeros((2, 3))}, r"dFF must be a table \(3, 3\)"),
        ({"q": np.full((3, 3), 2.0)}, r"q, a probability, lies outside \[0, 1\]"),
        ({"q_eq": np.full((3, 3), np.inf)}, "q_eq is infinite"),
        ({"occ": -np.ones((3, 3), dtype=int)}, "occ, a number of observations, is negative"),
        ({"occ": np.ones((3, 3))}, "occ must be a table"),
        ({"names": np.arange(3)}, "names must be a list of strings"),
        ({"names": np.array(["A", "A", "B"])}, "names must be different, but 'A'"),
        ({"names": np.array([b"\xff", b"A", b"B"])}, "names are not plain ASCII"),
        ({"dFF_all_i": np.full(7, 3)}, "dFF_all_i must be indices from 0 to 2"),
        ({"dFF_all_j": np.full(7, -1)}, "dFF_all_j must be indices"),
        ({"dFF_all_j": np.zeros(6, dtype=int)}, "must be lists of the same length"),
    ],
)
def test_tables_that_do_not_fit_are_refused(saved, changes, message):
    with pytest.raises(ValueError, match=message):
        read_funatlas(saved(**changes))


class Bomb:
    """Unpickling this would create the file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_objects_are_refused_and_not_run(saved, tmp_path):
    mark = tmp_path / "was-here"
    objects = np.array([Bomb(mark)], dtype=object)
    with pytest.raises(ValueError, match="not numbers or strings"):
        read_funatlas(saved(names=objects))
    assert not mark.exists()
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ValueError, match=r"cannot read .* as an \.npz file"):
        read_funatlas(tmp_path / "bare.npz")
    assert not mark.exists()


def npy_header(shape, dtype="<f8"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (npy_header((10**9, 10**9)), "does not fit in its"),
        (npy_header((-3, 3)), "has the shape"),
        (npy_header((3,), "|O"), "not numbers or strings"),
        (npy_header((3, 3)) + bytes(10), "is cut short"),
        (npy_header("__import__('os').abort()"), "cannot read"),
        (b"\x93NUMPY\x09\x00", "cannot read"),
        (b"", "cannot read"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path, member, message):
    with zipfile.ZipFile(tmp_path / "atlas.npz", "w") as archive:
        archive.writestr("dFF.npy", member)
    with pytest.raises(ValueError, match=message):
        read_funatlas(tmp_path / "atlas.npz")


def test_a_zip_bomb_is_refused_unopened(tmp_path, monkeypatch):
    monkeypatch.setattr("neurojax.connectomes._foreign_npz._LIMIT", 2**20)
    with zipfile.ZipFile(tmp_path / "atlas.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dFF.npy", bytes(2**21))
    assert (tmp_path / "atlas.npz").stat().st_size < 2**12
    with pytest.raises(ValueError, match="claims 2,097,152 bytes"):
        read_funatlas(tmp_path / "atlas.npz")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_funatlas(tmp_path / "nowhere.npz")


def valid_bytes(folder):
    path = folder / "valid.npz"
    np.savez(path, **tables())
    return path.read_bytes()


@settings(max_examples=100)
@given(data=st.data())
def test_damaged_files_give_an_atlas_or_a_value_error(tmp_path, data):
    whole = bytearray(valid_bytes(tmp_path))
    if data.draw(st.booleans()):
        del whole[data.draw(st.integers(0, len(whole) - 1)) :]
    for _ in range(data.draw(st.integers(0, 4))):
        if whole:
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.npz"
    path.write_bytes(whole)
    try:
        atlas = read_funatlas(path)
    except ValueError:
        return
    assert len(atlas) == 3
