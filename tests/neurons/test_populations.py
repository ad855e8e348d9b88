"""Populations made from one cell or source, and what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

LAW = nj.random.Normal(1.0, 0.1)


def test_sources_make_populations():
    source = nj.neurons.Poisson(40.0).population(3)
    assert source.n == 3 and float(source.rate) == 40.0
    drawn = source.population(500, rate=nj.random.Uniform(10.0, 20.0), key=jax.random.key(0))
    rate = np.asarray(drawn.rate)
    assert rate.shape == (500,) and 10.0 <= rate.min() < rate.max() < 20.0
    assert abs(rate.mean() - 15.0) < 5 * 10 / np.sqrt(12 * 500)
    run = nj.simulate(
        nj.neurons.Regular(rate=100.0).population(2, phase=jnp.array([3.0, 5.0])),
        duration=16.0, dt=1.0, record={"s": nj.Spikes()},
    )  # fmt: skip
    assert run["s"].train(0).tolist() == [3.0, 13.0] and run["s"].train(1).tolist() == [5.0, 15.0]
    assert nj.neurons.Parrot().population(4).n == 4
    with pytest.raises(ValueError, match="n must be a positive whole number"):
        source.population(0)


def test_components_of_a_parameter_are_drawn():
    cell = nj.neurons.ALIF().population(50, b=(LAW, 2.0), tau_b=(10.0, 20.0), key=jax.random.key(0))
    assert cell.b[0].shape == (50,) and len(set(np.asarray(cell.b[0]).tolist())) == 50
    assert float(cell.b[1]) == 2.0


def test_parameters_of_receptors_are_drawn():
    law = nj.random.Uniform(2.0, 8.0)
    receptors = {"exc": nj.synapses.ExpCurrent(tau=law), "inh": nj.synapses.ExpCurrent(tau=5.0)}
    cell = nj.neurons.LIF().population(300, receptors=receptors, key=jax.random.key(0))
    tau = np.asarray(cell.receptors["exc"].tau)
    assert tau.shape == (300,) and 2.0 <= tau.min() < tau.max() < 8.0
    assert abs(tau.mean() - 5.0) < 5 * 6 / np.sqrt(12 * 300)
    assert float(cell.receptors["inh"].tau) == 5.0
    # each decays as its own time constant says
    initial = {"exc.I": 100.0}
    run = nj.simulate(
        cell.population(300, initial=initial), duration=4.0, dt=0.1, record={"I": nj.Trace("exc.I")}
    )
    np.testing.assert_allclose(run["I"][-1], 100.0 * np.exp(-4.0 / tau), rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=LAW)}), TypeError,
         r"tau of ExpCurrent is the distribution .*population\(n, receptors=..., key=...\)"),
        (lambda: nj.neurons.LIF().population(
            3, receptors={"exc": nj.synapses.ExpCurrent(tau=LAW)}), ValueError,
         "receptors.exc.tau is a distribution.*key"),
        (lambda: nj.synapses.GapJunctions("E", "E", LAW), TypeError,
         "g of GapJunctions must be a number or an array, got the distribution"),
        (lambda: nj.circuits.RateRNN(5, tau=LAW), TypeError, "tau must be a number"),
        (lambda: nj.neurons.LIF(C_m=LAW), TypeError,
         r"C_m of LIF is the distribution .* LIF\(...\).population\(n, C_m=..., key=...\)"),
        (lambda: nj.neurons.Poisson(LAW), TypeError, "rate of Poisson is the distribution"),
        (lambda: nj.neurons.LIF().population(3, C_m=LAW), ValueError, "C_m is a distribution.*key"),
        (lambda: nj.neurons.LIF(initial={"V_m": LAW}).init_state(), ValueError,
         r"^initial\['V_m'\] is the distribution Normal.*, so give key="),
        (lambda: nj.neurons.LIF(n=3, initial={"V_m": np.zeros(2)}).init_state(), ValueError,
         r"^initial\['V_m'\] does not fit 3 neurons"),
        (lambda: nj.neurons.LIF(E_L=np.nan), ValueError, "E_L of LIF must be a number, got nan"),
        (lambda: nj.neurons.LIF(receptors={"g": nj.synapses.ExpConductance(E_rev=np.nan)}),
         ValueError, "E_rev of ExpConductance must be finite, got nan"),
        (lambda: nj.neurons.LIF(receptors={"V_m": nj.synapses.Delta()}), ValueError,
         "cannot be called 'V_m'"),
        (lambda: nj.neurons.LIF(receptors={"I_e": nj.synapses.Delta()}), ValueError,
         "cannot be called 'I_e'"),
        (lambda: nj.neurons.LIF(receptors={"a.b": nj.synapses.Delta()}), ValueError,
         "cannot be called 'a.b': a port has a name without '.'"),
    ],
)  # fmt: skip
def test_refusals(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_sources_of_any_kind_have_populations():
    class EveryK(nj.neurons.AbstractSource):
        k: nj.Parameter = nj.parameter(5.0)
        n: int = eqx.field(static=True, default=1)

        def init_state(self, *, key=None):
            return {"left": jnp.zeros(self.n)}

        def step(self, state, inputs, clock):
            left = jnp.where(state["left"] <= 0, self.k, state["left"]) - 1
            return {"left": left}, nj.Output(spikes=nj.SpikeOutput(-left, -0.5))

    run = lambda source: nj.simulate(source, duration=12.0, dt=1.0, record={"s": nj.Spikes()})["s"]
    np.testing.assert_array_equal(run(EveryK().population(3, k=4)).counts(), [3, 3, 3])
    assert EveryK().population(20, k=LAW, key=jax.random.key(0)).k.shape == (20,)
    with pytest.raises(TypeError, match=r"k of EveryK is the distribution .*population\(n, k="):
        EveryK(k=LAW)
    replayed = nj.neurons.SpikeTimes([[1.0, 3.0], [2.0]]).population(4)
    np.testing.assert_array_equal(run(replayed).counts(), [2, 1, 0, 0])
    with pytest.raises(ValueError, match="neurons must lie between 0 and 0"):
        replayed.population(1)


def test_a_refractory_neuron_of_ones_own():
    """Without a leak the interval is t_ref + C (V_th - V_reset) / I, in whole steps."""

    class Integrator(nj.neurons.AbstractRefractory):
        t_ref: nj.Parameter = nj.parameter(2.0)
        n: int = eqx.field(static=True, default=1)
        receptors: dict = eqx.field(default_factory=dict)
        initial: dict = eqx.field(default_factory=dict)
        surrogate: nj.surrogate.AbstractSurrogate = nj.surrogate.Triangle()
        solver: nj.solvers.AbstractStepper | None = None

        def rest(self):
            return {"V_m": -60.0, "refractory": jnp.zeros((), jnp.int32)}

        def drift(self, t, state, inputs):
            current = inputs["I_e"] + self.synaptic_current(state, state["V_m"], inputs)
            rate = jnp.broadcast_to(current / 100.0, (self.n,))
            return {"V_m": rate, "refractory": None} | self.receptor_drifts(state)

        def threshold(self, state):
            return -50.0

        def scale(self):
            return 10.0

        def after_spike(self, state, spiked):
            return {"V_m": jnp.where(spiked, -60.0, state["V_m"])}

    cells = Integrator().population(2, t_ref=np.array([2.0, 5.0]))
    record = {"s": nj.Spikes()}
    spikes = nj.simulate(cells, duration=200.0, dt=0.5, inputs={"I_e": 101.0}, record=record)["s"]
    np.testing.assert_array_equal(np.diff(spikes.train(0)), 12.0)
    np.testing.assert_array_equal(np.diff(spikes.train(1)), 15.0)
