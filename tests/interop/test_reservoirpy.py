"""Objects shaped like those of reservoirpy 0.3 and 0.4 become circuits that do the same."""

from itertools import combinations_with_replacement
from types import SimpleNamespace as Like

import numpy as np
import pytest
import scipy.sparse

import neurojax as nj
from neurojax.interop.reservoirpy import from_reservoirpy

RNG = np.random.default_rng(0)
N, INPUTS, STEPS = 20, 2, 15
U = RNG.normal(size=(STEPS, INPUTS))


def matrix(*shape, scale=0.3):
    return scale * RNG.normal(size=shape)


def tanh(x):
    return np.tanh(x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Input:
    """Like reservoirpy's node."""


class Delay:
    """A node that has no equal."""


def reservoir(**more):
    given = {
        "W": scipy.sparse.csr_array(matrix(N, N) * (RNG.random((N, N)) < 0.2)),
        "Win": matrix(N, INPUTS), "bias": matrix(N), "lr": RNG.uniform(0.2, 1.0, N),
        "activation": tanh, "state": {"out": np.zeros(N)},
    }  # fmt: skip
    return Like(**(given | more))


def readout(features=N, outputs=3):
    return Like(Wout=matrix(features, outputs), bias=matrix(outputs))


def run(circuit, state=None):
    trials = nj.tasks.Trials(U, np.zeros((STEPS, 0)), dt=1.0, initial=state)
    unrolled = nj.fitting.unroll(circuit, trials)
    return np.asarray(unrolled.rates), np.asarray(unrolled.outputs)


def loop(node, state, back=None):
    """The equations as reservoirpy states them."""
    r, x, z, rates, outputs = np.zeros(N), state, np.zeros(3), [], []
    W, lr = node.W.toarray(), getattr(node, "lr", None)
    for u in U:
        total = W @ r + node.Win[:, :INPUTS] @ u + np.ravel(node.bias)
        if back is not None:
            total = total + node.Win[:, INPUTS:] @ z
        if hasattr(node, "O"):
            r = (1 - node.proximity) * node.O @ r + node.proximity * node.activation(total)
        elif "internal" in node.state:
            x = (1 - lr) * x + lr * total
            r = node.activation(getattr(node, "a", 1.0) * x + getattr(node, "b", 0.0))
        else:
            r = (1 - lr) * r + lr * node.activation(total)
        rates.append(r)
        if back is not None:
            z = r @ back.Wout + back.bias
            outputs.append(z)
    return np.array(rates), np.array(outputs)


def test_reservoirs_of_all_kinds():
    plain = reservoir()
    rates, _ = loop(plain, None)
    np.testing.assert_allclose(run(from_reservoirpy(plain))[0], rates, rtol=1e-10)
    like_jax = reservoir(Win=Like(todense=lambda: plain.Win))  # a sparse array of JAX
    np.testing.assert_array_equal(nj.unwrap(from_reservoirpy(like_jax)).input, plain.Win)
    outside = reservoir(state={"internal": np.zeros(N), "out": np.zeros(N)}, activation=sigmoid)
    circuit = from_reservoirpy(outside)
    assert circuit.form == "external" and circuit.nonlinearity.name == "sigmoid"
    turn = np.linalg.qr(matrix(N, N))[0]
    es2n = reservoir(O=turn, proximity=0.2)
    np.testing.assert_allclose(run(from_reservoirpy(es2n))[0], loop(es2n, None)[0], rtol=1e-10)
    adapted = reservoir(
        state={"internal": np.zeros(N), "out": np.zeros(N)}, lr=0.4,
        a=RNG.uniform(0.5, 2.0, N), b=matrix(N),
    )  # fmt: skip
    rates, _ = loop(adapted, -adapted.b / adapted.a)
    found, _ = run(from_reservoirpy(adapted))
    np.testing.assert_allclose(found, rates, rtol=1e-10)


def test_version_three_has_columns_and_names_its_equation():
    def forward_external(node, x): ...

    old = reservoir(bias=matrix(N, 1), noise_rc=0.0, _forward=forward_external, lr=0.5)
    circuit = from_reservoirpy(old)
    assert circuit.form == "external"
    same = reservoir(W=old.W, Win=old.Win, bias=np.ravel(old.bias), lr=0.5,
                     state={"internal": 0, "out": 0})  # fmt: skip
    np.testing.assert_allclose(run(circuit)[0], loop(same, np.zeros(N))[0], rtol=1e-10)
    back = readout()
    fed = reservoir(Wfb=scipy.sparse.csr_array(matrix(N, 3)), has_feedback=True)
    circuit = from_reservoirpy(Like(nodes=[fed, back], edges=[(fed, back)]))
    np.testing.assert_array_equal(nj.unwrap(circuit).feedback, fed.Wfb.toarray())
    with pytest.raises(ValueError, match="give the model with its read-out"):
        from_reservoirpy(fed)
    fed.fb_activation = sigmoid
    with pytest.raises(ValueError, match="fb_activation=sigmoid"):
        from_reservoirpy(Like(nodes=[fed, back], edges=[(fed, back)]))


def test_read_out_feedback_and_inputs_to_the_read_out():
    node, out = reservoir(), readout()
    rates, outputs = run(from_reservoirpy(Like(nodes=[node, out], edges=[(node, 0, out)])))
    np.testing.assert_allclose(outputs, loop(node, None)[0] @ out.Wout + out.bias, rtol=1e-10)
    # feedback comes after the inputs in Win; it begins with 0 there, and with the bias here
    out = readout()
    out.bias[:] = 0.0
    fed = reservoir(Win=matrix(N, INPUTS + 3))
    model = Like(nodes=[fed, out], edges=[(fed, 0, out), (out, 1, fed)])
    expected = loop(fed, None, back=out)
    for found, one in zip(run(from_reservoirpy(model)), expected, strict=True):
        np.testing.assert_allclose(found, one, rtol=1e-9)
    # the input before the reservoir, or after it
    source, rates = Input(), loop(node, None)[0]
    for order in (0, 1):
        wide = readout(N + INPUTS)
        seen = [(node, 0, wide), (source, 0, wide)]
        edges = [(source, 0, node), *(seen if order else seen[::-1])]
        features = np.concatenate([rates, U] if order else [U, rates], axis=1)
        circuit = from_reservoirpy(Like(nodes=[source, node, wide], edges=edges))
        np.testing.assert_allclose(run(circuit)[1], features @ wide.Wout + wide.bias, rtol=1e-9)


@pytest.mark.parametrize("last", [True, False])
def test_feedback_with_inputs_to_the_read_out(last):
    source, fed, out = Input(), reservoir(Win=matrix(N, INPUTS + 3)), readout(N + INPUTS)
    out.bias[:] = 0.0  # begins with 0 there, and with the bias here
    seen = [(fed, 0, out), (source, 0, out)]
    edges = [*(seen if last else seen[::-1]), (out, 1, fed), (source, 0, fed)]
    h, z, expected = np.zeros(N), np.zeros(3), []
    for u in U:
        total = fed.W.toarray() @ h + fed.Win @ np.append(u, z) + fed.bias
        h = (1 - fed.lr) * h + fed.lr * np.tanh(total)
        z = np.append(*((h, u) if last else (u, h))) @ out.Wout
        expected.append(z)
    circuit = from_reservoirpy(Like(nodes=[fed, out, source], edges=edges))
    np.testing.assert_allclose(run(circuit)[1], expected, rtol=1e-9)


def delayed(k=2, order=2, strides=1):
    return Like(delay=k, order=order, strides=strides, input_dim=INPUTS)


def monomials(node):
    """The features as reservoirpy computes them."""
    store, features = np.zeros((node.delay * node.strides, INPUTS)), []
    for u in U:
        store = np.roll(store, 1, axis=0)
        store[0] = u
        linear = np.ravel(store[:: node.strides])
        index = list(combinations_with_replacement(range(len(linear)), node.order))
        features.append(np.append(linear, np.prod(linear[index], axis=1)))
    return np.array(features)


@pytest.mark.parametrize("numbers", [(1, 2, 1), (3, 2, 2), (2, 3, 4)])
def test_a_vector_autoregression_is_a_next_generation_reservoir(numbers):
    node = delayed(*numbers)
    features = monomials(node)
    np.testing.assert_allclose(run(from_reservoirpy(node))[0], features, rtol=1e-12)
    out, source = readout(features.shape[1] + INPUTS), Input()
    edges = [(source, 0, out), (source, 0, node), (node, 0, out)]
    circuit = from_reservoirpy(Like(nodes=[source, node, out], edges=edges))
    expected = np.concatenate([U, features], axis=1) @ out.Wout + out.bias
    np.testing.assert_allclose(run(circuit)[1], expected, rtol=1e-9)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("seen", [[0, 1, 2], [2, 0], []])
def test_reservoirs_with_the_same_input_are_side_by_side(seen, shared):
    source, parts = Input(), [layer(INPUTS), delayed(), layer(INPUTS)]
    rates = [loop(parts[0], None)[0], monomials(parts[1]), loop(parts[2], None)[0]]
    nodes, edges = [*parts], [(source, 0, part) for part in parts if shared]
    if seen:
        features = np.concatenate([rates[i] for i in seen], axis=1)
        out = readout(features.shape[1])
        nodes, edges = [source, out, *parts], edges + [(parts[i], 0, out) for i in seen]
    circuit = from_reservoirpy(Like(nodes=nodes, edges=edges))
    found = run(circuit)
    np.testing.assert_allclose(found[0], np.concatenate(rates, axis=1), rtol=1e-9)
    if seen:
        np.testing.assert_allclose(found[1], features @ out.Wout + out.bias, rtol=1e-9)


def layer(inputs):
    return reservoir(Win=matrix(N, inputs))


@pytest.mark.parametrize("seen", [[1], [0, 1], [1, 0], []])
def test_reservoirs_in_a_chain_are_layers(seen):
    source, layers = Input(), [layer(INPUTS), layer(N), layer(N)]
    rates, states, u = [], [np.zeros(N)] * 3, None
    for u in U:
        for i, node in enumerate(layers):
            total = node.W.toarray() @ states[i] + node.Win @ u + node.bias
            states[i] = u = (1 - node.lr) * states[i] + node.lr * np.tanh(total)
        rates.append(list(states))
    rates = np.array(rates)  # (time, layer, unit)
    nodes, edges = [source, layers[2], *layers[:2]], [(source, 0, layers[0])]
    edges += [(layers[1], 0, layers[2]), (layers[0], 0, layers[1])]
    if seen:
        out = readout(len(seen) * N)
        edges += [(layers[i], 0, out) for i in seen]
        nodes.append(out)
    circuit = from_reservoirpy(Like(nodes=nodes, edges=edges))
    found = run(circuit)
    np.testing.assert_allclose(found[0], rates.reshape(STEPS, -1), rtol=1e-9)
    if seen:
        expected = rates[:, seen].reshape(STEPS, -1) @ out.Wout + out.bias
        np.testing.assert_allclose(found[1], expected, rtol=1e-9)


def test_other_graphs_of_reservoirs_are_refused():
    source, other, a, b, c, out = Input(), Input(), layer(INPUTS), layer(N), layer(N), readout()
    for edges in (
        [(a, 0, b), (a, 0, c), (c, 0, out)],  # a tree
        [(a, 0, b), (c, 0, out)],
        [(a, 0, b), (b, 0, a), (b, 0, c), (c, 0, out)],
        [(a, 0, b), (b, 0, c)],  # nothing is read out
        [(source, 0, a), (other, 0, b), (source, 0, c), (a, 0, out), (b, 0, out), (c, 0, out)],
        [(a, 0, b), (b, 0, c), (c, 0, out), (source, 0, out)],
        [(source, 0, a), (a, 0, b), (source, 0, b), (b, 0, c), (c, 0, out)],
    ):
        with pytest.raises(ValueError, match="3 reservoirs, which are not layers in a chain"):
            from_reservoirpy(Like(nodes=[source, other, a, b, c, out], edges=edges))
    with pytest.raises(ValueError, match="with delay 1"):
        edges = [(a, 0, b), (b, 0, out), (out, 1, a)]
        from_reservoirpy(Like(nodes=[a, b, out], edges=edges))


@pytest.mark.parametrize(("name", "value", "message"), [
    ("W", np.ones(N), r"W of the reservoir must have two axes, got shape \(20,\)"),
    ("W", np.ones((N, 3)), r"W of the reservoir must be square, got shape \(20, 3\)"),
    ("W", np.zeros((0, 0)), "W of the reservoir must be square"),
    ("W", np.full((N, N), np.nan), "W of the reservoir must be finite, got 400 times nan"),
    ("Win", np.ones(N), "Win of the reservoir must have two axes and 20 rows"),
    ("Win", np.ones((3, 1)), "Win of the reservoir must have two axes and 20 rows"),
    ("bias", np.ones(3), "bias of the reservoir must be one number or 20, got 3"),
    ("lr", np.ones(3), "lr of the reservoir must be one number or 20, got 3"),
    ("a", np.full(N, np.nan), "a of the reservoir must be finite"),
    ("b", np.ones(3), "b of the reservoir must be one number or 20, got 3"),
])  # fmt: skip
def test_arrays_of_a_reservoir_are_checked(name, value, message):
    node = reservoir(**({"a": np.ones(N), "b": np.zeros(N)} | {name: value}))
    with pytest.raises(ValueError, match=message):
        from_reservoirpy(node)


@pytest.mark.parametrize(("name", "value"), [("W", "abc"), ("W", 1j * np.eye(N)), ("lr", None)])
def test_what_is_no_real_number_is_named(name, value):
    with pytest.raises(TypeError, match=f"^{name} of the reservoir must be"):
        from_reservoirpy(reservoir(**{name: value}))


def test_arrays_of_a_read_out_are_checked():
    node = reservoir()
    for bias, message in ((np.full(3, np.nan), "must be finite"), (np.ones(2), "one number or 3")):
        out = Like(Wout=matrix(N, 3), bias=bias)
        with pytest.raises(ValueError, match=f"bias of the read-out {message}|{message}"):
            from_reservoirpy(Like(nodes=[node, out], edges=[(node, 0, out)]))
    with pytest.raises(TypeError, match="no edges among them"):
        from_reservoirpy(Like(nodes=[node], edges=None))


def test_what_has_no_equal_is_refused_by_name():
    node, out, past = reservoir(), readout(), delayed()

    def custom(x):
        return x

    cases = [
        (reservoir(W=lambda n, m: None), "W of the reservoir is not drawn"),
        (reservoir(noise_rc=0.1), "noise_rc=0.1"),
        (reservoir(synapse_normalization=True), "only lr=1 has"),
        (reservoir(activation=custom), "custom, is none of"),
        (Like(nodes=[node, reservoir(), out], edges=[]), "2 reservoirs, which are not layers"),
        (Like(delay=2, order=2, strides=1, input_dim=None), "NVAR does not know its inputs"),
        (delayed(order=1), "NVAR of order 1"),
        (Like(nodes=[past, out], edges=[(past, 0, out), (out, 1, past)]), "NVAR with feedback"),
        (Like(nodes=[Input()], edges=[]), "no reservoir"),
        (Like(nodes=[node, out, readout()], edges=[]), "2 read-outs"),
        (Like(nodes=[node, Delay()], edges=[]), "node of the kind Delay"),
        (Like(nodes=[node, out], edges=[(node, 2, out)]), "with delay 2"),
        (Like(nodes=[node, out], edges=[]), "does not see the reservoir"),
        (Like(nodes=[node, Like(Wout=None)], edges=[]), "does not see|not fitted"),
    ]
    for model, message in cases:
        with pytest.raises(ValueError, match=message):
            from_reservoirpy(model)
    given = from_reservoirpy(reservoir(activation=custom), nonlinearity="identity")
    assert given.nonlinearity.name == "identity"
    for thing in ("model.pkl", out, Like(W=node.W, Win=node.Win, lr=0.1, threshold=1.0)):
        with pytest.raises(TypeError, match="initialised reservoir of reservoirpy"):
            from_reservoirpy(thing)
