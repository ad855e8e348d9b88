"""Networks on one device and divided over several, in a process that has several.

Arguments: for a check by several processes, the address of the first one, their number, and which
one this is.
"""

import re
import sys

import jax
import numpy as np

import neurojax as nj

STEPS, DT = 500, 0.1


def balanced():
    """Conductances, one weight or many, delays of 0.5 ms and more; neurons with own parameters."""
    rng = np.random.default_rng(0)
    ports = {
        "ampa": nj.synapses.ExpConductance(tau=5.0, E_rev=0.0),
        "gaba": nj.synapses.ExpConductance(tau=rng.uniform(8.0, 12.0, 87), E_rev=-80.0),
    }
    cell = nj.neurons.LIF(
        C_m=200.0, g_L=10.0, E_L=-60.0, V_th=-50.0, V_reset=-60.0, t_ref=5.0,
        initial={"V_m": nj.random.Uniform(-65.0, -50.0)},
    )  # fmt: skip
    excitatory = ports | {"gaba": nj.synapses.ExpConductance(tau=10.0, E_rev=-80.0)}
    bernoulli = nj.connectivity.bernoulli
    net = nj.Network(
        {
            "E": cell.population(333, receptors=excitatory),
            "I": cell.population(87, receptors=ports, V_th=rng.normal(-50.0, 1.0, 87)),
        },
        [
            nj.Projection("E", ["E", "I"], "ampa", bernoulli(0.1), weight=6.0, delay=1.5),
            nj.Projection(
                "I", ["E", "I"], "gaba", bernoulli(0.1),
                weight=nj.random.Uniform(40.0, 80.0), delay=nj.random.Uniform(0.5, 2.0),
            ),
        ],
        key=jax.random.key(0),
    )  # fmt: skip
    wave = nj.inputs.Sine(rng.uniform(0.0, 50.0, 87), frequency=20.0) + 210.0
    inputs = {
        "E": {"I_e": nj.inputs.Step(rng.uniform(200.0, 400.0, 333), stop=30.0), "ampa": 0.01},
        "I": {"I_e": wave},
    }
    record = {
        "spikes": nj.Spikes("E", "I"),
        "few": nj.Trace("E.V_m", [330, 5, 7, 6], every=7),
        "one": nj.Trace("I.V_m", -1),
        "all": nj.Trace("I.gaba.g", every=20),
    }
    return net, inputs, record


def assembled():
    """Sources, parts of populations, projections on one port, some computed, delays of a step."""
    rng = np.random.default_rng(1)
    exc, jump = nj.synapses.ExpCurrent(tau=2.0), nj.synapses.Delta()
    ports = {"exc": exc, "slow": nj.synapses.AlphaCurrent(tau=3.0)}
    cell = nj.neurons.LIF(receptors=ports)
    trains = nj.neurons.SpikeTimes(rng.uniform(1.0, 49.0, 300), rng.integers(0, 50, 300), n=50)
    izhikevich = nj.neurons.Izhikevich(receptors={"exc": exc, "jump": jump})
    fixed = nj.connectivity.fixed_indegree
    P, computed = nj.Projection, nj.connectivity.Procedural
    net = nj.Network(
        {
            "in": trains,
            "beat": nj.neurons.Regular(interval=rng.uniform(4.0, 9.0, 3), n=3),
            "A": cell.population(100),
            "B": izhikevich.population(33),
        },
        [
            P("in", "A", "exc", fixed(8), weight=90.0),
            P("in", ("A", slice(10, 60)), "slow", fixed(5), weight=nj.random.Normal(40.0, 9.0)),
            P(["A", "beat"], ["B", "A"], "exc", fixed(12), weight=7.0, delay=0.3),
            P("A", "A", "exc", fixed(5), weight=9.0, delay=0.9),
            P("in", "A", "exc", computed(5, 50, 100, 4), weight=40.0, delay=0.4, name="more"),
            P("A", "B", "exc", computed(6, 100, 33, 2, rng.uniform(2.0, 9.0, 100)), name="own"),
            P("A", "B", "jump", fixed(3), weight=0.3, delay=nj.random.Uniform(0.2, 1.1),
              interpolate=True),
        ],
        key=jax.random.key(3),
    )  # fmt: skip
    samples = rng.uniform(150.0, 450.0, (6, 100))
    inputs = {"A": {"I_e": nj.inputs.Sampled(samples, dt=10.0)}, "B": {"I_e": 5.0}}
    record = {
        "spikes": nj.Spikes("in", "beat", "A", "B"),
        "V": nj.Trace("A.V_m", slice(3, 90, 4)),
        "I": nj.Trace("B.exc.I", every=3),
    }
    return net, inputs, record


def noisy():
    """Random sources, thresholds and inputs, one for all or one per neuron."""
    ports = {"exc": nj.synapses.ExpCurrent(tau=2.0)}
    fixed, P = nj.connectivity.fixed_indegree, nj.Projection
    net = nj.Network(
        {
            "in": nj.neurons.Poisson(rate=np.linspace(20.0, 200.0, 77), n=77),
            "gamma": nj.neurons.GammaRenewal(rate=50.0, shape=np.linspace(0.5, 9.0, 40), n=40),
            "A": nj.neurons.LIF(receptors=ports).population(130),
            "B": nj.neurons.EscapeLIF(receptors=ports).population(45),
        },
        [
            P(["in", "gamma"], ["A", "B"], "exc", fixed(10), weight=80.0, delay=0.5),
            P(["A", "B"], ["A", "B"], "exc", fixed(10), weight=30.0, delay=0.3),
        ],
        key=jax.random.key(0),
    )  # fmt: skip
    OU = nj.inputs.OrnsteinUhlenbeck
    # so many arrivals that some neurons need several draws in a step, and others one
    arrivals = nj.inputs.Poisson(rate=np.geomspace(1e3, 1e6, 130), weight=0.04)
    inputs = {
        "A": {"exc": arrivals, "I_e": OU(300.0, 50.0, 5.0)},
        "B": {"I_e": OU(200.0, 100.0, 5.0, shape=(45,))},
    }
    record = {"spikes": nj.Spikes("in", "gamma", "A", "B"), "V": nj.Trace("A.V_m", every=3)}
    return net, inputs, record


def released(shortest):
    """Short-term plasticity: exact and random, of parts of populations, per neuron, computed."""
    rng = np.random.default_rng(2)
    cell = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=2.0)})
    fixed, P = nj.connectivity.fixed_indegree, nj.Projection
    depressing = nj.synapses.TsodyksMarkram(U=nj.random.Uniform(0.2, 0.8), tau_rec=100.0)
    facilitating = nj.synapses.TsodyksMarkram(U=0.2, tau_rec=20.0, tau_facil=80.0)
    random = nj.synapses.Quantal(N=5, p=0.4, tau_rec=30.0, tau_facil=10.0)
    computed = nj.connectivity.Procedural
    net = nj.Network(
        {
            "in": nj.neurons.Poisson(rate=rng.uniform(20.0, 150.0, 60), n=60),
            "A": cell.population(130),
            "B": cell.population(45),
        },
        [
            P("in", "A", "exc", fixed(9), weight=300.0, delay=shortest, release=depressing),
            P(["A", ("in", slice(3, 40))], ["A", "B"], "exc", fixed(7),
              weight=nj.random.Uniform(50.0, 200.0), delay=nj.random.Uniform(shortest, 1.5),
              release=random),
            P("A", "B", "exc", computed(6, 130, 45, 3), weight=150.0, delay=0.7, name="computed",
              release=facilitating),
            P("B", "A", "exc", fixed(3), weight=30.0, delay=1.2),
        ],
        key=jax.random.key(0),
    )  # fmt: skip
    inputs = {"A": {"I_e": 300.0}, "B": {"I_e": 400.0}}
    return net, inputs, {"spikes": nj.Spikes("in", "A", "B"), "V": nj.Trace("B.V_m", every=3)}


def learning():
    """Rules of spikes, of the membrane and of a signal; delays on either side, one or many."""
    rng = np.random.default_rng(4)
    fixed, P, rule = nj.connectivity.fixed_indegree, nj.Projection, nj.plasticity
    ports = {"exc": nj.synapses.ExpCurrent(tau=2.0), "inh": nj.synapses.ExpCurrent(tau=5.0)}
    cell = nj.neurons.LIF(receptors=ports, initial={"V_m": nj.random.Uniform(-70.0, -56.0)})
    weight = nj.random.Uniform(20.0, 90.0)
    many = nj.random.Uniform(0.2, 1.4)
    depressing = nj.synapses.TsodyksMarkram(U=0.5, tau_rec=50.0)
    clopath = rule.Clopath(A_LTD=2e-2, A_LTP=1e-2, theta_minus=-69.0, theta_plus=-60.0, w_max=200.0)
    triplet = rule.TripletSTDP(A2_plus=2.0, A3_plus=3.0, A2_minus=2.0, A3_minus=1.0, w_max=200.0)
    back = lambda of, **given: of(w_max=200.0, delay="dendritic", **given)
    net = nj.Network(
        {
            "in": nj.neurons.Poisson(rate=rng.uniform(20.0, 150.0, 60), n=60),
            "A": cell.population(130),
            "B": cell.population(45),
        },
        [
            P("in", "A", "exc", fixed(9), weight=weight, delay=0.7, name="pair",
              plasticity=[back(rule.PairSTDP, A_plus=2.0, A_minus=1.5),
                          back(rule.SynapticScaling, rho0=20.0, tau_w=50.0, tau_r=90.0, every=7)]),
            P(["A", ("in", slice(3, 40))], ["A", "B"], "exc", fixed(7), weight=weight, delay=many,
              plasticity=triplet, release=depressing, name="x"),
            P("A", "B", "exc", fixed(8), weight=weight, delay=many, name="many",
              plasticity=back(rule.SymmetricSTDP, A_plus=2.0)),
            P("B", ["B", "A"], "inh", fixed(6), weight=-10.0, delay=1.2, name="three",
              plasticity=rule.ThreeFactorSTDP(0.1, 0.1, tau_e=30.0, w_min=-200.0)),
            P("A", ("A", slice(5, 90)), "exc", fixed(4), weight=weight, name="sense",
              plasticity=clopath),
        ],
        key=jax.random.key(0),
    )  # fmt: skip
    inputs = {
        "A": {"I_e": 350.0}, "B": {"I_e": rng.uniform(350.0, 450.0, 45)},
        "three": {"modulator": nj.inputs.Step(2.0, start=10.0, stop=40.0)},
    }  # fmt: skip
    return net, inputs, {"spikes": nj.Spikes("in", "A", "B"), "V": nj.Trace("B.V_m", every=3)}


def homeostatic():
    """Thresholds that find a rate, with parameters of their own, bounds and synapses that learn."""
    rng = np.random.default_rng(6)
    ports = {"exc": nj.synapses.ExpCurrent(tau=2.0)}
    cell = nj.neurons.LIF(receptors=ports, initial={"V_m": nj.random.Uniform(-70.0, -56.0)})
    threshold = nj.plasticity.HomeostaticThreshold
    adaptive = nj.neurons.AdEx(receptors=ports).population(33)
    net = nj.Network(
        {
            "A": threshold(
                cell.population(130, V_th=rng.normal(-54.0, 1.0, 130)),
                eta=rng.uniform(0.1, 0.5, 130), rho0=rng.uniform(5.0, 40.0, 130),
                theta=rng.uniform(-2.0, 2.0, 130), theta_max=2.5,
            ),
            "B": threshold(adaptive, eta=0.3, rho0=15.0),
        },
        [
            nj.Projection("A", ["A", "B"], "exc", nj.connectivity.fixed_indegree(7), weight=40.0,
                          delay=nj.random.Uniform(0.3, 1.5)),
            nj.Projection("B", "A", "exc", nj.connectivity.fixed_indegree(3), weight=60.0,
                          delay=1.0, plasticity=nj.plasticity.PairSTDP(w_max=200.0)),
        ],
        key=jax.random.key(0),
    )  # fmt: skip
    inputs = {"A": {"I_e": rng.uniform(350.0, 450.0, 130)}, "B": {"I_e": 700.0}}
    record = {
        "spikes": nj.Spikes("A", "B"), "shift": nj.Trace("A.theta_h", [129, 3, 64], every=7),
        "V": nj.Trace("B.V_m", every=3),
    }  # fmt: skip
    return net, inputs, record


def run(case, mesh=None, steps=STEPS, state=None):
    """The case on one device, or divided over a mesh."""
    net, inputs, record = case
    options = {
        "duration": steps * DT, "dt": DT, "inputs": inputs, "record": record, "state": state,
        "key": jax.random.key(7),
    }  # fmt: skip
    if mesh is None:
        return nj.simulate(net, **options)
    return nj.networks.simulate_sharded(net, mesh, **options)


def check_same(pieces, expected):
    """Spikes and counts bit for bit, traces and states to rounding; the run may be in pieces."""
    records = dict(expected.records)
    for name, own in records.pop("spikes").items():
        assert len(own.times) > 10, name
        for part in ("steps", "words"):
            found = np.concatenate([getattr(sim["spikes"][name], part) for sim in pieces])
            np.testing.assert_array_equal(found, getattr(own, part), err_msg=name)
        count = sum(int(sim.stats.spikes[name]) for sim in pieces)
        assert count == int(expected.stats.spikes[name]), name
        assert int(pieces[0].stats.neurons[name]) == int(expected.stats.neurons[name])
    for name, own in records.items():
        found = np.concatenate([sim[name] for sim in pieces])
        np.testing.assert_allclose(found, own, rtol=1e-12, atol=1e-12, err_msg=name)
        found = np.concatenate([sim.times(name) for sim in pieces])
        np.testing.assert_allclose(found, expected.times(name), rtol=1e-12)
    mine, theirs = (
        {k: v for k, v in sim.final_state.state.items() if k != "inbox"}  # padding differs
        for sim in (pieces[-1], expected)
    )
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert int(pieces[-1].final_state.step) == int(expected.final_state.step)


def check_communication():
    """A step of the lowered program gathers packed words, and nothing else is exchanged."""
    from neurojax.networks import _sharded_run as module

    class Lowered(Exception):
        """Carries the text of the program."""

    def lower(*arguments):
        raise Lowered(chunk.lower(*arguments).as_text())

    chunk, module._chunk = module._chunk, lower
    net, inputs, _ = balanced()
    mesh = jax.make_mesh((4,), ("neurons",))
    try:
        nj.networks.simulate_sharded(net, mesh, duration=60.0, dt=DT, inputs=inputs,
                                     key=jax.random.key(7))  # fmt: skip
    except Lowered as found:
        text = str(found)
    module._chunk = chunk
    gathered = re.findall(r"all_gather.*?-> tensor<(\S+)>", text, re.DOTALL)
    # 333 and 87 neurons are 11 and 3 words, so 3 and 1 on each of 4 devices; delays of 5 steps:
    # once inside the loop, and once at its end for what is left
    assert gathered == ["5x4x4xui32"] * 2, gathered
    reduced = re.findall(r"all_reduce.*?-> tensor<(\S+)>", text, re.DOTALL)
    assert set(reduced) <= {"i32"}, reduced
    for other in ("collective_permute", "all_to_all", "reduce_scatter"):
        assert other not in text, other


def several_devices():
    """Runs on 2 and 4 devices and on one, each of which goes on where another stopped."""
    mesh = lambda n: jax.make_mesh((n,), ("neurons",), devices=jax.devices()[:n])
    cases = [
        (balanced(), mesh(2), mesh(4)), (assembled(), mesh(4), None), (noisy(), mesh(4), mesh(3)),
        (released(0.1), mesh(4), None), (released(0.5), mesh(2), mesh(3)),
        (learning(), mesh(4), mesh(3)), (homeostatic(), mesh(2), mesh(4)),
    ]  # fmt: skip
    for case, first, second in cases:
        # spikes are under way, and the cut is no multiple of a delay or a stride
        one = run(case, first, 253)
        two = run(case, second, STEPS - 253, one.final_state)
        check_same([one, two], run(case))
    check_communication()


def several_processes(address, count, which):
    """Every process gets the whole result."""
    jax.distributed.initialize(address, num_processes=int(count), process_id=int(which))
    assert jax.process_count() == int(count) < jax.device_count()
    case = balanced()
    found = run(case, jax.make_mesh((jax.device_count(),), ("neurons",)))
    assert found["all"].shape == (STEPS // 20, 87)
    if int(which) == int(count) - 1:
        check_same([found], run(case))


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_rank_promotion", "raise")
    several_processes(*sys.argv[1:]) if sys.argv[1:] else several_devices()
