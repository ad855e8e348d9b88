"""Networks against one written out in numpy: arrival, delays, weights, batches, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looped_network import simulate

import neurojax as nj

N = 40


def cell(**options):
    return nj.neurons.LIF(
        C_m=250.0, g_L=12.5, E_L=0.0, V_th=15.0, V_reset=0.0, t_ref=2.0,
        receptors={"syn": nj.synapses.ExpCurrent(tau=5.0)}, **options,
    )  # fmt: skip


def graph(seed=0, p=0.2):
    rng = np.random.default_rng(seed)
    W = np.where(rng.random((N, N)) < p, rng.normal(0.0, 120.0, (N, N)), 0.0)
    return W, rng.uniform(0.0, 14.0, N), rng.uniform(200.0, 420.0, N)


def network(W, delay, V, **options):
    population = cell(n=N, initial={"V_m": V})
    projection = nj.Projection("A", "A", "syn", nj.connectivity.from_matrix(W), delay=delay)
    return nj.Network({"A": population}, [projection], **options)


def run(net, drive, steps, **options):
    record = {"spikes": nj.Spikes("A"), "I": nj.Trace("A.syn.I")}
    return nj.simulate(
        net, duration=steps * 0.1, dt=0.1, inputs={"A": {"I_e": drive}}, record=record, **options
    )


def raster(record, steps):
    found = np.zeros((steps, record.n), bool)
    found[np.rint(record.times / 0.1).astype(int) - 1, record.neurons] = True
    return found


@pytest.mark.parametrize("steps", [1, 2, 3, 20, "mixed"])
def test_spikes_and_currents_are_those_of_the_loop(steps):
    W, V, drive = graph()
    rng = np.random.default_rng(5)
    delays = rng.integers(1, 12, (N, N)) if steps == "mixed" else np.full((N, N), steps)
    delay = delays[np.nonzero(W)] * 0.1 if steps == "mixed" else steps * 0.1
    spikes, currents = simulate(W, delays, V, drive, 600)
    sim = run(network(W, delay, V), drive, 600)
    assert spikes.sum() > 100
    np.testing.assert_array_equal(raster(sim["spikes"], 600), spikes)
    np.testing.assert_allclose(sim["I"], currents, rtol=1e-9, atol=1e-9)


def test_one_spike_arrives_after_exactly_its_delay():
    for steps in (1, 2, 3, 20):
        source = cell(n=1, initial={"V_m": 14.999})
        net = nj.Network(
            {"pre": source, "post": cell(n=1)},
            [nj.Projection("pre", "post", "syn", nj.connectivity.one_to_one(), weight=7.0,
                           delay=steps * 0.1)],
        )  # fmt: skip
        sim = nj.simulate(
            net, duration=5.0, dt=0.1, inputs={"pre": {"I_e": 1000.0}},
            record={"s": nj.Spikes("pre"), "I": nj.Trace("post.syn.I")},
        )  # fmt: skip
        label = round(sim["s"].times[0] / 0.1)
        assert label == 1
        shown = np.flatnonzero(np.asarray(sim["I"])[:, 0])[0] + 1
        assert shown == label + steps


def test_all_neurons_fire_at_once():
    n = 300
    net = nj.Network(
        {"A": cell(n=n), "B": cell(n=n)},
        [nj.Projection("A", "B", "syn", nj.connectivity.all_to_all(), weight=1.0)],
    )
    record = {"I": nj.Trace("B.syn.I"), "s": nj.Spikes("A")}
    sim = nj.simulate(net, duration=0.3, dt=0.1, inputs={"A": {"I_e": 1e5}}, record=record)
    assert len(sim["s"].times) == n
    np.testing.assert_allclose(np.asarray(sim["I"])[1], n)


def test_shared_and_own_weights_agree():
    W, V, drive = graph()
    W = np.where(W, 60.0, 0.0)
    edges = nj.connectivity.from_edges(*np.nonzero(W))
    own = nj.Projection("A", "A", "syn", edges, weight=np.full(np.count_nonzero(W), 60.0))
    shared = nj.Projection("A", "A", "syn", edges, weight=60.0)
    several = [
        nj.Projection("A", ("A", slice(lo, lo + 10)), "syn",
                      nj.connectivity.from_matrix(W[:, lo : lo + 10] != 0), weight=60.0,
                      name=str(lo))
        for lo in range(0, N, 10)
    ]  # fmt: skip
    found = []
    for projections in ([own], [shared], several):
        net = nj.Network({"A": cell(n=N, initial={"V_m": V})}, projections)
        found.append(np.asarray(run(net, drive, 300)["I"]))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
    np.testing.assert_allclose(found[0], found[2], rtol=1e-12)


def test_parts_of_populations_and_lists_of_them():
    W, V, drive = graph()
    whole = run(network(W, 0.3, V), drive, 300)
    halves = {
        "L": cell(n=N // 2, initial={"V_m": V[: N // 2]}),
        "R": cell(n=N // 2, initial={"V_m": V[N // 2 :]}),
    }
    both = nj.Projection(["L", "R"], ["L", "R"], "syn", nj.connectivity.from_matrix(W), delay=0.3)
    inputs = {"L": {"I_e": drive[: N // 2]}, "R": {"I_e": drive[N // 2 :]}}
    record = {"L": nj.Trace("L.syn.I"), "R": nj.Trace("R.syn.I")}
    sim = nj.simulate(
        nj.Network(halves, [both]), duration=30.0, dt=0.1, inputs=inputs, record=record
    )
    np.testing.assert_allclose(np.concatenate([sim["L"], sim["R"]], axis=1), whole["I"], rtol=1e-12)
    picked = np.arange(0, N, 2)
    part = nj.Projection(
        ("A", slice(0, None, 2)), ("A", picked), "syn",
        nj.connectivity.from_matrix(W[::2, ::2]), delay=0.3,
    )  # fmt: skip
    only = np.zeros_like(W)
    only[::2, ::2] = W[::2, ::2]
    _, currents = simulate(only, np.full(W.shape, 3), V, drive, 300)
    sim = run(nj.Network({"A": cell(n=N, initial={"V_m": V})}, [part]), drive, 300)
    np.testing.assert_allclose(sim["I"], currents, rtol=1e-9, atol=1e-9)


def test_a_run_may_be_cut_while_spikes_are_under_way():
    W, V, drive = graph()
    net = network(W, 2.0, V)
    whole = run(net, drive, 400)
    first = run(net, drive, 123)
    second = run(net, drive, 277, state=first.final_state)
    np.testing.assert_array_equal(whole["I"], np.concatenate([first["I"], second["I"]]))


def test_trials_by_vmap_equal_a_loop():
    W, V, drive = graph()
    net = network(W, 0.2, V)
    scales = jnp.array([0.5, 1.0, 1.5])
    together = jax.vmap(lambda s: run(net, s * drive, 200)["I"])(scales)
    for s, found in zip(scales, together, strict=True):
        np.testing.assert_allclose(found, run(net, s * drive, 200)["I"], rtol=1e-10, atol=1e-10)


def test_the_gradient_by_weights_is_that_of_a_dense_network():
    W, V, drive = graph(p=0.3)
    net = network(W, 0.2, V)
    name = next(iter(net.projections))
    mask = jnp.asarray(W != 0)
    surrogate = nj.core.spikes.Triangle(width=1.0, damping=0.3)

    def ours(weight):
        import equinox as eqx

        changed = eqx.tree_at(lambda n: n.projections[name].weight, net, weight)
        return jnp.mean(run(changed, drive, 150)["I"] ** 2) * 1e-4

    def dense(weight):
        matrix = jnp.zeros(W.shape).at[jnp.nonzero(mask, size=weight.size)].set(weight)
        decay, leak = jnp.exp(-0.1 / 5.0), jnp.exp(-0.1 / 20.0)
        constant = 20.0 / 250.0 * (1 - leak)
        decaying = 20.0 * 5.0 / (5.0 - 20.0) / 250.0 * (decay - leak)

        def step(carry, _):
            V, current, left, before = carry
            fired = V > 15.0
            left = jnp.where(fired, 20, jnp.maximum(left - 1, 0))
            V = jnp.where(fired, 0.0, V)
            V = jnp.where(left > 0, V, leak * V + constant * drive + decaying * current)
            current = current * decay + before @ matrix
            now = surrogate((V - 15.0) / 15.0)
            return (V, current, left, now), (current, now)

        V0 = jnp.asarray(V)
        zero = jnp.zeros(N)

        def body(carry, _):
            V, current, left, one_ago, two_ago = carry
            (V, current, left, now), (shown, _) = step((V, current, left, two_ago), None)
            return (V, current, left, now, one_ago), shown

        start = (V0, zero, jnp.zeros(N, int), zero, zero)
        _, currents = jax.lax.scan(body, start, None, length=150)
        return jnp.mean(currents**2) * 1e-4

    weight = jnp.asarray(W[W != 0])
    value, slope = jax.value_and_grad(ours)(weight)
    expected, expected_slope = jax.value_and_grad(dense)(weight)
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    assert np.count_nonzero(slope) > 100
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-8, atol=1e-10)
    v = jnp.asarray(np.random.default_rng(0).normal(size=weight.shape))
    _, along = jax.jvp(ours, (weight,), (v,))
    np.testing.assert_allclose(along, jnp.vdot(slope, v), rtol=1e-8)


def computed_and_stored(make):
    """The same run with computed and with stored synapses."""
    found = []
    for stored in (False, True):
        as_given = lambda p, stored=stored: p.to_edges() if stored else p
        found.append(
            nj.simulate(
                make(as_given), duration=60.0, dt=0.1, inputs={"E": {"I_e": 420.0}},
                record={"spikes": nj.Spikes("E"), "V": nj.Trace("E.V_m")},
            )
        )  # fmt: skip
    return found


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"delay": 1.5},
        {"delay": 0.3, "release": nj.synapses.TsodyksMarkram(U=0.5, tau_rec=100.0, tau_facil=0.0)},
        {"beside": True},
    ],
    ids=["plain", "delay", "release", "beside others on the port"],
)
def test_computed_synapses_are_the_stored_ones(how):
    P, how = nj.connectivity.Procedural, dict(how)
    receptors = {"e": nj.synapses.ExpCurrent(tau=2.0), "i": nj.synapses.ExpCurrent(tau=4.0)}
    start = np.random.default_rng(0).uniform(-70.0, -50.0, 120)
    cell = nj.neurons.LIF(receptors=receptors)
    beside = how.pop("beside", False)

    def make(given):
        more = [
            nj.Projection("E", "E", "e", given(P(3, 120, 120, 4)), weight=5.0, name="more"),
            nj.Projection("I", "E", "e", nj.connectivity.all_to_all(), weight=0.5, delay=0.4),
        ]  # fmt: skip
        return nj.Network(
            {"E": cell.population(120, initial={"V_m": start}), "I": cell.population(33)},
            [
                nj.Projection("E", "E", "e", given(P(1, 120, 120, 10)), weight=30.0, **how),
                nj.Projection("E", "I", "e", given(P(4, 120, 33, 3)), weight=40.0),
                nj.Projection("I", "E", "i", given(P(2, 33, 120, 8, -60.0))),
                *(more if beside else []),
            ],
        )

    computed, stored = computed_and_stored(make)
    assert len(stored["spikes"].times) > 200
    np.testing.assert_array_equal(computed["spikes"].times, stored["spikes"].times)
    np.testing.assert_array_equal(computed["spikes"].neurons, stored["spikes"].neurons)
    np.testing.assert_allclose(computed["V"], stored["V"], rtol=1e-12)


def test_computed_synapses_have_weights_of_their_senders_and_derivatives():
    weights = np.linspace(10.0, 50.0, 60)
    edges = nj.connectivity.Procedural(1, 60, 60, 10)
    cell = nj.neurons.LIF(
        receptors={"e": nj.synapses.ExpCurrent(tau=2.0)},
        surrogate=nj.surrogate.FastSigmoid(),
    )  # fmt: skip
    start = {"V_m": np.random.default_rng(0).uniform(-70.0, -50.0, 60)}

    def mean_potential(weights, given):
        net = nj.Network(
            {"E": cell.population(60, initial=start)},
            [nj.Projection("E", "E", "e", given, weight=weights, delay=0.2)],
        )
        sim = nj.simulate(
            net, duration=20.0, dt=0.1, inputs={"E": {"I_e": 420.0}}, record={"V": "E.V_m"}
        )
        return jnp.mean(sim["V"])

    by_sender = lambda w: mean_potential(w, edges)
    by_synapse = lambda w: mean_potential(jnp.repeat(w, 10), edges.to_edges())
    for function in (by_sender, jax.grad(by_sender)):
        other = by_synapse if function is by_sender else jax.grad(by_synapse)
        np.testing.assert_allclose(function(weights), other(weights), rtol=1e-9)
    trials = jax.vmap(by_sender)(jnp.stack([weights, 0.5 * weights]))
    np.testing.assert_allclose(trials[1], by_sender(0.5 * weights), rtol=1e-12)


def test_what_computed_synapses_have_not():
    cell = nj.neurons.LIF(receptors={"e": nj.synapses.ExpCurrent(tau=2.0)}).population(20)
    P = nj.connectivity.Procedural
    for source, graph, options, words in [
        ("A", P(1, 19, 20, 3), {}, "from 19 to 20 neurons, the projection from 20 to 20"),
        (("A", slice(5)), P(1, 5, 20, 3), {}, "joins two whole populations"),
        (["A", "B"], P(1, 40, 20, 3), {}, "joins two whole populations"),
        ("A", P(1, 20, 20, 3), {"plasticity": nj.plasticity.PairSTDP()}, "has no plasticity="),
        ("A", P(1, 20, 20, 3), {"interpolate": True, "delay": 1.0}, "has no interpolate="),
        ("A", P(1, 20, 20, 3), {"weight": np.ones(60)}, r"one per sending neuron, shape \(20,\)"),
        ("A", P(1, 20, 20, 3), {"delay": [1.0, 2.0]}, "must be one number"),
        ("A", P(1, 20, 20, 3), {"delay": 0.0}, "arrives one step later"),
    ]:
        with pytest.raises(ValueError, match=f"^projection .*{words}"):
            nj.Network({"A": cell, "B": cell}, [nj.Projection(source, "A", "e", graph, **options)])
    with pytest.raises(ValueError, match="weight must be finite"):
        P(1, 20, 20, 3, np.nan)
    net = nj.Network({"A": cell}, [nj.Projection("A", "A", "e", P(1, 20, 20, 3, 2.0), name="p")])
    assert net.weights(net.init_state(), "p").tolist() == [2.0] * 60
