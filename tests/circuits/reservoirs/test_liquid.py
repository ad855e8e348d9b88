"""The liquid: its wiring against the formula, its spikes and features against the network's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.circuits.reservoirs.liquid import Liquid
from neurojax.circuits.reservoirs.liquid_cells import heterogeneous_izhikevich
from neurojax.circuits.reservoirs.liquid_grid import LiquidGrid, input_synapses
from neurojax.circuits.reservoirs.responses import responses

INPUTS, STEPS = 5, 60
DEFAULTS = {"EE": 0.2, "EI": 0.1, "IE": 0.3, "II": 0.05}


def cells():
    """Cells whose solver compiles fast."""
    receptors = {"exc": nj.synapses.ExpCurrent(tau=3.0), "inh": nj.synapses.ExpCurrent(tau=6.0)}
    return dict.fromkeys("EI", nj.neurons.LIF(receptors=receptors, solver=nj.solvers.Heun()))


def trains(samples=4, rate=0.15, steps=STEPS):
    return np.random.default_rng(0).random((samples, steps, INPUTS)) < rate


# -- wiring ----------------------------------------------------------------------------------


def test_every_place_of_the_grid_has_one_neuron():
    grid = LiquidGrid((4, 3, 2), key=jax.random.key(3))
    places = np.concatenate([grid.positions["E"], grid.positions["I"]])
    assert sorted(map(tuple, places)) == sorted(np.ndindex(4, 3, 2))
    assert grid.n == 24 and grid.n_E == round(0.8 * 24)
    other = LiquidGrid((4, 3, 2), key=jax.random.key(4))
    assert not np.array_equal(grid.positions["I"], other.positions["I"])


def test_probabilities_are_those_of_the_formula():
    """The number of synapses in bins of distance, by pair, within 4.5 standard deviations."""
    grid = LiquidGrid((6, 6, 6), key=jax.random.key(0))
    draws = [grid.synapses(jax.random.key(i)) for i in range(30)]
    there = np.mean(draws, axis=0)  # [to, from]
    kinds = {"E": slice(0, grid.n_E), "I": slice(grid.n_E, grid.n)}
    for pair, C in DEFAULTS.items():
        sender, receiver = pair
        x, y = grid.positions[receiver], grid.positions[sender]
        distance = np.linalg.norm(x[:, None] - y[None], axis=2)
        p = C * np.exp(-((distance / 3.0) ** 2))
        if sender == receiver:
            np.fill_diagonal(p, 0.0)
        found = there[kinds[receiver], kinds[sender]]
        for low, high in ((0.5, 2.0), (2.0, 3.5), (3.5, 9.0)):
            here = (distance >= low) & (distance < high)
            expected, spread = p[here].sum(), np.sqrt((p * (1 - p))[here].sum() / len(draws))
            assert abs(found[here].sum() - expected) < 4.5 * spread, (pair, low)
    assert not np.diagonal(there).any()


def test_the_first_letter_of_a_pair_sends():
    """Only E -> I: excitatory columns, inhibitory rows; and the other way round."""
    for pair in ("EI", "IE"):
        probability = dict.fromkeys(DEFAULTS, 0.0) | {pair: 1.0}
        grid = LiquidGrid((3, 3, 3), probability=probability, length=100.0)
        there = grid.synapses(jax.random.key(0))
        rows = slice(grid.n_E, None) if pair == "EI" else slice(0, grid.n_E)
        columns = slice(0, grid.n_E) if pair == "EI" else slice(grid.n_E, None)
        assert there[rows, columns].mean() > 0.95
        assert there.sum() == there[rows, columns].sum()
        edges = Liquid(grid, inputs=1).network.projections[pair].edges
        assert (edges.n_pre, edges.n_post) == there[rows, columns].shape[::-1]
        assert len(edges) > 0.95 * edges.n_pre * edges.n_post


def test_input_synapses():
    reached, signs = input_synapses(40, 10, 0.15, np.random.default_rng(0))
    assert reached.sum() == 60 and set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 4 / np.sqrt(400)


def test_bad_grids():
    with pytest.raises(ValueError, match="only one kind"):
        LiquidGrid((2, 1, 1), excitatory=1.0)
    with pytest.raises(nj.core.UnknownNameError, match="'Ie' is no pair"):
        LiquidGrid((3, 3, 3), probability={"Ie": 0.1})
    with pytest.raises(ValueError, match=r"probability\['IE'\] must lie between 0 and 1, got 1.5"):
        LiquidGrid((3, 3, 3), probability={"IE": 1.5})
    with pytest.raises(ValueError, match="length must be positive"):
        LiquidGrid((3, 3, 3), length=0.0)
    with pytest.raises(ValueError, match="shape must be whole numbers"):
        LiquidGrid((3, 0, 3))


# -- the circuit ------------------------------------------------------------------------------


def test_features_are_the_filtered_spikes_of_its_network():
    """The same network run by itself, with the input as impulses at its ports."""
    liquid = Liquid(
        (3, 3, 3), inputs=INPUTS, input_weight=3000.0, tau_trace=15.0, density=0.5, cells=cells(),
        weight=300.0,
    )  # fmt: skip
    u = trains(1)[0].astype(float)
    sampled = lambda x: nj.inputs.Sampled(x, dt=1.0)
    run = {"duration": float(STEPS), "dt": 1.0, "record": {"spikes": nj.Spikes("E", "I")}}
    sim = nj.simulate(
        liquid, inputs={"u": sampled(u)}, **(run | {"record": run["record"] | {"rate": "rate"}})
    )
    B = np.asarray(liquid.input)
    exc, inh = u @ np.maximum(B, 0.0).T, u @ np.minimum(B, 0.0).T
    given = {
        kind: {"exc": sampled(exc[:, part]), "inh": sampled(inh[:, part])}
        for kind, part in (("E", slice(0, liquid.n_E)), ("I", slice(liquid.n_E, None)))
    }
    alone = nj.simulate(liquid.network, inputs=given, **run)
    z = np.zeros((STEPS + 1, liquid.n))
    raster = np.zeros((STEPS + 1, liquid.n))
    for kind, first in (("E", 0), ("I", liquid.n_E)):
        record, same = sim["spikes"][kind], alone["spikes"][kind]
        np.testing.assert_array_equal(record.times, same.times)
        np.testing.assert_array_equal(record.neurons, same.neurons)
        raster[np.round(same.times).astype(int), first + same.neurons] = 1
    assert raster.sum() > 50
    for k in range(1, STEPS + 1):
        z[k] = z[k - 1] * np.exp(-1.0 / 15.0) + raster[k]
    np.testing.assert_allclose(sim["rate"], z[1:], rtol=1e-10, atol=1e-14)
    # and from one compiled call for a batch
    both = responses(liquid, np.stack([u, np.zeros_like(u)]), dt=1.0)
    np.testing.assert_allclose(both[0], z[-1], rtol=1e-10, atol=1e-14)
    assert not both[1].any()


def test_a_read_out_of_counts_tells_stimuli_apart():
    """Two classes with the same numbers of input spikes, in different channels."""
    liquid = Liquid(
        (4, 4, 4), inputs=INPUTS, input_weight=2000.0, density=0.3, tau_trace=np.inf,
        cells=cells(), weight=100.0, key=jax.random.key(2),
    )  # fmt: skip
    rng = np.random.default_rng(1)
    label = np.arange(60) % 2
    p = np.where(label[:, None] == 0, [0.3, 0.3, 0.1, 0.0, 0.0], [0.0, 0.1, 0.0, 0.3, 0.3])
    u = rng.random((60, STEPS, INPUTS)) < p[:, None]
    targets = np.broadcast_to(2.0 * label[:, None, None] - 1.0, (60, STEPS, 1))
    # only the end of each sample is fitted
    fitted = nj.fitting.fit_readout(
        liquid, u[:40], targets[:40], method=nj.fitting.Ridge(1.0), washout=STEPS - 1
    )
    counts = np.asarray(responses(fitted.circuit, u, dt=1.0))
    answer = counts @ np.asarray(fitted.weights)[0] + np.asarray(fitted.bias)[0]
    assert np.mean((answer[40:] > 0) == label[40:]) >= 0.95


def test_heterogeneous_izhikevich_neurons():
    cells = heterogeneous_izhikevich(400, 100, key=jax.random.key(1))
    E, I = cells["E"], cells["I"]
    # both parameters of a neuron come from one r: c + 65 = 15 r^2, 8 - d = 6 r^2
    np.testing.assert_allclose((E.c + 65.0) / 15.0, (8.0 - E.d) / 6.0, atol=1e-12)
    np.testing.assert_allclose((I.a - 0.02) / 0.08, (0.25 - I.b) / 0.05, atol=1e-12)
    r = np.sqrt((np.asarray(E.c) + 65.0) / 15.0)
    assert r.min() >= 0 and r.max() < 1 and abs(r.mean() - 0.5) < 4 / np.sqrt(12 * 400)
    assert float(E.a) == 0.02 and float(E.b) == 0.2 and float(I.c) == -65.0 and float(I.d) == 2.0


def test_a_current_reaches_izhikevich_neurons():
    """One neuron's drive B u is its I_e: the same spikes as the neuron by itself."""
    none = dict.fromkeys(DEFAULTS, 0.0)
    grid = LiquidGrid((5, 1, 1), probability=none)
    liquid = Liquid(
        grid, inputs=1, input=np.full((5, 1), 5.0), cells="izhikevich", drive="current",
        tau_trace=np.inf,
    )  # fmt: skip
    counts = responses(liquid, np.full((400, 1), 2.0), dt=0.5)
    alone = nj.simulate(
        liquid.network.populations["E"], duration=200.0, dt=0.5, inputs={"I_e": 10.0},
        record={"spikes": nj.Spikes()},
    )  # fmt: skip
    np.testing.assert_array_equal(counts[:4], alone["spikes"].counts())
    assert counts.min() > 0


def test_responses_check_as_a_drive_does():
    circuit, u = nj.circuits.EchoState(5, inputs=1), np.zeros((3, 4, 1))
    with pytest.raises(TypeError, match="circuit must be a recurrent circuit"):
        responses("x", u, dt=1.0)
    for dt in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="dt must be a positive number of ms"):
            responses(circuit, u, dt=dt)
    with pytest.raises(ValueError, match="0 input channels, the inputs have 1"):
        responses(nj.circuits.EchoState(5), u, dt=1.0)
    with pytest.raises(ValueError, match="inputs must be finite, got 12 times nan"):
        responses(circuit, u * np.nan, dt=1.0)
    inside = jax.jit(lambda u: responses(circuit, u, dt=1.0))(u)
    np.testing.assert_allclose(inside, responses(circuit, u, dt=1.0), rtol=1e-12)


@pytest.mark.parametrize("name", ["izhikevich", None])
def test_izhikevich_neurons_of_a_liquid_take_small_steps(name):
    cells = name or heterogeneous_izhikevich(22, 5)
    liquid, u = Liquid((3, 3, 3), inputs=1, cells=cells), np.zeros((3, 1))
    for run in (responses, nj.fitting.drive):
        with pytest.raises(ValueError, match=r"steps of 0\.5 ms at most, got dt=1"):
            run(liquid, u, dt=1.0)
    assert np.isfinite(responses(liquid, u, dt=0.5)).all()


def test_bad_input():
    with pytest.raises(nj.core.UnknownNameError, match="unknown cells 'LIF'"):
        Liquid((3, 3, 3), cells="LIF")
    with pytest.raises(TypeError, match="cells must be"):
        Liquid((3, 3, 3), cells={"E": nj.neurons.LIF()})
    with pytest.raises(ValueError, match="ports 'exc' and 'inh'"):
        Liquid((3, 3, 3), cells={"E": nj.neurons.LIF(), "I": nj.neurons.LIF()})
    with pytest.raises(ValueError, match=r"weight\['IE'\] is a size"):
        Liquid((3, 3, 3), weight={"IE": -2.0})
    with pytest.raises(nj.core.UnknownNameError, match="'XE' is no pair"):
        Liquid((3, 3, 3), release={"XE": None})
    with pytest.raises(ValueError, match="unknown drive"):
        Liquid((3, 3, 3), drive="voltage")
    with pytest.raises(ValueError, match="must have shape"):
        Liquid((3, 3, 3), inputs=2, input=np.zeros((27, 3)))
    with pytest.raises(ValueError, match="density must lie between 0 and 1"):
        Liquid((3, 3, 3), inputs=2, density=1.5)
    with pytest.raises(TypeError, match=r"weight\['EE'\] must be a number .* got 'big'"):
        Liquid((3, 3, 3), weight="big")
    with pytest.raises(TypeError, match="input_weight must be a number"):
        Liquid((3, 3, 3), inputs=2, input_weight="a")
    with pytest.raises(ValueError, match=r"input_weight must be a number or have shape \(2,\)"):
        Liquid((3, 3, 3), inputs=2, input_weight=[1.0, 2.0, 3.0])
    u = -np.ones((5, 2))
    for run in (nj.fitting.drive, responses):
        with pytest.raises(ValueError, match="numbers of spikes and must not be negative"):
            run(Liquid((3, 3, 3), inputs=2), u, dt=1.0)
        run(Liquid((3, 3, 3), inputs=2, drive="current"), u, dt=1.0)


def test_a_size_of_input_weights_for_each_channel():
    one, both = (
        Liquid((3, 3, 3), inputs=2, input_weight=w).input for w in (1.0, [3.0, 5.0])
    )  # fmt: skip
    np.testing.assert_array_equal(both, one * np.array([[3.0, 5.0]]))


def test_conductances_inhibit_with_positive_weights():
    receptors = {
        "exc": nj.synapses.ExpConductance(tau=5.0, E_rev=0.0),
        "inh": nj.synapses.ExpConductance(tau=10.0, E_rev=-80.0),
    }
    cell = nj.neurons.LIF(receptors=receptors)
    liquid = Liquid((3, 3, 3), inputs=1, input=np.full((27, 1), -2.0), cells={"E": cell, "I": cell})
    assert float(jnp.min(liquid.network.projections["IE"].weights())) > 0
    given = liquid._given({"u": jnp.ones(1)})
    assert (given["E"]["inh"] == 2.0).all() and not given["E"]["exc"].any()
