"""The embedded animals against their source files."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from neurojax.recordings import RecordingError, Recordings, available, detrend, load, standardise

SOURCE = Path(__file__).parents[3] / "shared" / "data" / "celegans" / "recordings"
NAMES = ("2022-07-26-31", "2022-07-26-38", "2022-07-27-31", "2022-07-27-38", "2022-08-02-31")


@pytest.fixture(scope="module")
def worms() -> Recordings:
    return load("dag2023")


def test_five_animals(worms):
    assert worms.names == NAMES
    assert [len(w.exact) for w in worms] == [99, 87, 100, 86, 101]
    assert [w.values.shape for w in worms] == [(800, n) for n in (146, 141, 145, 135, 130)]
    assert len(worms.labels) == 129
    for worm in worms:
        assert worm.mask.all() and worm.unit == "F/F20"
        assert np.diff(worm.times).min() >= 0.55 and np.diff(worm.times).max() <= 0.6751
        np.testing.assert_allclose(worm.values.mean(axis=0), 1.0, atol=1e-4)


def test_every_certain_label_is_a_neuron_of_the_worm(worms):
    connectomes = pytest.importorskip("neurojax.connectomes")
    assert set(worms.labels) <= set(connectomes.neurons().names)


def test_provenance_and_size(worms):
    for worm in worms:
        assert {"source", "citation", "licence"} <= set(worm.metadata)
        assert "Cell 186" in worm.metadata["citation"]
    folder = files("neurojax.recordings") / "data"
    assert sum(len(f.read_bytes()) for f in folder.iterdir() if f.is_file()) < 6e6
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert all(name in text for name in NAMES)


@pytest.mark.skipif(not SOURCE.is_dir(), reason="the source recordings are not here")
def test_nothing_of_the_source_is_lost(worms):
    for worm in worms:
        with np.load(SOURCE / f"dag2023_{worm.name}.npz", allow_pickle=False) as source:
            np.testing.assert_array_equal(worm.times, source["time_s"])
            np.testing.assert_array_equal(worm.values, source["F_over_F20"])
            assert [k.replace("VB02", "VB2") for k in source["label"]] == list(worm.labels)
            np.testing.assert_array_equal(worm.label_confidence, source["label_confidence"])
            behaviour = set(source.files) - {
                *("uid", "time_s", "F_over_F20", "trace_z", "label", "label_confidence")
            }
            assert set(worm.series) == behaviour
            for name, series in worm.series.items():
                assert series.values.dtype == source[name].dtype
                np.testing.assert_array_equal(series.values, source[name])
            z = (worm.values - worm.values.mean(axis=0)) / worm.values.std(axis=0, ddof=1)
            np.testing.assert_allclose(z, source["trace_z"], atol=1e-4)  # both are 32-bit


def test_normalised_by_the_training_part_alone(worms):
    worm = worms[0]
    out = standardise(detrend(worm))
    np.testing.assert_allclose(out.values[:480].std(axis=0), 1.0, atol=1e-9)
    spoiled = worm.values.copy()
    spoiled[480:] = 9.0
    again = standardise(detrend(worm.with_values(spoiled)))
    np.testing.assert_array_equal(out.values[:480], again.values[:480])


def test_names():
    assert list(available()) == ["dag2023"]
    with pytest.raises(RecordingError, match="did you mean 'dag2023'"):
        load("dag2032")
