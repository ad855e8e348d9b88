"""Echo index and conditional exponents of circuits whose responses are known."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.analysis.reservoirs import conditional_lyapunov, echo_state_index
from neurojax.core import Dynamics, Output


class Line(Dynamics):
    """x' = f(a x + u), one variable, with a counter that is no number of the state."""

    a: jax.Array
    saturated: bool = True

    def init_state(self, *, key=None):
        return {"x": jnp.zeros(1), "k": jnp.zeros((), int)}

    def step(self, state, inputs, clock):
        x = self.a * state["x"] + inputs["u"]
        x = jnp.tanh(x) if self.saturated else x
        return {"x": x, "k": state["k"] + 1}, Output()


def starts(*values):
    x = jnp.asarray(values)[:, None]
    return {"x": x, "k": jnp.zeros(len(x), int)}


SPREAD = starts(-1.0, -0.6, -0.2, 0.3, 0.7, 1.0)


def test_a_contraction_has_one_response_and_its_rate():
    u = np.random.default_rng(0).normal(size=(60, 1))
    found = echo_state_index(Line(jnp.array(0.7), False), u, SPREAD, dt=2.0)
    assert int(found.index) == 1
    np.testing.assert_array_equal(found.responses, np.zeros(6))
    assert float(found.rate) == pytest.approx(-np.log(0.7) / 2.0, rel=1e-6)
    x = np.asarray(SPREAD["x"])[:, 0]
    mean = np.abs(np.subtract.outer(x, x)).sum() / 30
    np.testing.assert_allclose(found.spread[:20], mean * 0.7 ** np.arange(20), rtol=1e-9)


def test_two_wells_under_a_weak_and_a_strong_input():
    """x' = tanh(2 x + u) has two stable points for |u| < sqrt(2) - asinh(1), and one beyond."""
    limit = np.sqrt(2.0) - np.arcsinh(1.0)  # at the fold 2 (1 - x^2) = 1
    for u, index in ((0.9 * limit, 2), (1.1 * limit, 1)):
        found = echo_state_index(
            Line(jnp.array(2.0)), np.full((400, 1), u), SPREAD, dt=1.0, tolerance=1e-6
        )
        assert int(found.index) == index
    assert found.responses.tolist() == [0] * 6
    # a weak input leaves every start on its side
    weak = echo_state_index(Line(jnp.array(2.0)), np.zeros((200, 1)), SPREAD, dt=1.0)
    assert weak.responses.tolist() == [0, 0, 0, 1, 1, 1]
    # at the well 2 (1 - x^2) = 1 - 0.8336...: neighbours approach by the slope there
    x = 1.0
    for _ in range(200):
        x = np.tanh(2 * x)
    assert float(weak.rate) == pytest.approx(-np.log(2 * (1 - x**2)), rel=0.1)


def test_a_cycle_has_as_many_responses_as_phases():
    found = echo_state_index(Line(jnp.array(-2.0)), np.zeros((200, 1)), SPREAD, dt=1.0)
    assert int(found.index) == 2
    assert found.responses.tolist() == [0, 0, 0, 1, 1, 1]


def test_an_expansion_has_as_many_responses_as_starts():
    found = echo_state_index(Line(jnp.array(1.1), False), np.zeros((50, 1)), SPREAD, dt=1.0)
    assert int(found.index) == 6 and np.isnan(found.rate)


def test_conditional_exponents_of_a_driven_line():
    """log |a (1 - x^2)| along the response, by numpy; the input decides about its sign."""
    u = np.random.default_rng(1).normal(size=(500, 1))
    for scale in (0.0, 1.0):
        x, logs = 0.2, []
        for drive in scale * u[:, 0]:
            x = np.tanh(1.5 * x + drive)
            logs.append(np.log(np.abs(1.5 * (1 - x**2))))
        start = {"x": jnp.array([0.2]), "k": jnp.zeros((), int)}
        found = conditional_lyapunov(
            Line(jnp.array(1.5)), start, scale * u, dt=2.0, washout=100, every=5
        )
        assert float(found[0]) == pytest.approx(np.mean(logs[100:]) / 2.0, rel=1e-9)


def test_conditional_exponents_of_a_linear_circuit_and_without_drive():
    """Linear: the eigenvalues, whatever the input. Constant input: those of the autonomous run."""
    rng = np.random.default_rng(2)
    W = np.triu(rng.normal(size=(4, 4)), 1) * 0.2 + np.diag([0.9, 0.7, 0.4, 0.2])
    circuit = nj.circuits.LeakyRNN(4, inputs=2, recurrent=W, nonlinearity="identity")
    state = circuit.init_state()
    found = conditional_lyapunov(
        circuit, state, {"u": rng.normal(size=(4000, 2))}, dt=1.0, count=4, washout=400
    )
    np.testing.assert_allclose(np.exp(found), [0.9, 0.7, 0.4, 0.2], rtol=1e-3)
    rate = nj.circuits.LeakyRNN(4, inputs=1, recurrent=nj.circuits.Gaussian(2.0))
    u = np.full((300, 1), 0.3)
    driven = conditional_lyapunov(rate, state, u, dt=1.0, count=2)
    alone = nj.analysis.dynamics.lyapunov_spectrum(
        rate, state, duration=300.0, dt=1.0, inputs={"u": u[0]}, count=2
    )
    np.testing.assert_allclose(driven, alone, rtol=1e-9)


def test_a_liquid_has_one_response_to_starts_that_are_the_same():
    """Places of the inbox that nothing reads differ between copies."""
    u = jax.random.uniform(jax.random.key(0), (60, 1))
    liquid = nj.circuits.Liquid((3, 3, 3), inputs=1, density=0.5)
    rest = liquid.on_grid(1.0).init_state()
    twice = jax.tree.map(lambda x: jnp.stack([x, x]), rest)
    same = echo_state_index(liquid, u, twice, dt=1.0)
    assert int(same.index) == 1
    np.testing.assert_array_equal(same.spread, np.zeros(61))
    starts = jax.tree.map(lambda x: jnp.stack([x] * 3), rest)
    for cells in starts["network"]["populations"].values():
        cells["V_m"] -= np.broadcast_to(np.array([[0.0], [2.0], [5.0]]), cells["V_m"].shape)
    silent = echo_state_index(liquid, jnp.zeros((300, 1)), starts, dt=1.0)
    assert int(silent.index) == 1 and np.all(np.isfinite(silent.spread))
    cell: Any = liquid.network.populations["E"]
    tau_m = float(cell.C_m / cell.g_L)
    assert float(silent.rate) == pytest.approx(1.0 / tau_m, rel=1e-6)
    with pytest.raises(ValueError, match=r"take the state from circuit.on_grid\(1\)"):
        conditional_lyapunov(liquid, liquid.init_state(), u, dt=1.0)


def test_bad_input_is_named():
    line, u = Line(jnp.array(0.5)), np.zeros((20, 1))
    one = jax.tree.map(lambda x: x[0], SPREAD)
    net = nj.circuits.EchoState(3, inputs=1)
    rest = net.init_state()
    refused = [
        (lambda: echo_state_index(line, u, starts(1.0), dt=1.0), "at least two states"),
        (lambda: echo_state_index(line, u, SPREAD, dt=1.0, window=21), "window=21"),
        (lambda: echo_state_index(line, u, SPREAD, dt=1.0, tolerance=-1.0), "tolerance must"),
        (lambda: echo_state_index(line, u, SPREAD, dt=1.0, tolerance=np.nan), "tolerance must"),
        (lambda: echo_state_index(line, {"u": u, "v": u[:3]}, SPREAD, dt=1.0), "same first axis"),
        (lambda: echo_state_index(line, u, {"x": SPREAD["x"]}, dt=1.0), "a state of Line"),
        (lambda: conditional_lyapunov(line, one, u, dt=1.0, count=2), "count must be"),
        (lambda: conditional_lyapunov(line, one, u, dt=1.0, every=3), "every=3"),
        (lambda: conditional_lyapunov(line, one, np.zeros(()), dt=1.0), "inputs must be"),
        (lambda: conditional_lyapunov(net, rest, u[:, 0], dt=1.0), r"got \(20,\); one channel is"),
        (lambda: conditional_lyapunov(net, rest, {"u": u[:, [0, 0]]}, dt=1.0), r"got \(20, 2\)"),
        (lambda: echo_state_index(net, u[:, 0], {"h": np.eye(3)}, dt=1.0), r"\(20, 1\) for the 1"),
    ]
    for make, message in refused:
        with pytest.raises(ValueError, match=message):
            make()
