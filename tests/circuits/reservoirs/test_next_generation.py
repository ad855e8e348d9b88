"""Nonlinear vector autoregression against a plain loop, and on the Lorenz system."""

from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neurojax as nj
from neurojax.analysis.reservoirs import valid_prediction_time
from neurojax.circuits.reservoirs.next_generation import NextGeneration


def test_the_features_are_those_of_a_loop():
    k, s, d, steps = 3, 2, 2, 9
    reservoir = NextGeneration(d, delays=k, stride=s, degrees=(3, 2))
    u = np.random.default_rng(0).normal(size=(steps, d))
    trials = nj.tasks.Trials(u, np.zeros((steps, 0)), dt=1.0)
    found = np.asarray(nj.fitting.unroll(reservoir, trials).rates)
    before = np.concatenate([np.zeros((k * s, d)), u])
    expected = []
    for t in range(k * s, k * s + steps):
        linear = [before[t - i * s, c] for i in range(k) for c in range(d)]
        m = len(linear)
        square = [linear[a] * linear[b] for a in range(m) for b in range(a, m)]
        cubic = [
            linear[a] * linear[b] * linear[c]
            for a in range(m)
            for b in range(a, m)
            for c in range(b, m)
        ]
        expected.append(linear + square + cubic)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert reservoir.n == 6 + comb(7, 2) + comb(8, 3) == len(reservoir.names())
    assert reservoir.names(["x", "y"])[6:8] == ["x[t] x[t]", "x[t] y[t]"]
    assert reservoir.names()[-1] == "u1[t-4] u1[t-4] u1[t-4]"


def lorenz(seed, **options):
    """800 points at 0.025 of the raw Lorenz system, after a transient, by scipy."""
    slope = lambda _, y: [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]
    start = np.random.default_rng(seed).normal(size=3) * 8.0 + np.array([0.0, 0.0, 23.5])
    times = np.arange(1000) * 0.025
    return solve_ivp(slope, (0, 25), start, t_eval=times, **options).y.T[200:]


def lyapunov_times(x, penalty):
    reservoir = NextGeneration(3, delays=2, stride=1, degrees=2)
    fitted = nj.fitting.fit_readout(
        reservoir, x[:401], x[1:402], method=nj.fitting.Ridge(penalty), washout=1
    )
    return valid_prediction_time(
        x[402:], fitted.generate(len(x) - 402), dt=0.025, lyapunov_time=1 / 0.9056
    )


def test_it_forecasts_lorenz_for_lyapunov_times_as_published():
    # 400 points of Runge-Kutta 2(3) at its usual tolerance, two delays, squares: about 5 in the
    # paper. The roughness of that series is part of it, see below
    times = [lyapunov_times(lorenz(seed, method="RK23"), 2.5e-6) for seed in range(5)]
    assert np.median(times) > 3.5, times


def test_an_exact_series_needs_a_larger_penalty():
    smooth = [lorenz(seed, method="DOP853", rtol=1e-11, atol=1e-11) for seed in range(5)]
    assert np.median([lyapunov_times(x, 2.5e-6) for x in smooth]) < 0.5
    assert np.median([lyapunov_times(x, 1e-3) for x in smooth]) > 3.5


def test_a_gradient_of_the_features_is_right():
    reservoir = NextGeneration(2, delays=2, degrees=(2,))
    past = jnp.array([[0.3, -0.7], [0.0, 1.2]])
    slope = jax.jacobian(lambda x: reservoir.rates({"past": x}))(past).reshape(reservoir.n, -1)
    x = np.asarray(past).ravel()
    rows = [np.eye(4)[i] for i in range(4)]
    rows += [x[b] * np.eye(4)[a] + x[a] * np.eye(4)[b] for a in range(4) for b in range(a, 4)]
    np.testing.assert_allclose(slope, rows, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": 0}, "inputs must be a whole number"),
        ({"delays": 0}, "delays must be a whole number"),
        ({"stride": 0}, "stride must be a whole number"),
        ({"degrees": (1, 2)}, "each of the degrees"),
        ({"outputs": 1, "output": np.zeros((1, 3))}, "output must have shape"),
    ],
)
def test_bad_input_is_refused_at_the_door(arguments, message):
    with pytest.raises(ValueError, match=message):
        NextGeneration(**({"inputs": 1} | arguments))
