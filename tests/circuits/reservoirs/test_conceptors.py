"""Conceptors against their closed forms, the laws of logic, and patterns that come back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.circuits.reservoirs.conceptors import Conceptor, conceptor
from neurojax.circuits.reservoirs.with_conceptor import WithConceptor, load_patterns

EchoState = nj.circuits.EchoState
RATES = np.random.default_rng(0).normal(size=(200, 6)) * np.array([2.0, 1.0, 0.5, 0.2, 0.1, 0.05])


def random_conceptor(seed, rank=6):
    x = np.random.default_rng(seed).normal(size=(50, rank))
    x = x @ np.random.default_rng(seed + 100).normal(size=(rank, 6))
    return conceptor(x, aperture=1.0)


def test_a_conceptor_is_its_closed_form_and_has_the_right_limits():
    R = RATES.T @ RATES / 200
    expected = R @ np.linalg.inv(R + np.eye(6) / 3.0**2)
    C = conceptor(RATES, 3.0)
    np.testing.assert_allclose(C.matrix, expected, rtol=1e-10, atol=1e-13)
    assert C.quota == pytest.approx(np.trace(expected) / 6, rel=1e-10)
    np.testing.assert_allclose(C.with_aperture(2.0).matrix, conceptor(RATES, 6.0).matrix, rtol=1e-8)
    np.testing.assert_allclose(conceptor(RATES, 1e-7).matrix, 0.0, atol=1e-12)
    flat = RATES * np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    onto = turn[:, :4] @ turn[:, :4].T
    np.testing.assert_allclose(conceptor(flat @ turn.T, 1e7).matrix, onto, atol=1e-9)
    # an infinite aperture gives the projection, whatever rounding has left of silent directions
    np.testing.assert_allclose(conceptor(flat @ turn.T, np.inf).matrix, onto, atol=1e-9)
    np.testing.assert_array_equal(conceptor(np.zeros((9, 2)), np.inf).matrix, np.zeros((2, 2)))
    wide = conceptor(flat @ turn.T, 2.0).with_aperture(np.inf)
    np.testing.assert_allclose(wide.matrix, onto, atol=1e-9)


def test_the_laws_of_logic():
    A, B, C = random_conceptor(1), random_conceptor(2), random_conceptor(3, rank=3)
    same = lambda X, Y: np.testing.assert_allclose(X.matrix, Y.matrix, atol=1e-9)
    same(~~A, A)
    same(~(A & B), ~A | ~B)
    same(~(A | C), ~A & ~C)
    same(A & C, C & A)
    same((A & B) & C, A & (B & C))
    same((A | B) | C, A | (B | C))
    none, all_ = Conceptor(np.zeros((6, 6))), Conceptor(np.eye(6))
    same(A & all_, A)
    same(C & none, none)
    same(C | none, C)
    same(C | all_, all_)


def test_conjunction_and_disjunction_are_those_of_the_definitions():
    A, B = random_conceptor(1), random_conceptor(2)
    a, b = np.asarray(A.matrix), np.asarray(B.matrix)
    expected = np.linalg.inv(np.linalg.inv(a) + np.linalg.inv(b) - np.eye(6))
    np.testing.assert_allclose((A & B).matrix, expected, atol=1e-10)
    # of data: the correlations of both add up
    x, y = RATES, RATES[::-1, ::-1]
    X, Y = x.T @ x / 200, y.T @ y / 200
    expected = (X + Y) @ np.linalg.inv(X + Y + np.eye(6) / 4.0)
    np.testing.assert_allclose((conceptor(x, 2.0) | conceptor(y, 2.0)).matrix, expected, atol=1e-9)
    # projections on planes meet in the line that they share
    e = np.eye(6)
    plane = lambda i, j: Conceptor(np.diag(e[i] + e[j]))
    np.testing.assert_allclose((plane(0, 1) & plane(1, 2)).matrix, np.diag(e[1]), atol=1e-12)
    np.testing.assert_allclose(
        (plane(0, 1) | plane(1, 2)).matrix, np.diag(e[:3].sum(0)), atol=1e-12
    )


@pytest.fixture(scope="module")
def loaded():
    # the first example of the source: two sines of similar, irrational periods
    time = np.arange(700)
    patterns = [np.sin(2 * np.pi * time / period)[:, None] for period in PERIODS]
    reservoir = EchoState(
        100, inputs=1, radius=1.5, density=0.1, bias_scaling=0.3, input_scaling=1.5,
        key=jax.random.key(2),
    )  # fmt: skip
    return load_patterns(reservoir, patterns, washout=200)


PERIODS = (8.8342522, 9.8342522)


def residual(y, period):
    """The part of y that is no sine of this period, whatever its phase."""
    time = np.arange(len(y))
    basis = np.stack([f(2 * np.pi * time / period) for f in (np.sin, np.cos)], axis=1)
    found = np.linalg.lstsq(basis, y, rcond=None)[0]
    return np.sqrt(np.mean((y - basis @ found) ** 2) / np.var(y)), np.hypot(*found)


def test_each_conceptor_brings_its_pattern_back(loaded):
    assert loaded.nrmse < 0.02
    both = [conceptor(rates, 10.0) for rates in loaded.rates]
    circuit = WithConceptor(loaded.circuit, both)
    start = circuit.start({"h": 0.5 * jax.random.normal(jax.random.key(0), (100,))})
    run = jax.jit(
        lambda mix: nj.simulate(
            circuit, duration=800.0, dt=1.0, state=start, inputs={"mix": mix},
            record={"y": "output"},
        )["y"][:, 0]
    )  # fmt: skip
    for i in (0, 1):
        y = np.asarray(run(jnp.eye(2)[i]))[400:600]
        error, amplitude = residual(y, PERIODS[i])
        assert error < 0.1 and amplitude == pytest.approx(1.0, abs=0.1)
        assert residual(y, PERIODS[1 - i])[0] > 0.5
    # half of each: a period in between
    y = np.asarray(run(jnp.array([0.5, 0.5])))[400:]
    spectrum = np.abs(np.fft.rfft(y * np.hanning(len(y)), 2**14))
    period = 2**14 / np.argmax(spectrum)
    assert PERIODS[0] + 0.2 < period < PERIODS[1] - 0.2


def test_without_mix_it_is_the_first_and_a_loop(loaded):
    C = conceptor(loaded.rates[0], 5.0)
    circuit = WithConceptor(loaded.circuit, C)
    plain = nj.unwrap(loaded.circuit)
    W, b = np.asarray(plain.recurrent), 0.3 * np.asarray(plain.bias)
    h, expected = np.asarray(loaded.states[0]["h"]), []
    for _ in range(10):
        h = np.asarray(C.matrix) @ np.tanh(W @ h + b)
        expected.append(np.asarray(plain.output) @ h)
    sim = nj.simulate(
        circuit, duration=10.0, dt=1.0, state=circuit.start(loaded.states[0]),
        record={"y": "output"},
    )  # fmt: skip
    np.testing.assert_allclose(sim["y"], expected, rtol=1e-9)


def test_bad_input_is_refused_at_the_door():
    with pytest.raises(ValueError, match="must be symmetric"):
        Conceptor(np.triu(np.ones((3, 3))))
    for matrix in (5 * np.eye(3), -0.5 * np.eye(3), np.ones((3, 3))):
        with pytest.raises(ValueError, match=r"eigenvalues in \[0, 1\]"):
            Conceptor(matrix)
    with pytest.raises(ValueError, match="matrix of a conceptor must be finite"):
        Conceptor(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="rates must be finite, got 1 times nan"):
        conceptor(np.array([[1.0, np.nan]]))
    for combine in (lambda a, b: a & b, lambda a, b: a | b):
        with pytest.raises(TypeError, match="combine with conceptors, got ndarray"):
            combine(Conceptor(np.eye(2)), np.eye(2))
    with pytest.raises(ValueError, match="of the same size"):
        Conceptor(np.eye(2)) & Conceptor(np.eye(3))
    with pytest.raises(ValueError, match="aperture must be positive"):
        conceptor(RATES, 0.0)
    with pytest.raises(ValueError, match="state is its rates"):
        WithConceptor(EchoState(3, form="external"), Conceptor(np.eye(3)))
    with pytest.raises(ValueError, match="for 2 units, the circuit has 3"):
        WithConceptor(EchoState(3), Conceptor(np.eye(2)))
    with pytest.raises(TypeError, match=r"conceptors\[0\] must be a Conceptor"):
        WithConceptor(EchoState(3), [np.eye(3)])
    with pytest.raises(ValueError, match="form='internal', inputs"):
        load_patterns(EchoState(3), [np.ones((300, 1))])
    for name in ("penalty", "output_penalty"):
        with pytest.raises(ValueError, match=f"^{name} must be positive, got -1"):
            load_patterns(EchoState(3, inputs=1), [np.ones((300, 1))], **{name: -1.0})
    two = WithConceptor(EchoState(3), [Conceptor(np.eye(3)), Conceptor(np.zeros((3, 3)))])
    with pytest.raises(ValueError, match=r"^mix must have shape \(2,\), .* got \(3,\)"):
        nj.simulate(two, duration=2.0, dt=1.0, inputs={"mix": jnp.ones(3)})
    with pytest.raises(ValueError, match="without noise"):
        load_patterns(EchoState(3, inputs=1, noise=0.1), [np.ones((300, 1))])
