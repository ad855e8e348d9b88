"""Activity that wanders over a graph: its resting places are the cliques that networkx finds."""

import itertools

import jax
import jax.numpy as jnp
import networkx
import numpy as np
import pytest

import neurojax as nj

Transient, coalitions = nj.circuits.TransientStates, nj.circuits.winning_coalitions
CLIQUES = [(0, 1, 2), (1, 2, 3), (3, 4), (4, 5, 6), (0, 6)]  # of the graph that they make


def _graph():
    graph = networkx.Graph()
    for clique in CLIQUES:
        graph.add_edges_from(itertools.combinations(clique, 2))
    return networkx.to_numpy_array(graph, nodelist=range(7))


def _random(seed, n=7, density=0.5):
    """Without units that are joined to none."""
    half = np.triu(np.random.default_rng(seed).random((n, n)) < density, 1)
    ring = np.eye(n, k=1, dtype=bool)
    return half | half.T | ring | ring.T


def test_drift_by_hand():
    """In loops over units, with strengths of each link of its own."""
    rng, n = np.random.default_rng(0), 7
    w, z = rng.uniform(0.1, 0.2, (n, n)), rng.uniform(0.8, 1.2, (n, n))
    x, phi, I = rng.random(n), rng.random(n), rng.normal(size=n)
    graph = _graph()
    circuit = Transient(graph, w=w, z=z, f_w_min=0.1, f_z_min=0.2, tau=5.0)
    sigmoid = lambda y: 1 / (1 + np.exp(-y / 0.05))

    def f(phi, least, middle):
        low, high = sigmoid(-middle), sigmoid(1 - middle)
        return least + (1 - least) * (sigmoid(phi - middle) - low) / (high - low)

    slope = np.zeros((2, n))
    for i in range(n):
        r = I[i]
        for j in range(n):
            if graph[i, j]:
                r += f(phi[i], 0.1, 0.7) * w[i, j] * x[j]
            elif i != j:
                r -= f(phi[j], 0.2, 0.15) * z[i, j] * x[j]
        slope[0, i] = (1 - x[i]) * r if r > 0 else x[i] * r
        filling = 0.004 * (1 - phi[i]) * (1 - x[i] / 0.85)
        slope[1, i] = filling if x[i] < 0.85 else -0.009 * phi[i]
    found = circuit.drift(0.0, {"x": jnp.asarray(x), "phi": jnp.asarray(phi)}, {"I_e": I})
    np.testing.assert_allclose(found["x"], slope[0] / 5.0, rtol=1e-12)
    np.testing.assert_allclose(found["phi"], slope[1] / 5.0, rtol=1e-12)
    assert (x > 0.85).any() and (slope[0] > 0).any() and (slope[0] < 0).any()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_stable_states_are_the_maximal_cliques(seed):
    """Of all 2^7 states of units at 0 or 1, with full reservoirs."""
    graph = _random(seed)
    circuit = Transient(graph)
    states = np.array(list(itertools.product([0.0, 1.0], repeat=7)))
    r = np.asarray(jax.vmap(lambda x: circuit.growth(x, jnp.ones(7)))(jnp.asarray(states)))
    stable = np.where(states == 1, r > 0, r < 0).all(axis=1)
    found = {tuple(np.flatnonzero(state).tolist()) for state in states[stable]}
    expected = networkx.find_cliques(networkx.from_numpy_array(graph))
    assert found == {tuple(sorted(clique)) for clique in expected} == set(circuit.cliques())


def test_without_the_slow_variable_the_first_winner_stays():
    circuit = Transient(_graph(), Gamma_plus=0.0, Gamma_minus=0.0)
    assert circuit.cliques() == sorted(CLIQUES)
    keys = jax.random.split(jax.random.key(0), 20)
    starts = jax.vmap(lambda key: circuit.init_state(key=key))(keys)
    end = jax.vmap(
        lambda state: nj.simulate(circuit, duration=2000.0, dt=2.0, state=state).final_state.state
    )(starts)
    winners = {tuple(np.flatnonzero(x > 0.5).tolist()) for x in end["x"]}
    assert winners <= set(CLIQUES) and len(winners) > 2
    np.testing.assert_allclose(end["x"], np.round(end["x"]), atol=1e-4)
    assert (end["phi"] == 1).all()


@pytest.mark.parametrize("graph", [_graph(), _random(3), _random(4)], ids=["seven", "3", "4"])
def test_the_activity_wanders_from_clique_to_clique(graph):
    """All that lasts is a maximal clique; most of the time is spent in one, but never for good."""
    circuit = Transient(graph)
    x = np.asarray(nj.simulate(circuit, duration=30000.0, dt=2.5, record={"x": "x"})["x"])
    assert x.min() >= 0 and x.max() <= 1
    every, cliques = coalitions(x, least=1), set(circuit.cliques())
    lasting = [c.members for c in every if c.stop - c.start >= 200]
    share = sum(c.stop - c.start for c in every if c.members in cliques) / len(x)
    assert set(lasting) <= cliques and len(set(lasting)) >= 2 and len(lasting) > 6
    assert all(a != b for a, b in itertools.pairwise(lasting))
    assert share > 0.8


def test_coalitions_by_hand():
    x = np.zeros((30, 3))
    x[:12, :2], x[12:15, 1], x[15:, 2], x[15:16, 0] = 0.9, 0.9, 1.0, 0.9
    assert [tuple(c) for c in coalitions(x)] == [(0, 12, (0, 1)), (16, 30, (2,))]
    assert coalitions(x, least=2)[1] == (12, 15, (1,))
    with pytest.raises(ValueError, match="least must be at least 1"):
        coalitions(x, least=0)


def test_refusals():
    for graph, message in (
        (np.zeros((2, 3)), "square matrix"),
        (np.triu(np.ones((3, 3)), 1), "symmetric"),
    ):
        with pytest.raises(ValueError, match=message):
            Transient(graph)
    with pytest.raises(ValueError, match="w must be a scalar or"):
        Transient(_graph(), w=np.ones(7))
    with pytest.raises(ValueError, match="Gamma_minus"):
        Transient(_graph(), Gamma_minus=-0.1)
