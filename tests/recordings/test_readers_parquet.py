"""The homogenised Parquet table: against pandas, and tables made to harm."""

import contextlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from neurojax.recordings.errors import RecordingError
from neurojax.recordings.readers import _apart, read_parquet

pa = pytest.importorskip("pyarrow", reason="needs the extra 'recordings'")
pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'recordings'")

SAMPLE = (
    Path(__file__).parents[2] / "../shared/data/celegans/homogenised_schema_sample.parquet"
).resolve()

FRAMES = 12


def row(source, worm, neuron, labelled=True, frames=FRAMES, seed=0, **other):
    rng = np.random.default_rng([seed, len(neuron), frames])
    times = np.arange(frames, dtype=np.float32) * np.float32(0.333)
    coarse = np.arange(frames // 2, dtype=np.float32) * np.float32(0.6)
    return {
        "source_dataset": source,
        "raw_data_file": "a.h5",
        "worm": worm,
        "neuron": neuron,
        "slot": 1,
        "is_labeled_neuron": labelled,
        "is_unlabeled_neuron": not labelled,
        "smooth_method": "no smoothing",
        "interpolate_method": "linear",
        "original_calcium_data": rng.normal(size=len(coarse)).astype(np.float32),
        "calcium_data": rng.normal(size=frames).astype(np.float32),
        "original_time_in_seconds": coarse,
        "time_in_seconds": times,
        "original_max_timesteps": len(coarse),
        "max_timesteps": frames,
    } | other


_LIST = pa.list_(pa.float32())
_TYPES = {
    "original_calcium_data": _LIST,
    "calcium_data": _LIST,
    "original_time_in_seconds": _LIST,
    "time_in_seconds": _LIST,
    "slot": pa.int32(),
}

ROWS = [
    row("Kato2015", "worm0", "AVAL", seed=1),
    row("Kato2015", "worm1", "AVAL", seed=2),
    row("Uzel2022", "worm0", "AVAL", seed=3),
    row("Kato2015", "worm0", "17", labelled=False, seed=4),
    row("Uzel2022", "worm0", "17", labelled=False, seed=5),
    row("Kato2015", "worm0", "AVAR", seed=6),
]


@pytest.fixture
def write(tmp_path):
    def write(rows=ROWS, name="worms.parquet", types=None, **settings):
        kinds = _TYPES | (types or {})
        columns = {
            k: pa.array([r[k] for r in rows], type=kinds.get(k)) for k in (rows[0] if rows else {})
        }
        path = tmp_path / name
        pq.write_table(pa.table(columns), path, **settings)
        return path

    return write


@pytest.fixture
def in_this_process(monkeypatch):
    """Spares the child process where a file is sound Parquet and only its layout is wrong."""
    from neurojax.recordings.readers._child.main import answer

    monkeypatch.setattr(_apart, "_ask_child", answer)


def test_worms_are_keyed_by_source_and_worm(write):
    worms = read_parquet(write(row_group_size=2))
    assert worms.names == ("Kato2015/worm0", "Kato2015/worm1", "Uzel2022/worm0")
    assert worms["Kato2015/worm0"].labels == ("AVAL", "", "AVAR")
    assert worms["Uzel2022/worm0"].labels == ("AVAL", "")
    assert worms.labels == ("AVAL", "AVAR")


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("which", ["calcium", "original"])
def test_samples_and_clock(write, which):
    data, time = {
        "calcium": ("calcium_data", "time_in_seconds"),
        "original": ("original_calcium_data", "original_time_in_seconds"),
    }[which]
    worm = read_parquet(write(), which=which)["Kato2015/worm0"]
    expected = np.stack([ROWS[i][data] for i in (0, 3, 5)], axis=1)
    np.testing.assert_array_equal(worm.values, expected)
    np.testing.assert_array_equal(worm.times, ROWS[0][time].astype(np.float64))
    assert worm.times.dtype == np.float64
    assert worm.unit == "z-score"
    assert worm.metadata == {
        "source": "Kato2015",
        "worm": "worm0",
        "file": "worms.parquet",
        "raw_data_file": "a.h5",
        "smooth_method": "no smoothing",
        "interpolate_method": "linear",
    }


@pytest.mark.skipif(not SAMPLE.exists(), reason="the shared sample file is not here")
def test_the_sample_file_agrees_with_pandas():
    pandas = pytest.importorskip("pandas", reason="needs the extra 'dev'")
    table = pandas.read_parquet(SAMPLE)
    worms = read_parquet(SAMPLE)
    groups = table.groupby(["source_dataset", "worm"], sort=False)
    assert len(worms) == len(groups) == 2
    for worm, (key, rows) in zip(worms, groups, strict=True):
        assert worm.name == "/".join(key)
        np.testing.assert_array_equal(worm.values, np.stack(rows["calcium_data"], axis=1))
        labels = rows["neuron"].where(rows["is_labeled_neuron"], "")
        assert worm.labels == tuple(labels)


def test_a_shorter_row_is_masked(write):
    short = row("Kato2015", "worm0", "RIM?", frames=FRAMES - 4)
    late = row("Kato2015", "worm0", "RIS", time_in_seconds=ROWS[0]["time_in_seconds"][5:])
    late["calcium_data"] = late["calcium_data"][5:]
    worm = read_parquet(write([short, *ROWS[:1], late]))[0]
    np.testing.assert_array_equal(worm.times, ROWS[0]["time_in_seconds"].astype(np.float64))
    expected = np.ones((FRAMES, 3), bool)
    expected[FRAMES - 4 :, 0] = False
    expected[:5, 2] = False
    np.testing.assert_array_equal(worm.mask, expected)
    np.testing.assert_array_equal(worm.trace("RIS")[5:], late["calcium_data"])


def test_missing_samples_are_masked(write):
    samples = [1.0, None, float("nan"), *range(FRAMES - 3)]
    worm = read_parquet(write([row("a", "b", "AVAL", calcium_data=samples)]))[0]
    np.testing.assert_array_equal(worm.mask[:, 0], [True, False, False] + [True] * (FRAMES - 3))


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    "types",
    [
        {"calcium_data": pa.large_list(pa.float64())},
        {"calcium_data": pa.list_(pa.float32(), FRAMES)},
        {"neuron": pa.large_string(), "worm": pa.dictionary(pa.int8(), pa.string())},
        {"time_in_seconds": pa.list_(pa.float64())},
    ],
)
def test_other_spellings_of_the_types(write, types):
    worm = read_parquet(write(types=types))["Kato2015/worm0"]
    np.testing.assert_array_equal(worm.trace("AVAL"), ROWS[0]["calcium_data"])


# --- wrong and hostile files ------------------------------------------------------------------


def _times(*times):
    return {"time_in_seconds": list(times), "calcium_data": [0.0] * len(times)}


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("rows", "types", "message"),
    [
        ([], {}, "column source_dataset is missing"),
        ([{k: v for k, v in ROWS[0].items() if k != "worm"}], {}, "column worm is missing"),
        (
            [{k: v for k, v in ROWS[0].items() if k != "calcium_data"}],
            {},
            "calcium_data is missing; try which='original'",
        ),
        ([ROWS[0] | {"worm": 3}], {}, "column worm must hold texts"),
        ([ROWS[0] | {"calcium_data": "x"}], {"calcium_data": pa.string()}, "lists of numbers"),
        (
            [ROWS[0] | {"calcium_data": [["x"]]}],
            {"calcium_data": pa.list_(pa.list_(pa.string()))},
            "lists of numbers",
        ),
        ([ROWS[0] | {"is_labeled_neuron": 1}], {}, "must hold booleans"),
        ([ROWS[0] | {"neuron": None}], {"neuron": pa.string()}, "row 0 lacks"),
        ([ROWS[0] | {"neuron": ""}], {}, "row 0 lacks"),
        ([ROWS[0] | {"is_unlabeled_neuron": True}], {}, "alike"),
        ([ROWS[0] | {"calcium_data": None}], {}, "nothing in column calcium_data"),
        ([ROWS[0] | {"calcium_data": [1.0]}], {}, "1 samples in calcium_data for 12"),
        ([ROWS[0], ROWS[0]], {}, "row 1 is a second row of neuron 'AVAL'"),
        ([ROWS[0] | _times(0.0, 0.0)], {}, "strictly increasing"),
        ([ROWS[0] | _times(1.0, 0.0)], {}, "strictly increasing"),
        ([ROWS[0] | _times(0.0, float("nan"))], {}, "must be finite"),
        ([ROWS[0] | _times(0.0, None)], {}, "must be finite"),
        ([ROWS[0], ROWS[5] | _times(0.1, 0.2)], {}, "row 1 of .* sampled at other times"),
        ([ROWS[0], ROWS[5] | _times(0.333, 0.333)], {}, "sampled at other times"),
    ],
)
def test_wrong_tables_are_refused(write, rows, types, message):
    path = write(rows, types=types)
    with pytest.raises(RecordingError, match=message) as error:
        read_parquet(path)
    assert str(path) in str(error.value)


def test_a_column_that_occurs_twice(tmp_path):
    path = tmp_path / "twice.parquet"
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["source_dataset"] * 2)
    pq.write_table(table, path)
    with pytest.raises(RecordingError, match="column source_dataset occurs 2 times"):
        read_parquet(path)


class _Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickles_are_never_loaded(tmp_path, write):
    touched = tmp_path / "touched"
    payload = pickle.dumps(_Touch(touched))
    pickle.loads(payload)
    assert touched.exists()  # it would work
    touched.unlink()
    path = write([ROWS[0] | {"calcium_data": payload}], types={"calcium_data": pa.binary()})
    with pytest.raises(RecordingError, match="lists of numbers"):
        read_parquet(path)
    fields = [
        pa.field(k, pa.array([v]).type if k not in _TYPES else _TYPES[k]).with_metadata(
            {
                b"ARROW:extension:name": b"arrow.py_extension_type",
                b"ARROW:extension:metadata": payload,
            }
        )
        for k, v in ROWS[0].items()
    ]
    path = tmp_path / "extension.parquet"
    arrays = [pa.array([v], type=f.type) for v, f in zip(ROWS[0].values(), fields, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), path)
    with contextlib.suppress(RecordingError):
        read_parquet(path)
    assert not touched.exists()


@pytest.mark.usefixtures("in_this_process")
def test_a_small_file_of_many_samples_is_refused(write, monkeypatch):
    """One number repeated takes next to no room in a Parquet file."""
    from neurojax.recordings.readers._child import budget

    monkeypatch.setattr(budget, "_SMALL", 2**20)  # so that a moderate array will do
    many = row("a", "b", "AVAL", calcium_data=np.zeros(2**21, np.float32), time_in_seconds=[0.0])
    path = write([many])
    assert path.stat().st_size < 2**14
    with pytest.raises(RecordingError, match="cannot hold"):
        read_parquet(path)


def test_limits_and_arguments(write, tmp_path):
    path = write()
    with pytest.raises(RecordingError, match="max_bytes=100"):
        read_parquet(path, max_bytes=100)
    with pytest.raises(ValueError, match="did you mean 'calcium'"):
        read_parquet(path, which="calcum")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RecordingError, match="cut short"):
        read_parquet(path)
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(RecordingError, match="no Parquet file"):
        read_parquet(path)
