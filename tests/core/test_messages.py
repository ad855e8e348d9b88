"""Values that cannot be meant are refused where they are given, by name."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models

import neurojax as nj


def network(weight=1.0, key=None, connectivity=None):
    receptors = {
        "g": nj.synapses.ExpConductance(tau=5.0, E_rev=0.0),
        "I": nj.synapses.ExpCurrent(tau=5.0),
    }
    cells = nj.neurons.LIF(receptors=receptors).population(4)
    graph = nj.connectivity.all_to_all() if connectivity is None else connectivity
    return nj.Network({"E": cells}, [nj.Projection("E", "E", "g", graph, weight=weight)], key=key)


@pytest.mark.parametrize(
    ("inputs", "error", "match"),
    [
        ({"E": 100.0}, ValueError, r"'E' must be a dictionary .* \{'E': \{'I_e': 200.0\}\}"),
        ({"E": {"I_e": None}}, TypeError, r"inputs\['E'\]\['I_e'\] .* got None"),
        ({"E": {"I_e": "3"}}, TypeError, r"inputs\['E'\]\['I_e'\] .* got '3'"),
    ],
)
def test_inputs(inputs, error, match):
    with pytest.raises(error, match=match):
        nj.simulate(network(), duration=1.0, dt=0.1, inputs=inputs)


def test_a_conductance_is_not_negative():
    with pytest.raises(ValueError, match=r"weights of 'g' are conductances .* got -2"):
        network(weight=-2.0)
    with pytest.raises(ValueError, match="Clipped"):
        network(weight=nj.random.Normal(0.0, 1.0), key=jax.random.key(0))
    cell = nj.neurons.LIF(receptors={"I": nj.synapses.ExpCurrent(tau=5.0)}).population(4)
    graph = nj.connectivity.all_to_all()
    nj.Network({"E": cell}, [nj.Projection("E", "E", "I", graph, weight=-2.0)])


@pytest.mark.parametrize("name", ["Exp", "Alpha", "DoubleExp"])
def test_which_receptors_are_conductances(name):
    times = {"tau_rise": 1.0, "tau_decay": 5.0} if name == "DoubleExp" else {"tau": 5.0}
    assert getattr(nj.synapses, f"{name}Conductance")(**times).is_conductance
    assert not getattr(nj.synapses, f"{name}Current")(**times).is_conductance


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: nj.random.Uniform(2.0, 1.0), "Uniform needs low <= high, got low=2.0, high=1.0"),
        (lambda: nj.random.Normal(0.0, -1.0), "Normal needs sd >= 0"),
        (lambda: nj.random.LogNormal(1.0, -1.0), "LogNormal needs sigma >= 0"),
        (lambda: nj.random.Clipped(nj.random.Normal(0.0, 1.0), 1.0, 0.0), "Clipped needs low"),
        (lambda: nj.inputs.Sampled(np.array([[0.0], [np.nan]]), 1.0), r"got nan at \[1, 0\]"),
        (lambda: nj.synapses.GapJunctions("a", "b", g=-np.ones((2, 2))), "g of GapJunctions"),
        (lambda: nj.circuits.EchoState(5, inputs=1, radius=-1.0), "radius of EchoState"),
        (lambda: nj.circuits.EchoState(5, inputs=1, noise=-1.0), "noise of EchoState"),
        (lambda: nj.circuits.RateRNN(5, noise=-1.0), "noise of RateRNN"),
        (lambda: nj.circuits.LeakyRNN(5, noise=-1.0), "noise of LeakyRNN"),
    ],
)
def test_numbers(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_distributions_with_traced_numbers():
    draw = lambda sd: nj.random.Normal(0.0, sd).sample(jax.random.key(0), (3,))
    np.testing.assert_allclose(jax.jit(draw)(2.0), 2.0 * draw(1.0), rtol=1e-12)


def test_random_networks_are_made_outside_of_jit():
    @jax.jit
    def spikes(key):
        net = network(key=key, connectivity=nj.connectivity.bernoulli(0.5))
        return nj.simulate(net, duration=1.0, dt=0.1).stats.spikes

    with pytest.raises(ValueError, match="build the network first"):
        spikes(jax.random.key(0))


def test_stats_of_trials_in_words():
    def run(I_e):
        cells = nj.neurons.LIF(t_ref=0.1).population(2)
        return nj.simulate(cells, duration=20.0, dt=0.1, inputs={"I_e": I_e}, throw=False).stats

    stats = jax.vmap(run)(jnp.array([0.0, 600.0, 1e6, np.nan]))
    broken, silent, runaway = stats.warnings
    assert broken == (
        "the state became NaN or infinite: 'V_m' is not finite after step 1 in 1 of 4 trials"
    )
    assert "silent in 1 of 4 trials" in silent  # not the broken one
    assert "in 1 of 4 trials: runaway" in runaway
    assert stats.trouble == "'V_m' is not finite after step 1 in 1 of 4 trials"
    assert jax.vmap(run)(jnp.array([600.0])).trouble is None
    assert run(np.nan).warnings == [
        "the state became NaN or infinite: 'V_m' is not finite after step 1"
    ]


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_simulation_is_no_state(adaptive):
    circuit = models.Oscillator()
    options = {"duration": 1.0, "dt": 0.1}
    sim = nj.simulate(circuit, **options)
    if adaptive:
        options["stepsize_controller"] = diffrax.PIDController(rtol=1e-3, atol=1e-3)
    with pytest.raises(TypeError, match="state= is a Simulation: give its final_state"):
        nj.simulate(circuit, state=sim, **options)


def test_long_arrays_are_told_by_what_is_wrong_with_them():
    draws = np.r_[np.linspace(1.0, 5.0, 97), -0.5, -42.5, 0.0]
    told = "3 of 100 values that do not fit: -42.5 to 0$"
    with pytest.raises(ValueError, match="C_m of LIF must be positive, got " + told):
        nj.neurons.LIF().population(100, C_m=draws)
    draws = np.where(np.arange(100) < 2, np.nan, 1.0)
    with pytest.raises(ValueError, match=r"2 of 100 values that do not fit: nan to nan$"):
        nj.neurons.LIF().population(100, C_m=draws)
    with pytest.raises(ValueError, match=r"positive, got \[ ?1\. -1\.\]"):
        nj.neurons.LIF().population(2, C_m=np.array([1.0, -1.0]))
    low = np.where(np.arange(20) % 7 == 3, -40.0, -60.0)
    message = r"V_reset=-40.0 and V_th=-50.0 in neuron 3, the first of 3 such among 20"
    with pytest.raises(ValueError, match=message):
        nj.neurons.LIF().population(20, V_reset=low, V_th=-50.0)
