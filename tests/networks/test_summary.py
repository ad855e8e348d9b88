"""What `Network.summary` says of memory, against what the arrays have."""

import re

import jax
import numpy as np
import pytest

import neurojax as nj

SCALE = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
CELL = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=2.0)})


def shown(net, capsys):
    """The rows of memory and the total, in bytes."""
    net.summary()
    text = capsys.readouterr().out
    rows = re.findall(r"^  (\S.*?)  +([\d.]+) (B|kB|MB|GB)$", text.split("\nmemory\n")[1], re.M)
    total = re.search(r"synapses, ([\d.]+) (\w+)$", text.strip())
    assert total is not None
    size = lambda number, unit: float(number) * SCALE[unit]
    return {name: size(*found) for name, *found in rows}, size(*total.groups())


def held(tree):
    return sum(x.nbytes for x in jax.tree.leaves(tree) if hasattr(x, "nbytes"))


def on_the_host(projections):
    names = ("pre", "post", "distance", "weight", "delay")
    lists = {id(s.edges): s.edges for s in projections}.values()
    return sum(a.nbytes for e in lists for k in names if (a := getattr(e, k, None)) is not None)


def check(net, capsys, more=0):
    """The total is that of all leaves of the network, its state and its tables of weights."""
    rows, total = shown(net, capsys)
    state = net.init_state(key=jax.random.key(0))
    tables = [t for t in net.prepare().tables if t.ndim]
    exact = held(net) + held(state) + held(tables) + more
    exact += on_the_host(net.projections.values())
    assert total == pytest.approx(exact, rel=6e-3)  # three digits
    assert sum(rows.values()) == pytest.approx(exact, rel=6e-3)
    return rows


def test_matrices_of_couplings(capsys):
    gap = nj.synapses.GapJunctions("A", "A", np.ones((400, 400)))
    rows = check(nj.Network({"A": nj.neurons.LIF(n=400)}, [], [gap]), capsys)
    assert rows["graded couplings"] == held(gap) >= 640_000


def test_parameters_of_neurons_and_their_events(capsys):
    law = nj.random.Normal(250.0, 1.0)
    cells = CELL.population(50_000, C_m=law, V_th=np.full(50_000, -50.0), key=jax.random.key(0))
    source = nj.neurons.SpikeTimes(np.linspace(1, 1000, 100_000), np.arange(100_000) % 50, 50)
    rows = check(nj.Network({"S": source, "A": cells}), capsys)
    each = cells.C_m.dtype.itemsize
    wanted = 100_000 * (8 + 4) + 2 * 50_000 * each
    assert rows["parameters and events of the populations"] == pytest.approx(wanted, rel=6e-3)


@pytest.mark.parametrize("form", ["weights", "shared", "computed", "learning", "between", "delays"])
def test_synapses_with_their_tables(form, capsys):
    law, graph = nj.random.Uniform(1.0, 2.0), nj.connectivity.fixed_indegree(20)
    options = {
        "weights": {"weight": law, "delay": 1.5},
        "shared": {"weight": 2.0},
        "computed": {"weight": np.ones(300), "delay": 0.4},
        "learning": {"weight": law, "delay": law, "plasticity": nj.plasticity.PairSTDP(),
                     "release": nj.synapses.TsodyksMarkram()},
        "between": {"weight": law, "delay": law, "interpolate": True},
        "delays": {"weight": law, "delay": law},
    }[form]  # fmt: skip
    if form == "computed":
        graph = nj.connectivity.Procedural(1, 300, 300, 20)
    once = nj.Projection("A", "A", "exc", graph, **options)
    net = nj.Network({"A": CELL.population(300)}, [once], key=jax.random.key(0))
    # drawn delays that are no parameters stay on the host, one double each
    rows = check(net, capsys, 8 * 6000 if form in ("learning", "delays") else 0)
    tables = sum(t.nbytes for t in net.prepare().tables if t.ndim)
    assert rows.get("tables of weights (in a run)", 0) == pytest.approx(tables, rel=6e-3)
    assert (tables > 6000 * 4) == (form not in ("shared", "computed"))


def test_what_projections_share_is_counted_once(capsys):
    edges = nj.connectivity.Edges(np.arange(3000) % 300, np.arange(3000) // 10, 300, 300)
    twice = [nj.Projection("A", "A", "exc", edges, weight=2.0, name=name) for name in "ab"]
    rows = check(nj.Network({"A": CELL.population(300)}, twice), capsys)
    assert rows["edge lists (host)"] == edges.pre.nbytes + edges.post.nbytes
