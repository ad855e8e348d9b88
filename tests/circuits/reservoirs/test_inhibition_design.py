"""Inhibition designed in one step: the fixed point that it makes, and targets out of reach."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logit

import neurojax as nj
from neurojax.circuits.reservoirs.driven_rates import driven_rates
from neurojax.circuits.reservoirs.ei_reservoir import EIReservoir
from neurojax.circuits.reservoirs.inhibition_design import design_inhibition


def test_the_targets_are_a_fixed_point_under_the_mean_input():
    """With a leak, a balance, thresholds, gains, two channels and feedback; to rounding."""
    reservoir = EIReservoir(
        20, inputs=2, outputs=1, feedback=np.linspace(-0.1, 0.1, 20)[:, None], indegree=20.0,
        balance=1.4, leak=0.5, threshold=-0.05, gain=np.linspace(5.0, 10.0, 20),
        key=jax.random.key(2),
    )  # fmt: skip
    target, mean_input = np.linspace(0.3, 0.6, 20), np.array([0.3, -0.2])
    designed, design = design_inhibition(reservoir, mean_input, target)
    assert design.reachable.all()
    state, _ = nj.unwrap(designed).step(
        {"r": jnp.asarray(target)}, {"u": jnp.asarray(mean_input)}, nj.Clock(0, 1.0)
    )
    np.testing.assert_allclose(state["r"], target, atol=1e-12)
    # each row is scaled as a whole
    before, after = (np.asarray(nj.unwrap(r).inhibition) for r in (reservoir, designed))
    np.testing.assert_allclose(after, before * np.asarray(design.scale)[:, None], atol=1e-14)


@pytest.mark.parametrize("target", [0.3, 0.5, 0.6, "Beta"])
def test_simulated_mean_rates_meet_the_targets(target):
    """The mean of the population within 0.03, as is the mean over neurons of |difference|."""
    reservoir = EIReservoir(300, key=jax.random.key(1))
    rng = np.random.default_rng(0)
    rho = np.clip(rng.beta(2.0, 2.0, 300), 0.02, 0.98) if target == "Beta" else target
    inputs = rng.uniform(-1.0, 1.0, size=(1000, 1))
    designed, design = design_inhibition(reservoir, 0.0, rho)
    rates = driven_rates(designed, inputs)
    assert not bool(rates.alternates)
    off = np.asarray(rates.mean - design.target)
    assert abs(off.mean()) < 0.03 and np.abs(off).mean() < 0.03


def test_targets_out_of_reach_are_reported():
    """One neuron with too little excitation, one without inhibition, worked out by hand."""
    reservoir = EIReservoir(
        4, inputs=0, excitatory=0.5,
        excitation=np.array([[1.0, 0.0], [0.1, 0.0], [1.0, 1.0], [1.0, 0.0]]),
        inhibition=np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.5]]),
    )  # fmt: skip
    rho = 0.8  # needs a current of logit(0.8) / 10 = 0.139
    with pytest.warns(UserWarning, match=r"2 of 4 neurons cannot reach.*neuron 1"):
        designed, design = design_inhibition(reservoir, 0.0, rho)
    assert design.reachable.tolist() == [True, False, False, True]
    need = logit(rho) / 10.0
    expected = [(0.8 - need) / 0.8, 0.0, 1.0, (0.8 - need) / 0.4]  # 0.08 - 0.139 is below zero
    np.testing.assert_allclose(design.scale, expected, rtol=1e-12)
    assert (np.asarray(nj.unwrap(designed).inhibition) >= 0).all()
    with pytest.raises(ValueError, match="2 of 4 neurons cannot reach their target rates"):
        design_inhibition(reservoir, 0.0, rho, strict=True)
    with warnings.catch_warnings():  # within a transform only the result says so
        warnings.simplefilter("error")
        _, many = eqx.filter_vmap(lambda rho: design_inhibition(reservoir, 0.0, rho))(
            jnp.array([0.5, 0.8])
        )
    assert many.reachable.tolist() == [[True, True, False, True], [True, False, False, True]]


def test_a_fixed_point_that_is_not_stable_is_reported():
    reservoir = EIReservoir(200, indegree=40)
    with pytest.warns(UserWarning, match=r"rates are 0.2\d+ in the mean, not 0.1 and alternate"):
        design_inhibition(reservoir, 0.0, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design_inhibition(reservoir, 0.0, 0.5)
        jax.jit(lambda rho: design_inhibition(reservoir, 0.0, rho)[1].scale)(0.1)


def test_its_gradient_is_that_of_finite_differences():
    reservoir = nj.unwrap(EIReservoir(20, inputs=2, indegree=20.0, key=jax.random.key(2)))
    inputs = np.random.default_rng(0).uniform(-1.0, 1.0, size=(20, 2))

    @jax.jit
    def score(target):
        designed, _ = design_inhibition(reservoir, 0.1, target)
        return jnp.sum(jnp.cos(jnp.arange(20.0)) * driven_rates(designed, inputs, washout=5).mean)

    at = jnp.asarray(0.4)
    numeric = float(score(at + 1e-6) - score(at - 1e-6)) / 2e-6
    assert float(jax.grad(score)(at)) == pytest.approx(numeric, rel=1e-6)


def test_refused_arguments():
    reservoir = EIReservoir(20, inputs=2, indegree=8.0)
    with pytest.raises(ValueError, match=r"mean_input must be a scalar or have shape \(2,\)"):
        design_inhibition(reservoir, np.zeros(3), 0.5)
    with pytest.raises(ValueError, match="both excluded"):
        design_inhibition(reservoir, 0.0, 1.0)
