"""CSV: against numpy's own reader, and every way in which a table can be wrong."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurojax.recordings.errors import RecordingError
from neurojax.recordings.readers import read_csv


@pytest.fixture
def write(tmp_path):
    def write(text, name="worm.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_agrees_with_numpy(write):
    text = "time,AVAL,RIM?,\n0.0,1.5,-2e-3,4\n0.6,,NaN,.5\n1.3,2,3.,+1E2\n"
    worm = read_csv(write(text), unit="F/F0")
    expected = np.genfromtxt(io.StringIO(text), delimiter=",", skip_header=1)
    np.testing.assert_array_equal(worm.times, expected[:, 0])
    np.testing.assert_array_equal(worm.values, expected[:, 1:])
    np.testing.assert_array_equal(worm.mask, ~np.isnan(expected[:, 1:]))
    assert worm.labels == ("AVAL", "RIM?", "")
    assert (worm.unit, worm.name) == ("F/F0", "worm")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("time,a,b\n0,1,2\n1,3,4\n", {}),
        ("a,b,T\n1,2,0\n3,4,1\n", {}),
        ("a,b,when\n1,2,0\n3,4,1\n", {"time_column": "when"}),
        ("a,,b\n1,0,2\n3,1,4\n", {"time_column": 1}),
        ("a;time;b\n1;0;2\n3;1;4\n", {"delimiter": ";"}),
        ("Time (s)\ta\tb\r\n0\t1\t2\r\n\r\n1\t3\t4\r\n", {"delimiter": "\t"}),
        ("\ufefftime,a,b\n0,1,2\n1,3,4", {}),
        ('"time","a","b"\n"0","1","2"\n 1 , 3 , 4 \n', {}),
    ],
)
def test_the_same_table_in_other_spellings(write, text, options):
    worm = read_csv(write(text), **options)
    np.testing.assert_array_equal(worm.times, [0.0, 1.0])
    np.testing.assert_array_equal(worm.values, [[1.0, 2.0], [3.0, 4.0]])
    assert worm.labels == ("a", "b")


@pytest.mark.parametrize("missing", ["", "nan", "NaN", "NA", "n/a", "null", "None", " "])
def test_missing_cells_are_masked(write, missing):
    worm = read_csv(write(f"t,a,b\n0,{missing},1\n1,2,3\n"))
    np.testing.assert_array_equal(worm.mask, [[False, True], [True, True]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("\n\n", "no rows"),
        ("time,a\n", "no rows below the header"),
        ("0,1\n1,2\n", "must name the columns"),
        ("time,a\n0,1\n1\n", "line 3 has 1 cells, but the header has 2"),
        ("time,a\n0,1\n1,2,3\n", "line 3 has 3 cells, but the header has 2"),
        ("time,a\n0,1\n1,x\n", "line 3 has 'x' where a finite number must be"),
        ("time,a\n0,inf\n", "line 2 has 'inf'"),
        ("time,a\n0,1e999\n", "line 2 has '1e999'"),
        ("time,a\n0,1_0\n", "line 2 has '1_0'"),
        ("time,a\n0,٣\n", "line 2 has '٣'"),
        ("time,a\n0,__import__('os')\n", "line 2 has .__import__"),
        ("time,a\n0,1\x00\n", "line 2"),
        ('time,a\n0,"1"2\n', "line 2 is malformed"),
        ('time,a\n0,"1\n', "malformed"),
        ("time,a\n0,1\n0,2\n", "strictly increasing"),
        ("time,a\n1,1\n0,2\n", "strictly increasing"),
        ("time,a\n,1\n0,2\n", "must be finite"),
        ("time,a,a\n0,1,2\n", "2 columns are called 'a'"),
        ("time,t,a\n0,1,2\n", r"columns \[0, 1\] are all called 'time'"),
        ("clock,a\n0,1\n", "no column is called 'time'"),
        ("time;a\n0;1\n", "is the delimiter ';'"),
        (b"time,\xff\xfe\n0,1\n", "not UTF-8"),
        ("time," + "a" * 200_000 + "\n0,1\n", "field larger than field limit"),
    ],
)
def test_wrong_tables_are_refused(write, text, message):
    path = write(text)
    with pytest.raises(RecordingError, match=message) as error:
        read_csv(path)
    assert str(path) in str(error.value)


def test_unsure_and_empty_labels_may_repeat(write):
    assert read_csv(write("t,SIBV?,SIBV?,,\n0,1,2,3,4\n")).labels == ("SIBV?", "SIBV?", "", "")


def test_bad_arguments(write, tmp_path):
    path = write("time,a\n0,1\n")
    with pytest.raises(RecordingError, match="did you mean 'time'"):
        read_csv(path, time_column="tme")
    with pytest.raises(RecordingError, match="columns run from 0 to 1"):
        read_csv(path, time_column=2)
    with pytest.raises(RecordingError, match="more than max_bytes=5"):
        read_csv(path, max_bytes=5)
    with pytest.raises(ValueError, match="delimiter"):
        read_csv(path, delimiter=",,")
    with pytest.raises(ValueError, match="max_bytes"):
        read_csv(path, max_bytes=0)
    with pytest.raises(RecordingError, match="folder"):
        read_csv(tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        read_csv(tmp_path / "absent.csv")


_CELLS = st.one_of(st.floats(allow_nan=True, allow_infinity=False).map(repr), st.just(""))


@given(st.lists(st.lists(_CELLS, min_size=3, max_size=3), min_size=1, max_size=6))
@settings(max_examples=100)
def test_any_table_of_numbers_is_read(tmp_path, rows):
    path = tmp_path / "table.csv"
    lines = ["t,a,b,c", *(",".join([str(i), *row]) for i, row in enumerate(rows))]
    path.write_text("\n".join(lines))
    expected = [[float(cell) if cell else np.nan for cell in row] for row in rows]
    np.testing.assert_array_equal(read_csv(path).values, expected)


@given(st.one_of(st.binary(max_size=200), st.text("time,;ab01.\n\"'-e\x00 ", max_size=60)))
@settings(max_examples=300)
def test_any_bytes_are_read_or_refused(tmp_path, data):
    path = tmp_path / "any.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    try:
        worm = read_csv(path)
    except RecordingError as error:
        assert str(path) in str(error)
    else:
        assert worm.values.shape == (len(worm.times), len(worm.labels))
