"""States of other networks are refused where a run would go on from them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

N, RNG = 10, np.random.default_rng(0)
PRE, POST, WEIGHT = RNG.integers(0, N, 60), RNG.integers(0, N, 60), RNG.uniform(0, 60, 60)
EXP, ALPHA = nj.synapses.ExpCurrent(2.0), nj.synapses.AlphaCurrent(2.0)
P, S = nj.plasticity, nj.synapses


def network(m=60, receptors=None, **options):
    cell = nj.neurons.LIF(n=N, receptors=receptors or {"exc": EXP})
    graph = nj.connectivity.from_edges(PRE[:m], POST[:m], weight=WEIGHT[:m])
    return nj.Network({"A": cell}, [nj.Projection("A", "A", "exc", graph, name="p", **options)])


def run(net, state=None):
    inputs = {"A": {"I_e": 500.0}}
    return nj.simulate(net, duration=5.0, dt=0.1, inputs=inputs, state=state).final_state


PAIR = P.PairSTDP(A_plus=0.0, A_minus=0.0, w_max=100.0)
NETWORKS = {
    "plain": lambda: network(),
    "release": lambda: network(release=S.TsodyksMarkram(0.5, 800.0)),
    "quantal": lambda: network(release=S.Quantal(5, 0.5, 800.0)),
    "pair": lambda: network(plasticity=PAIR),
    "fewer": lambda: network(50, plasticity=PAIR),
    "dendritic": lambda: network(
        plasticity=P.PairSTDP(A_plus=0.0, A_minus=0.0, w_max=100.0, delay="dendritic")
    ),
    "triplet": lambda: network(plasticity=P.TripletSTDP(w_max=100.0)),
    "alpha": lambda: network(receptors={"exc": ALPHA}),
    "two ports": lambda: network(receptors={"exc": EXP, "inh": EXP}),
}


@pytest.mark.parametrize(
    ("of", "to", "message"),
    [
        ("plain", "release", "knows nothing of the release of the projection 'p'"),
        ("release", "plain", "has release of the projection 'p', which this network has not"),
        ("release", "quantal", r"release of the projection 'p' is of another kind.*lacks \['full"),
        ("plain", "pair", "knows nothing of the plasticity of the projection 'p'"),
        ("pair", "plain", "has plasticity of the projection 'p', which this network has not"),
        ("pair", "triplet", "plasticity of the projection 'p' is of another kind"),
        ("pair", "fewer", "the projection 'p' has other synapses there"),
        ("fewer", "pair", "the projection 'p' has other synapses there"),
        ("pair", "dendritic", "or its delays on the other side"),
        ("plain", "alpha", r"the population 'A' is of another kind here: it lacks \['exc'\]\['dI"),
        ("two ports", "plain", r"the population 'A' is of another kind here: it has \['inh'\]"),
    ],
)
def test_the_part_that_does_not_fit_is_named(of, to, message):
    state, net = NETWORKS[of](), NETWORKS[to]()
    first = state.init_state(key=jax.random.key(0))
    if of != "quantal":
        first = run(state, first)
    for given in (first, first.state) if hasattr(first, "state") else (first,):
        with pytest.raises(ValueError, match=f"state= is that of another network: .*{message}"):
            run(net, given)


def test_what_is_no_state_is_refused():
    with pytest.raises(ValueError, match="it has no populations at all, this network has"):
        run(network(), {"V_m": jnp.zeros(3)})
    with pytest.raises(ValueError, match=r"it has \['B'\], this network has \['A'\]"):
        run(network(), {"populations": {"B": {}}, "inbox": jnp.zeros(3)})


@pytest.mark.parametrize("name", ["plain", "release", "pair", "triplet"])
def test_a_network_that_is_built_again_goes_on(name):
    """Also inside transforms, from batches, and with what the populations did elsewhere."""
    first, again = NETWORKS[name](), NETWORKS[name]()
    state = run(first)
    expected = run(first, state).state["populations"]["A"]["V_m"]
    np.testing.assert_array_equal(run(again, state).state["populations"]["A"]["V_m"], expected)
    inside = jax.jit(lambda s: run(again, s))(state)
    np.testing.assert_array_equal(inside.state["populations"]["A"]["V_m"], expected)
    both = jax.vmap(lambda s: run(again, s))(jax.tree.map(lambda x: jnp.stack([x, x]), state))
    np.testing.assert_array_equal(both.state["populations"]["A"]["V_m"][1], expected)
    plain = run(network()).state
    mixed = again.init_state() | {"populations": plain["populations"]}
    assert jax.tree.structure(run(again, mixed).state) == jax.tree.structure(mixed)


def test_weights_are_those_of_its_own_synapses():
    with pytest.raises(ValueError, match="its projection 'p' has other synapses"):
        NETWORKS["fewer"]().weights(run(NETWORKS["pair"]()), "p")


def test_the_way_to_a_first_state_on_the_grid_of_the_run():
    """The one that the message names, and it is the run that has no state."""
    graph = nj.connectivity.from_edges(PRE, POST, weight=WEIGHT)
    pairs = [nj.Projection("A", "A", "exc", graph, delay=1.5)]
    populations = {"A": nj.neurons.LIF(n=N, receptors={"exc": EXP})}
    net, coarse = nj.Network(populations, pairs), nj.Network(populations, pairs, dt=0.5)
    go = lambda net, **state: nj.simulate(
        net, duration=20.0, dt=0.5, inputs={"A": {"I_e": 500.0}}, **state
    )
    named = r"net\.on_grid\(0\.5\)\.init_state\(\).*Network\(\.\.\., dt=0\.5\)"
    with pytest.raises(ValueError, match=named):
        go(net, state=net.init_state())
    fine = nj.simulate(net, duration=1.0, dt=0.1).final_state
    with pytest.raises(ValueError, match=r"begin with net\.on_grid\(0\.5\)\.init_state\(\)"):
        go(net, state=fine)
    expected = go(net).final_state.state["populations"]["A"]["V_m"]
    for start in (net.on_grid(0.5), coarse):
        found = go(net, state=start.init_state()).final_state.state["populations"]["A"]["V_m"]
        np.testing.assert_array_equal(found, expected)
