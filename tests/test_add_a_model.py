"""The model of the page "Add a model", tested; the page shows parts of this file."""

import importlib.util
from pathlib import Path

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.integrate import solve_ivp

import neurojax as nj

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "morris_lecar.py"


def load_example():
    spec = importlib.util.spec_from_file_location("morris_lecar", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MorrisLecar = load_example().MorrisLecar
DURATION = 200.0  # ms


# --8<-- [start:scipy]
def by_scipy(current: float, times) -> np.ndarray:
    """V and w at some times, written out a second time and solved by scipy."""

    def slope(t, y):
        V, w = y
        m = (1 + np.tanh((V + 1.2) / 18)) / 2
        n = (1 + np.tanh((V - 2) / 30)) / 2
        ionic = 2 * (V + 60) + 4.4 * m * (V - 120) + 8 * w * (V + 84)
        return (current - ionic) / 20, 0.04 * np.cosh((V - 2) / 60) * (n - w)

    solution = solve_ivp(
        slope, (0, times[-1]), (-60, 0), method="DOP853", t_eval=times, rtol=1e-10, atol=1e-10
    )
    return solution.y


# --8<-- [end:scipy]


# --8<-- [start:engines]
def test_both_engines_agree_with_scipy():
    cell = MorrisLecar(n=1)
    current = {"I_e": 100.0}  # pA: enough for lasting oscillations
    V = nj.Trace("V_m", every=50)

    fixed = nj.simulate(
        cell, duration=DURATION, dt=0.02, inputs=current,
        record={"V": V, "I_Ca": nj.Trace("I_Ca", every=50)},
    )  # fmt: skip
    adaptive = nj.simulate(
        cell, duration=DURATION, dt=0.02, inputs=current, record={"V": V},
        solver=diffrax.Tsit5(), stepsize_controller=diffrax.PIDController(rtol=1e-9, atol=1e-9),
    )  # fmt: skip

    V, _ = by_scipy(100.0, fixed.times("V"))
    assert np.ptp(V[100:]) > 50  # mV: it does oscillate
    np.testing.assert_allclose(fixed["V"][:, 0], V, atol=5e-3)  # Heun with steps of 0.02 ms
    np.testing.assert_allclose(adaptive["V"][:, 0], V, atol=1e-5)
    V = fixed["V"][:, 0]
    I_Ca = 4.4 * (1 + np.tanh((V + 1.2) / 18)) / 2 * (V - 120)
    np.testing.assert_allclose(fixed["I_Ca"][:, 0], I_Ca, rtol=1e-12)  # of the same samples


# --8<-- [end:engines]


def test_heun_is_second_order():
    V, _ = by_scipy(100.0, np.array([50.0]))
    error = []
    for dt in (0.2, 0.1, 0.05):
        sim = nj.simulate(MorrisLecar(n=1), duration=50.0, dt=dt, inputs={"I_e": 100.0})
        error.append(abs(float(sim.final_state.state["V_m"][0]) - V[-1]))
    np.testing.assert_allclose(np.log2(np.divide(error[:-1], error[1:])), 2.0, atol=0.2)


# --8<-- [start:vmap]
def test_vmap_over_currents_and_over_parameters():
    def swing(current, g_Ca):
        """Peak-to-peak V in the last 100 ms."""
        cell = MorrisLecar(n=1, g_Ca=g_Ca)
        record = {"V": nj.Trace("V_m", every=5)}
        sim = nj.simulate(cell, duration=DURATION, dt=0.1, inputs={"I_e": current}, record=record)
        return jnp.ptp(sim["V"][200:])

    currents = jnp.array([0.0, 60.0, 100.0, 250.0])
    curve = jax.jit(jax.vmap(swing, in_axes=(0, None)))(currents, 4.4)
    assert list(curve > 10) == [False, False, True, False]  # rest, rest, spikes, block

    # the same as one population of cells with a parameter each
    cells = MorrisLecar(n=2, g_Ca=jnp.array([4.4, 2.0]))
    record = {"V": nj.Trace("V_m", every=5)}
    sim = nj.simulate(cells, duration=DURATION, dt=0.1, inputs={"I_e": 100.0}, record=record)
    alone = [swing(100.0, g) for g in (4.4, 2.0)]
    np.testing.assert_allclose(np.ptp(sim["V"][200:], axis=0), alone, rtol=1e-9)


# --8<-- [end:vmap]


# --8<-- [start:fit]
def test_two_conductances_are_found_by_gradient():
    recorded = by_scipy(100.0, np.arange(1, 101) * 1.0)[0]  # mV, one sample each ms

    def loss(conductances):
        sim = nj.simulate(
            MorrisLecar(n=1, **conductances), duration=100.0, dt=0.1, inputs={"I_e": 100.0},
            record={"V": nj.Trace("V_m", every=10)},
        )  # fmt: skip
        return jnp.mean((sim["V"][:, 0] - recorded) ** 2)

    optimizer = optax.adam(optax.cosine_decay_schedule(0.1, 100))

    @jax.jit
    def improve(guess, state):
        value, slope = jax.value_and_grad(loss)(guess)
        updates, state = optimizer.update(slope, state)
        return optax.apply_updates(guess, updates), state, value

    guess = {"g_Ca": jnp.array(3.8), "g_K": jnp.array(8.5)}  # nS
    assert loss(guess) > 50  # mV^2
    state = optimizer.init(guess)
    for _ in range(100):
        guess, state, value = improve(guess, state)
    assert value < 0.1
    np.testing.assert_allclose([guess["g_Ca"], guess["g_K"]], [4.4, 8.0], rtol=0.02)


# --8<-- [end:fit]


def test_gradient_agrees_with_finite_differences():
    def loss(g_K):
        sim = nj.simulate(MorrisLecar(n=1, g_K=g_K), duration=30.0, dt=0.1, inputs={"I_e": 100.0})
        return sim.final_state.state["V_m"][0]

    slope = (loss(8.0 + 1e-5) - loss(8.0 - 1e-5)) / 2e-5
    np.testing.assert_allclose(jax.grad(loss)(8.0), slope, rtol=1e-6)
