"""Reservoirs in continuous time, and on the wiring of a worm: nothing new, put together."""

import diffrax
import jax
import numpy as np
import optax
from scipy.integrate import solve_ivp

import neurojax as nj

PERIOD = 20.0  # ms


def wave(t):
    return np.stack([np.sin(2 * np.pi * t / PERIOD), np.cos(2 * np.pi * t / PERIOD)], axis=-1)


def asked(t):
    return wave(t)[:, :1] ** 3


def test_a_rate_network_is_a_reservoir_in_continuous_time():
    reservoir = nj.circuits.RateRNN(
        40, inputs=2, tau=5.0, recurrent=nj.circuits.Gaussian(0.9),
        solver=nj.solvers.RungeKutta4(), key=jax.random.key(1),
    )  # fmt: skip
    # an input is held for a step, at its middle; a rate is that at the end of the step
    dt = 0.1
    time = dt * np.arange(2000)
    fitted = nj.fitting.fit_readout(
        reservoir, wave(time + dt / 2), asked(time + dt), washout=500, dt=dt,
        method=nj.fitting.Ridge(1e-3),
    )  # fmt: skip
    assert fitted.nrmse < 0.02 and fitted.dt == dt
    # the circuit that was fitted runs in continuous time with adaptive steps: the smooth input
    # itself, and the read-out of states at any times
    smooth = nj.inputs.Sine(1.0, 1000.0 / PERIOD, phase=np.array([0.0, np.pi / 2]))
    times = np.array([55.5, 100.0, 123.456, 170.0])
    sim = nj.simulate(
        fitted.circuit, duration=200.0, inputs={"u": smooth}, solver=diffrax.Tsit5(),
        stepsize_controller=diffrax.PIDController(rtol=1e-9, atol=1e-9),
        record={"x": nj.Trace("x", at=times), "z": nj.Trace("output", at=times),
                "r": nj.Trace("rate", [3, 5], at=times)},
    )  # fmt: skip
    plain = nj.unwrap(fitted.circuit)
    W, B = np.asarray(plain.recurrent), np.asarray(plain.input)
    slope = lambda t, x: (-x + W @ np.tanh(x) + B @ wave(t)) / 5.0
    exact = solve_ivp(slope, (0, 200), np.zeros(40), t_eval=times, rtol=1e-10, atol=1e-10).y.T
    np.testing.assert_allclose(sim["x"], exact, atol=1e-6)
    z = np.tanh(exact) @ np.asarray(plain.output).T + np.asarray(plain.output_bias)
    np.testing.assert_allclose(sim["z"], z, atol=1e-5)
    np.testing.assert_allclose(sim["r"], np.tanh(exact[:, [3, 5]]), atol=1e-6)
    np.testing.assert_allclose(z, asked(times), atol=0.05)


def test_a_connectome_is_a_reservoir_that_keeps_its_signs():
    wiring = nj.connectomes.cook2019().subset(NEURONS)
    signs = np.zeros((len(wiring), len(wiring)), int)
    signs[wiring.chemical > 0] = 1
    signs[10:20] = -signs[10:20]
    signs[20:] = 0  # the signs of these neurons are not known
    wiring = nj.connectomes.Connectome(wiring.names, wiring.chemical, wiring.gap, signs=signs)
    reservoir = nj.circuits.EchoState(
        len(wiring), inputs=1, outputs=1, radius=0.9,
        recurrent=nj.circuits.FromConnectome(wiring), key=jax.random.key(1),
    )  # fmt: skip
    plain = nj.unwrap(reservoir)
    W = np.asarray(plain.recurrent)  # [to, from]; the tables of a connectome are [from, to]
    chemical = wiring.without_self_edges().chemical.T
    np.testing.assert_array_equal(W != 0, chemical > 0)
    known = (signs.T != 0) & (chemical > 0)
    assert known.sum() > 50
    np.testing.assert_array_equal(np.sign(W)[known], signs.T[known])
    size = np.abs(W[chemical > 0]) / np.sqrt(chemical[chemical > 0])
    np.testing.assert_allclose(size, size[0], rtol=1e-5)
    radius = float(plain.radius / plain.unit) * np.abs(np.linalg.eigvals(W)).max()
    np.testing.assert_allclose(radius, 0.9, rtol=1e-9)
    # none of it is trained but the read-out
    trials = nj.tasks.Trials(np.ones((2, 5, 1)), np.ones((2, 5, 1)), dt=1.0)
    rule = nj.fitting.rules.BPTT(optax.adam(1e-2))
    trained = nj.train(reservoir, trials, rule=rule, steps=2, progress=False).circuit
    np.testing.assert_array_equal(nj.unwrap(trained).recurrent, W)
    assert np.any(np.asarray(nj.unwrap(trained).output) != 0)
    u = np.random.default_rng(0).uniform(-1, 1, size=(600, 1))
    fitted = nj.fitting.fit_readout(reservoir, u[2:], u[:-2], washout=50)
    assert fitted.nrmse < 0.1


NEURONS = [
    "ADAL", "ADAR", "AIAL", "AIAR", "AIBL", "AIBR", "AIYL", "AIYR", "AIZL", "AIZR", "ASHL", "ASHR",
    "ASKL", "ASKR", "AVAL", "AVAR", "AVBL", "AVBR", "AVDL", "AVDR", "AVEL", "AVER", "PVCL", "PVCR",
    "RIAL", "RIAR", "RIBL", "RIBR", "RIML", "RIMR", "RMDL", "RMDR", "SMDVL", "SMDVR",
]  # fmt: skip
