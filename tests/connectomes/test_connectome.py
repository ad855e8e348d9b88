"""The class `Connectome`: what it refuses, parts of it, and the same as a networkx graph."""

import dataclasses

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurojax.connectomes import Connectome, cook2019, homologue, homologue_pairs, neurons

NAMES = ("AVAL", "AVAR", "AVBL", "DVA")
CHEMICAL = np.array([[1, 2, 0, 3], [4, 0, 0, 0], [0, 5, 0, 0], [0, 0, 6, 0]])
GAP = np.array([[7, 1, 0, 0], [1, 0, 2, 0], [0, 2, 0, 0], [0, 0, 0, 0]])
SIGNS = np.array([[1, -1, 1, 0], [1, 1, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]])


def small(**changes):
    fields = {"names": NAMES, "chemical": CHEMICAL, "gap": GAP, "signs": SIGNS}
    return Connectome(**(fields | changes))


# --- what it keeps ------------------------------------------------------------------------------


def test_it_keeps_what_it_was_given():
    c = small()
    assert c.names == NAMES
    assert c.chemical.dtype == np.float64
    assert c.signs.dtype == np.int8
    np.testing.assert_array_equal(c.chemical, CHEMICAL)
    np.testing.assert_array_equal(c.gap, GAP)
    assert (c.n_chemical, c.n_gap, len(c)) == (6, 2, 4)
    assert repr(c) == "Connectome(4 neurons, 6 chemical edges, 2 gap pairs)"


def test_signs_off_the_edges_are_dropped():
    expected = np.array([[1, -1, 0, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]])
    np.testing.assert_array_equal(small().signs, expected)


def test_defaults_say_that_nothing_is_known():
    c = small(signs=None)
    assert not c.signs.any()
    assert c.classes == NAMES
    assert c.types == c.transmitters == ("",) * 4
    assert np.isnan(c.positions).all()


def test_edges_are_listed_with_their_ends():
    c = small()
    pre, post = c.chemical_edges()
    assert list(zip(pre, post, strict=True)) == [(0, 0), (0, 1), (0, 3), (1, 0), (2, 1), (3, 2)]
    i, j = c.gap_edges()
    assert list(zip(i, j, strict=True)) == [(0, 1), (1, 2)]


def test_it_cannot_be_changed_from_within_or_without():
    mine = CHEMICAL.astype(float)
    c = small(chemical=mine)
    mine[0, 1] = 99.0
    assert c.chemical[0, 1] == 2.0
    with pytest.raises(ValueError, match="read-only"):
        c.chemical[0, 1] = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        c.chemical = mine


# --- what it refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ("A", "B", "A", "C")}, "names must be different, but 'A'"),
        ({"names": ("A", "", "B", "C")}, r"names\[1\] is empty"),
        ({"names": ()}, "names is empty"),
        ({"names": "ABCD"}, "names must be a sequence of strings"),
        ({"chemical": CHEMICAL[:3]}, r"chemical must have shape .* \(4, 4\).*\(3, 4\)"),
        ({"chemical": CHEMICAL[:3, :3]}, "chemical must have shape"),
        ({"chemical": -CHEMICAL}, r"chemical must be finite and non-negative.*\[0, 0\] = -1"),
        ({"chemical": np.where(CHEMICAL, np.nan, 0.0)}, "chemical must be finite"),
        ({"chemical": np.where(CHEMICAL, np.inf, 0.0)}, "chemical must be finite"),
        ({"chemical": CHEMICAL * 1j}, "chemical must be an array of real numbers"),
        ({"chemical": [[0, 1], [2]]}, "chemical must be an array of real numbers"),
        ({"chemical": "many"}, "chemical must be an array of real numbers"),
        ({"gap": CHEMICAL}, "gap must be symmetric, but from 'AVAL' to 'AVAR' it is 2.0"),
        ({"gap": -GAP}, "gap must be finite and non-negative"),
        ({"gap": GAP[0]}, "gap must have shape"),
        ({"signs": 3 * SIGNS}, r"signs must be -1, 0 \(free\) or \+1"),
        ({"signs": SIGNS[:2]}, "signs must have the shape of chemical"),
        ({"signs": np.full((4, 4), np.nan)}, "signs must be -1"),
        ({"classes": ("a", "b")}, "classes must have one entry per name, 4, but has 2"),
        ({"types": ("a", "b")}, "types must have one entry"),
        ({"transmitters": ("a", "b")}, "transmitters must have one entry"),
        ({"positions": np.zeros((4, 2))}, r"positions must have shape \(neuron, 3\)"),
        ({"positions": np.full((4, 3), np.inf)}, "positions must not be infinite"),
    ],
)
def test_bad_input_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


# --- parts --------------------------------------------------------------------------------------


@settings(max_examples=10)
@given(st.lists(st.sampled_from(range(302)), min_size=1, max_size=40, unique=True))
def test_a_subset_has_the_edges_among_its_neurons(chosen):
    c = cook2019(self_edges=True)
    part = c.subset([c.names[i] for i in chosen])
    graph = c.to_networkx().subgraph([c.names[i] for i in chosen])
    assert part.names == tuple(n for n in c.names if n in graph)
    assert nx.utils.graphs_equal(part.to_networkx(), nx.MultiDiGraph(graph))


def test_a_subset_takes_labels_of_a_recording():
    labels = np.array(["VB02", "", "AVAR", "AVAL?", "RIML", "RIML", "AS10"])
    assert cook2019().subset(labels).names == ("AS10", "AVAR", "RIML", "VB2")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["AVAL", "AVXL"], "no neuron 'AVXL' here; did you mean 'AVL' or 'AVKL' or"),
        (["aval"], "did you mean 'AVAL'"),
        (["AWCON"], "did you mean 'AWC[LR]' or 'AWC[LR]'"),
        (["9"], "no neuron '9' here; known are 'ADAL', 'ADAR', .* and others"),
        ([], "names is empty"),
        (["", "AVAL?"], "names holds no neuron"),
        ("AVAL", r"not one string; write \['AVAL'\]"),
    ],
)
def test_a_subset_of_unknown_names_is_refused(names, message):
    with pytest.raises(ValueError, match=message):
        cook2019().subset(names)


def test_self_edges_can_be_dropped():
    c = small().without_self_edges()
    np.testing.assert_array_equal(c.chemical, CHEMICAL - np.diag([1, 0, 0, 0]))
    np.testing.assert_array_equal(c.gap, GAP - np.diag([7, 0, 0, 0]))
    assert c.signs[0, 0] == 0


def test_edges_between_homologues_can_be_dropped():
    c = small().without_homologues()
    expected = CHEMICAL.copy()
    expected[0, 1] = expected[1, 0] = 0
    np.testing.assert_array_equal(c.chemical, expected)
    assert c.n_gap == 1
    assert c.signs[0, 1] == c.signs[1, 0] == 0
    real = cook2019().without_homologues()
    left = [real.names.index(n) for n, _ in homologue_pairs()]
    right = [real.names.index(n) for _, n in homologue_pairs()]
    assert not real.chemical[left, right].any()
    assert not real.chemical[right, left].any()
    assert not real.gap[left, right].any()


def test_homologues_are_told_by_name():
    assert small().homologue("AVAL") == "AVAR"
    assert small().homologue("AVBL") is None  # its partner is not in this connectome
    assert homologue("AVBL") == "AVBR"
    assert [homologue(n) for n in ("AVL", "RIR", "AQR", "PQR", "PVR", "DVA")] == [None] * 6
    with pytest.raises(ValueError, match="did you mean 'AVAL'"):
        homologue("AVALL")
    with pytest.raises(ValueError, match="no neuron 'ASHL'"):
        small().homologue("ASHL")


def test_homologues_are_of_one_class_and_mirror_each_other():
    """Independent of the names: classes are those of the table, places those of the cell models."""
    table = neurons()
    place = dict(zip(table.names, table.positions, strict=True))
    kind = dict(zip(table.names, table.classes, strict=True))
    pairs = homologue_pairs()
    assert all(kind[left] == kind[right] for left, right in pairs)
    apart = [np.linalg.norm(place[a] * [-1, 1, 1] - place[b]) for a, b in pairs]
    assert np.median(apart) < 5.0  # um


# --- as a networkx graph ------------------------------------------------------------------------


def test_networkx_sees_the_same_graph():
    c = small(types=("inter", "inter", "inter", "sensory"), positions=np.arange(12.0).reshape(4, 3))
    graph = c.to_networkx()
    chemical = nx.MultiDiGraph([e for e in graph.edges if e[2] == "chemical"])
    assert chemical.number_of_edges() == c.n_chemical
    for key, matrix in (("chemical", CHEMICAL), ("gap", GAP)):
        part = graph.edge_subgraph([e for e in graph.edges if e[2] == key]).copy()
        part.add_nodes_from(NAMES)
        np.testing.assert_array_equal(nx.to_numpy_array(part, nodelist=NAMES), matrix)
    assert graph["AVAL"]["AVAR"]["chemical"]["sign"] == -1
    assert graph.nodes["DVA"]["type"] == "sensory"
    assert graph.nodes["AVAR"]["position"] == (3.0, 4.0, 5.0)
