"""Networks on disk: the arrays of one graph do not come into another."""

import io
import json

import jax
import numpy as np
import pytest

import neurojax as nj

EXP, UNIFORM = nj.synapses.ExpCurrent(3.0), nj.random.Uniform
PAIR = nj.plasticity.PairSTDP(w_max=100.0)
POSITIONS = np.random.default_rng(1).random((40, 2))


def network(seed=0, *, n=40, source="A", graph=None, port="exc", dt=None, cell=None, **given):
    cell = nj.neurons.LIF(receptors={"exc": EXP, "inh": EXP}) if cell is None else cell
    given = {"weight": UNIFORM(5.0, 60.0), "delay": 1.5} | given
    graph = nj.connectivity.fixed_indegree(5) if graph is None else graph
    rec = nj.Projection(source, "A", port, graph, name="rec", **given)
    return nj.Network({"A": cell.population(n)}, [rec], key=jax.random.key(seed), dt=dt)


def spatial(positions):
    return nj.connectivity.distance_dependent(nj.connectivity.box(0.3), positions)


def run(net, state=None):
    inputs = {"A": {"I_e": 330.0}}
    return nj.simulate(net, duration=60.0, dt=0.1, inputs=inputs, state=state)


DRAWN = UNIFORM(0.1, 3.0)
OTHERS = {
    "graph": ({}, {"seed": 5}, r"projections\.rec\.edges\.pre, projections\.rec\.edges\.post"),
    "shared weight": ({"weight": 3.0}, {"weight": 3.0, "seed": 5}, r"projections\.rec\.edges"),
    "delays": ({"delay": DRAWN}, {"delay": 5.0}, r"projections\.rec\.fixed_delay"),
    "one delay": ({}, {"delay": 1.6}, r"rec\.fixed_delay\.value \(1\.5 there, 1\.6 in like=\)"),
    "no delay": ({"delay": None}, {"delay": 0.1}, r"rec\.fixed_delay \(None there, given in"),
    "drawn delays": (
        {"graph": nj.connectivity.all_to_all(), "delay": DRAWN},
        {"graph": nj.connectivity.all_to_all(), "delay": DRAWN, "seed": 5},
        r"projections\.rec\.fixed_delay\.value",
    ),
    "port": ({}, {"port": "inh"}, r"projections\.rec\.port \('exc' there, 'inh' in like=\)"),
    "part": (
        {"source": ("A", slice(0, 20))},
        {"source": ("A", slice(20, 40))},
        r"projections\.rec\.source",
    ),
    "indices": (
        {"source": ("A", [0, 1, 2, 3, 4, 5, 7])},
        {"source": ("A", [0, 1, 2, 3, 4, 5, 8])},
        r"projections\.rec\.source",
    ),
    "size": ({}, {"n": 41}, r"populations\.A\.n \(40 there, 41 in like=\)"),
    "grid": ({"delay": 1.0}, {"delay": 1.0, "dt": 0.5}, r"layout\.dt \(0\.1 there, 0\.5 in like="),
    "seed of computed targets": (
        {"graph": nj.connectivity.Procedural(1, 40, 40, 4), "weight": 3.0},
        {"graph": nj.connectivity.Procedural(2, 40, 40, 4), "weight": 3.0},
        r"projections\.rec\.edges\.seed \(1 there, 2 in like=\)",
    ),
    "rule": (
        {"plasticity": PAIR},
        {"plasticity": nj.plasticity.PairSTDP(w_max=100.0, interaction="nearest")},
        r"rec\.plasticity\.interaction \('all' there, 'nearest' in like=\)",
    ),
    "distances": (
        {"graph": spatial(POSITIONS), "plasticity": PAIR},
        {"graph": spatial(POSITIONS * 1.0001), "plasticity": PAIR},
        r"projections\.rec\.(edges\.distance|distance)",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_network_is_refused_by_name(case, tmp_path):
    saved, other, message = OTHERS[case]
    nj.save(tmp_path / "net.npz", network(**saved))
    with pytest.raises(ValueError, match=f"holds a Network that is another model.*{message}"):
        nj.load(tmp_path / "net.npz", like=network(**other))
    nested = lambda net: nj.Network({"area": net})
    nj.save(tmp_path / "net.npz", {"circuit": nested(network(**saved))})
    with pytest.raises(ValueError, match=r"another model than like=.*circuit\.populations\.area"):
        nj.load(tmp_path / "net.npz", like={"circuit": nested(network(**other))})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"delay": DRAWN, "plasticity": PAIR},
        {"source": ("A", [1, 3, 4, 5, 6, 7, 9])},
        {"graph": spatial(POSITIONS), "delay": lambda d: 0.5 + d, "plasticity": PAIR},
        {"delay": DRAWN, "interpolate": True},
    ],
)
def test_a_network_that_is_built_again_takes_the_file(options, tmp_path):
    """With other numbers in its leaves, another solver and another surrogate gradient."""
    first = network(**options)
    nj.save(tmp_path / "net.npz", first)
    cell = nj.neurons.LIF(
        receptors={"exc": EXP, "inh": EXP}, E_L=-71.0, surrogate=nj.surrogate.Triangle(width=3.0)
    )
    again = nj.load(tmp_path / "net.npz", like=network(cell=cell, **options))
    one, other = (run(net).final_state.state["populations"]["A"]["V_m"] for net in (first, again))
    np.testing.assert_array_equal(one, other)


def test_files_from_before_the_fingerprint_load(tmp_path):
    first, path = network(), tmp_path / "net.npz"
    nj.save(path, first)
    with np.load(path) as file:
        members = dict(file)
    header = json.loads(str(members.pop("header")))
    del header["static"]
    buffer = io.BytesIO()
    np.savez(buffer, header=np.asarray(json.dumps(header)), **members)
    path.write_bytes(buffer.getvalue())
    again = nj.load(path, like=network())
    np.testing.assert_array_equal(
        again.projections["rec"].weights(), first.projections["rec"].weights()
    )


def test_arrays_can_be_given_to_other_options_on_purpose(tmp_path):
    """The way that the docstring of `load` names."""
    nearest = nj.plasticity.PairSTDP(w_max=100.0, interaction="nearest")
    saved, other = network(plasticity=PAIR, weight=7.0), network(plasticity=nearest, weight=9.0)
    nj.save(tmp_path / "net.npz", saved)
    loaded = nj.load(tmp_path / "net.npz", like=network(plasticity=PAIR, weight=9.0))
    given = jax.tree.unflatten(jax.tree.structure(other), jax.tree.leaves(loaded))
    one, two = (run(net).final_state for net in (given, network(plasticity=nearest, weight=7.0)))
    np.testing.assert_array_equal(given.weights(one, "rec"), given.weights(two, "rec"))


@pytest.mark.parametrize("delay", [1.5, DRAWN])
def test_a_loaded_state_is_still_that_of_its_own_synapses(delay, tmp_path):
    first, other = (network(seed, delay=delay, plasticity=PAIR) for seed in (0, 5))
    state = run(first).final_state
    nj.save(tmp_path / "state.npz", state)
    loaded = nj.load(tmp_path / "state.npz", like=state)
    if delay == 1.5:  # one shape for both
        loaded = nj.load(tmp_path / "state.npz", like=run(other).final_state)
    run(first, loaded)
    with pytest.raises(ValueError, match="the projection 'rec' has other synapses there"):
        run(other, loaded)
