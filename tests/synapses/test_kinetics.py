"""Receptors alone: what an impulse becomes, its peak and area, and the gradients of these."""

import exact_kinetics as exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import neurojax as nj
from neurojax.synapses import cascade

S = nj.synapses

# equal times, equal up to rounding, close, just apart, far apart, and exchanged
TIMES = [
    (3.0, 3.0), (3.0, 3.0 * (1 + 1e-15)), (3.0, 3.0 * (1 - 1e-9)), (3.0, 3.001), (3.0, 4.2),
    (0.2, 7.0), (1e-3, 100.0), (7.0, 0.2),
]  # fmt: skip


@pytest.mark.parametrize(("rise", "decay"), TIMES)
def test_two_stages_also_where_the_times_are_equal(rise, decay):
    """Values and gradients against 80-digit arithmetic."""
    for h in (1e-3, 0.1, 2.0, 50.0):
        # what is left of a sum of two exponents of size h / tau is a few units of rounding of it
        rtol = 1e-14 * (1 + h / min(rise, decay))
        found = cascade.transferred(jnp.asarray(rise), jnp.asarray(decay), h)
        expected = float(exact.response(rise, decay, h))
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-300)
        slopes = jax.grad(cascade.transferred, argnums=(0, 1, 2))(rise, decay, h)
        for i, found in enumerate(slopes):
            expected = exact.slope(exact.response, (rise, decay, h), i)
            np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("rise", "decay"), TIMES)
def test_time_and_size_of_the_peak(rise, decay):
    receptor = S.DoubleExpCurrent(rise, decay, normalise="area")
    height = lambda rise, decay: S.DoubleExpCurrent(rise, decay, normalise="area").peak
    by_area = lambda rise, decay: exact.peak(rise, decay) / (rise * decay)
    for found, expected in (
        (receptor.peak_time, exact.peak_time(rise, decay)),
        (receptor.peak * rise * decay, exact.peak(rise, decay)),
    ):
        np.testing.assert_allclose(found, float(expected), rtol=1e-13)
    for i in range(2):
        found = jax.grad(lambda *taus: S.DoubleExpCurrent(*taus).peak_time, i)(rise, decay)
        expected = exact.slope(exact.peak_time, (rise, decay), i)
        np.testing.assert_allclose(found, expected, rtol=1e-11)
        found = jax.grad(height, i)(rise, decay)
        np.testing.assert_allclose(found, exact.slope(by_area, (rise, decay), i), rtol=1e-11)


def test_second_derivatives_at_the_singular_point():
    """t e^(-t/tau): by both times, d2f/da db = t^3/6 e^(-at) in the rates a and b."""
    f = lambda a, b: cascade.transferred(1 / a, 1 / b, 2.0)
    found = jax.grad(jax.grad(f), argnums=1)(0.5, 0.5)
    np.testing.assert_allclose(found, 2.0**3 / 6 * np.exp(-1.0), rtol=1e-12)


def receptors(normalise="peak"):
    two = {"tau_rise": 0.7, "tau_decay": 4.0, "normalise": normalise}
    return {
        "exp": S.ExpCurrent(3.0, normalise),
        "exp conductance": S.ExpConductance(3.0, 0.0, normalise),
        "alpha": S.AlphaCurrent(3.0, normalise),
        "alpha conductance": S.AlphaConductance(3.0, 0.0, normalise),
        "double": S.DoubleExpCurrent(**two),
        "double conductance": S.DoubleExpConductance(**two),
        "double equal": S.DoubleExpConductance(3.0, 3.0, 0.0, normalise),
        "nmda": S.NMDA(**two, Mg=0.0),
    }


def shape(name, t):
    """The response without its factor, in numpy."""
    if name.startswith("exp"):
        return np.exp(-t / 3.0)
    if name.startswith("alpha") or "equal" in name:
        return t / 3.0 * np.exp(1 - t / 3.0)
    return np.exp(-t / 4.0) - np.exp(-t / 0.7)


@pytest.mark.parametrize("normalise", ["peak", "area"])
@pytest.mark.parametrize("name", receptors())
def test_a_weight_is_the_peak_or_the_area(name, normalise):
    """The course in closed form; peak by a search, area by quadrature in scipy."""
    receptor = receptors(normalise)[name]
    t = np.linspace(0.0, 60.0, 6001)
    raw = shape(name, t)
    factor = raw.max() if normalise == "peak" else quad(lambda s: shape(name, s), 0, 300)[0]
    n = t.size
    state = receptor.propagate(
        receptor.receive(receptor.init_state(n), jnp.full(n, 2.5)), jnp.array(t)
    )
    found = receptor.current(state, jnp.full(n, -1.0))  # a driving force of 1 mV
    # a search on a grid misses the peak by half its curvature times the grid squared
    np.testing.assert_allclose(found, 2.5 * raw / factor, rtol=2e-5, atol=1e-15)
    other = {"peak": receptor.area, "area": receptor.peak}[normalise]
    area = quad(lambda s: shape(name, s), 0, 300)[0]
    np.testing.assert_allclose(other, area / raw.max() if normalise == "peak" else raw.max() / area,
                               rtol=2e-5)  # fmt: skip
    np.testing.assert_allclose(t[raw.argmax()], receptor.peak_time, atol=0.01)
    assert float({"peak": receptor.peak, "area": receptor.area}[normalise]) == 1.0


@pytest.mark.parametrize("name", receptors())
def test_drift_is_the_rate_of_the_exact_flow(name):
    """And two half steps are one step."""
    receptor = receptors()[name]
    state = receptor.init_state(3)
    state = {k: jnp.array([0.4, -1.0, 2.0]) * (i + 1) for i, k in enumerate(state)}
    _, rate = jax.jvp(lambda h: receptor.propagate(state, h), (0.0,), (1.0,))
    once = receptor.propagate(state, 1.3)
    twice = receptor.propagate(receptor.propagate(state, 0.9), 0.4)
    for leaf, found in receptor.drift(state).items():
        np.testing.assert_allclose(found, rate[leaf], rtol=1e-13)
        np.testing.assert_allclose(once[leaf], twice[leaf], rtol=1e-13)


def test_linear_receptors_are_stepped_exactly():
    for name, receptor in receptors().items():
        current_based = name in ("exp", "alpha", "double")
        assert receptor.is_linear == current_based
        solver = nj.neurons.LIF(receptors={"port": receptor}).solver
        assert isinstance(solver, nj.solvers.Propagator) == current_based
    assert isinstance(
        nj.neurons.LIF(receptors={"port": S.Delta()}).solver, nj.solvers.Propagator
    )  # fmt: skip


def test_parameters_per_neuron():
    """Equal times for one neuron and different ones for another, in one array."""
    receptor = S.DoubleExpConductance(tau_rise=jnp.array([2.0, 1.0]), tau_decay=2.0)
    state = receptor.propagate(receptor.receive(receptor.init_state(2), jnp.ones(2)), 1.5)
    one = lambda rise: float(exact.response(rise, 2.0, 1.5) / exact.peak(rise, 2.0))
    np.testing.assert_allclose(state["g"], [one(2.0), one(1.0)], rtol=1e-13)
    with pytest.raises(ValueError, match=r"tau_rise of DoubleExpConductance .* shape \(3,\)"):
        receptor.init_state(3)


def test_single_precision_at_and_near_the_singular_point(float32):
    for decay in (3.0, 3.0 * (1 + 2e-7), 3.001, 4.0):
        receptor = S.DoubleExpCurrent(3.0, decay)
        state = receptor.propagate(receptor.receive(receptor.init_state(1), jnp.ones(1)), 0.1)
        decay = float(receptor.tau_decay)
        expected = float(exact.response(3.0, decay, 0.1) / exact.peak(3.0, decay))
        np.testing.assert_allclose(state["I"][0], expected, rtol=1e-6)


def test_magnesium_block():
    """The published formula, and values by hand: at 0 mV 1 / (1 + 1 / 3.57)."""
    V = np.array([-90.0, -60.0, -20.0, 0.0, 40.0])
    for Mg in (0.5, 1.0, 2.0):
        expected = 1 / (1 + Mg / 3.57 * np.exp(-0.062 * V))
        np.testing.assert_allclose(S.NMDA(Mg=Mg).unblocked(jnp.array(V)), expected, rtol=1e-13)
    assert float(S.NMDA().unblocked(0.0)) == pytest.approx(3.57 / 4.57, rel=1e-14)
    np.testing.assert_array_equal(S.NMDA(Mg=0.0).unblocked(jnp.array(V)), np.ones(5))
    nmda = S.NMDA(E_rev=5.0)
    state = {"g": jnp.array([2.0]), "dg": jnp.zeros(1)}
    expected = 2.0 / (1 + np.exp(0.062 * 60) / 3.57) * 65.0
    np.testing.assert_allclose(nmda.current(state, jnp.array([-60.0])), expected, rtol=1e-13)


def test_the_block_has_finite_gradients(float32):
    for Mg in (0.0, 1.0):
        for V in (-1500.0, -60.0, 1500.0):
            slopes = jax.grad(lambda Mg, V: S.NMDA(Mg=Mg).unblocked(V), (0, 1))(Mg, V)
            assert np.all(np.isfinite(slopes))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: S.ExpCurrent(tau=0.0), "tau of ExpCurrent must be positive"),
        (lambda: S.AlphaConductance(tau=-1.0), "tau of AlphaConductance must be positive"),
        (lambda: S.DoubleExpCurrent(tau_rise=0.0), "tau_rise of DoubleExpCurrent must be positive"),
        (lambda: S.NMDA(Mg=-1.0), "Mg of NMDA must not be negative"),
        (lambda: S.ExpConductance(E_rev=np.nan), "E_rev of ExpConductance must be finite, got nan"),
        (lambda: S.AlphaConductance(E_rev=np.inf), "E_rev of AlphaConductance must be finite"),
        (lambda: S.DoubleExpConductance(E_rev=[0.0, np.nan]), "E_rev of DoubleExpConductance must"),
        (lambda: S.NMDA(E_rev=np.nan), "E_rev of NMDA must be finite"),
        (lambda: S.InjectedConductance(E_rev=np.nan), "E_rev of InjectedConductance must be"),
        (lambda: S.AlphaCurrent(normalise="aera"), "normalise of AlphaCurrent.*mean 'area'"),
        (lambda: S.ExpConductance(normalise="sum"), "normalise of ExpConductance.*Known: peak"),
    ],
)
def test_refused_parameters(make, message):
    with pytest.raises(ValueError, match=message):
        make()
