"""Published networks: the same spikes as in numpy, and the statistics of theory and papers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erfcx

import neurojax as nj

DT = 0.1
N, N_E = 4000, 3200


def vogels_abbott(kind, seed):
    """The two benchmark networks of Brette et al. (2007) after Vogels and Abbott (2005).

    Fixed in-degrees, so that the graph is one array; delays of one step.
    """
    rng = np.random.default_rng(seed)
    pre_e = np.stack([rng.choice(N_E, 64, replace=False) for _ in range(N)])
    pre_i = N_E + np.stack([rng.choice(N - N_E, 16, replace=False) for _ in range(N)])
    V = rng.uniform(-60.0, -50.0, N)
    if kind == "coba":
        V = rng.normal(-65.0, 5.0, N)
        start = [np.maximum(0.0, 40 + 15 * rng.normal(size=N)),
                 np.maximum(0.0, 200 + 120 * rng.normal(size=N))]  # fmt: skip
    else:
        start = [np.zeros(N), np.zeros(N)]
    return pre_e, pre_i, V, start


# current-based: g_L (mV of the paper) = 10 nS times the postsynaptic jump of the drive in mV
KINDS = {
    "coba": {"weights": (6.0, 67.0), "E_L": -60.0, "ports": ("g", "g")},
    "cuba": {"weights": (16.2, -90.0), "E_L": -49.0, "ports": ("I", "I")},
}


def in_numpy(kind, graph, steps):
    """Spikes [step, neuron]: conductances by Heun with receptors half-way, currents exactly."""
    pre_e, pre_i, V, (e, i) = graph
    w_e, w_i = KINDS[kind]["weights"]
    E_L, V, e, i = KINDS[kind]["E_L"], V.copy(), e.copy(), i.copy()
    left, arrived_e, arrived_i = np.zeros(N, int), np.zeros(N), np.zeros(N)
    half_e, half_i = np.exp(-DT / 10), np.exp(-DT / 20)
    leak, spikes = np.exp(-DT / 20), np.zeros((steps, N), bool)
    slope = lambda v, e, i: (10 * (E_L - v) - e * v + i * (-80 - v)) / 200
    share = lambda tau: 20 * tau / (tau - 20) / 200 * (np.exp(-DT / tau) - leak)
    for k in range(steps):
        fired = V > -50
        left = np.where(fired, 50, np.maximum(left - 1, 0))
        V = np.where(fired, -60, V)
        if kind == "coba":
            g = e * half_e, i * half_i
            k0 = slope(V, *g)
            moved = V + DT / 2 * (k0 + slope(V + DT * k0, *g))
        else:
            moved = E_L + leak * (V - E_L) + share(5) * e + share(10) * i
        V = np.where(left > 0, V, moved)
        e, i = e * half_e**2 + w_e * arrived_e, i * half_i**2 + w_i * arrived_i
        spikes[k] = V > -50
        now = spikes[k].astype(float)
        arrived_e, arrived_i = now[pre_e].sum(1), now[pre_i].sum(1)
    return spikes


def network(kind, graph):
    pre_e, pre_i, V, start = graph
    how = KINDS[kind]
    if kind == "coba":
        receptors = {"e": nj.synapses.ExpConductance(tau=5.0, E_rev=0.0),
                     "i": nj.synapses.ExpConductance(tau=10.0, E_rev=-80.0)}  # fmt: skip
    else:
        receptors = {"e": nj.synapses.ExpCurrent(tau=5.0), "i": nj.synapses.ExpCurrent(tau=10.0)}
    initial = {"V_m": V} | {
        f"{port}.{leaf}": x for port, leaf, x in zip("ei", how["ports"], start, strict=True)
    }
    cells = nj.neurons.LIF(
        C_m=200.0, g_L=10.0, E_L=how["E_L"], V_th=-50.0, V_reset=-60.0, t_ref=5.0,
        receptors=receptors, initial=initial, n=N,
    )  # fmt: skip
    projections = [
        nj.Projection(
            "A", "A", port, nj.connectivity.from_edges(pre.ravel(), np.repeat(np.arange(N), k)),
            weight=weight,
        )
        for port, pre, k, weight in zip("ei", (pre_e, pre_i), (64, 16), how["weights"], strict=True)
    ]  # fmt: skip
    return nj.Network({"A": cells}, projections)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["coba", "cuba"])
def test_the_same_spikes_as_in_numpy(kind):
    graph, steps = vogels_abbott(kind, 1), 600
    sim = nj.simulate(network(kind, graph), duration=steps * DT, dt=DT,
                      record={"s": nj.Spikes("A")})  # fmt: skip
    expected = in_numpy(kind, graph, steps)
    found = np.zeros((steps, N), bool)
    found[np.rint(sim["s"].times / DT).astype(int) - 1, sim["s"].neurons] = True
    assert expected.sum() > 400
    # chaos: one spike that rounding moves by a step changes what follows
    first = np.flatnonzero((found != expected).any(axis=1))
    same = first[0] if first.size else steps
    assert same > 300 and expected[:same].sum() > 200


@pytest.mark.slow
def test_rates_of_the_conductance_based_network(float32):
    """About 14 Hz with fixed in-degrees (every simulator); a start may also die out."""
    rates = []
    for seed in range(1, 6):
        sim = nj.simulate(network("coba", vogels_abbott("coba", seed)), duration=400.0, dt=DT)
        rates.append(float(sim.stats.rates["A"]))
    alive = [rate for rate in rates if rate > 5]
    assert len(alive) >= 2
    assert all(12.5 < rate < 17.0 for rate in alive), rates


# -- Brunel (2000), J Comput Neurosci 8:183, model A ---------------------------------------------

TAU, THETA, V_R, T_REF, J, C_E, C_I = 20.0, 20.0, 10.0, 2.0, 0.1, 1000, 250


def siegert(mean, sd):
    """The rate (1/ms) of a leaky integrate-and-fire neuron driven by white noise."""
    inner = quad(lambda u: erfcx(-u), (V_R - mean) / sd, (THETA - mean) / sd)[0]
    return 1 / (T_REF + TAU * np.sqrt(np.pi) * inner)


def self_consistent_rate(g, eta):
    """Brunel's equations (19) to (21) for the asynchronous state, Hz."""
    external = eta * THETA / (J * TAU)  # C_E times the external rate, 1/ms

    def excess(rate):
        total = C_E * rate
        mean = TAU * J * (external + total * (1 - g * C_I / C_E))
        variance = TAU * J**2 * (external + total * (1 + g**2 * C_I / C_E))
        return siegert(mean, np.sqrt(variance)) - rate

    return 1e3 * brentq(excess, 1e-4, 0.3)


def brunel(key):
    cells = nj.neurons.LIF(
        C_m=1.0, g_L=1.0 / TAU, E_L=0.0, V_th=THETA, V_reset=V_R, t_ref=T_REF,
        receptors={"delta": nj.synapses.Delta()}, initial={"V_m": nj.random.Uniform(0.0, 20.0)},
    )  # fmt: skip
    both = ["E", "I"]
    rule = nj.connectivity.fixed_indegree
    return nj.Network(
        {"E": cells.population(10_000), "I": cells.population(2_500)},
        [nj.Projection("E", both, "delta", rule(C_E), weight=J, delay=1.5, name="E"),
         nj.Projection("I", both, "delta", rule(C_I), weight=-5 * J, delay=1.5, name="I")],
        key=key,
    )  # fmt: skip


@pytest.mark.slow
def test_brunels_four_regimes(float32):
    import equinox as eqx

    net = brunel(jax.random.key(0))
    run = eqx.filter_jit(
        lambda net, rate, key, steps: nj.simulate(
            net, duration=steps * DT, dt=DT, key=key, record={"s": nj.Spikes("E")},
            inputs={name: {"delta": nj.inputs.Poisson(rate, J, shape=(n,))}
                    for name, n in net.sizes.items()},
        )
    )  # fmt: skip

    def statistics(g, eta, seed, steps):
        changed = eqx.tree_at(lambda n: n.projections["I"].weight, net, jnp.asarray(-g * J))
        # ms to Hz: the external rate is that of all C_E inputs together
        rate = jnp.asarray(1e3 * eta * THETA / (J * TAU))
        sim = run(changed, rate, jax.random.key(seed), steps)
        record = sim["s"]
        late = record.times > 60.0
        times, neurons = record.times[late], record.neurons[late]
        mean = len(times) / 10_000 / (steps * DT - 60.0) * 1e3
        bins = np.bincount(np.floor(times - 60.0).astype(int), minlength=int(steps * DT - 60))
        intervals = np.concatenate([np.diff(times[neurons == i]) for i in range(1000)])
        return mean, intervals.std() / intervals.mean(), bins.std() / np.sqrt(bins.mean())

    # asynchronous irregular: the rate of the theory, over five seeds; 37.7 Hz in the paper
    theory = self_consistent_rate(5.0, 2.0)
    assert abs(theory - 38.0) < 0.5  # the paper's own solution
    found = np.array([statistics(5.0, 2.0, seed, 1600) for seed in range(5)])
    assert abs(found[:, 0].mean() - theory) < 0.06 * theory, found
    assert (found[:, 1] > 0.3).all(), found
    asynchronous = found[:, 2].mean()
    # synchronous irregular, fast: the paper has 60.7 Hz and a global oscillation
    rate, cv, modulation = statistics(6.0, 4.0, 1, 1600)
    assert 52 < rate < 68 and cv > 0.3 and modulation > 2 * asynchronous
    # synchronous irregular, slow: 5.5 Hz in the paper
    rate, _, modulation = statistics(4.5, 0.9, 1, 4600)
    assert 3.0 < rate < 9.0 and modulation > 1.5
    # synchronous regular: near the limit that refractoriness sets, with little irregularity
    rate, cv, _ = statistics(3.0, 2.0, 1, 1000)
    assert rate > 250 and cv < 0.15
