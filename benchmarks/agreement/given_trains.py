"""Pairs of neurons with given trains on both sides of one plastic synapse each.

The result is the weight of each synapse just after each of its presynaptic spikes: what NEST keeps,
which changes weights at presynaptic spikes only. Both sides fire at random and share some times;
the last pairs are special: bursts, a spike in every step, the same trains.
"""

import in_nest
import numpy as np

DT, STEPS, RANDOM = 0.1, 20_000, 36
LAG = 1.0  # ms from a generator to its parrot


def pairs(kind="dendritic", together=True, seed=1):
    """Steps of the trains of both sides, and the delay of each pair: 1, 5 or 20 steps.

    Arguments:
        kind: where the delay is.
        together: whether both spikes may come to the synapse in the same step.
        seed: of the random trains.
    """
    rng = np.random.RandomState(seed)
    last = STEPS - 60
    train = lambda rate: np.flatnonzero(rng.rand(last) < rate * 1e-3 * DT) + 10
    bursts = (np.arange(500, last - 300, 1500)[:, None] + 20 * np.arange(5)).ravel()
    dense = (np.arange(500, last - 300, 3000)[:, None] + np.arange(12)).ravel()
    same = train(30.0)
    rates = [rng.uniform(10.0, 50.0, 2) for _ in range(RANDOM)]
    sides = [(train(a), train(b)) for a, b in rates]
    sides += [(same, same), (bursts, bursts + 7), (bursts, bursts), (bursts + 13, bursts),
              (dense, dense), (dense, dense + 3), (dense, same), (same, dense)]  # fmt: skip
    delays = np.resize([1, 5, 20], len(sides))
    found = []
    for i, ((pre, post), delay) in enumerate(zip(sides, delays.tolist(), strict=True)):
        lag = [0, delay, -delay, None][i % 4]  # the same label, or the same time at the synapse
        if i < RANDOM and lag is not None:
            post = np.union1d(post, pre[::4] + lag)
        meet = -delay if kind == "dendritic" else delay
        if not together:
            post = np.setdiff1d(post, pre + meet)
        # NEST's nearest-neighbour rules begin with a presynaptic spike at time 0
        post = post[(post > pre[0] + meet) & (post < last)]
        found.append((np.append(pre, last + 50), post))
    return [pre for pre, _ in found], [post for _, post in found], delays


def neurojax(nj, rule, trains, inputs=None):
    """The weights, by our rule."""
    pre, post, delays = trains
    net = nj.Network(
        {"pre": nj.neurons.SpikeTimes([DT * t for t in pre]),
         "post": nj.neurons.SpikeTimes([DT * t for t in post])},
        [nj.Projection("pre", "post", "in", nj.connectivity.one_to_one(), weight=1.0,
                       delay=DT * delays, plasticity=rule, name="s")],
    )  # fmt: skip
    inputs = None if inputs is None else {"s": inputs}
    record = {"w": nj.Trace("projections.s.weights")}
    sim = nj.simulate(net, duration=STEPS * DT, dt=DT, inputs=inputs, record=record)
    w = np.asarray(sim["w"])
    return {"weights": np.concatenate([w[t - 1, i] for i, t in enumerate(pre)])}


def nest(nest, model, trains, neuron=None, before=None, common=False, **synapse):
    """The weights, by NEST; `before` makes what else the synapses need, from their parameters."""
    pre, post, delays = trains
    in_nest.start(nest, DT)
    recorder = nest.Create("weight_recorder")
    parrots = []
    for side in (pre, post):
        parrots.append(nest.Create("parrot_neuron", len(pre), neuron or {}))
        generators = in_nest.trains(nest, [np.round(DT * t, 1) for t in side])
        nest.Connect(generators, parrots[-1], "one_to_one", {"delay": LAG})
    more = {} if before is None else before(nest)
    nest.CopyModel(model, "learning", {"weight_recorder": recorder, **more})
    if common:  # parameters that all synapses of the model share
        nest.SetDefaults("learning", synapse)
        synapse = {}
    first, second = (np.array(p.tolist()) for p in parrots)
    options = {"weight": np.ones(len(pre)), "delay": DT * delays, "receptor_type": 1}
    synapse = {name: np.full(len(pre), value) for name, value in synapse.items()}
    options["receptor_type"] = np.ones(len(pre), int)
    nest.Connect(first, second, "one_to_one", {"synapse_model": "learning", **options, **synapse})
    nest.Simulate(STEPS * DT + LAG + 5.0)
    events = recorder.events
    steps = np.rint((np.asarray(events["times"]) - LAG) / DT).astype(int)
    order = np.lexsort((steps, events["senders"]))
    assert np.array_equal(steps[order], np.concatenate(pre))
    return {"weights": np.asarray(events["weights"])[order]}


def brian2(b2, model, on_pre, on_post, trains, kind, constants):
    """The weights, by equations in Brian2."""
    pre, post, delays = trains
    b2.prefs.codegen.target = "numpy"
    b2.start_scope()
    b2.defaultclock.dt = DT * b2.ms
    groups = []
    for side in (pre, post):
        which = np.repeat(np.arange(len(side)), [len(t) for t in side])
        groups.append(b2.SpikeGeneratorGroup(len(side), which, DT * np.concatenate(side) * b2.ms))
    synapses = b2.Synapses(*groups, model, on_pre=on_pre, on_post=on_post, namespace=constants(b2))
    synapses.connect(j="i")
    synapses.w = 1.0
    (synapses.pre if kind == "axonal" else synapses.post).delay = DT * delays * b2.ms
    monitor = b2.StateMonitor(synapses, "w", record=True, when="end")
    b2.Network(*groups, synapses, monitor).run(STEPS * DT * b2.ms)
    w = np.asarray(monitor.w).T
    return {"weights": np.concatenate([w[t, i] for i, t in enumerate(pre)])}
