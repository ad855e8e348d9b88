"""Networks divided over devices: the division itself, runs on several devices, what is refused."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.networks import _division

SCRIPT = Path(__file__).with_name("_sharded_in_a_process.py")
SYN = {"syn": nj.synapses.ExpCurrent(tau=5.0)}


def start(*arguments, cpus, script=SCRIPT):
    """The checks in a process of their own."""
    flags = f"--xla_force_host_platform_device_count={cpus}"
    source = str(Path(nj.__file__).parents[1])
    env = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": source}
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, arguments)],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finished(*processes):
    for process in processes:
        text, _ = process.communicate(timeout=600)
        assert process.returncode == 0, text


@pytest.mark.slow
def test_two_and_four_devices_give_the_spikes_of_one():
    finished(start(cpus=4))


@pytest.mark.slow
def test_several_processes_give_the_spikes_of_one():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        address = f"localhost:{probe.getsockname()[1]}"
    finished(*[start(address, 2, which, cpus=2) for which in range(2)])


def test_trials_on_two_devices_give_the_values_and_slopes_of_one():
    finished(start(cpus=2, script=SCRIPT.with_name("_trials_over_devices.py")))


# -- the division --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 31, 32, 33, 100, 1000, 4099])
@pytest.mark.parametrize("devices", [1, 2, 3, 8])
def test_words_of_all_devices_are_the_words_of_the_population(n, devices):
    rng = np.random.default_rng(n)
    fired = rng.random(n) < 0.4
    share = _division.share(n, devices)
    assert sorted(share.ids[share.real]) == list(range(n))
    pack = lambda bits: np.asarray(nj.SpikeOutput(jnp.asarray(bits, float), 0.5).packed())
    local = [pack(fired[ids] & real) for ids, real in zip(share.ids, share.real, strict=True)]
    whole = pack(fired)
    together = np.concatenate(local)
    np.testing.assert_array_equal(together[: len(whole)], whole)
    assert not together[len(whole) :].any()
    np.testing.assert_array_equal(share.real_words(), [pack(real) for real in share.real])
    values = rng.normal(size=(2, n))
    parts = np.concatenate([values[:, ids] for ids in share.ids], axis=1)
    np.testing.assert_array_equal(share.joined(parts), values)


def test_tables_of_all_devices_have_every_synapse_once():
    cell = nj.neurons.LIF(receptors=SYN)
    graph = nj.connectivity.fixed_indegree(9, multi_edges=True)
    delay = nj.random.Uniform(0.3, 1.0)
    net = nj.Network(
        {"A": cell.population(70), "B": cell.population(40)},
        [nj.Projection(["A", "B"], ["B", "A"], "syn", graph, weight=nj.random.Normal(0.0, 1.0),
                       delay=delay)],
        key=jax.random.key(0),
    ).prepare()  # fmt: skip
    (plan,), (weights,) = net.plans, net.tables
    shares = {"A": _division.share(70, 3), "B": _division.share(40, 3)}
    inbox = _division.inbox(net.layout, shares)
    table = _division.Table(np.asarray(plan.targets), np.asarray(weights), inbox, 3)
    assert table.shortest() == 3
    x = np.random.default_rng(0).normal(size=len(plan.targets))
    size, steps = net.layout.size, net.layout.steps
    expected = np.zeros(size * steps)
    np.add.at(expected, np.asarray(plan.targets), x[:, None] * np.asarray(weights))
    found = np.zeros((3, inbox.layout.size * steps))
    for d in range(3):
        np.add.at(found[d], table.targets_of(d), x[:, None] * table.weights_of(d))
        assert (np.diff(np.sort(table.targets_of(d)[-1])) > 0).all()  # spread padding
    real = inbox.owner >= 0
    np.testing.assert_allclose(
        inbox.joined(found, 3).reshape(steps, -1)[:, real], expected.reshape(steps, -1)[:, real],
        atol=1e-12,
    )  # fmt: skip
    again = np.concatenate([inbox.divided(expected, d) for d in range(3)])
    np.testing.assert_array_equal(
        inbox.joined(again, 3).reshape(steps, -1)[:, real], expected.reshape(steps, -1)[:, real]
    )


# -- what is refused -----------------------------------------------------------------------------


def refused(message, net=None, error=ValueError, **options):
    net = nj.Network({"A": nj.neurons.LIF(n=8, receptors=SYN)}) if net is None else net
    mesh = options.pop("mesh", None) or jax.make_mesh((1,), ("neurons",), devices=jax.devices()[:1])
    with pytest.raises(error, match=message):
        nj.networks.simulate_sharded(net, mesh, **{"duration": 1.0, "dt": 0.1, **options})


def test_what_cannot_be_divided_is_refused():
    cell = nj.neurons.LIF(receptors=SYN).population(8)
    one = nj.connectivity.one_to_one(self_edges=True)
    joined = nj.Network({"A": cell}, [], [nj.synapses.GapJunctions("A", "A", np.ones((8, 8)))])
    refused("GapJunctions from 'A' to 'A'", joined)
    learns = nj.Projection("A", "A", "syn", one, plasticity=nj.plasticity.PairSTDP(), name="s")
    learning = nj.Network({"A": cell}, [learns])
    refused("is of synapses", learning, record={"w": nj.Trace("projections.s.weights")})
    tired = nj.Projection("A", "A", "syn", one, release=nj.synapses.TsodyksMarkram(), name="s")
    terminals = {"u": nj.Trace("projections.s.release.u")}
    refused("'u' is of.*terminals", nj.Network({"A": cell}, [tired]), record=terminals)
    refused("not of nj.neurons", nj.Network({"A": nj.Network({"A": cell})}))
    noise = nj.inputs.OrnsteinUhlenbeck(0.0, 1.0, 5.0, shape=(8,))
    refused("needs random numbers, but there is no key", inputs={"A": {"I_e": noise}})
    random = nj.Network({"A": cell, "P": nj.neurons.Poisson(rate=10.0, n=5)})
    refused("needs random numbers, but there is no key", random)
    refused("function of the state", record={"v": nj.Trace(lambda s: s["A"]["V_m"].mean())})
    refused("at= is not there", record={"v": nj.Trace("A.V_m", at=[0.5])})
    refused("not part of this model", record={"v": nj.Trace("B.V_m")}, error=nj.UnknownNameError)
    refused("out of range for 8 elements", record={"v": nj.Trace("A.V_m", 8)})
    refused("never reads the input", inputs={"A": {"I": 1.0}}, error=nj.UnknownNameError)
    refused("no such population", record={"s": nj.Spikes("B")}, error=nj.UnknownNameError)
    refused("not a whole number of steps", duration=0.25)
    refused("duration must be a positive number", duration=-1.0)
    refused(
        "mesh must have one axis",
        mesh=jax.make_mesh((1, 1), ("a", "b"), devices=jax.devices()[:1]),
    )


def test_runs_that_end_beyond_what_integers_count(float32):
    refused("to 2147483650 of dt=0.1 ms", t0=214_748_364.0)
    net = nj.Network({"A": nj.neurons.LIF(n=8, receptors=SYN)})
    late = nj.SimState(net.init_state(), step=np.asarray(2**31 + 5), dt=0.1)
    refused("step 2147483653 to 2147483663 of dt=0.1 ms", net, state=late)


def test_late_inputs_keep_their_place_in_a_step(float32):
    """As where they are given from time zero on, in single precision."""
    net = nj.Network({"A": nj.neurons.LIF(V_th=1e3, n=8, receptors=SYN)})
    mesh = jax.make_mesh((1,), ("neurons",), devices=jax.devices()[:1])

    def last(t0):
        pulse = nj.inputs.Step(300.0, t0 + 1.03, t0 + 2.07) + nj.inputs.Ramp(0.0, 50.0, t0, t0 + 9)
        sampled = nj.inputs.Sampled(np.arange(9.0) * 10.0, dt=0.77, t0=t0 - 0.05)
        run = nj.networks.simulate_sharded(
            net, mesh, duration=3.0, dt=0.1, t0=t0, inputs={"A": {"I_e": pulse + sampled}}
        )
        return np.asarray(run.final_state.state["populations"]["A"]["V_m"])

    np.testing.assert_allclose(last(1e7), last(0.0), atol=1e-4)


def test_what_becomes_infinite_is_found():
    inputs = {"A": {"I_e": np.r_[np.zeros(7), np.nan]}}
    refused("'populations.A.V_m' became NaN", inputs=inputs, error=nj.NonFiniteError)


def one_device():
    return jax.make_mesh((1,), ("neurons",), devices=jax.devices()[:1])


def both(net, **options):
    """The run on one device as `simulate` makes it, and as a divided one."""
    options = {"duration": 4.0, "dt": 1.0} | options
    return nj.simulate(net, **options), nj.networks.simulate_sharded(net, one_device(), **options)


def test_runs_go_on_with_another_step():
    cells = {"E": nj.neurons.LIF(t_ref=20.0), "R": nj.neurons.Regular(interval=20.0)}
    net = nj.Network(cells)
    options = {"inputs": {"E": {"I_e": 2000.0}}, "record": {"s": nj.Spikes("E", "R")}}
    state = nj.simulate(net, duration=4.0, dt=1.0, **options).final_state
    alone, divided = both(net, duration=40.0, dt=0.5, state=state, **options)
    for name in cells:
        assert divided["s"][name].times.tolist() == alone["s"][name].times.tolist()
    assert divided["s"]["R"].times.tolist() == [20.0, 40.0]


@pytest.mark.parametrize(
    "current",
    [420, np.int32(420), [420] * 8, np.full(8, 420), jnp.full(8, 420), np.full(1, 420.0), [420],
     nj.inputs.Sampled(np.full((4, 1), 420), 1.0), nj.inputs.Step(420) + np.zeros(1)],
    ids=lambda x: type(x).__name__,
)  # fmt: skip
def test_whole_numbers_and_single_numbers_as_inputs(current):
    net = nj.Network({"A": nj.neurons.LIF(n=8)})
    wanted = nj.simulate(net, duration=4.0, dt=1.0, inputs={"A": {"I_e": 420.0}}).final_state
    for sim in both(net, inputs={"A": {"I_e": current}}):
        found = sim.final_state.state["populations"]["A"]["V_m"]
        np.testing.assert_array_equal(found, wanted.state["populations"]["A"]["V_m"])


@pytest.mark.parametrize("shape", [(), (1,)])
def test_one_noise_for_all(shape):
    net = nj.Network({"A": nj.neurons.LIF(n=8)})
    noise = nj.inputs.OrnsteinUhlenbeck(400.0, 50.0, 5.0, shape=shape)
    options = {"inputs": {"A": {"I_e": noise}}, "record": {"V": "A.V_m"}}
    alone, divided = both(net, key=jax.random.key(0), **options)
    np.testing.assert_allclose(divided["V"], alone["V"], rtol=1e-12)
    again = both(net, key=jax.random.key(0), state=divided.final_state, **options)
    np.testing.assert_allclose(again[1]["V"], again[0]["V"], rtol=1e-12)


def test_traces_have_the_shape_of_their_index():
    net = nj.Network({"A": nj.neurons.LIF(n=40)})
    index = {"one": 3, "none": None, "list": [5, -1], "table": [[1, 2], [33, 4]]}
    record = {name: nj.Trace("A.V_m", i) for name, i in index.items()}
    inputs = {"A": {"I_e": np.linspace(0.0, 500.0, 40)}}
    alone, divided = both(net, record=record, inputs=inputs)
    for name in index:
        np.testing.assert_allclose(divided[name], alone[name], rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"inputs": [1]}, TypeError, "inputs must be a dictionary by name"),
        ({"inputs": {"A": {"I_e": None}}}, TypeError, r"inputs\['A'\]\['I_e'\] .* got None"),
        ({"inputs": {"A": {"I_e": abs}}}, TypeError, "is a function: give its values over time"),
        ({"inputs": {"A": {"I_e": np.ones(7)}}}, ValueError, r"shape \(7,\), but 'A' has 8 neu"),
        ({"inputs": {"A": {"I_e": nj.inputs.Sine(np.ones(3), 5.0)}}}, ValueError, "has 8 neurons"),
        ({"inputs": {"A": {"I_e": nj.inputs.Sampled(np.ones(2), 0.1)}}}, ValueError,
         r"\['A'\]\['I_e'\] covers 0 to 0.2 ms .* from 0 to 1 ms"),
        ({"inputs": {"A": {"I_e": nj.inputs.Sampled(np.ones(20), 0.1, t0=0.5)}}}, ValueError,
         "covers 0.5 to 2.5 ms"),
        ({"duration": np.array([1.0, 2.0])}, ValueError, "duration must be a positive number"),
        ({"duration": True}, ValueError, "duration must be a positive number"),
        ({"t0": np.nan}, ValueError, "t0 must be a finite number"),
        ({"record": {"V": nj.Trace("A.V_m", np.arange(7) == 6)}}, ValueError,
         "the mask has 7 entries, the record 8 elements"),
        ({"record": {"V": nj.Trace("A.V_m", np.zeros(8, bool))}}, ValueError,
         "a mask without True"),
        ({"record": {"V": nj.Trace("A.V_m", slice(3, 3))}}, ValueError, "selects none of 8"),
    ],
)  # fmt: skip
def test_the_door_is_that_of_simulate(options, error, match):
    net = nj.Network({"A": nj.neurons.LIF(n=8, receptors=SYN)})
    refused(match, net, error, **options)
    with pytest.raises(error, match=match):
        nj.simulate(net, **{"duration": 1.0, "dt": 0.1, **options})


def test_records_that_stay_empty_are_told():
    net = nj.Network({"A": nj.neurons.LIF(n=8)})
    with pytest.warns(UserWarning, match="record 'V' stays empty"):
        sim = nj.networks.simulate_sharded(
            net, one_device(), duration=30.0, dt=1.0, record={"V": nj.Trace("A.V_m", every=1000)}
        )
    assert sim["V"].shape == (0, 8)


def test_inside_jit_is_refused_whatever_is_traced():
    cell = nj.neurons.LIF(receptors=SYN).population(8)
    net = nj.Network({"A": cell})
    state = nj.simulate(net, duration=1.0, dt=0.1).final_state
    run = lambda **options: (
        nj.networks.simulate_sharded(net, one_device(), duration=1.0, dt=0.1, **options).stats.steps
    )
    for options in ({}, {"state": state}, {"state": state.state}, {"key": jax.random.key(0)}):
        with pytest.raises(ValueError, match="works outside of jit, grad and vmap"):
            jax.jit(lambda options=options: run(**options))()
        assert int(run(**options)) == 10
    with pytest.raises(ValueError, match="works outside of jit, grad and vmap"):
        jax.jit(lambda I_e: run(inputs={"A": {"I_e": I_e}}))(100.0)


def test_a_simulation_is_no_state():
    net = nj.Network({"A": nj.neurons.LIF(n=8)})
    sim = nj.simulate(net, duration=1.0, dt=0.1)
    refused("state= is a Simulation: give its final_state", net, TypeError, state=sim)
    with pytest.raises(TypeError, match="give its final_state"):
        nj.simulate(net, duration=1.0, dt=0.1, state=sim)


def test_thresholds_that_find_a_rate_are_divided():
    cell = nj.neurons.LIF(n=40, V_th=np.linspace(-56.0, -52.0, 40), t_ref=2.0)
    threshold = nj.plasticity.HomeostaticThreshold(cell, eta=np.linspace(0.1, 2.0, 40), rho0=20.0)
    options = {"inputs": {"A": {"I_e": np.linspace(350.0, 700.0, 40)}},
               "record": {"s": nj.Spikes("A"), "theta": "A.theta_h"}}  # fmt: skip
    alone, divided = both(nj.Network({"A": threshold}), duration=200.0, dt=0.1, **options)
    assert len(alone["s"].times) > 100
    np.testing.assert_array_equal(divided["s"].times, alone["s"].times)
    np.testing.assert_array_equal(divided["s"].neurons, alone["s"].neurons)
    np.testing.assert_allclose(divided["theta"], alone["theta"], rtol=1e-12, atol=1e-12)
    rates = nj.Network({"A": nj.circuits.RateRNN(8, recurrent=jnp.zeros((8, 8)))})
    refused("'A' .RateRNN. is not of nj.neurons: only those, also within", rates)
