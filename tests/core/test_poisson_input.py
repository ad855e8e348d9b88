"""Poisson impulses at a port: the law of the counts, chunks, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import neurojax as nj

KEY = jax.random.key(4)


def counts(mean, n, noise="threefry", step=3):
    """What arrives in one step of 1 ms."""
    signal = nj.inputs.Poisson(rate=1000.0 * mean, shape=(n,))
    clock = nj.Clock(step, 1.0, KEY, noise)
    return np.asarray(signal.advance(jnp.zeros(n), clock, "port"))


@pytest.mark.parametrize(
    ("mean", "noise"),
    [
        (0.01, "threefry"),
        (2.0, "threefry"),
        (2.0, "counter"),
        (50.0, "counter"),
        (150.0, "threefry"),
    ],
)
def test_counts_have_the_poisson_law(mean, noise):
    n = 20_000
    k = counts(mean, n, noise)
    law = stats.poisson(mean)
    edges = np.unique(law.ppf(np.linspace(0.0, 0.999, 20)).clip(0))
    cells = np.digitize(k, edges[1:] + 0.5) if len(edges) > 1 else (k > 0).astype(int)
    cdf = np.concatenate([law.cdf(edges[1:]) if len(edges) > 1 else [law.cdf(0)], [1.0]])
    expected = n * np.diff(np.concatenate([[0.0], cdf]))
    observed = np.bincount(cells, minlength=len(expected))
    assert stats.chisquare(observed, expected).pvalue > 0.005
    assert k.max() <= law.ppf(1 - 1e-9)


def test_single_precision_never_runs_away(float32):
    """The far tail of many draws, where the sum of probabilities is lost in rounding."""
    k = counts(3.0, 500_000)
    assert k.dtype == np.float32
    assert k.max() <= stats.poisson(3.0).ppf(1 - 1e-10)
    assert abs(k.mean() - 3.0) < 4 * np.sqrt(3.0 / len(k))


def test_rates_per_neuron_and_weights():
    rate = jnp.array([0.0, 500.0, 2000.0])
    signal = nj.inputs.Poisson(rate, weight=jnp.array([1.0, 2.0, -0.5]))
    draw = jax.jit(lambda k: signal.advance(jnp.zeros(3), nj.Clock(k, 1.0, KEY), "port"))
    drawn = np.stack([draw(k) for k in range(2000)])
    assert (drawn[:, 0] == 0).all()
    means = drawn[:, 1:].mean(0) / [2.0, -0.5]
    np.testing.assert_allclose(means, [0.5, 2.0], atol=4 * np.sqrt(2.0 / 2000))
    assert abs(np.corrcoef(drawn[:, 1], drawn[:, 2])[0, 1]) < 4 / np.sqrt(2000)
    lagged = np.corrcoef(drawn[1:, 1], drawn[:-1, 1])[0, 1]
    assert abs(lagged) < 4 / np.sqrt(2000)


def test_chunks_equal_the_whole_and_the_drive_is_right():
    """Also Campbell's theorem: the mean of the summed current is rate times tau times weight."""
    receptor = nj.synapses.ExpCurrent(tau=5.0)
    cell = nj.neurons.LIF(n=200, V_th=1e6, receptors={"in": receptor})
    inputs = {"in": nj.inputs.Poisson(800.0, weight=2.0, shape=(200,))}
    options = {
        "dt": 0.5,
        "adjoint": "plain",
        "inputs": inputs,
        "key": KEY,
        "record": {"I": nj.Trace("in.I")},
    }
    whole = nj.simulate(cell, duration=100.0, **options)
    first = nj.simulate(cell, duration=50.0, **options)
    second = nj.simulate(cell, duration=50.0, state=first.final_state, **options)
    np.testing.assert_array_equal(whole["I"], np.concatenate([first["I"], second["I"]]))
    # in steps: the mean of a sum that decays by exp(-dt / tau) a step
    mean = 2.0 * 0.4 / (1 - np.exp(-0.1))
    variance = 4.0 * 0.4 / (1 - np.exp(-0.2))
    last = whole["I"][-1]
    assert abs(last.mean() - mean) < 4 * np.sqrt(variance / 200)


def test_gradient_of_the_weight():
    """The current is linear in the weight, so its derivative is the current over the weight."""
    receptor = nj.synapses.ExpCurrent(tau=5.0)
    cell = nj.neurons.LIF(n=3, receptors={"in": receptor})

    def current(weight):
        inputs = {"in": nj.inputs.Poisson(800.0, weight, shape=(3,))}
        sim = nj.simulate(cell, duration=5.0, dt=0.5, inputs=inputs, key=KEY)
        return sim.final_state.state["in"]["I"].sum()

    value, slope = jax.value_and_grad(current)(2.0)
    np.testing.assert_allclose(slope, value / 2.0, rtol=1e-12)


def test_impulses_that_a_port_cannot_take_are_refused():
    receptors = {
        "g": nj.synapses.ExpConductance(), "s": nj.synapses.ExpCurrent(),
        "held": nj.synapses.InjectedCurrent(),
    }  # fmt: skip
    cells = nj.neurons.LIF(n=2, receptors=receptors)
    run = lambda model, inputs: nj.simulate(
        model, duration=1.0, dt=0.1, inputs=inputs, key=jax.random.key(0)
    )
    inhibitory = nj.inputs.Poisson(1000.0, -5.0, shape=(2,))
    run(cells, {"s": inhibitory})
    for port in ("I_e", "held"):
        with pytest.raises(ValueError, match=rf"inputs\['{port}'\] .* impulses, whose effect"):
            run(cells, {port: inhibitory})
    with pytest.raises(ValueError, match=r"inputs\['E'\]\['g'\]: .* not be negative, got -5"):
        run(nj.Network({"E": cells}), {"E": {"g": inhibitory}})


def test_refusals():
    with pytest.raises(ValueError, match="rate must not be negative"):
        nj.inputs.Poisson(-1.0)
    with pytest.raises(ValueError, match="needs random numbers"):
        nj.inputs.Poisson(1.0).init_state(nj.Clock(0, 1.0), "port")
