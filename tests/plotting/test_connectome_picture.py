"""The picture of a connectome shows each edge at the place of its neurons."""

import numpy as np
import pytest

from neurojax.connectomes import Connectome, cook2019
from neurojax.plotting.connectome import connectome


def test_rows_are_ordered_by_type_class_and_number(tmp_path):
    names = ["VA10", "VA2", "AVAL", "ASHL", "CANL"]
    matrix = np.arange(25.0).reshape(5, 5)
    types = ["motor", "motor", "inter", "sensory", "unknown"]
    classes = ["VA", "VA", "AVA", "ASH", "CAN"]
    c = Connectome(names, matrix, matrix + matrix.T, None, classes, types)
    order = [3, 2, 1, 0, 4]
    for kind, expected in (("chemical", matrix), ("gap", matrix + matrix.T)):
        ax = connectome(c, kind=kind)
        assert [t.get_text() for t in ax.get_yticklabels()] == [names[i] for i in order]
        shown = ax.images[0].get_array()
        np.testing.assert_array_equal(shown.filled(0.0), expected[np.ix_(order, order)])
    ax.figure.savefig(tmp_path / "gap.png")


def test_large_connectomes_name_their_types():
    from matplotlib.figure import Figure

    given = Figure().add_subplot()
    ax = connectome(cook2019(), ax=given)
    assert ax is given
    shown = [t.get_text() for t in ax.get_xticklabels()]
    assert shown == ["sensory", "inter", "motor", "pharyngeal"]
    assert ax.get_title() == "302 neurons, 3671 chemical edges"


def test_no_edges_and_unknown_kinds():
    empty = Connectome(["A", "B"], np.zeros((2, 2)), np.zeros((2, 2)))
    connectome(empty).figure.canvas.draw()
    with pytest.raises(ValueError, match="kind must be 'chemical' or 'gap', got 'both'"):
        connectome(empty, kind="both")
