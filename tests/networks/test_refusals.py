"""What is refused at the door of a network, nested networks, and models on disk."""

import inspect
import re

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

C = nj.connectivity
CELL = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=2.0)})


def network(*projections, **options):
    return nj.Network({"E": CELL.population(6), "I": CELL.population(3)}, projections, **options)


def edge(**options):
    return nj.Projection("E", ["E", "I"], "exc", C.all_to_all(), **options)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: network(nj.Projection("EE", "E", "exc", C.all_to_all())), KeyError, "mean 'E'"),
        (lambda: network(nj.Projection("E", "E", "ex", C.all_to_all())), KeyError, "mean 'exc'"),
        (lambda: network(nj.Projection("E", "E", "exc", C.bernoulli(0.5))), ValueError, "key="),
        (lambda: network(edge(), edge()), ValueError, "two projections are called"),
        (lambda: network(edge(weight=[1.0, 2.0])), ValueError, "I:exc': weight"),
        (lambda: network(edge(delay=0.0)), ValueError, "at the earliest"),
        (lambda: network(nj.Projection(["E", "E"], "I", "exc", C.all_to_all())), ValueError,
         "source neuron twice"),
        (lambda: network(nj.Projection("E", "I", "exc", 0.5)), TypeError, "nj.connectivity"),
        (lambda: network(nj.Projection(7, "I", "exc", C.all_to_all())), TypeError, "source must"),
        (lambda: network(nj.Projection("E", ("I", [9]), "exc", C.all_to_all())), ValueError,
         "population of 3"),
        (lambda: network(nj.Projection(("E", "I"), "E", "exc", C.all_to_all())), TypeError,
         r"source is the tuple .* write \['E', 'I'\]"),
        (lambda: network(nj.Projection(("E", slice(3, 3)), "I", "exc", C.all_to_all())), ValueError,
         "its source is an empty part"),
        (lambda: network(nj.Projection("E", ("I", [0, 0]), "exc", C.all_to_all())), ValueError,
         "names a target neuron twice"),
        (lambda: network(edge(weight="x")), TypeError, "projection 'E->E,I:exc': weight must"),
        (lambda: network(edge(delay="1ms")), TypeError, "projection 'E->E,I:exc': delay must"),
        (lambda: nj.Network({"a.b": CELL}), ValueError, "without '.'"),
        (lambda: nj.Network({}), TypeError, "dictionary by name"),
        (lambda: nj.Network({"E": 3}), TypeError, "must be a neurojax Dynamics"),
        (lambda: network(edge(interpolate=True)), ValueError, "needs delay="),
    ],
)  # fmt: skip
def test_the_message_names_what_is_wrong(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_the_door_of_simulate():
    net = network(edge())
    run = lambda **options: nj.simulate(net, duration=1.0, dt=0.1, **options)
    with pytest.raises(nj.UnknownNameError, match=r"'E.Ie'. Did you mean 'I_e'"):
        run(inputs={"E": {"Ie": 1.0}})
    with pytest.raises(nj.UnknownNameError, match=r"Did you mean 'E.V_m'"):
        run(record={"v": "E.Vm"})
    with pytest.raises(nj.UnknownNameError, match="Did you mean 'E'"):
        run(record={"s": nj.Spikes("EE")})
    controller = diffrax.PIDController(rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="carries spikes"):
        nj.simulate(net, duration=1.0, solver=diffrax.Tsit5(), stepsize_controller=controller)
    with pytest.raises(ValueError, match=r"population 'E' \(LIF\) changes its state"):
        nj.simulate(network(), duration=1.0, solver=diffrax.Tsit5(), stepsize_controller=controller)


def test_a_number_of_devices_is_no_mesh():
    plain = inspect.unwrap(nj.networks.simulate_sharded)  # without the type checks of the tests
    with pytest.raises(TypeError, match=r"mesh must be a jax.sharding.Mesh, got 4: use jax.make"):
        plain(network(), 4, duration=1.0, dt=0.1)


def test_a_state_of_another_grid_is_refused():
    net = network(edge(delay=1.0))
    earlier = nj.simulate(net, duration=1.0, dt=0.1).final_state
    with pytest.raises(ValueError, match=r"grid of delays other than 0.05 ms"):
        nj.simulate(net, duration=1.0, dt=0.05, state=earlier)


def test_projections_do_not_end_where_nothing_is_received():
    held = {"exc": nj.synapses.ExpCurrent(tau=2.0), "g": nj.synapses.InjectedConductance()}
    populations = {"E": nj.neurons.LIF(receptors=held), "S": nj.neurons.Poisson(rate=5.0)}
    with pytest.raises(ValueError, match=r"ends on 'S', but Poisson makes spikes"):
        nj.Network(populations, [nj.Projection("E", "S", "exc", nj.connectivity.all_to_all())])
    with pytest.raises(ValueError, match=r"port 'g' of 'E', which takes functions of time"):
        nj.Network(populations, [nj.Projection("S", "E", "g", nj.connectivity.all_to_all())])
    repeated = populations | {"P": nj.neurons.Parrot()}
    nj.Network(repeated, [nj.Projection("S", "P", "spikes", nj.connectivity.all_to_all())])


def test_networks_nest_and_are_kept_on_disk(tmp_path):
    inner = network(edge(weight=3.0))
    outer = nj.Network({"area": inner, "X": CELL.population(2)})
    inputs = {"area": {"E": {"I_e": 600.0}}, "X": {"I_e": 700.0}}
    record = {"s": nj.Spikes("area.E"), "V": nj.Trace("area.E.V_m")}
    run = lambda net: nj.simulate(net, duration=30.0, dt=0.1, inputs=inputs, record=record)
    sim = run(outer)
    alone = nj.simulate(inner, duration=30.0, dt=0.1, inputs=inputs["area"],
                        record={"V": nj.Trace("E.V_m")})  # fmt: skip
    np.testing.assert_array_equal(sim["V"], alone["V"])
    assert int(sim.stats.spikes["area.E"]) > 0 and int(sim.stats.spikes["X"]) > 0
    nj.save(tmp_path / "net.npz", outer)
    blank = jax.tree.map(lambda x: jnp.zeros_like(x), outer)
    again = nj.load(tmp_path / "net.npz", like=blank)
    np.testing.assert_array_equal(run(again)["V"], sim["V"])


def test_warnings_and_summary(capsys):
    net = network(edge(weight=2.0, delay=1.5))
    sim = nj.simulate(net, duration=20.0, dt=0.1, inputs={"E": {"I_e": 1e5}})
    assert float(sim.stats.rates["E"]) == pytest.approx(int(sim.stats.spikes["E"]) / 6 / 0.02)
    assert "runaway" in sim.stats.warnings[0] and "'I' is silent" in sim.stats.warnings[1]
    net.summary()
    shown = capsys.readouterr().out
    assert "E->E,I:exc" in shown and "48" in shown and "1.5" in shown
    assert "9 neurons, 48 synapses" in shown
    assert "learning" not in shown and "release" not in shown
    with pytest.raises(ValueError, match=r"stats.warnings is in words, outside jit"):
        jax.jit(lambda: len(nj.simulate(net, duration=1.0, dt=0.1).stats.warnings))()
    with pytest.raises(ValueError, match=r"stats.trouble is in words, outside jit"):
        jax.jit(lambda: nj.simulate(net, duration=1.0, dt=0.1).stats.trouble)()


def test_the_summary_counts_learning_and_release(capsys):
    rule, release = nj.plasticity.PairSTDP(), nj.synapses.TsodyksMarkram()
    net = network(edge(name="l", plasticity=rule), edge(name="r", release=release))
    net.summary()
    shown = capsys.readouterr().out
    release = jax.eval_shape(net.init_state)["release"]
    count = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(release))
    assert re.search(rf"state of release +{count} B\n", shown)
    assert re.search(r"state of learning +[1-9].*\n +tables of learning +[1-9]", shown)
