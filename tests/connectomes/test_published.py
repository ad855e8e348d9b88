"""The embedded connectomes and tables, against published counts and the files they come from."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from neurojax.connectomes import (
    cook2019,
    extrasynaptic,
    fenyves2020_signs,
    neurons,
    varshney2011,
    witvliet2021,
)

SOURCE = Path(__file__).parents[3] / "shared" / "data" / "celegans"
needs_source = pytest.mark.skipif(not SOURCE.is_dir(), reason="no reference data in ../shared")

# dataset: neurons, chemical edges, synapses, ordered gap entries, gap junctions, self-entries of
# the two; self-entries count in all.
WITVLIET = {
    1: (161, 675, 1152, 164, 206, 0, 2),
    2: (162, 865, 1687, 240, 258, 0, 2),
    3: (162, 887, 1884, 186, 216, 0, 2),
    4: (168, 1011, 2521, 407, 475, 0, 3),
    5: (174, 1324, 3644, 572, 824, 0, 6),
    6: (175, 1315, 3894, 422, 528, 0, 2),
    7: (181, 1944, 6587, 528, 732, 11, 6),
}


def counts(c):
    matrices = (c.chemical, c.gap)
    totals = [f(m) for m in matrices for f in (np.count_nonzero, np.sum)]
    return (len(c), *totals, *(np.count_nonzero(np.diag(m)) for m in matrices))


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (cook2019, (302, 3709, 20965, 2196, 11523, 38, 14)),
        (varshney2011, (279, 2194, 6394, 1031, 1777, 0, 3)),
        *((lambda k=k, **kw: witvliet2021(k, **kw), row) for k, row in WITVLIET.items()),
    ],
)
def test_counts_are_those_of_the_sources(load, expected):
    whole = load(self_edges=True)
    assert counts(whole) == expected
    plain = load()
    assert counts(plain) == counts(whole.without_self_edges())
    assert np.trace(plain.chemical) == np.trace(plain.gap) == 0
    assert plain.n_chemical == expected[1] - expected[5]
    assert 2 * plain.n_gap == expected[3] - expected[6]


def test_witvliet_takes_seven_datasets():
    assert witvliet2021().names == witvliet2021(7).names
    for wrong in (0, 8, True):
        with pytest.raises(ValueError, match="dataset must be one of 1, 2"):
            witvliet2021(wrong)


def test_varshney_leaves_out_the_pharynx_and_three_more():
    absent = set(neurons().names) - set(varshney2011().names)
    table = neurons()
    pharynx = {n for n, t in zip(table.names, table.types, strict=True) if t == "pharyngeal"}
    assert absent == pharynx | {"CANL", "CANR", "VC6"}


def test_signs_are_predicted_or_free():
    signs = fenyves2020_signs()
    assert Counter(signs.ravel().tolist()) == {1: 1327, -1: 425, 0: 302**2 - 1327 - 425}
    all_names = neurons().names
    for c in (cook2019(), varshney2011(), witvliet2021(3)):
        order = [all_names.index(n) for n in c.names]
        expected = np.where(c.chemical > 0, signs[np.ix_(order, order)], 0)
        np.testing.assert_array_equal(c.signs, expected)
    assert np.count_nonzero(cook2019(self_edges=True).signs) == 1705


def test_the_table_has_the_302_neurons_in_118_classes():
    table = neurons()
    assert table.names == tuple(sorted(table.names))
    assert len(table) == len(set(table.names)) == 302
    assert Counter(table.types) == {
        "sensory": 83,
        "inter": 81,
        "motor": 116,
        "pharyngeal": 20,
        "unknown": 2,
    }
    members = Counter(table.classes)
    assert len(members) == 118  # White et al. 1986
    assert (members["RMD"], members["RME"], members["SAB"], members["VD"]) == (6, 4, 3, 13)
    assert all(n.startswith(c) for n, c in zip(table.names, table.classes, strict=True))
    singles = ("AVL", "AQR", "PQR", "PVR", "RIR")
    assert all(table.classes[table.names.index(n)] == n for n in singles)
    assert table.transmitters[table.names.index("DD1")] == "GABA"
    assert table.positions.shape == (302, 3)
    assert np.isfinite(table.positions).all()
    y = dict(zip(table.names, table.positions[:, 1], strict=True))
    assert y["ASHL"] < y["VA5"] < y["PLML"]  # from head to tail


@pytest.mark.parametrize(
    ("kind", "edges", "total"),
    [
        ("tyramine", 228, 228),
        ("octopamine", 56, 56),
        ("dopamine", 1176, 1176),
        ("serotonin", 492, 492),
        ("peptide_short", 31417, 83634),
        ("peptide_mid", 40425, 107429),
        ("peptide_long", 53558, 145834),
    ],
)
def test_extrasynaptic_networks(kind, edges, total):
    network = extrasynaptic(kind)
    assert network.names == neurons().names
    assert np.count_nonzero(network.adjacency) == edges
    assert network.adjacency.sum() == total


def test_dopamine_comes_from_the_eight_dopaminergic_neurons():
    network = extrasynaptic("dopamine")
    senders = {n for n, row in zip(network.names, network.adjacency, strict=True) if row.any()}
    table = neurons()
    release = zip(table.names, table.transmitters, strict=True)
    assert senders == {name for name, what in release if "Dopamine" in what}
    assert len(senders) == 8


def test_an_extrasynaptic_network_has_parts_and_known_kinds():
    part = extrasynaptic("dopamine").subset(["CEPDL", "AVAL"])
    whole = extrasynaptic("dopamine")
    i, j = whole.names.index("AVAL"), whole.names.index("CEPDL")
    assert part.names == ("AVAL", "CEPDL")
    np.testing.assert_array_equal(part.adjacency, whole.adjacency[np.ix_([i, j], [i, j])])
    with pytest.raises(ValueError, match="kind 'dopamin' is unknown; did you mean 'dopamine'"):
        extrasynaptic("dopamin")


# --- against the files they come from -----------------------------------------------------------


@needs_source
@pytest.mark.parametrize(
    ("load", "file", "suffix"),
    [
        (cook2019, "cook2019_herm", ""),
        (varshney2011, "varshney2011", ""),
        *(
            (lambda k=k, **kw: witvliet2021(k, **kw), "witvliet2021_1to7", f"_{k}")
            for k in WITVLIET
        ),
    ],
)
def test_matrices_equal_their_source_cell_by_cell(load, file, suffix):
    source = np.load(SOURCE / f"connectome_{file}.npz")
    c = load(self_edges=True)
    order = [source["names"].tolist().index(n) for n in c.names]
    for ours, key in ((c.chemical, "chem"), (c.gap, "gap")):
        theirs = source[f"{key}{suffix}"]
        np.testing.assert_array_equal(ours, theirs[np.ix_(order, order)])
        assert ours.sum() == theirs.sum()  # nothing was left out with the absent neurons


@needs_source
def test_the_table_equals_its_source():
    with (SOURCE / "neurons.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    table = neurons()
    pairs = {
        "name": table.names,
        "type": table.types,
        "subtype": table.subtypes,
        "nt_wang2024": table.transmitters,
        "nt_fenyves_dominant": table.transmitters_fenyves2020,
    }
    for key, column in pairs.items():
        assert tuple(row[key] for row in rows) == column
    places = [[float(row[f"{x}_um"]) for x in "xyz"] for row in rows]
    np.testing.assert_array_equal(table.positions, places)
    corrected = [
        r["name"] for r, c in zip(rows, table.classes, strict=True) if r["neuron_class"] != c
    ]
    assert len(corrected) == 18


@needs_source
def test_the_graph_of_the_labelled_neurons():
    """128 neurons that some recording labels exactly; self-entries are not among its edges."""
    labels = set()
    for path in sorted((SOURCE / "recordings").glob("*.npz")):
        count = Counter(np.load(path)["label"].tolist())
        labels |= {label for label, times in count.items() if times == 1}
    c = cook2019().subset(labels & set(neurons().names))
    assert (len(c), c.n_chemical, c.n_gap) == (128, 1248, 251)
