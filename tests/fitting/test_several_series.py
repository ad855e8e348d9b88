"""Series of different lengths, states that go on, and what trials bring along."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import neurojax as nj
from neurojax.fitting import drive, fit_readout
from neurojax.tasks import Trials

T = np.arange(200)
X = (np.sin(0.3 * T) * np.cos(0.07 * T))[:, None]


def reservoir(**options):
    return nj.circuits.EchoState(30, inputs=1, leak=0.3, density=0.3, **options)


def test_each_series_of_a_list_ends_where_it_ends():
    parts = [X[:80], X[10:150], X[:30]]
    r = reservoir()
    run = drive(r, parts)
    for i, part in enumerate(parts):
        alone = drive(r, part)
        np.testing.assert_allclose(run.state["h"][i], alone.state["h"], rtol=1e-12)
        np.testing.assert_allclose(run.rates[i, : len(part)], alone.rates, rtol=1e-12)
    fitted = fit_readout(r, [p[:-1] for p in parts], [p[1:] for p in parts], washout=5)
    more = fitted.predict([X[80:90], X[150:170], X[30:40]], state=fitted.state)
    whole = fitted.predict([X[:79], X[10:149], X[:29]])
    assert [len(m) for m in more] == [10, 20, 10] and len(whole[2]) == 29
    go_on = fitted.predict(X[30:40], state=jax.tree.map(lambda a: a[2], fitted.state))
    np.testing.assert_allclose(more[2], go_on, rtol=1e-10)


def test_targets_that_are_no_numbers_are_refused():
    with pytest.raises(TypeError, match="targets must be numbers, got <U1: names of classes"):
        fit_readout(reservoir(), X, np.array([["a"]] * 200))


@pytest.mark.parametrize(
    "circuit",
    [
        nj.circuits.WithSquares(reservoir()),
        nj.circuits.NextGeneration(inputs=1, delays=3),
        reservoir(),
    ],
    ids=["squares", "next generation", "echo state"],
)
def test_several_series_go_on_by_themselves(circuit):
    many = np.stack([X[:100], X[50:150], X[90:190]])
    fitted = fit_readout(
        circuit, many[:, :-1], many[:, 1:], washout=20, method=nj.fitting.Ridge(1e-3)
    )
    found = fitted.generate(9)
    assert found.shape == (3, 9, 1)
    for i in range(3):
        own = jax.tree.map(lambda a, i=i: a[i], fitted.state)
        np.testing.assert_allclose(found[i], fitted.generate(9, state=own), rtol=1e-10)
    with pytest.raises(ValueError, match="state is that of 3 series, but the inputs are one"):
        fitted.predict(X[:9], state=fitted.state)
    one = fit_readout(circuit, X[:-1], X[1:])
    with pytest.raises(ValueError, match="state is that of one series, but the inputs are 2"):
        one.predict(many[:2], state=one.state)


def test_states_that_are_none():
    r = reservoir()
    with pytest.raises(ValueError, match=r"state must have the leaves \['h'\]"):
        drive(r, X, state={"x": jnp.zeros(30)})
    with pytest.raises(ValueError, match=r"state\['h'\] must have shape \(30,\)"):
        drive(r, X, state={"h": jnp.zeros(29)})


def test_trials_bring_their_initial_state_and_dt():
    circuit = nj.circuits.RateRNN(4, inputs=1, outputs=1, tau=20.0)
    trials = Trials(X[None, :30], X[None, :30], dt=1.0, initial=jnp.full((1, 4), 0.9))
    np.testing.assert_allclose(
        drive(circuit, trials).rates, nj.fitting.unroll(circuit, trials).rates, rtol=1e-12
    )
    with pytest.raises(ValueError, match="steps of dt=1 ms, but dt=5"):
        drive(circuit, trials, dt=5.0)
    fitted = fit_readout(circuit, X[:30], X[:30], dt=5.0)
    with pytest.raises(ValueError, match="a read-out keeps the dt of its fit"):
        fitted.predict(trials)


@pytest.mark.parametrize(
    "circuit",
    [
        reservoir(),
        nj.circuits.Stacked(
            [reservoir(), *(nj.circuits.EchoState(3, inputs=k) for k in [30] + [3] * 9)]
        ),
        nj.circuits.Liquid((2, 2, 2), inputs=1),
    ],
    ids=["echo state", "stacked", "liquid"],
)
def test_trials_begin_in_states_of_many_leaves(circuit):
    """The tree of an earlier run, and the same by name of leaf ("10.h" sorts before "2.h")."""
    u = np.abs(np.stack([X[:40], X[60:100]]))
    tree = drive(circuit, u[:, :20]).state
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    named = {".".join(entry.key for entry in path): np.asarray(leaf) for path, leaf in flat}
    whole = drive(circuit, u[:, 20:], state=tree).rates
    assert not np.array_equal(whole, drive(circuit, u[:, 20:]).rates)
    for initial in (tree, named):
        trials = Trials(u[:, 20:], u[:, 20:], dt=1.0, initial=initial)
        for run in (drive, nj.fitting.unroll):
            np.testing.assert_array_equal(run(circuit, trials).rates, whole)
        one = drive(circuit, trials[1:][0]).rates
        np.testing.assert_allclose(one, whole[1], rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(drive(circuit, u[:, 20:], state=initial).rates, whole)


def test_initial_states_of_another_circuit_are_refused():
    with pytest.raises(ValueError, match=r"initial\['h'\] must have a shape that begins"):
        Trials(np.zeros((2, 9, 1)), np.zeros((2, 9, 1)), dt=1.0, initial={"h": np.zeros(30)})
    for leaf, size, match in (
        ("x", 30, r"trials.initial must have the leaves \['h'\] of EchoState.* got \['x'\]"),
        ("h", 29, r"trials.initial\['h'\] must have shape \(30,\)"),
    ):
        state = {leaf: np.zeros((2, size))}
        trials = Trials(np.zeros((2, 9, 1)), np.zeros((2, 9, 1)), dt=1.0, initial=state)
        for run in (drive, nj.fitting.unroll):
            with pytest.raises(ValueError, match=match):
                run(reservoir(), trials)


def test_circuits_without_inputs_generate_on_their_own():
    t = np.arange(300.0)
    patterns = [np.sin(t / 3)[:, None], np.sin(t / 5)[:, None]]
    loaded = nj.circuits.load_patterns(nj.circuits.EchoState(50, inputs=1, radius=1.5), patterns)
    circuit = nj.circuits.WithConceptor(
        loaded.circuit, [nj.circuits.conceptor(rates) for rates in loaded.rates]
    )
    start = circuit.start(loaded.states[0])
    run = nj.simulate(circuit, duration=12.0, dt=1.0, state=start, record={"y": "output"})
    np.testing.assert_allclose(nj.fitting.generate(circuit, start, 12), run["y"], rtol=1e-10)
    with pytest.raises(ValueError, match="or outputs and no inputs; this circuit has 0"):
        nj.fitting.generate(nj.circuits.EchoState(5), np.zeros(5), 3)


def test_folds_are_of_what_counts():
    rng = np.random.default_rng(0)
    u = rng.normal(size=(100, 1))
    y, r = np.roll(u, 2, 0), nj.circuits.EchoState(8, inputs=1, density=1.0)
    method = nj.fitting.RidgeCV(folds=5)
    late = fit_readout(r, u, y, method=method, washout=80)
    state = drive(r, u[:80]).state
    alone = fit_readout(r, u[80:], y[80:], method=method, state=state)
    np.testing.assert_allclose(late.scores, alone.scores, rtol=1e-6)
    inside = jax.jit(lambda u: fit_readout(r, u, y, method=method, washout=80).penalty)(u)
    assert float(inside) == pytest.approx(float(alone.penalty))
    with pytest.raises(ValueError, match="folds=5 is more than the samples of a series that count"):
        fit_readout(r, u, y, method=method, washout=97)


def test_lists_and_sparse_matrices_are_weights():
    u = np.ones((9, 2))
    pairs = {"input_scaling": [0.1, 0.2], "bias": [0.1] * 5, "radius": [0.5] * 5, "leak": [0.3] * 5}
    for name, value in pairs.items():
        one, other = (
            nj.circuits.EchoState(5, inputs=2, density=1.0, **{name: given})
            for given in (value, np.array(value))
        )
        assert (drive(one, u).rates == drive(other, u).rates).all(), name
    W = np.random.default_rng(0).normal(size=(5, 5))
    B = scipy.sparse.random(5, 2, density=0.5, format="csr", random_state=0)
    one = nj.circuits.EchoState(5, inputs=2, recurrent=W.tolist(), input=B)
    other = nj.circuits.EchoState(5, inputs=2, recurrent=W, input=B.toarray())
    assert (drive(one, u).rates == drive(other, u).rates).all()
    rnn = nj.circuits.RateRNN(2, recurrent=[[0.0, 1.0]] * 2, tau=[5.0, 8.0], bias=[0.5, 0.8])
    assert nj.simulate(rnn, duration=5.0, dt=1.0).final_state.state["x"].shape == (2,)


def test_what_is_drawn_on_the_host_says_so():
    make = lambda key: nj.circuits.EchoState(300, inputs=1, key=key).init_state()["h"]
    with pytest.raises(ValueError, match="make a reservoir for each key outside"):
        jax.vmap(make)(jax.random.split(jax.random.key(0), 2))
    with pytest.raises(ValueError, match="scaled to its radius on the host"):
        jax.jit(lambda W: nj.circuits.EchoState(3, recurrent=W).init_state())(jnp.eye(3))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: nj.fitting.RidgeGCV(1e-3), "penalties must be an array of positive numbers"),
        (lambda: nj.fitting.Ridge([1e-3, 1e-2]), "penalty must be one positive number"),
        (lambda: nj.fitting.Ridge(np.inf), "penalty must be positive, got inf"),
        (
            lambda: nj.circuits.Liquid((2, 2, 2), weight={"EE": jnp.array(-300.0)}),
            "must not be negative",
        ),
        (
            lambda: nj.circuits.adapt_inhibition(
                nj.circuits.EIReservoir(40, indegree=10), np.full((50, 1), np.nan)
            ),
            "inputs must be finite",
        ),
    ],
)
def test_refusals(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_table_keeps_its_columns():
    with pytest.raises(ValueError, match=r"\['score'\] have names of scores"):
        nj.fitting.sweep(lambda score: score, {"score": [1.0, 2.0]})
    with pytest.raises(TypeError, match="a tuple of 2"):
        nj.fitting.sweep(lambda a: (a, a), {"a": [1.0, 2.0]})


def test_folds_in_the_graph_are_those_of_the_host():
    rng = np.random.default_rng(0)
    u = rng.normal(size=(5, 40, 1))
    y, r = np.roll(u, 2, 1), nj.circuits.EchoState(8, inputs=1, density=1.0)
    method = nj.fitting.RidgeCV(np.logspace(-4, 0, 5), folds=5)
    scores = lambda u, mask: fit_readout(r, Trials(u, y, mask, dt=1.0), method=method).scores
    for dropped in ([], [2]):  # five series are left, or four: fewer than the folds
        mask = jnp.ones((5, 40)).at[np.array(dropped, int)].set(0.0)
        host = scores(u, mask)
        np.testing.assert_allclose(jax.jit(scores)(u, mask), host, rtol=1e-8)
        np.testing.assert_allclose(jax.jit(lambda u, m=mask: scores(u, m))(u), host, rtol=1e-8)


def test_lists_of_series_may_be_traced():
    parts, r = [X[:80], X[10:150], X[:30]], reservoir()

    def error(inputs, targets):
        fitted = fit_readout(r, inputs, targets, washout=5, method=nj.fitting.Ridge(1e-3))
        return fitted.nrmse, fitted.predict(inputs)

    inputs, targets = [p[:-1] for p in parts], [p[1:] for p in parts]
    expected, outputs = error(inputs, targets)
    found, inside = jax.jit(error)(inputs, targets)
    assert float(found) == pytest.approx(expected, rel=1e-6)
    for one, other in zip(inside, outputs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    slope = jax.grad(lambda a: error([inputs[0], a * inputs[1], inputs[2]], targets)[0])(1.0)
    numeric = [error([inputs[0], a * inputs[1], inputs[2]], targets)[0] for a in (1.0001, 0.9999)]
    assert float(slope) == pytest.approx((numeric[0] - numeric[1]) / 2e-4, rel=1e-4)


def test_states_as_arrays():
    r = reservoir()
    fitted = fit_readout(r, X[:-1], X[1:])
    h = np.asarray(fitted.state["h"])
    for run in (
        lambda s: fitted.predict(X[:9], state=s),
        lambda s: drive(r, X[:9], state=s).rates,
        lambda s: fitted.generate(9, state=s),
        lambda s: nj.fitting.generate(fitted.circuit, s, 9),
    ):
        np.testing.assert_array_equal(run(h), run(fitted.state))
        with pytest.raises(ValueError, match=r"state\['h'\] must have shape \(30,\).* got \(29,\)"):
            run(h[:29])
        with pytest.raises(TypeError, match="state must be a dictionary, as that of an earlier"):
            run("x")
    many = drive(r, np.stack([X[:9]] * 2), state=np.stack([h, h])).rates
    np.testing.assert_allclose(many[1], drive(r, X[:9], state=h).rates, rtol=1e-12)
    with pytest.raises(ValueError, match="state is that of 3 series, but the inputs are 2"):
        drive(r, np.stack([X[:9]] * 2), state=np.stack([h] * 3))
    deep = nj.circuits.Grouped([r, nj.circuits.EchoState(30, inputs=1)])
    with pytest.raises(ValueError, match=r"Grouped needs a dictionary with \["):
        drive(deep, X[:9], state=h)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (lambda a: None, "got None: has it a return"),
        (lambda a: {"x": {"y": a}}, "got a dict for 'x'"),
        (lambda a: {"x": a, "y": [a, a]}, "got a list for 'y'"),
        (lambda a: {}, "got a dict of 0"),
    ],
)
def test_a_table_has_numbers_in_it(given, match):
    ran = []

    def function(a):
        jax.debug.callback(lambda: ran.append(1))
        return given(a)

    with pytest.raises(TypeError, match=match):
        nj.fitting.sweep(function, {"a": [1.0, 2.0]})
    assert not ran


NAN = float("nan")


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: nj.circuits.EchoState(5, inputs=1, input_scaling="a"), TypeError, "input_scaling"),
        (lambda: nj.circuits.EchoState(5, inputs=2, input_scaling=[1.0, NAN]), ValueError,
         "input_scaling must be finite, got nan"),
        (lambda: nj.circuits.EchoState(5, bias_scaling=NAN), ValueError,
         "bias_scaling must be finite, got nan"),
        (lambda: nj.circuits.EchoState(5, bias_scaling="a"), TypeError, "bias_scaling"),
        (lambda: nj.circuits.EchoState(5, bias=[NAN] * 5), ValueError,
         "bias must be finite, got 5 times nan"),
        (lambda: nj.circuits.EchoState(5, inputs=1, input=np.full((5, 1), NAN)), ValueError,
         "input must be finite"),
        (lambda: nj.circuits.EchoState(2, recurrent=[[0.0, NAN], [1.0, 0.0]]), ValueError,
         "recurrent must be finite, got 1 times nan"),
        (lambda: nj.circuits.EchoState(5, radius=np.inf), ValueError, "radius must be finite"),
        (lambda: nj.circuits.EchoState(5, outputs=1, feedback=np.full((5, 1), NAN)), ValueError,
         "feedback must be finite"),
        (lambda: nj.circuits.EchoState(5, outputs=1, output=np.full((1, 5), NAN)), ValueError,
         "output must be finite, got 5 times nan"),
        (lambda: nj.circuits.RateRNN(5, inputs=1, input=np.full((5, 1), NAN)), ValueError,
         "input must be finite"),
        (lambda: nj.circuits.Liquid((2, 2, 2), inputs=1, input=np.full((8, 1), NAN)), ValueError,
         "input must be finite, got 8 times nan"),
        (lambda: nj.circuits.AstrocyteLiquid((2, 2, 2), inputs=1, input=np.full((8, 1), NAN)),
         ValueError, "the weight nan of a synapse from input is outside -3 to 3"),
        (lambda: nj.circuits.IzhikevichReservoir(20, inputs=1, input_scaling=NAN), ValueError,
         "input_scaling must be finite, got nan"),
        (lambda: nj.circuits.IzhikevichReservoir(20, bias=NAN), ValueError,
         "bias must be finite, got 20 times nan"),
        (lambda: nj.circuits.IzhikevichReservoir(2, recurrent=np.full((2, 2), NAN)), ValueError,
         "recurrent must be finite"),
        (lambda: nj.circuits.design_inhibition(nj.circuits.EIReservoir(40, indegree=10), NAN),
         ValueError, "mean_input must be finite, got nan"),
        (lambda: nj.circuits.EdgeOfStability(5, inputs=1, input_scaling=NAN), ValueError,
         "input_scaling must be finite"),
        (lambda: nj.circuits.EIReservoir(40, indegree=10, input_scaling=NAN), ValueError,
         "input_scaling of EIReservoir must be finite"),
        (lambda: nj.circuits.EIReservoir(40, indegree=10, spread=-1), ValueError,
         "spread of EIReservoir must not be negative, got -1"),
        (lambda: nj.circuits.EIReservoir(40, indegree=10, input=np.full((40, 1), NAN)), ValueError,
         "input must be finite, got 40 times nan"),
        (lambda: nj.circuits.adapt_inhibition(reservoir(), X), TypeError,
         "reservoir must be an nj.circuits.EIReservoir.* got EchoState"),
        (lambda: nj.circuits.design_inhibition(reservoir(), 0.0), TypeError,
         "reservoir must be an nj.circuits.EIReservoir.* got EchoState"),
        (lambda: nj.circuits.adapt_intrinsic(nj.circuits.EIReservoir(40, indegree=10), X),
         TypeError, "reservoir must be an nj.circuits.EchoState, got EIReservoir"),
    ],
)  # fmt: skip
def test_reservoirs_name_what_is_wrong(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_what_is_traced_may_scale_a_reservoir():
    weights = np.random.default_rng(0).normal(size=(5, 5))
    make = lambda scale: nj.circuits.EchoState(
        5, inputs=1, recurrent=weights, radius=None, input_scaling=scale, bias_scaling=scale
    )
    total = jax.jit(lambda scale: drive(make(scale), X[:9]).rates.sum())(0.3)
    assert float(total) == pytest.approx(float(drive(make(0.3), X[:9]).rates.sum()))
