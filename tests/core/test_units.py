"""Quantities with a unit of their own are refused: their number alone would be taken."""

import numpy as np
import pytest

import neurojax as nj


class Quantity(np.ndarray):
    """A number with a unit, as those of quantities are."""

    dimensionality = "s"


def quantity(value):
    return np.asarray(value, float).view(Quantity)


EXP = nj.synapses.ExpCurrent(tau=5.0)
CELL = nj.neurons.LIF(receptors={"exc": EXP})
GRAPH = nj.connectivity.from_edges([0], [1])


def run(**how):
    return nj.simulate(CELL, **({"duration": 1.0, "dt": 0.1} | how))


def projection(**how):
    return nj.Network({"E": CELL.population(2)}, [nj.Projection("E", "E", "exc", GRAPH, **how)])


@pytest.mark.parametrize(
    ("named", "build"),
    [
        ("duration", lambda x: run(duration=x)),
        ("dt", lambda x: run(dt=x)),
        ("t0", lambda x: run(t0=x)),
        (r"inputs\['I_e'\]", lambda x: run(inputs={"I_e": x})),
        (r"inputs\['I_e'\]", lambda x: run(inputs={"I_e": [x]})),
        ("a parameter", lambda x: nj.neurons.LIF(C_m=x)),
        ("a parameter", lambda x: nj.synapses.ExpCurrent(tau=x)),
        ("a parameter", lambda x: nj.neurons.Poisson(rate=x)),
        ("a parameter", nj.positive),
        ("a parameter of a distribution", lambda x: nj.random.Normal(x, 1.0)),
        ("weight", lambda x: projection(weight=x)),
        ("delay", lambda x: projection(weight=1.0, delay=x)),
        ("times", lambda x: nj.neurons.SpikeTimes([quantity([1.0, 2.0])])),
        ("dt", lambda x: nj.inputs.Sampled(np.zeros(3), x)),
        ("start", lambda x: nj.inputs.Step(1.0, start=x)),
    ],
)
def test_a_unit_of_its_own_is_refused(named, build):
    with pytest.raises(TypeError, match=f"{named}.* must be a plain number or array, in ms"):
        build(quantity(1.0))


def test_those_of_a_library_are_too():
    pq = pytest.importorskip("quantities")
    with pytest.raises(TypeError, match=r"got 0\.1 s with a unit of its own"):
        run(duration=0.1 * pq.s)
    with pytest.raises(TypeError, match=r"got 0\.25 nF with a unit"):
        nj.neurons.LIF(C_m=0.25 * pq.nF)


def test_inputs_in_a_list_are_to_be_added():
    steps = [nj.inputs.Step(100.0), nj.inputs.Step(50.0)]
    with pytest.raises(TypeError, match="got a list of 2; add them, a \\+ b"):
        run(inputs={"I_e": steps})


def test_spikes_takes_names():
    with pytest.raises(TypeError, match=r"as in nj\.Spikes\('E', 'I'\), got \['E', 'I'\]"):
        nj.Spikes(["E", "I"])
