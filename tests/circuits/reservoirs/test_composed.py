"""Reservoirs made of reservoirs against their parts, run one by one."""

import warnings

import jax
import numpy as np
import pytest

import neurojax as nj
from neurojax.circuits.reservoirs.composed import Grouped, Stacked
from neurojax.circuits.reservoirs.next_generation import NextGeneration
from neurojax.circuits.reservoirs.with_inputs import WithInputs
from neurojax.circuits.reservoirs.with_squares import WithSquares

EchoState, RateRNN = nj.circuits.EchoState, nj.circuits.RateRNN
U = np.random.default_rng(0).normal(size=(25, 2))


def driven(circuit, u=U, dt=1.0, key=None):
    trials = nj.tasks.Trials(u, np.zeros((*u.shape[:-1], 0)), dt=dt)
    return np.asarray(nj.fitting.unroll(circuit, trials, key=key).rates)


def layers():
    return [
        EchoState(6, inputs=2, leak=0.5, key=jax.random.key(1)),
        RateRNN(5, inputs=6, tau=4.0, key=jax.random.key(2)),
        EchoState(7, inputs=5, form="external", leak=0.3, key=jax.random.key(3)),
    ]


def test_layers_are_driven_by_the_rates_below_them():
    stacked = Stacked(layers())
    expected, u = [], U
    for layer in layers():
        u = driven(layer, u)
        expected.append(u)
    np.testing.assert_allclose(driven(stacked), np.concatenate(expected, axis=1), rtol=1e-12)
    assert stacked.n == 18 and sorted(stacked.init_state()) == ["0", "1", "2"]


def test_parts_side_by_side_hear_the_same():
    sparse = EchoState(40, inputs=2, density=0.05, key=jax.random.key(4))
    parts = [layers()[0], NextGeneration(2), sparse]
    grouped = Grouped(parts)
    expected = np.concatenate([driven(part) for part in parts], axis=1)
    np.testing.assert_allclose(driven(grouped), expected, rtol=1e-12)
    batch = np.stack([U, U[::-1]] * 4)
    np.testing.assert_allclose(driven(grouped, batch)[0], expected, rtol=1e-10, atol=1e-14)


def test_equal_parts_are_warned_of():
    with pytest.warns(UserWarning, match=r"circuits\[0\] and circuits\[2\] are equal"):
        Grouped([EchoState(6, inputs=1), NextGeneration(1), EchoState(6, inputs=1, outputs=1)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Grouped([EchoState(6, inputs=1), EchoState(6, inputs=1, leak=0.5)])
        Grouped([EchoState(6, inputs=1, noise=0.1), EchoState(6, inputs=1, noise=0.1)])
        jax.jit(lambda w: Grouped([RateRNN(3, recurrent=w), RateRNN(3, recurrent=w)]))(np.eye(3))


def test_inputs_and_squares_are_among_the_rates():
    inner = layers()[0]
    rates = driven(inner)
    np.testing.assert_allclose(driven(WithInputs(inner)), np.concatenate([rates, U], 1), rtol=1e-12)
    squared = np.where(np.arange(6) % 2, rates**2, rates)
    np.testing.assert_allclose(driven(WithSquares(inner)), squared, rtol=1e-12)
    nested = WithInputs(Grouped([WithSquares(inner), inner]))
    np.testing.assert_allclose(driven(nested), np.concatenate([squared, rates, U], 1), rtol=1e-12)


def test_outputs_of_rates_and_inputs_are_fed_back():
    rng = np.random.default_rng(1)
    W, B, F, out = (rng.normal(size=s) for s in ((6, 6), (6, 2), (6, 1), (1, 8)))
    inner = EchoState(6, inputs=2, outputs=1, recurrent=W, radius=None, input=B, feedback=F,
                      bias_scaling=0.0, leak=0.5)  # fmt: skip
    circuit, targets = WithInputs(inner, output=out), rng.normal(size=(25, 1))
    for forced in (False, True):
        h, z, expected = np.zeros(6), np.zeros(1), []
        for u, target in zip(U, targets, strict=True):
            h = 0.5 * h + 0.5 * np.tanh(W @ h + B @ u + F @ z)
            expected.append(np.append(h, u))
            z = target if forced else out @ expected[-1]
        run = nj.fitting.drive(circuit, U, targets=targets if forced else None)
        np.testing.assert_allclose(run.rates, expected, rtol=1e-9)


@pytest.mark.parametrize("kind", [
    RateRNN, nj.circuits.LeakyRNN, nj.circuits.EIReservoir, nj.circuits.NeuronLevelModels,
    nj.circuits.IzhikevichReservoir,
])  # fmt: skip
def test_outputs_without_inputs_are_fed_back_as_by_the_circuit_itself(kind):
    F = 0.2 * np.random.default_rng(1).normal(size=(60, 1))
    options = {"inputs": 2, "outputs": 1, "feedback": F}
    out = np.random.default_rng(2).normal(size=(1, 60))
    inner = kind(60, output=out, **options)
    circuit = WithInputs(inner, output=np.append(out, np.zeros((1, 2)), axis=1))
    alone, both = (nj.fitting.drive(c, U).rates for c in (inner, circuit))
    np.testing.assert_allclose(both[:, :60], alone, rtol=1e-9)
    assert np.abs(alone - nj.fitting.drive(kind(60, inputs=2), U).rates).max() > 1e-3


def test_read_out_generation_and_simulation():
    x = np.stack([np.sin(0.3 * np.arange(400)), np.cos(0.3 * np.arange(400))], axis=1)
    circuit = WithInputs(Stacked([*layers()[:2], EchoState(30, inputs=5, outputs=3)]))
    fitted = nj.fitting.fit_readout(circuit, x[:300], x[1:301], washout=50)
    np.testing.assert_allclose(fitted.generate(50), x[301:351], atol=2e-2)
    np.testing.assert_allclose(
        fitted.predict(x[300:310], state=fitted.state), x[301:311], atol=1e-3
    )
    sim = nj.simulate(
        fitted.circuit, duration=300.0, dt=1.0, inputs={"u": nj.inputs.Sampled(x[:300], dt=1.0)},
        record={"z": "output", "top": "circuit.1.x"},
    )  # fmt: skip
    np.testing.assert_allclose(sim["z"], fitted.predict(x[:300]), atol=1e-9)
    assert sim["top"].shape == (300, 5)


def test_parts_have_noise_of_their_own():
    noisy = EchoState(6, inputs=2, noise=0.1)
    rates = driven(Grouped([noisy, noisy]), key=jax.random.key(0))
    assert np.abs(rates[:, :6] - rates[:, 6:]).mean() > 0.01


def test_inputs_of_a_part_go_by_its_name():
    grouped = Grouped([layers()[0], EchoState(6, inputs=2, leak=0.5, key=jax.random.key(5))])
    step = lambda inputs: grouped.rates(
        nj.unwrap(grouped).step(grouped.init_state(), inputs, nj.Clock(0, 1.0))[0]
    )
    plain, shifted = step({"u": U[0]}), step({"u": U[0], "1": {"I_e": 0.5}})
    assert np.all(shifted[:6] == plain[:6]) and np.all(shifted[6:] != plain[6:])


def test_bad_parts_are_refused_at_the_door():
    first, second, _ = layers()
    with pytest.raises(ValueError, match="list of at least one circuit"):
        Stacked([])
    with pytest.raises(ValueError, match=r"circuits must be a list .* got None"):
        Grouped(None)
    with pytest.raises(ValueError, match=r"layer 1 has 2 inputs, .* 6 rates"):
        Stacked([first, first])
    with pytest.raises(ValueError, match="as many inputs as each other"):
        Grouped([first, second])
    with pytest.raises(TypeError, match=r"circuits\[1\] must be a recurrent circuit"):
        Grouped([first, nj.circuits.ClassicalHopfield([[1, -1]])])
    fed = EchoState(5, inputs=1, outputs=1, feedback=True)
    with pytest.raises(ValueError, match="feeds its outputs back"):
        WithSquares(fed)
    with pytest.raises(ValueError, match="feeds its outputs back"):
        Stacked([WithInputs(fed)])
    with pytest.raises(ValueError, match="feeds back 1 outputs, but WithInputs has outputs=2"):
        WithInputs(fed, outputs=2)
    with pytest.raises(nj.UnknownNameError, match="never reads the input 'I_e'"):
        nj.simulate(WithInputs(first), duration=1.0, dt=1.0, inputs={"u": U[0], "I_e": 1.0})
    with pytest.raises(ValueError, match="it has none"):
        WithInputs(EchoState(5))
