import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import optax
import pytest

import neurojax as nj
from neurojax.circuits import ConnectomeCircuit

NAMES = ["AVAL", "AVAR", "AVBL", "RIML", "RIMR", "AVBR"]
SIGNS = [
    [0, 1, 0, -1, 0, 0],
    [1, 0, 0, 0, 0, 0],
    [0, -1, 0, 1, 0, 0],
    [0, 0, 1, 0, 0, 0],
    [0, 0, 0, 0, 0, -1],
    [-1, 0, 0, 0, 0, 0],
]


def wiring(signs=None):
    chemical = np.zeros((6, 6))
    for count, (i, j) in enumerate(
        [(0, 1), (0, 3), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2), (3, 4), (4, 5), (5, 0)]
    ):
        chemical[i, j] = count + 1.0
    chemical[2, 2] = 7.0  # an autapse
    gap = np.zeros((6, 6))
    for i, j in [(0, 1), (1, 4), (2, 5), (3, 4)]:
        gap[i, j] = gap[j, i] = 1.0 + i
    return nj.connectomes.Connectome(
        NAMES, chemical, gap, signs=signs, classes=["AVA", "AVA", "AVB", "RIM", "RIM", "AVB"]
    )


def circuit(*, key=0, gap=0.3, **options):
    """A circuit with weights large enough to matter."""
    made = ConnectomeCircuit(wiring(), key=jax.random.key(key), **options)
    rng = np.random.default_rng(key)
    raw_gap = np.log(np.expm1(gap * rng.uniform(0.5, 1.5, 4)))
    return eqx.tree_at(
        lambda c: (c.weight, c.gap.args[0], c.bias),
        made,
        (jnp.asarray(rng.normal(size=10)), jnp.asarray(raw_gap), jnp.asarray(rng.normal(size=6))),
    )


def by_loops(c, V, current):
    """The right-hand side as the class states it, neuron by neuron; also the rate of decay."""
    ready = nj.unwrap(c)
    phi = {"tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x))}[c.nonlinearity]
    tau = np.broadcast_to(np.asarray(ready.tau), 6) if c.tau_of is None else ready.tau[c.tau_of]
    drift, leak = -(V - np.asarray(ready.bias)) + current, np.ones(6)
    for pre, post, w in zip(c.pre, c.post, ready.weight, strict=True):
        drift[post] += w * phi(V[pre])
    for (i, j), g in zip(c.gap_pairs.T, ready.gap, strict=True):
        drift[i] += g * (V[j] - V[i])
        drift[j] += g * (V[i] - V[j])
        leak[[i, j]] += g
    return drift / tau, leak / tau


@pytest.mark.parametrize("nonlinearity", ["tanh", "sigmoid"])
@pytest.mark.parametrize("time_constants", ["shared", "class", "neuron"])
def test_the_drift_is_the_stated_equation(nonlinearity, time_constants):
    c = circuit(nonlinearity=nonlinearity, time_constants=time_constants)
    tau = c.tau.args[0]
    tau = tau + 0.1 * jnp.arange(tau.size).reshape(tau.shape)
    c = eqx.tree_at(lambda c: c.tau.args[0], c, tau)
    V, current = np.linspace(-1, 1, 6), np.arange(6.0)
    drift, leak = by_loops(c, V, current)
    state, inputs = {"V": jnp.asarray(V)}, {"I_e": jnp.asarray(current)}
    np.testing.assert_allclose(c.drift(0.0, state, inputs)["V"], drift, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(c.decay(0.0, state, inputs)["V"], leak, rtol=1e-12)


def test_weights_sit_on_edges_only_and_autapses_are_left_out():
    c = circuit()
    W, G = np.asarray(c.chemical_matrix()), np.asarray(c.gap_matrix())
    graph = wiring().without_self_edges()
    assert ((W != 0) == (graph.chemical > 0)).all()
    assert ((G != 0) == (graph.gap > 0)).all()
    np.testing.assert_array_equal(G, G.T)
    assert (G >= 0).all()
    edges = np.asarray(c.chemical_count.tree)
    np.testing.assert_array_equal(edges, graph.chemical[c.pre, c.post])
    partners = (graph.chemical > 0) | (graph.gap > 0)
    np.testing.assert_array_equal(c.partners(), partners)


def test_training_keeps_gap_weights_positive_and_edges_in_place():
    c = circuit()

    def loss(c):  # asks for negative junctions and weights everywhere
        return jnp.sum((c.gap_matrix() + 5.0) ** 2) + jnp.sum((c.chemical_matrix() - 1.0) ** 2)

    trained = _descend(c, loss)
    G = np.asarray(trained.gap_matrix())
    assert (G >= 0).all() and (G == G.T).all() and G.max() < float(c.gap_matrix().max())
    graph = wiring().without_self_edges()
    assert ((np.asarray(trained.chemical_matrix()) != 0) == (graph.chemical > 0)).all()


@pytest.mark.parametrize("given", ["connectome", "table"])
def test_known_signs_survive_a_loss_that_wants_the_opposite(given):
    table = np.array(SIGNS)
    if given == "connectome":
        c = ConnectomeCircuit(wiring(table), signs="connectome", key=jax.random.key(1))
    else:
        c = ConnectomeCircuit(wiring(), signs=table, key=jax.random.key(1))
    sign = table[np.asarray(c.pre), np.asarray(c.post)]
    assert (sign == 0).any() and (sign == 1).any() and (sign == -1).any()
    target = jnp.asarray(np.where(sign == 0, -2.0, -3.0 * sign))
    trained = _descend(c, lambda c: jnp.sum((nj.unwrap(c).weight - target) ** 2))
    start, end = (np.asarray(nj.unwrap(x).weight) for x in (c, trained))
    assert (np.sign(start[sign != 0]) == sign[sign != 0]).all()
    assert (start[sign != 0] * sign[sign != 0] > 0).all()
    assert (end[sign != 0] * sign[sign != 0] >= 0).all()
    assert np.abs(end[sign != 0]).max() < np.abs(start[sign != 0]).max()
    np.testing.assert_allclose(end[sign == 0], -2.0, atol=0.2)  # free ones arrive


def _descend(c, loss, steps=300):
    optimizer = optax.adam(0.05)
    from neurojax.fitting.parameters import split

    parameters, rest = split(c, ())
    state = optimizer.init(parameters)

    @jax.jit
    def move(parameters, state):
        slope = jax.grad(lambda p: loss(eqx.combine(p, rest)))(parameters)
        updates, state = optimizer.update(slope, state)
        return optax.apply_updates(parameters, updates), state

    for _ in range(steps):
        parameters, state = move(parameters, state)
    return eqx.combine(parameters, rest)


def test_time_constants_are_shared_as_asked():
    sizes = {"shared": (), "class": (3,), "neuron": (6,)}
    for kind, shape in sizes.items():
        c = circuit(time_constants=kind, tau=500.0)
        assert nj.unwrap(c.tau).shape == shape
        np.testing.assert_allclose(nj.unwrap(c.tau), 500.0, rtol=1e-12)
    c = circuit(time_constants="class")
    tau = jnp.log(jnp.array([100.0, 200.0, 400.0]))  # AVA, AVB, RIM
    c = eqx.tree_at(lambda c: c.tau.args[0], c, tau)
    rate = np.asarray(c.prepare().rate)
    np.testing.assert_allclose(1 / rate, [100, 100, 200, 400, 400, 200], rtol=1e-12)


@pytest.mark.parametrize("dt", [50.0, 600.0, 5000.0])
def test_a_step_is_the_closed_formula_of_exponential_euler(dt):
    c = circuit()
    V, current = np.linspace(-1, 1, 6), np.linspace(0, 1, 6)
    drift, leak = by_loops(c, V, current)
    settled = V + drift / leak  # where V would go with its partners held
    expected = settled + (V - settled) * np.exp(-dt * leak)
    new, _ = c.step({"V": jnp.asarray(V)}, {"I_e": jnp.asarray(current)}, nj.Clock(0, dt))
    np.testing.assert_allclose(new["V"], expected, rtol=1e-12, atol=1e-14)


def test_small_steps_agree_with_diffrax_at_first_order():
    c = circuit()
    inputs = {"I_e": jnp.linspace(-1.0, 1.0, 6)}
    end = lambda **how: np.asarray(
        nj.simulate(c, duration=2000.0, inputs=inputs, **how).final_state.state["V"]
    )
    exact = end(
        solver=diffrax.Dopri8(), stepsize_controller=diffrax.PIDController(rtol=1e-10, atol=1e-12)
    )
    errors = [np.abs(end(dt=dt) - exact).max() for dt in (20.0, 10.0, 5.0)]
    assert errors[-1] < 2e-3
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 2.0, rtol=0.05)
    fine = end(dt=5.0, solver=nj.solvers.RungeKutta4())
    np.testing.assert_allclose(fine, exact, atol=1e-8)


@pytest.mark.parametrize("nonlinearity", ["tanh", "sigmoid"])
def test_decay_is_the_diagonal_of_the_jacobian(nonlinearity):
    c = circuit(nonlinearity=nonlinearity)
    V = jnp.linspace(-2.0, 1.0, 6)
    jacobian = jax.jacfwd(lambda V: c.drift(0.0, {"V": V}, {})["V"])(V)
    np.testing.assert_allclose(c.decay(0.0, {"V": V}, {})["V"], -jnp.diag(jacobian), rtol=1e-12)
    row_sums = np.abs(jacobian.sum(axis=1) - jnp.diag(jacobian))
    assert row_sums.max() > 1e-4  # coupled: a derivative in the direction of ones is not it


def test_low_rank_adds_a_broadcast_on_top_of_the_edges():
    c = ConnectomeCircuit(wiring(), low_rank=2, key=jax.random.key(3))
    A, U = (np.asarray(x) for x in c.broadcast)
    edges = eqx.tree_at(lambda c: c.broadcast, c, None).chemical_matrix()
    np.testing.assert_allclose(c.chemical_matrix() - edges, 3 / np.sqrt(6) * A @ U, atol=1e-14)
    assert A.shape == (6, 2) and U.shape == (2, 6)
    assert np.linalg.matrix_rank(A @ U) == 2
    assert (np.asarray(c.chemical_matrix()) != 0).all()
    # drawn with standard deviations 0.3 and 0.05
    big = ConnectomeCircuit(nj.connectomes.cook2019(), low_rank=8)
    assert abs(np.std(big.broadcast[0]) - 0.3) < 0.02
    assert abs(np.std(big.broadcast[1]) - 0.05) < 0.004


def test_the_start_is_drawn_from_the_key():
    same, other = ConnectomeCircuit(wiring()), ConnectomeCircuit(wiring(), key=jax.random.key(1))
    np.testing.assert_array_equal(same.weight, ConnectomeCircuit(wiring()).weight)
    assert (same.weight != other.weight).all()
    big = ConnectomeCircuit(nj.connectomes.cook2019())
    assert abs(np.std(big.weight) - 0.1) < 0.01 and abs(np.mean(big.weight)) < 0.01
    np.testing.assert_allclose(nj.unwrap(big.gap), np.log1p(np.exp(-3.0)), rtol=1e-12)


def test_noise_makes_an_ornstein_uhlenbeck_process_of_a_lone_neuron():
    lone = nj.connectomes.Connectome(["A", "B"], np.zeros((2, 2)), np.zeros((2, 2)))
    c = ConnectomeCircuit(lone, noise=0.1, tau=50.0)
    sim = nj.simulate(c, duration=100_000.0, dt=10.0, record={"V": "V"}, key=jax.random.key(0))
    V = np.asarray(sim["V"])[100:]
    # variance sigma^2 tau / 2; 2 x 9900 samples, correlated over about 10 each
    assert abs(V.var() / (0.1**2 * 50.0 / 2) - 1) < 0.12
    lag = np.mean(V[1:] * V[:-1]) / V.var()
    assert abs(lag - np.exp(-10 / 50)) < 0.03
    with pytest.raises(ValueError, match="key"):
        nj.simulate(c, duration=10.0, dt=10.0)


def test_a_latent_neuron_takes_part_in_the_dynamics():
    c = circuit()
    cut = eqx.tree_at(lambda c: c.weight, c, jnp.where(c.pre == 3, 0.0, c.weight))
    run = lambda c: nj.simulate(c, duration=2000.0, dt=50.0, record={"V": "V"})["V"]
    assert np.abs(run(c)[:, 2] - run(cut)[:, 2]).max() > 1e-3


def test_rewired_moves_edges_and_keeps_parameters():
    c = circuit()
    shuffled = c.shuffled(jax.random.key(5))
    assert jax.tree.map(jnp.shape, shuffled) == jax.tree.map(jnp.shape, c)
    np.testing.assert_array_equal(shuffled.weight, c.weight)
    old, new = c.connectome(), shuffled.connectome()
    assert (new.chemical != old.chemical).any()
    for side in (0, 1):
        np.testing.assert_array_equal((new.chemical > 0).sum(side), (old.chemical > 0).sum(side))
    np.testing.assert_array_equal((new.gap > 0).sum(0), (old.gap > 0).sum(0))
    assert ((np.asarray(shuffled.chemical_matrix()) != 0) == (new.chemical > 0)).all()

    with pytest.raises(ValueError, match="same neurons"):
        c.rewired(wiring().subset(NAMES[:4]))
    fewer = wiring().chemical.copy()
    fewer[0, 1] = 0
    with pytest.raises(ValueError, match="needs 10 chemical edges"):
        c.rewired(nj.connectomes.Connectome(NAMES, fewer, wiring().gap))


def test_pruned_keeps_the_chosen_edges_with_their_weights():
    c = circuit()
    keep, junctions = np.arange(10) % 2 == 0, np.array([True, False, False, True])
    small = c.pruned(keep, junctions)
    W, G = np.asarray(small.chemical_matrix()), np.asarray(small.gap_matrix())
    old_W, old_G = np.asarray(c.chemical_matrix()), np.asarray(c.gap_matrix())
    kept = np.zeros((6, 6), bool)
    kept[np.asarray(c.pre)[keep], np.asarray(c.post)[keep]] = True
    np.testing.assert_array_equal(W, np.where(kept, old_W, 0))
    pairs = np.asarray(c.gap_pairs)[:, junctions]
    assert np.count_nonzero(G) == 4
    np.testing.assert_array_equal(G[tuple(pairs)], old_G[tuple(pairs)])
    np.testing.assert_array_equal(small.bias, c.bias)


def test_pruned_with_kept_signs():
    c = ConnectomeCircuit(wiring(), signs=np.array(SIGNS))
    keep = np.arange(10) < 4
    small = c.pruned(keep, np.ones(4, bool))
    np.testing.assert_array_equal(nj.unwrap(small).weight, nj.unwrap(c).weight[:4])


def test_without_homologues_drops_edges_between_left_and_right():
    small = circuit().without_homologues()
    W, G = np.asarray(small.chemical_matrix()), np.asarray(small.gap_matrix())
    for a, b in [("AVAL", "AVAR"), ("RIML", "RIMR"), ("AVBL", "AVBR")]:
        i, j = NAMES.index(a), NAMES.index(b)
        assert W[i, j] == W[j, i] == G[i, j] == 0
    assert small.pre.size == 10 - 3 and small.gap_pairs.shape[1] == 4 - 3


def test_reinitialised_draws_other_weights_and_leaves_the_rest():
    c = ConnectomeCircuit(wiring(), low_rank=1, signs=np.array(SIGNS))
    fresh = c.reinitialised(jax.random.key(9))
    assert (nj.unwrap(fresh).weight != nj.unwrap(c).weight).all()
    assert (fresh.broadcast[0] != c.broadcast[0]).all()
    np.testing.assert_array_equal(nj.unwrap(fresh).gap, nj.unwrap(c).gap)
    twin = ConnectomeCircuit(wiring(), low_rank=1, signs=np.array(SIGNS), key=jax.random.key(9))
    np.testing.assert_array_equal(nj.unwrap(fresh).weight, nj.unwrap(twin).weight)
    np.testing.assert_array_equal(fresh.broadcast[1], twin.broadcast[1])


def test_penalty_is_the_stated_prior():
    c = ConnectomeCircuit(wiring(), low_rank=2, key=jax.random.key(2))
    c = eqx.tree_at(lambda c: c.tau.args[0], c, c.tau.args[0] + jnp.linspace(-1.0, 1.0, 6))
    m = nj.unwrap(c)
    W = np.asarray(eqx.tree_at(lambda c: c.broadcast, c, None).chemical_matrix())
    G, (A, U) = np.asarray(c.gap_matrix()), c.broadcast
    squares = 0.2 * (W**2).sum() + 0.03 * (G**2).sum() + 0.03 * ((A**2).sum() + (U**2).sum())
    expected = squares / 6 + 0.01 * np.mean(np.log(np.asarray(m.tau) / 800.0) ** 2)
    np.testing.assert_allclose(c.penalty(), expected, rtol=1e-12)


def test_save_and_load(tmp_path):
    options = {"low_rank": 2, "signs": np.array(SIGNS), "time_constants": "class", "noise": 0.1}
    c = ConnectomeCircuit(wiring(), **options)
    nj.save(tmp_path / "c.npz", c)
    like = ConnectomeCircuit(wiring(), **options, key=jax.random.key(8))
    again = nj.load(tmp_path / "c.npz", like)
    assert eqx.tree_equal(again, c)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nonlinearity": "relu"}, "nonlinearity must be one of"),
        ({"tau": 0.0}, "tau must be a positive"),
        ({"tau": -3.0}, "tau must be a positive"),
        ({"tau": float("nan")}, "tau must be a positive"),
        ({"low_rank": -1}, "low_rank must be 0 or more"),
        ({"signs": "positive"}, "signs must be 'free'"),
        ({"signs": np.ones((2, 2))}, "signs must be an array"),
        ({"signs": np.full((6, 6), 2)}, "signs must be an array"),
        ({"noise": -1.0}, "noise must be"),
        ({"time_constants": "layer"}, "time_constants must be"),
    ],
)
def test_bad_arguments_are_named(options, words, monkeypatch):
    monkeypatch.setattr(
        jaxtyping.config, "jaxtyping_disable", True
    )  # our own words, not the hook's
    with pytest.raises(ValueError, match=words):
        ConnectomeCircuit(wiring(), **options)


def test_no_leaf_is_weakly_typed_so_a_trained_circuit_does_not_compile_again():
    c = ConnectomeCircuit(wiring(), low_rank=1, noise=0.1, time_constants="class")
    leaves = [x for x in jax.tree.leaves(c) if eqx.is_array(x)]
    assert len(leaves) > 8 and not any(x.weak_type for x in leaves)
