"""Plastic projections inside a network: delivery, state, batches, derivatives, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from trains import final_weights, network, random_trains

import neurojax as nj

P = nj.plasticity
N = 30


def cells(n=N, ports=("syn",)):
    rng = np.random.default_rng(0)
    return nj.neurons.LIF(
        C_m=250.0, g_L=12.5, E_L=0.0, V_th=15.0, V_reset=0.0, t_ref=2.0, n=n,
        receptors={port: nj.synapses.ExpCurrent(tau=5.0) for port in ports},
        initial={"V_m": rng.uniform(0.0, 14.0, n)},
    )  # fmt: skip


def recurrent(rule, delay=0.1):
    projection = nj.Projection(
        "A", "A", "syn", nj.connectivity.bernoulli(0.3), weight=nj.random.Uniform(5.0, 120.0),
        delay=delay, plasticity=rule, name="s",
    )  # fmt: skip
    return nj.Network({"A": cells()}, [projection], key=jax.random.key(0))


DRIVE = {"A": {"I_e": np.linspace(180.0, 400.0, N)}}


def run(net, steps=300, **options):
    return nj.simulate(net, duration=steps * 0.1, dt=0.1, inputs=DRIVE, **options)


def pair(where="axonal", **options):
    return P.PairSTDP(A_plus=3.0, A_minus=3.5, w_max=150.0, delay=where, **options)


def test_a_rule_that_changes_nothing_is_no_rule():
    rng = np.random.default_rng(0)
    edges = nj.connectivity.from_matrix(rng.uniform(0, 40, (N, N)) * (rng.random((N, N)) < 0.3))
    rules = {d: P.PairSTDP(0.0, 0.0, delay=d) for d in ("axonal", "dendritic")} | {"none": None}
    kinds = [(rule, d) for d in (1, 2, 5) for rule in rules if (rule, d) != ("dendritic", 2)]
    net = nj.Network(
        {"A": cells(ports=[f"{rule} {d}" for rule, d in kinds])},
        [
            nj.Projection("A", "A", f"{rule} {d}", edges, delay=d * 0.1, plasticity=rules[rule])
            for rule, d in kinds
        ],
    )
    record = {
        "I": lambda state: {port: state["A"][port]["I"] for port in net.populations["A"].receptors}
    }
    sim = run(net, record=record)
    assert float(sim.stats.spikes["A"]) > 50
    for rule, d in kinds:
        assert np.any(sim["I"][f"{rule} {d}"] > 0)
        np.testing.assert_array_equal(sim["I"][f"{rule} {d}"], sim["I"][f"none {d}"])


def test_a_spike_transmits_the_weight_after_its_own_change():
    # the postsynaptic spike before it depresses: 1 - 0.5 exp(-dt / 20)
    rules = {d: P.PairSTDP(A_plus=0.0, A_minus=0.5, delay=d) for d in ("axonal", "dendritic")}
    net = nj.Network(
        {"pre": nj.neurons.SpikeTimes([[10.0, 20.0]]), "post": cells(1, ports=rules)},
        [
            nj.Projection(
                "pre", "post", d, nj.connectivity.one_to_one(), delay=1.5, plasticity=rule
            )
            for d, rule in rules.items()
        ],
    )
    inputs = {"post": {"I_e": nj.inputs.Step(1e5, start=7.9, stop=8.0)}}
    record = {d: nj.Trace(f"post.{d}.I") for d in rules} | {"s": nj.Spikes("post")}
    sim = nj.simulate(net, duration=30.0, dt=0.1, inputs=inputs, record=record)
    np.testing.assert_allclose(sim["s"].times, [8.0])
    for where, lag in (("axonal", 3.5), ("dendritic", 0.5)):
        first = 1.0 - 0.5 * np.exp(-lag / 20.0)
        second = first - 0.5 * np.exp(-(lag + 10.0) / 20.0)
        current = sim[where][:, 0]
        np.testing.assert_allclose(current[114], first, rtol=1e-9)  # label 115 = 11.5 ms
        assert not np.any(current[:114])
        jump = current[214] - current[213] * np.exp(-0.1 / 5.0)
        np.testing.assert_allclose(jump, second, rtol=1e-9)


def test_cut_recorded_and_within_bounds():
    pre, post = random_trains(6, 98.0, 60.0, seed=1), random_trains(6, 98.0, 60.0, seed=2)
    options = {"A_plus": 0.4, "A_minus": 0.35, "w_min": 0.5, "w_max": 1.5}
    rules = {"s": P.PairSTDP(interaction="presynaptic_centred", **options)}
    net = network(pre, post, rules, 1.0, 0.4, nj.connectivity.all_to_all())
    record = {name: nj.Trace(f"projections.{name}.weights") for name in rules}
    whole = nj.simulate(net, duration=100.0, dt=0.1, record=record)
    first = nj.simulate(net, duration=50.0, dt=0.1, record=record)
    second = nj.simulate(net, duration=50.0, dt=0.1, record=record, state=first.final_state)
    for name in rules:
        np.testing.assert_array_equal(whole[name], np.concatenate([first[name], second[name]]))
        np.testing.assert_array_equal(whole[name][-1], net.weights(whole.final_state, name))
        assert (np.min(whole[name]), np.max(whole[name])) == (0.5, 1.5)


def test_trials_by_vmap_equal_a_loop():
    net = recurrent(pair(), 0.2)

    def final(gain, A):
        learning = eqx.tree_at(lambda n: n.projections["s"].plasticity.A_plus, net, A)
        inputs = {"A": {"I_e": gain * DRIVE["A"]["I_e"]}}
        sim = nj.simulate(learning, duration=15.0, dt=0.1, inputs=inputs)
        return net.weights(sim.final_state, "s")

    gains, amplitudes = jnp.array([0.8, 1.2, 1.6]), jnp.array([1.0, 3.0, 2.0])
    together = jax.jit(jax.vmap(final))(gains, amplitudes)
    alone = jax.jit(final)
    for row, gain, A in zip(together, gains, amplitudes, strict=True):
        np.testing.assert_allclose(row, alone(gain, A), rtol=1e-10)
    assert np.std(together[0] - together[1]) > 1.0


@pytest.mark.parametrize("rule", [pair(), P.ThreeFactorSTDP(A_plus=0.5, tau_e=20.0)])
def test_weights_of_several_runs(rule):
    net, three = recurrent(rule), isinstance(rule, P.ThreeFactorSTDP)

    def final(gain, drive):
        inputs = {"A": {"I_e": gain * drive}} | ({"s": {"modulator": gain}} if three else {})
        return nj.simulate(net, duration=15.0, dt=0.1, inputs=inputs).final_state

    gains, drives = np.array([0.8, 1.2, 1.6]), np.array([1.0, 1.1])[:, None] * DRIVE["A"]["I_e"]
    ends = jax.vmap(jax.vmap(final, (0, None)), (None, 0))(gains, drives)
    found = net.weights(ends, "s")
    assert found.shape == (2, 3, len(net.projections["s"].edges))
    for i, j in np.ndindex(2, 3):
        alone = net.weights(jax.tree.map(lambda x, i=i, j=j: x[i, j], ends), "s")
        np.testing.assert_array_equal(found[i, j], alone)
    assert np.std(found[0, 0] - found[1, 2]) > 0.1


def test_derivatives_are_those_of_finite_differences():
    pre, post = random_trains(3, 40.0, 80.0, seed=1), random_trains(3, 40.0, 80.0, seed=2)
    pairs = P.PairSTDP(A_minus=0.1, dependence="gutig", w_max=2.0)
    scaling = P.SynapticScaling(rho0=20.0, tau_w=200.0, tau_r=30.0, every=10.0)
    rules = {"s": [pairs, scaling]}
    net = network(pre, post, rules, np.ones(9), 0.2, nj.connectivity.all_to_all())

    def parts(net):
        synapses = net.projections["s"]
        rule = synapses.plasticity[0]
        return rule.A_plus, rule.tau_plus, rule.mu_plus, synapses.weight

    def mean(values):
        changed = eqx.tree_at(parts, net, (*values[:3], jnp.full(9, values[3])))
        sim = nj.simulate(changed, duration=45.0, dt=0.1, adjoint="steps")
        return jnp.mean(jnp.sin(net.weights(sim.final_state, "s")))

    at = jnp.array([0.12, 18.0, 0.5, 1.0])
    slope = jax.jit(jax.grad(mean))(at)
    moved = 1e-5 * jnp.concatenate([jnp.diag(at), -jnp.diag(at)])
    values = jax.jit(jax.vmap(mean))(at[None] + moved)
    numeric = (values[:4] - values[4:]) / (2e-5 * at)
    np.testing.assert_allclose(slope, numeric, rtol=1e-5)


def test_several_populations_are_one_side():
    pre, post = random_trains(5, 50.0, 60.0, seed=1), random_trains(7, 50.0, 60.0, seed=2)
    rng = np.random.default_rng(0)
    matrix = np.where(rng.random((5, 7)) < 0.6, rng.uniform(0.5, 1.5, (5, 7)), 0.0)
    rule = pair(w_min=-10.0)
    whole = final_weights(
        network(pre, post, {"s": rule}, None, 0.3, nj.connectivity.from_matrix(matrix)), 60.0
    )["s"]
    source = nj.neurons.SpikeTimes
    split = nj.Network(
        {"a": source([*pre[:2], []]), "b": source([[], *pre[2:]]), "c": source(post[:4]),
         "d": source(post[4:])},
        [
            nj.Projection(
                [("b", slice(1, None)), ("a", slice(0, 2))], ["d", "c"], "in",
                nj.connectivity.from_matrix(np.roll(np.roll(matrix, -2, 0), 3, 1)), delay=0.3,
                plasticity=rule, name="s",
            )
        ],
    )  # fmt: skip
    parts = np.zeros((5, 7))
    edges = split.projections["s"].edges
    parts[edges.pre, edges.post] = final_weights(split, 60.0)["s"]
    np.testing.assert_allclose(np.roll(np.roll(parts, 2, 0), -3, 1)[matrix != 0], whole, rtol=1e-12)


def test_the_loop_over_time_copies_no_table(copies_in_a_step):
    rules = {"axonal": pair("axonal"), "dendritic": pair("dendritic")}
    net = network([[]] * 40, [[]] * 40, rules, 1.0, 0.2, nj.connectivity.all_to_all())
    state = net.on_grid(0.1).init_state()
    step = jax.jit(lambda s: nj.simulate(net, duration=20.0, dt=0.1, state=s).final_state.state)
    compiled = step.lower(state).compile().as_text()
    rows, width = state["plasticity"]["axonal"]["weights"].shape
    shapes = rf"f64\[{rows},{width}\]|f64\[{rows * width}\]"
    assert copies_in_a_step(compiled, shapes) == 0


def test_what_cannot_be_plastic_is_refused():
    edges = nj.connectivity.one_to_one(self_edges=True)

    def make(rule, **options):
        options = {"weight": 1.0, "delay": 0.1} | options
        return nj.Network(
            {"A": cells(2)}, [nj.Projection("A", "A", "syn", edges, plasticity=rule, **options)]
        )

    with pytest.raises(TypeError, match=r"plasticity of projection .* such as PairSTDP"):
        make("stdp")
    with pytest.raises(ValueError, match="needs delays of whole steps"):
        make(P.PairSTDP(), delay=np.array([0.1, 0.2]), interpolate=True)
    with pytest.raises(ValueError, match="must agree about delay="):
        make([P.PairSTDP(), P.SynapticScaling(delay="dendritic")])
    with pytest.raises(ValueError, match=r"lie between -1 and -1.*w_min=0"):
        make(P.PairSTDP(), weight=-1.0)
    with pytest.raises(nj.UnknownNameError, match="no projection 'x'"):
        make(P.PairSTDP()).weights({}, "x")


@pytest.mark.parametrize(
    "of", [P.Hebb, P.AntiHebb, P.Oja, P.BCM, P.PairSTDP, P.TripletSTDP, P.SymmetricSTDP,
           P.InhibitorySTDP, P.ThreeFactorSTDP, P.Clopath, P.SynapticScaling],
)  # fmt: skip
def test_conductances_do_not_learn_to_be_negative(of):
    ports = {"g": nj.synapses.ExpConductance(), "I": nj.synapses.ExpCurrent()}
    cell = nj.neurons.LIF(n=2, receptors=ports)
    edges = nj.connectivity.one_to_one(self_edges=True)

    def make(rules, port="g"):
        return nj.Network({"A": cell}, [nj.Projection("A", "A", port, edges, plasticity=rules)])

    below, name = of(w_min=-1.0), of.__name__
    for rules in (below, [P.PairSTDP(), below], [below, P.PairSTDP()]):
        with pytest.raises(ValueError, match=rf"of 'g' are cond.* but {name} has w_min=-1: give"):
            make(rules)
        make(rules, port="I")
    make([of(w_min=0.0), P.PairSTDP()])
    if of in (P.Hebb, P.AntiHebb, P.Oja, P.BCM):
        with pytest.raises(ValueError, match=f"{name} has w_min=-inf: give it w_min=0"):
            make(of())
    else:
        make(of())
    # bounds that are not known are not asked
    jax.jit(lambda low: make(of(w_min=low)).projections["A->A:g"].plasticity.w_min)(-1.0)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: P.PairSTDP(interaction="some"), "unknown interaction of PairSTDP: 'some'"),
        (lambda: P.PairSTDP(delay="axon"), "Did you mean 'axonal'"),
        (lambda: P.PairSTDP(dependence="gutig"), "needs a finite w_max="),
        (lambda: P.PairSTDP(tau_plus=0.0), "tau_plus of PairSTDP must be positive"),
        (lambda: P.TripletSTDP(w_min=1.0, w_max=0.5), "w_min of TripletSTDP must lie below w_max"),
        (lambda: P.SymmetricSTDP(A_plus=np.ones(3)), r"must be one number .* shape \(3,\)"),
        (lambda: P.SynapticScaling(every=0.0), "every of SynapticScaling must be positive"),
        (lambda: P.SynapticScaling(r_start=-1.0), "r_start of SynapticScaling must not be negat"),
        (lambda: P.InhibitorySTDP(rho0=-1.0), "rho0 of InhibitorySTDP must not be negative"),
        (lambda: P.BCM(y_0=0.0), "y_0 of BCM must be positive"),
        (lambda: P.PairSTDP(A_plus=np.inf), "A_plus of PairSTDP must be finite, got inf"),
        (lambda: P.TripletSTDP(A3_minus=-np.inf), "A3_minus of TripletSTDP must be finite"),
        (lambda: P.Hebb(eta=np.inf), "eta of Hebb must be finite"),
        (lambda: P.PairSTDP(mu_plus=-0.1), "mu_plus of PairSTDP must not be negative"),
        (lambda: P.PairSTDP(mu_minus=-0.1), "mu_minus of PairSTDP must not be negative"),
        (
            lambda: P.PairSTDP(dependence="multiplicative", w_min=-np.inf, w_max=2.0),
            "'multiplicative' of PairSTDP needs a finite w_min=, got -inf",
        ),
        (
            lambda: P.PairSTDP(dependence="power_law", w_min=-1.0),
            "'power_law' of PairSTDP has no negative weights: w_min must not be negative, got -1",
        ),
    ],
)
def test_bad_parameters_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_another_grid_inside_jit():
    cell = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=2.0)}).population(20)
    synapses = nj.Projection(
        "E", "E", "exc", nj.connectivity.fixed_indegree(5), weight=30.0, delay=0.3, name="s",
        plasticity=nj.plasticity.PairSTDP(w_max=60.0),
    )  # fmt: skip
    net = nj.Network({"E": cell}, [synapses], key=jax.random.key(0), dt=0.1)

    def weights(net):
        sim = nj.simulate(
            net,
            duration=20.0,
            dt=0.05,
            inputs={"E": {"I_e": np.linspace(500.0, 800.0, 20)}},
            throw=False,
        )
        return net.on_grid(0.05).weights(sim.final_state, "s")

    expected = weights(net)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(eqx.filter_jit(weights)(net), expected, rtol=1e-12)
