"""Projections that would lose their spikes or fail later are refused."""

import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

ALL = nj.connectivity.all_to_all()
CELL = nj.neurons.LIF(receptors={"d": nj.synapses.Delta()})
SOURCE = nj.neurons.SpikeTimes([[1.0, 2.0]])


def run(net):
    return nj.simulate(net, duration=5.0, dt=0.1, record={"s": nj.Spikes("p")})["s"].times


def test_a_port_that_nobody_reads():
    parrots = {"s": SOURCE, "p": nj.neurons.Parrot(n=2)}
    found = run(nj.Network(parrots, [nj.Projection("s", "p", "spikes", ALL)]))
    np.testing.assert_allclose(found, [1.1, 1.1, 2.1, 2.1])
    with pytest.raises(KeyError, match=r"port 'in' of 'p', which Parrot never reads.*spikes"):
        run(nj.Network(parrots, [nj.Projection("s", "p", "in", ALL)]))


class Leaky(nj.ContinuousDynamics):
    """A model of a user's own."""

    solver: nj.solvers.AbstractStepper = nj.solvers.Euler()

    def init_state(self, *, key=None):
        return {"V": jnp.zeros(1)}

    def drift(self, t, state, inputs):
        return {"V": inputs.get("drive", 0.0) - state["V"]}


@pytest.mark.parametrize("given", [{}, {"own": {"drive": 1.0}}])
def test_a_port_of_a_model_of_ones_own(given):
    def last(port):
        net = nj.Network({"s": SOURCE, "own": Leaky()}, [nj.Projection("s", "own", port, ALL)])
        run = nj.simulate(net, duration=3.0, dt=0.1, inputs=given, record={"V": "own.V"})
        return float(run["V"][-1, 0])

    assert last("drive") > 0.01
    with pytest.raises(KeyError, match=r"'drvie' of 'own', which Leaky never reads"):
        last("drvie")


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"release": nj.plasticity.PairSTDP()}, TypeError, "release must be short-term dynamics"),
        ({"name": "a.b"}, ValueError, "must not have dots"),
    ],
)
def test_arguments(options, error, match):
    with pytest.raises(error, match=match):
        nj.Projection("s", "p", "d", ALL, **options)


def test_what_is_no_rule():
    with pytest.raises(TypeError, match=r"must be a rule of nj.plasticity, such as PairSTDP"):
        nj.Network({"s": SOURCE, "p": CELL}, [nj.Projection("s", "p", "d", ALL, plasticity="hebb")])


def test_masks_of_another_length():
    with pytest.raises(ValueError, match="the mask has 3 entries, the record 5 elements"):
        nj.simulate(
            nj.neurons.LIF(n=5), duration=0.1, dt=0.1,
            record={"V": nj.Trace("V_m", [False, True, True])},
        )  # fmt: skip


@pytest.mark.parametrize("dt", [0.1, 0.05, 0.02])
def test_a_refractory_neuron_goes_on_with_another_step(dt):
    cell = nj.neurons.LIF(t_ref=5.0)
    first = nj.simulate(cell, duration=6.0, dt=0.1, inputs={"I_e": 1000.0})
    more = nj.simulate(
        cell, duration=12.0, dt=dt, inputs={"I_e": 1000.0}, record={"s": nj.Spikes()},
        state=first.final_state,
    )  # fmt: skip
    assert more["s"].times[0] == pytest.approx(14.6, abs=0.11)


def test_a_port_of_a_model_that_is_coupled_to_itself():
    gap = nj.synapses.GapJunctions("own", "own", g=np.zeros((1, 1)), port="gap", leaf="V")
    net = nj.Network(
        {"s": SOURCE, "own": Leaky()}, [nj.Projection("s", "own", "drive", ALL)], [gap]
    )
    assert int(nj.simulate(net, duration=3.0, dt=0.1).stats.steps) == 30


@pytest.mark.parametrize("plasticity", [None, nj.plasticity.PairSTDP()])
def test_what_is_under_way_has_no_place_in_other_steps(plasticity):
    """0.6 ms are two steps of 0.3 ms, and 0.65 ms of 0.33 ms: rings of the same size."""
    projection = nj.Projection("s", "p", "d", ALL, delay=0.6, plasticity=plasticity)
    net = nj.Network({"s": SOURCE, "p": CELL}, [projection])
    state = nj.simulate(net, duration=0.6, dt=0.3).final_state
    where = "the inbox" if plasticity is None else "projection 's->p:d'"
    with pytest.raises(ValueError, match=rf"{where} holds .* steps of 0.3 ms; go on with dt=0.3"):
        nj.simulate(net, duration=0.6, dt=0.2, state=state)
    same = nj.simulate(net, duration=0.6, dt=0.3, state=state)
    assert int(same.final_state.step) == 4


def test_a_share_of_a_step_goes_on_with_another_step():
    """`left` of EIF and AdEx is a share of the step: the time is what stays."""
    cell = nj.neurons.AdEx(t_ref=0.0)
    state = {"V_m": np.zeros(1), "w": np.zeros(1), "left": np.full(1, 0.25)}
    state |= {"refractory": np.array([4])}
    net = nj.Network({"E": cell})
    new = net.recounted({"populations": {"E": state}}, 0.2, 0.1)["populations"]["E"]
    assert (float(new["left"][0]), int(new["refractory"][0])) == (0.5, 8)
    block = nj.Block({"a": cell}).recounted({"a": state}, 0.2, 0.1)["a"]
    np.testing.assert_array_equal(block["left"], new["left"])
