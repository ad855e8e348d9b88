"""The neuron-astrocyte liquid, against a plain loop over the equations of the paper."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.circuits.reservoirs.astrocyte_liquid import AstrocyteLiquid
from neurojax.circuits.reservoirs.initialise_weights import initialise_weights
from neurojax.circuits.reservoirs.liquid_grid import LiquidGrid
from neurojax.circuits.reservoirs.responses import responses

STEPS, CHANNELS = 60, 10
GRID = LiquidGrid((3, 2, 2), probability=dict.fromkeys(("EE", "EI", "IE", "II"), 0.8), length=4.0)


def liquid(**options):
    # four channels in five excite
    signs = np.where(np.arange(CHANNELS) % 5 == 4, -1.0, 1.0)
    reached = np.random.default_rng(9).random((GRID.n, CHANNELS)) < 0.8
    given = {"excitatory_weight": 2.5, "input": 2.0 * reached * signs, "tau_trace": np.inf}
    return AstrocyteLiquid(GRID, **({"inputs": CHANNELS} | given | options))


def spikes(seed=0, samples=()):
    return np.random.default_rng(seed).random((*samples, STEPS, CHANNELS)) < 0.4


def by_hand(model, u, plastic=True, decay=0.99, w_a=0.015, w=None):
    """The order of the authors' program: spikes, reset, currents, plasticity, traces, astrocyte."""
    n, n_E, m = model.n, model.n_E, CHANNELS
    tau = np.asarray(model.tau_syn)[np.asarray(model.which_tau_syn)]
    if w is None:
        w = np.concatenate([np.asarray(model.recurrent), np.asarray(model.input)], axis=1)
    w, exists = w.copy(), w != 0
    v, t, wait, x = np.zeros(n + m), np.full(n + m, np.inf), np.zeros(n + m), np.zeros(n + m)
    A_plus, A, b = 0.15, 0.15, 0.15
    raster, astrocyte = [], []
    for step in range(len(u)):
        s = ((v > 20.0) & (wait <= 0)).astype(float)
        raster.append(s)
        v = v * (1 - s)
        t[s == 1] = 0.0
        synaptic = np.zeros(n + m)
        for i in range(n):
            for j in range(n + m):
                synaptic[i] += w[i, j] * np.exp(-t[j] / tau[i]) / tau[i]
        external = np.concatenate([np.zeros(n), 100.0 * u[step]])
        v = v + synaptic + external - v / 64.0
        t = t + 1.0
        wait = np.where(s == 1, 2.0, wait - 1.0)
        if plastic:
            for i in range(n):
                for j in range(n + m):
                    if not exists[i, j]:
                        continue
                    if n_E <= j < n:
                        w[i, j] += -A * x[j] * s[i] + A_plus * x[i] * s[j]
                        w[i, j] = np.clip(w[i, j], -3.0, 0.0)
                    else:
                        w[i, j] += A_plus * x[j] * s[i] - A * x[i] * s[j]
                        w[i, j] = np.clip(w[i, j], 0.0 if j < n_E else -3.0, 3.0)
            x = np.exp(-0.1) * (x + 0.1 * s)
            A = A + (w_a * (s[:n].sum() - s[n:].sum()) + b - A) / 100.0
            A_plus, A, w_a, b = (decay * value for value in (A_plus, A, w_a, b))
        astrocyte.append(A)
    return np.array(raster), w, np.array(astrocyte)


def test_it_is_the_loop_over_the_equations():
    model, u = liquid(excitatory_weight=2.99), spikes()
    sim = nj.simulate(
        model, duration=float(STEPS), dt=1.0,
        inputs={"u": nj.inputs.Sampled(u.astype(float), dt=1.0)},
        record={"spikes": nj.Spikes(), "A": "A", "w": "w", "state": lambda s: s["trace"]},
    )  # fmt: skip
    raster, w, A = by_hand(model, u)
    n = model.n
    assert raster[:, :n].sum() > 40 and np.abs(w - np.asarray(sim["w"][0])).max() > 0.1
    found = np.zeros((STEPS, n))
    # a spike is emitted at the end of the step in which v crosses, found at the start of the next
    found[np.round(sim["spikes"].times).astype(int) - 1, sim["spikes"].neurons] = 1
    np.testing.assert_array_equal(found[:-1], raster[1:, :n])
    np.testing.assert_allclose(sim["w"][-1], w, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(sim["A"], A, rtol=1e-12)
    np.testing.assert_array_equal(sim["state"][-1], found.sum(axis=0))
    # some weights reached a bound, and no synapse has come into being
    assert (np.abs(w) == 3.0).any() and not (w != 0)[~np.asarray(model.synapses)].any()


def test_the_static_liquid():
    model, u = liquid(plasticity=False), spikes(1, samples=(3,))
    assert set(model.init_state()) == {"V_m", "since", "refractory", "trace"}
    counts = responses(model, u, dt=1.0)
    for sample, count in zip(u, counts, strict=True):
        longer = np.concatenate([sample, np.zeros((1, CHANNELS))])
        raster = by_hand(model, longer, plastic=False)[0]
        np.testing.assert_array_equal(count, raster[:, : model.n].sum(axis=0))
        assert count.sum() > 40


@pytest.mark.parametrize("tau_syn", [1.0, 80.0, 1000.0])
def test_a_neuron_that_never_spiked_sends_nothing(tau_syn):
    model = liquid(plasticity=False, tau_syn=(tau_syn,))
    run = nj.fitting.drive(model, np.zeros((150, CHANNELS)))
    assert (run.state["V_m"] == 0).all() and (run.rates == 0).all()


def test_the_last_spike_acts_after_any_time():
    """One spike of the only channel, then the currents of its synapses alone."""
    tau = 200.0
    model = liquid(
        plasticity=False, recurrent=np.zeros((GRID.n, GRID.n)), tau_syn=(tau,), V_th=1e6,
        inputs=1, input=np.full((GRID.n, 1), 2.0), input_current=1e7,
    )  # fmt: skip
    u = np.zeros((300, 1))
    u[0] = 1.0
    v = 0.0
    for step in range(300):
        v += -v / 64.0 + (2.0 / tau * np.exp(-(step - 1) / tau) if step else 0.0)
    state = nj.fitting.drive(model, u).state
    np.testing.assert_allclose(state["V_m"][: GRID.n], v, rtol=1e-12)


def test_learning_from_a_series_of_samples():
    model, u = liquid(w_a=0.05), spikes(2, samples=(3,))[:, :20]
    learnt = initialise_weights(model, u)
    w = None
    for sample in u:
        w = by_hand(model, sample, decay=1.0, w_a=0.05, w=w)[1]
        # by_hand takes what is zero for no synapse
        w = np.where(np.asarray(model.synapses) & (w == 0), 1e-300, w)
    np.testing.assert_allclose(learnt.recurrent, w[:, : model.n], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(learnt.input, w[:, model.n :], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(learnt.init_state()["w"][:, : model.n], learnt.recurrent)
    assert float(learnt.decay) == 0.99 and (learnt.synapses == model.synapses).all()


def test_without_weight_the_astrocyte_gives_one_depression():
    model = liquid(w_a=0.0, decay=1.0)
    inputs = {"u": nj.inputs.Sampled(spikes(3).astype(float), dt=1.0)}
    sim = nj.simulate(model, duration=float(STEPS), dt=1.0, inputs=inputs, record={"A": "A"})
    np.testing.assert_allclose(sim["A"], 0.15, rtol=1e-14)


def test_fixed_point_of_the_astrocyte():
    """With n_liq and n_in spikes in every step, A* = w_a (n_liq - n_in) + b."""
    # no refractory period, a low threshold and potentiation that outweighs the depression: every
    # neuron fires in every step
    model = liquid(
        recurrent=np.zeros((GRID.n, GRID.n)), input=np.full((GRID.n, CHANNELS), 3.0), t_ref=0,
        decay=1.0, w_a=0.02, tau_a=20.0, V_th=1e-6, A_plus=1.0,
    )  # fmt: skip
    sim = nj.simulate(
        model, duration=400.0, dt=1.0, inputs={"u": jnp.ones(CHANNELS)}, record={"A": "A"}
    )
    assert int(sim.stats.spikes[""]) >= 397 * model.n
    expected = 0.02 * (model.n - CHANNELS) + 0.15
    np.testing.assert_allclose(sim["A"][-1], expected, rtol=1e-7)
    # and the way there is that of a leaky integrator: (1 - 1 / tau_a) a step
    apart = np.asarray(sim["A"][10:40]) - expected
    np.testing.assert_allclose(apart[1:] / apart[:-1], 0.95, rtol=1e-9)


def test_default_parameters():
    model = AstrocyteLiquid((6, 6, 6), inputs=64)
    tau = np.asarray(model.tau_syn)[np.asarray(model.which_tau_syn)]
    assert set(tau) == {1.0, 2.0} and 0.35 < np.mean(tau == 1.0) < 0.65
    w = np.asarray(model.input)
    assert (w != 0).sum() == int(0.15 * w.size) and set(np.unique(w)) == {-1.0, 0.0, 1.0}
    recurrent = np.asarray(model.recurrent)
    assert set(np.unique(recurrent[:, : model.n_E])) == {0.0, 1.0}
    assert set(np.unique(recurrent[:, model.n_E :])) == {-1.0, 0.0}


def test_bad_input():
    with pytest.raises(ValueError, match=r"steps of dt=1\.0 ms, got dt=0\.1"):
        nj.simulate(liquid(), duration=1.0, dt=0.1)
    with pytest.raises(ValueError, match="from E is outside 0 to 3"):
        liquid(excitatory_weight=-1.0)
    with pytest.raises(ValueError, match="from I is outside -3 to 0"):
        liquid(inhibitory_weight=1.0)
    with pytest.raises(ValueError, match="static"):
        initialise_weights(liquid(plasticity=False), np.zeros((1, 2, CHANNELS)))
    with pytest.raises(ValueError, match=r"\(sample, step, 10\)"):
        initialise_weights(liquid(), np.zeros((1, 2, 5)))
    with pytest.raises(ValueError, match="10 input channels, the inputs have 5"):
        responses(liquid(), np.zeros((1, 2, 5)), dt=1.0)
    with pytest.raises(ValueError, match="tau_a"):
        liquid(tau_a=0.0)
    with pytest.raises(ValueError, match="which_tau_syn"):
        liquid(which_tau_syn=np.full(12, 2))
    with pytest.raises(ValueError, match="inputs must be one"):
        AstrocyteLiquid(GRID, inputs=0)
    with pytest.raises(ValueError, match="input_current must be finite, got nan"):
        liquid(input_current=np.nan)
    with pytest.raises(ValueError, match="t_ref must be a whole number of ms, got nan"):
        liquid(t_ref=np.nan)
    for name in ("tau_m", "tau_a"):
        with pytest.raises(ValueError, match=f"{name} of AstrocyteLiquid must be above 0.5 ms"):
            liquid(**{name: 0.5})
    with pytest.raises(ValueError, match="inputs must be finite, got 20 times nan"):
        initialise_weights(liquid(), np.full((1, 2, CHANNELS), np.nan))


@pytest.mark.parametrize("tau_syn", [2, 2.0, np.array(2.0), np.float32(2.0), [2], (2.0,)])
def test_one_time_constant_of_synapses(tau_syn):
    liquid = nj.circuits.AstrocyteLiquid((2, 2, 2), inputs=1, tau_syn=tau_syn)
    assert nj.unwrap(liquid).tau_syn.tolist() == [2.0]


def test_rates_are_filtered_spikes():
    model, u = liquid(plasticity=False, tau_trace=10.0), spikes(4)
    raster = by_hand(model, np.concatenate([u, np.zeros((1, CHANNELS))]), plastic=False)[0]
    fade = np.exp(-(STEPS - np.arange(STEPS + 1)) / 10.0)
    expected = fade @ raster[:, : model.n]
    np.testing.assert_allclose(responses(model, u, dt=1.0), expected, rtol=1e-12)
    assert jax.tree.all(jax.tree.map(lambda x: x.ndim < 2, model.init_state()))
