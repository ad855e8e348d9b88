"""Spikes that are counted on their way: the runs are those that keep numbers in full."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

N = 300
CELL = nj.neurons.LIF(
    receptors={
        "exc": nj.synapses.ExpConductance(tau=5.0, E_rev=0.0),
        "inh": nj.synapses.ExpConductance(tau=10.0, E_rev=-80.0),
    }
)


def network(delay, weight=(4.0, 30.0)):
    """A balanced network in which spikes of several steps are under way."""
    graph, law = nj.connectivity.bernoulli(0.1), {"V_m": nj.random.Normal(-60.0, 4.0)}
    E, I = CELL.population(N - 60, initial=law), CELL.population(60, initial=law)
    pairs = [
        nj.Projection(kind, ["E", "I"], port, graph, weight=w, delay=delay)
        for kind, port, w in (("E", "exc", weight[0]), ("I", "inh", weight[1]))
    ]
    return nj.Network({"E": E, "I": I}, pairs, key=jax.random.key(0))


def run(net, state=None, duration=30.0, **more):
    key = jax.random.key(1) if state is None else None
    drive = {name: {"I_e": 600.0} for name in ("E", "I")}
    return nj.simulate(net, duration=duration, dt=0.1, inputs=drive, state=state, key=key, **more)


def real(net, inbox):
    """The inbox without the dummy places, which nothing reads."""
    layout = net.on_grid(0.1).layout
    return np.asarray(inbox).reshape(layout.steps, layout.size)[:, :-32]


@pytest.mark.parametrize("delay", [0.1, 1.5, nj.random.Uniform(0.1, 1.0)])
def test_a_run_is_that_with_numbers_in_full(delay):
    net = network(delay)
    assert net.layout.counts == "uint8"
    record = {"s": nj.Spikes("E", "I")}
    counted, full = run(net, record=record), run(net, record=record, adjoint="plain")
    assert float(counted.stats.spikes["E"]) > 200
    for name in ("E", "I"):
        np.testing.assert_array_equal(counted["s"][name].times, full["s"][name].times)
        np.testing.assert_array_equal(counted["s"][name].neurons, full["s"][name].neurons)
    ends = [sim.final_state.state for sim in (counted, full)]
    assert jax.tree.map(lambda x: x.dtype, ends[0]) == jax.tree.map(lambda x: x.dtype, ends[1])
    inboxes = [real(net, end["inbox"]) for end in ends]
    assert delay == 0.1 or inboxes[0].max() > 0
    np.testing.assert_array_equal(*inboxes)
    # either goes on from the other
    again = [run(net, sim.final_state).final_state.state["populations"] for sim in (counted, full)]
    jax.tree.map(np.testing.assert_array_equal, *again)


@pytest.mark.parametrize(
    ("n", "counts"), [(127, "uint8"), (128, "uint16"), (32767, "uint16"), (32768, None)]
)
def test_all_spikes_at_once_are_counted(n, counts):
    current = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=5.0)})
    net = nj.Network(
        {"many": nj.neurons.SpikeTimes([[1.0]] * n), "one": current.population(1)},
        [nj.Projection("many", "one", "exc", nj.connectivity.all_to_all(), weight=0.25, delay=0.3)],
    )
    assert net.layout.counts == counts
    sim = nj.simulate(net, duration=2.0, dt=0.1, record={"I": "one.exc.I"})
    assert np.argmax(sim["I"][:, 0]) == 12  # the state of label 1.0 + 0.3 ms
    assert float(sim["I"][12, 0]) == 0.25 * n


def test_weights_of_their_own_release_and_learning_are_not_counted():
    graph = nj.connectivity.bernoulli(0.2)
    cells = {"E": CELL.population(20)}
    for how in (
        {"weight": nj.random.Uniform(0.0, 1.0)},
        {"weight": 1.0, "release": nj.synapses.TsodyksMarkram()},
        {"weight": 1.0, "plasticity": nj.plasticity.PairSTDP(w_max=2.0)},
        {"weight": 1.0, "delay": 0.55, "interpolate": True},
    ):
        pair = nj.Projection("E", "E", "exc", graph, **({"delay": 0.5} | how))
        assert nj.Network(cells, [pair], key=jax.random.key(0)).layout.counts is None
    assert nj.Network(cells).layout.counts is None


def test_what_is_no_count_is_refused_or_reported():
    net = network(0.1)
    good = run(net).final_state
    place = lambda value: eqx.tree_at(
        lambda s: s.state["inbox"], good, good.state["inbox"].at[3].set(value)
    )
    for value in (0.5, -1.0, 128.0, 256.0, jnp.nan):
        odd = place(value)
        with pytest.raises(ValueError, match=r"its inbox has .* where this network counts"):
            run(net, odd)
        stats = jax.jit(lambda state: run(net, state).stats)(odd)
        assert int(stats.nonfinite_step) == int(odd.step)
        assert stats.leaves[int(stats.nonfinite_leaf)] == "inbox"
        assert any("inbox" in warning for warning in stats.warnings)
    assert int(jax.jit(lambda state: run(net, state).stats)(place(7.0)).nonfinite_step) == -1
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]), good, place(0.5))
    stats = jax.vmap(lambda state: run(net, state).stats)(both)
    assert [int(step) for step in stats.nonfinite_step] == [-1, int(good.step)]


@pytest.mark.parametrize("n", [100, 120, 200])
def test_what_is_under_way_and_what_comes_to_it_are_counted_together(n):
    """A bare state begins at 0 again: what it has under way arrives beside new spikes."""
    current = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=5.0)})
    net = nj.Network(
        {"many": nj.neurons.SpikeTimes([[1.0]] * n), "one": current.population(1)},
        [
            nj.Projection(
                "many", "one", "exc", nj.connectivity.all_to_all(), weight=0.25,
                delay=np.r_[np.full(n - 1, 4.0), 5.0],
            )
        ],
    )  # fmt: skip
    first = nj.simulate(net, duration=1.0, dt=0.1).final_state.state
    found, full = (
        nj.simulate(
            net, duration=6.0, dt=0.1, state=first, record={"I": "one.exc.I"}, adjoint=adjoint
        )["I"].max()
        for adjoint in ("auto", "plain")
    )
    np.testing.assert_allclose(found, full, rtol=1e-6)
    assert float(full) > 0.25 * (2 * n - 3)


def test_a_model_may_say_that_nothing_was_narrowed():
    class Own(nj.Dynamics):
        def init_state(self, *, key=None):
            return {"n": jnp.zeros(3)}

        def step(self, state, inputs, clock):
            return {"n": state["n"] + 1}, nj.Output()

        def narrowed(self, state):
            n = state["n"].astype(jnp.float32)  # narrower in x64 only
            return {"n": n}, jnp.all(n == state["n"])

    sim = nj.simulate(Own(), duration=1.0, dt=0.1)
    np.testing.assert_array_equal(sim.final_state.state["n"], np.full(3, 10.0))


def test_derivatives_pass_through_what_is_under_way():
    """By the state in the middle of a run, with spikes between the two halves."""
    net = network(0.5)

    def loss(scale, halves):
        pulled = eqx.tree_at(lambda n: n.projections["E->E,I:exc"].weight, net, scale)
        middle = run(pulled, duration=5.0 if halves else 10.0).final_state
        end = run(pulled, middle, duration=5.0).final_state if halves else middle
        return jnp.mean(end.state["populations"]["E"]["V_m"])

    whole, halves = (jax.grad(loss)(4.0, halves) for halves in (False, True))
    assert float(whole) != 0.0
    np.testing.assert_allclose(halves, whole, rtol=1e-5)
