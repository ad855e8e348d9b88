"""Postsynaptic potentials on a passive membrane, in closed form or by scipy."""

import equinox as eqx
import exact_kinetics as exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import neurojax as nj

S = nj.synapses
C_m, g_L = 200.0, 20.0
TAU = C_m / g_L  # 10 ms; the membrane rests at 0 mV, so that no digits are lost to an offset
WEIGHT = 400.0


def cell(receptor, n=1, **arguments):
    return nj.neurons.LIF(
        C_m=arguments.pop("C_m", C_m), g_L=g_L, E_L=0.0, V_th=1e6, V_reset=0.0, n=n,
        receptors={"port": receptor}, **arguments,
    )  # fmt: skip


def potential(neuron, weight, duration, dt):
    """V (step, neuron) after an impulse at time zero."""
    state = neuron.receive(neuron.init_state(), {"port": jnp.full(neuron.n, weight)})
    sim = nj.simulate(neuron, duration=duration, dt=dt, state=state, record={"V": "V_m"})
    return sim["V"]


# tau_rise and tau_decay, also where they are equal to each other, to the membrane's, or nearly
PAIRS = np.array([
    (0.5, 6.0), (6.0, 0.5), (4.0, 4.0), (TAU, 4.0), (0.5, TAU), (TAU, TAU),
    (TAU * (1 + 1e-9), TAU * (1 - 1e-9)), (4.0, 4.0 * (1 + 1e-12)), (4.0, 4.001),
])  # fmt: skip
rises, decays = PAIRS.T
peaks = np.array([float(exact.peak(*pair)) for pair in PAIRS])
CURRENTS = {  # receptor, chain of time constants, what a unit of weight puts into its first
    "exp": (lambda: S.ExpCurrent(rises), [[r] for r in rises], np.ones(9)),
    "alpha": (lambda: S.AlphaCurrent(decays), [[d, d] for d in decays], np.e / decays),
    "double": (lambda: S.DoubleExpCurrent(rises, decays), PAIRS, 1 / peaks),
}


@pytest.mark.parametrize("name", CURRENTS)
def test_potential_of_a_current(name):
    """Against the matrix exponential of the chain with the membrane at its end; dt is coarse."""
    make, chains, gains = CURRENTS[name]
    dt, steps = 1.5, 20
    found = potential(cell(make(), n=9), WEIGHT, steps * dt, dt)
    for i, (taus, gain) in enumerate(zip(chains, gains, strict=True)):
        A = np.diag([-1 / tau for tau in [*taus, TAU]])
        A += np.diag([1.0] * (len(taus) - 1) + [1 / C_m], -1)
        y0 = np.zeros(len(A))
        y0[0] = WEIGHT * gain
        step = expm(A * dt)  # powers of it: for large times scipy loses digits at equal rates
        expected = [(np.linalg.matrix_power(step, k) @ y0)[-1] for k in range(1, steps + 1)]
        np.testing.assert_allclose(found[:, i], expected, rtol=1e-12)
    # without a matrix where all times are equal
    t, equal = dt * np.arange(1, steps + 1), {"exp": 3, "alpha": 4, "double": 5}[name]
    chain = t if name == "exp" else np.e / TAU * t**2 / 2
    expected = WEIGHT / C_m * chain * np.exp(-t / TAU)
    np.testing.assert_allclose(found[:, equal], expected, rtol=1e-12)


CONDUCTANCES = {
    "exp": (S.ExpConductance(3.0, 70.0), lambda t: np.exp(-t / 3)),
    "alpha": (S.AlphaConductance(2.0, 70.0), lambda t: t / 2 * np.exp(1 - t / 2)),
    "double": (
        S.DoubleExpConductance(0.8, 6.0, 70.0, "area"),
        lambda t: (np.exp(-t / 6) - np.exp(-t / 0.8)) / (6 - 0.8),
    ),
    "nmda": (
        S.NMDA(2.0, 20.0, 70.0, Mg=1.2, normalise="area"),
        lambda t: (np.exp(-t / 20) - np.exp(-t / 2)) / 18,
    ),
}


@pytest.mark.parametrize("name", CONDUCTANCES)
def test_potential_of_a_conductance(name):
    """Against an adaptive solution with the conductance in closed form; second order in dt."""
    receptor, g = CONDUCTANCES[name]
    neuron, w = cell(receptor), 15.0
    block = lambda V: 1 / (1 + 1.2 / 3.57 * np.exp(-0.062 * V)) if name == "nmda" else 1.0
    rate = lambda t, V: (w * g(t) * block(V) * (70 - V) - g_L * V) / C_m
    t = np.arange(1, 25.0)
    expected = solve_ivp(rate, (0, 24), [0.0], t_eval=t, method="DOP853", rtol=1e-12, atol=1e-13)
    coarse, fine = (
        potential(neuron, w, 24.0, dt)[:, 0][round(1 / dt) - 1 :: round(1 / dt)]
        for dt in (0.02, 0.01)
    )
    errors = [np.abs(found - expected.y[0]).max() for found in (coarse, fine)]
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.02)
    assert errors[1] < 2e-6 * expected.y[0].max()
    # what is left when the error of second order is taken out
    np.testing.assert_allclose((4 * fine - coarse) / 3, expected.y[0], rtol=1e-6)


def test_impulses_through_the_ports():
    """A delta jumps by its weight at the label of its arrival; an exponential starts then."""
    neuron = nj.neurons.LIF(
        C_m=C_m, g_L=g_L, E_L=0.0, V_th=1e6, V_reset=0.0,
        receptors={"delta": S.Delta(), "exc": S.ExpCurrent(TAU, "area")},
    )  # fmt: skip
    dt, arrival = 0.5, 4
    impulse = lambda w: nj.inputs.Sampled(np.where(np.arange(20) == arrival, w, 0.0), dt)
    inputs = {"delta": impulse(3.0), "exc": impulse(WEIGHT)}
    sim = nj.simulate(neuron, duration=10.0, dt=dt, inputs=inputs, record={"V": "V_m"})
    t = dt * (np.arange(20) - arrival)
    course = (3.0 + WEIGHT / TAU / C_m * t) * np.exp(-t / TAU)
    np.testing.assert_allclose(sim["V"][:, 0], np.where(t < 0, 0.0, course), rtol=1e-12)
    assert neuron.init_state()["delta"] == {}


def last(receptor, C_m=C_m, weight=WEIGHT):
    return potential(cell(receptor, C_m=C_m), weight, 12.0, 0.6)[-1, 0]


def test_gradients_of_a_potential_at_the_singular_point():
    """tau = tau_m, exactly and nearly: against the derivative with 80 digits."""
    slopes = jax.jit(jax.grad(lambda tau, C: last(S.ExpCurrent(tau), C), (0, 1)))
    for tau in (TAU, TAU * (1 + 1e-9), TAU + 0.5):
        by_tau, by_C = slopes(tau, C_m)
        expected = WEIGHT / C_m * exact.slope(exact.response, (tau, TAU, 12.0), 0)
        np.testing.assert_allclose(by_tau, expected, rtol=1e-9)
        # V = w / C * response(tau, C / g_L, t)
        expected = WEIGHT / C_m / g_L * exact.slope(exact.response, (tau, TAU, 12.0), 1)
        expected -= WEIGHT / C_m**2 * float(exact.response(tau, TAU, 12.0))
        np.testing.assert_allclose(by_C, expected, rtol=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda a, b: S.DoubleExpCurrent(a, b),
        lambda a, b: S.DoubleExpConductance(a, b, E_rev=0.7),
        lambda a, b: S.NMDA(a, b, E_rev=0.7),
    ],
    ids=["current", "conductance", "nmda"],
)
def test_gradients_with_respect_to_the_times(make):
    """Against central differences, where rise, decay and membrane are all the same."""
    f = jax.jit(lambda a, b: last(make(a, b)))
    slopes = jax.jit(jax.grad(lambda a, b: last(make(a, b)), (0, 1)))(TAU, TAU)
    h = 1e-3
    for i, found in enumerate(slopes):
        low2, low, high, high2 = (
            float(f(*(TAU + k * h * np.eye(2)[i]))) for k in (-2, -1, 1, 2)
        )  # a difference of fourth order
        expected = (8 * (high - low) - (high2 - low2)) / (12 * h)
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_every_parameter_has_a_gradient():
    """Of an NMDA receptor at equal times, through its port; finite and not zero."""
    receptors = {"n": S.NMDA(2.0, 2.0, 70.0), "d": S.Delta()}
    neuron = nj.neurons.LIF(C_m=C_m, g_L=g_L, E_L=0.0, V_th=1e6, V_reset=0.0, receptors=receptors)
    spikes = nj.inputs.Sampled(np.where(np.arange(30) % 10 == 0, 2.0, 0.0), 0.5)
    inputs = dict.fromkeys(receptors, spikes)

    def end(receptors):
        model = eqx.tree_at(lambda m: m.receptors, neuron, receptors)
        state = nj.simulate(model, duration=15.0, dt=0.5, inputs=inputs).final_state.state
        return state["V_m"][0]

    leaves = jax.tree.leaves(eqx.filter_grad(end)(receptors))
    assert len(leaves) == 4
    assert all(np.isfinite(leaf) and leaf != 0 for leaf in leaves)
