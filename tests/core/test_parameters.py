"""Parameters, distributions and the bridge to numpy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import small_models as models

import neurojax as nj


def test_positive_and_bounded_start_where_they_were_put():
    for value in (1e-6, 1.0, 3e4):
        assert float(nj.unwrap(nj.positive(value))) == pytest.approx(value, rel=1e-12)
    for value in (0.001, 0.5, 0.999):
        assert float(nj.unwrap(nj.bounded(value, 0.0, 1.0))) == pytest.approx(value, rel=1e-12)
    array = np.array([[-1.0, 2.0]])
    np.testing.assert_allclose(nj.unwrap(nj.bounded(array, -3.0, 4.0)), array, rtol=1e-12)


def test_bounds_hold_for_any_step_of_training():
    raw = nj.bounded(0.5, 0.0, 1.0)
    free = raw.args[0]
    for step in (-50.0, 50.0):
        moved = type(raw)(raw.fn, free + step, *raw.args[1:])
        assert 0.0 <= float(nj.unwrap(moved)) <= 1.0
    log = nj.positive(2.0)
    assert float(nj.unwrap(type(log)(log.fn, log.args[0] - 50.0))) > 0


def test_bounds_are_not_trained():
    slopes = eqx.filter_grad(nj.unwrap)(nj.bounded(0.3, 0.0, 1.0))
    free, *ends = jax.tree.leaves(slopes)
    assert float(free) == pytest.approx(0.3 * 0.7, rel=1e-9)
    assert [float(x) for x in ends] == [0.0, 0.0]


@pytest.mark.parametrize("value", [0.0, -1.0, np.array([1.0, -2.0]), np.nan], ids=repr)
def test_positive_refuses_what_is_not(value):
    with pytest.raises(ValueError, match="start above 0"):
        nj.positive(value)


@pytest.mark.parametrize("value", [0.0, 1.0, 2.0, np.nan])
def test_bounded_refuses_what_is_outside(value):
    with pytest.raises(ValueError, match="start between"):
        nj.bounded(value, 0.0, 1.0)


@pytest.mark.parametrize("value", [3.0, 3, np.float32(3), np.array([1.0, 2.0]), jnp.ones(2)])
def test_frozen_numbers_of_every_kind(value):
    """A Python number or a numpy array must be as frozen as an array of JAX."""
    frozen = nj.frozen(value if not isinstance(value, int) else float(value))
    slope = jax.grad(lambda p: jnp.sum(nj.unwrap(p) ** 2))(frozen)
    assert np.all(np.asarray(jax.tree.leaves(slope)[0]) == 0)


def test_frozen_part_of_a_model():
    model = nj.Block({"a": nj.frozen(models.Oscillator()), "b": models.Oscillator()})
    slopes = eqx.filter_grad(
        lambda m: sum(
            x.sum() for x in jax.tree.leaves(
                nj.simulate(m, duration=1.0, dt=0.1, inputs={"b": {"I": 0.5}}).final_state.state
            )
        )
    )(model)  # fmt: skip
    assert all(float(jnp.max(jnp.abs(x))) == 0 for x in jax.tree.leaves(slopes.parts["a"]))
    assert any(float(jnp.max(jnp.abs(x))) > 0 for x in jax.tree.leaves(slopes.parts["b"]))


def test_parameters_become_floats_of_the_default_precision():
    assert models.Oscillator(a=1).a.dtype == jnp.float64
    assert models.Oscillator(a=np.float32(1)).a.dtype == jnp.float64
    assert models.Oscillator(a=[1, 2]).a is not None


def test_parameters_in_float32(float32):
    assert models.Oscillator(a=1).a.dtype == jnp.float32


DISTRIBUTIONS = [
    (nj.random.Uniform(-65.0, -50.0), scipy.stats.uniform(-65, 15)),
    (nj.random.Normal(1.0, 2.0), scipy.stats.norm(1, 2)),
    (nj.random.LogNormal(3.0, 0.5), scipy.stats.lognorm(0.5, scale=3)),
]


@pytest.mark.parametrize(("ours", "law"), DISTRIBUTIONS, ids=lambda x: type(x).__name__)
def test_distributions(ours, law):
    x = np.asarray(ours.sample(jax.random.key(0), (20_000,)))
    assert scipy.stats.kstest(x, law.cdf).pvalue > 1e-3
    assert ours.sample(jax.random.key(0)).shape == ()


def test_distribution_with_parameters_per_neuron():
    law = nj.random.Normal(jnp.array([0.0, 100.0]), 1.0)
    x = law.sample(jax.random.key(0), (2,))
    assert abs(float(x[0])) < 10 < float(x[1])


def test_draw():
    from neurojax.core.random import draw

    np.testing.assert_array_equal(draw(2.0, None, (3,)), [2.0, 2.0, 2.0])
    assert draw(nj.random.Uniform(0.0, 1.0), jax.random.key(0), (3,)).shape == (3,)
    with pytest.raises(ValueError, match=r"key=jax\.random\.key\(0\)"):
        draw(nj.random.Uniform(0.0, 1.0), None, (3,))


def test_host_generator_follows_the_key():
    a, b = (nj.random.host_generator(jax.random.key(k)).normal(size=3) for k in (1, 2))
    assert not np.any(a == b)
    np.testing.assert_array_equal(a, nj.random.host_generator(jax.random.PRNGKey(1)).normal(size=3))


@pytest.mark.parametrize("value", ["2", np.array(["a"]), print, 1j, [1.0, 2j], [None]], ids=repr)
def test_a_parameter_is_a_number(value):
    for make in (lambda x: nj.synapses.ExpCurrent(tau=x), nj.positive, nj.core.as_parameter):
        with pytest.raises(TypeError, match="a parameter must be a real number, an array of them"):
            make(value)


def test_a_list_of_numbers_is_an_array():
    cell = nj.neurons.LIF(V_th=[-50.0, -45], n=2)
    np.testing.assert_array_equal(cell.V_th, [-50.0, -45.0])
    np.testing.assert_array_equal(nj.neurons.LIF().population(2, t_ref=[1, 2]).t_ref, [1.0, 2.0])
    two = nj.neurons.ALIF(n=3, b=(1.0, 2.0), tau_b=(10, 100))  # a tuple: components
    assert [x.shape for x in two.b] == [(), ()] and float(two.tau_b[1]) == 100.0
    runs = [nj.simulate(c, duration=50.0, dt=0.1, inputs={"I_e": 600.0}).stats.spikes[""]
            for c in (cell, nj.neurons.LIF(V_th=np.array([-50.0, -45.0]), n=2))]  # fmt: skip
    assert runs[0] == runs[1] > 0
    with pytest.raises(ValueError, match=r"V_th of LIF must be a scalar or have shape \(2,\)"):
        nj.neurons.LIF(V_th=[-50.0, -49.0, -48.0], n=2)
    with pytest.raises(TypeError, match="V_th of LIF must be a number or an array, got a tuple of"):
        nj.neurons.LIF(V_th=(-50.0, -49.0), n=2)
    with pytest.raises(ValueError, match="a list with rows of different lengths"):
        nj.connectivity.Dense([[1.0], [2.0, 3.0]])


def test_no_parameter_is_none_unless_by_default():
    with pytest.raises(TypeError, match="C_m of LIF must be a number or an array, got None"):
        nj.neurons.LIF(C_m=None)
    cell = nj.neurons.LIF(receptors={"in": nj.synapses.ExpCurrent(tau=None)})
    with pytest.raises(TypeError, match="tau of ExpCurrent must be a number"):
        cell.init_state()
