"""What a network refuses when it is made, or when a run begins."""

import jax
import numpy as np
import pytest

import neurojax as nj

C, P, S = nj.connectivity, nj.plasticity, nj.synapses
CELL = nj.neurons.LIF(n=2, receptors={"e": S.ExpCurrent(), "inj": S.InjectedCurrent()})


@pytest.mark.parametrize("kind", [S.GapJunctions, S.Graded])
def test_couplings_end_where_currents_are_read(kind):
    couple = lambda port: nj.Network({"B": CELL}, [], [kind("B", "B", np.ones((2, 2)), port=port)])
    for port in ("I_e", "inj"):
        assert couple(port).couplings
    with pytest.raises(ValueError, match=r"port 'e' of 'B', whose receptor takes spikes"):
        couple("e")
    with pytest.raises(nj.UnknownNameError, match=r"port 'I_E' of 'B'.*Did you mean 'I_e'"):
        couple("I_E")


@pytest.mark.parametrize("ends", [("noise", "B"), ("B", "noise")])
def test_couplings_join_membranes(ends):
    parts = {"noise": nj.neurons.Poisson(rate=10.0, n=2), "B": CELL}
    with pytest.raises(ValueError, match=r"'noise' is a Poisson.*spikes arrive by an nj.Proj"):
        nj.Network(parts, [], [S.GapJunctions(*ends, np.ones((2, 2)))])


def test_delays_of_zero_in_an_array():
    make = lambda delay: nj.Network(
        {"B": CELL}, [nj.Projection("B", "B", "e", C.all_to_all(), delay=delay)]
    )
    with pytest.raises(ValueError, match="some delays are 0"):
        make(np.array([0.0, 0.1]))


def test_delays_of_the_graph():
    def steps(graph):
        net = nj.Network({"B": CELL}, [nj.Projection("B", "B", "e", graph)])
        return net.projections["B->B:e"].delay_steps(0.1).tolist()

    with pytest.raises(ValueError, match="some delays are 0"):
        steps(C.Edges([0, 1], [1, 0], 2, 2, delay=[0.0, 2.0]))
    with pytest.raises(ValueError, match=r"delay=0.14 ms .* is not a whole number of steps"):
        steps(C.from_edges([0, 1], [1, 0], delay=0.14))
    assert steps(C.from_edges([1, 0], [1, 0], delay=0.3)) == [3, 3]
    assert steps(C.from_edges([1, 0], [1, 0], delay=[0.14, 0.3])) == [3, 1]
    made = lambda pairs, rng: C.Edges([0, 1], [1, 0], 2, 2, delay=[0.0, 0.14])
    assert steps(C.Builder("made", {}, made)) == [1, 1]


def test_a_slice_beyond_a_population():
    with pytest.raises(ValueError, match=r"\[1:5\] reaches beyond a population of 2"):
        nj.Network({"B": CELL}, [nj.Projection(("B", slice(1, 5)), "B", "e", C.all_to_all())])
    with pytest.raises(ValueError, match=r"\[-5:-1\] reaches beyond a population of 2"):
        nj.Network({"B": CELL}, [nj.Projection(("B", slice(-5, -1)), "B", "e", C.all_to_all())])


def test_one_projection_without_a_list():
    with pytest.raises(TypeError, match="projections must be a list"):
        nj.Network({"B": CELL}, nj.Projection("B", "B", "e", C.all_to_all()))


def test_a_solver_that_is_none():
    with pytest.raises(TypeError, match=r"solver(?s:.*)'euler'"):
        nj.neurons.LIF(solver="euler")


def test_gamma_renewal_above_one_spike_per_step():
    source = nj.neurons.GammaRenewal(rate=2000.0)
    with pytest.raises(ValueError, match=r"above one spike in each step of 1 ms: 2000 Hz"):
        nj.simulate(source, duration=10.0, dt=1.0, key=jax.random.key(0))


def learning(rule, delay=None):
    sources = {name: nj.neurons.SpikeTimes([[2.0]]) for name in "ab"}
    edges = C.one_to_one()
    return nj.Network(
        sources, [nj.Projection("a", "b", "in", edges, delay=delay, plasticity=rule, name="s")]
    )


def test_scaling_at_an_interval_between_steps():
    with pytest.raises(ValueError, match=r"every=0.25 ms .* whole number of steps of dt=0.1"):
        learning(P.SynapticScaling(every=0.25))
    net = learning(P.SynapticScaling(every=1.0))
    with pytest.raises(ValueError, match=r"every=1 ms .* whole number of steps of dt=0.4"):
        nj.simulate(net, duration=4.0, dt=0.4)


@pytest.mark.parametrize("dt", [0.05, 0.2])
def test_learning_goes_on_with_another_step(dt):
    net = learning(P.PairSTDP(), delay=4.0)
    first = nj.simulate(net, duration=10.0, dt=0.1)
    with pytest.raises(ValueError, match=r"of a grid of delays other than"):
        nj.simulate(net, duration=20.0, dt=dt, state=first.final_state)


@pytest.mark.parametrize("value", [nj.random.Normal(0.1, 0.01), None, float("nan"), np.ones(2)])
def test_parameters_of_rules_are_numbers(value):
    with pytest.raises((TypeError, ValueError), match="A_plus of PairSTDP"):
        P.PairSTDP(A_plus=value)


def test_modulators():
    net = learning(P.ThreeFactorSTDP())
    run = lambda inputs: nj.simulate(net, duration=1.0, dt=0.1, inputs={"s": inputs})
    with pytest.raises(ValueError, match=r"modulator .* one number .*\(4,\)"):
        run({"modulator": np.ones(4)})
    with pytest.raises(nj.UnknownNameError, match=r"needs the input 'modulator'.*got 'modulaor'"):
        run({"modulaor": 1.0})


@pytest.mark.parametrize("shape", [(3, 3), (2, 3), (3,), (3, 4)])
def test_matrices_of_couplings_fit_their_populations(shape):
    cells = {"A": nj.neurons.LIF(n=2), "B": nj.neurons.LIF(n=3)}
    joined = lambda shape: nj.Network(
        cells, [], [nj.synapses.GapJunctions("B", "A", np.ones(shape), rectifying=True)]
    )
    if shape == (2, 3):  # target, source
        assert joined(shape).couplings[0].g.shape == shape
        return
    with pytest.raises(
        ValueError, match=r"GapJunctions from 'B' to 'A': g .* matrix \(2, 3\), got"
    ):
        joined(shape)
    with pytest.raises(ValueError, match=r"Graded from 'B' to 'A'"):
        nj.Network(cells, [], [nj.synapses.Graded("B", "A", np.ones(shape))])


def test_couplings_read_a_leaf_that_is_there():
    gap = nj.synapses.GapJunctions("A", "A", np.ones((2, 2)), leaf="V_x")
    with pytest.raises(ValueError, match="'V_x' of part 'A', which has no such leaf"):
        nj.Network({"A": nj.neurons.LIF(n=2)}, [], [gap])
