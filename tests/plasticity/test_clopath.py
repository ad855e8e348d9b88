"""The rule of the voltage, against sums over the whole past written out in numpy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from trains import random_trains

import neurojax as nj

DT = 0.1
RULE = {
    "A_LTD": 3e-3, "A_LTP": 4e-3, "theta_minus": -68.0, "theta_plus": -50.0, "tau_x": 12.0,
    "tau_minus": 9.0, "tau_plus": 6.0, "V_clamp": 20.0, "t_clamp": 1.5, "delay_u_bars": 2.0,
    "w_min": 0.45, "w_max": 1.7,
}  # fmt: skip


class Replay(nj.Dynamics):
    """Neurons whose potential is the input `V`; they spike above 0 mV."""

    n: int = eqx.field(static=True)

    def init_state(self, *, key=None):
        """At rest."""
        return {"V_m": jnp.full(self.n, -70.0)}

    def step(self, state, inputs, clock):
        """The next value."""
        spikes = nj.SpikeOutput(inputs["V"], 0.0)
        return {"V_m": inputs["V"]}, nj.Output(spikes=spikes)


def network(pre, n_post, rules, weight, delay, edges):
    return nj.Network(
        {"pre": nj.neurons.SpikeTimes(pre), "post": Replay(n_post)},
        [
            nj.Projection(
                "pre", "post", "in", edges, weight=weight, delay=delay, plasticity=r, name=name
            )
            for name, r in rules.items()
        ],
    )


def by_hand(pre, V, w, delay, where, p):
    """The weight after each step: V [label - 1], presynaptic spikes in ms, both of one neuron."""
    d, steps = round(delay / DT), len(V)
    arrived = np.zeros(steps)
    k = np.rint(np.asarray(pre) / DT).astype(int) - 1 + (d if where == "axonal" else 0)
    arrived[k[k < steps]] = 1
    if where == "dendritic":
        V = np.concatenate([np.full(d, -70.0), V[:-d]])
    u, clamp = V.copy(), round(p["t_clamp"] / DT)
    for k in np.flatnonzero(V > 0):
        u[k : k + max(clamp, 1)] = p["V_clamp"] if clamp else V[k]
    late = np.concatenate([np.full(1 + round(p["delay_u_bars"] / DT), p["theta_minus"]), u])
    k = np.arange(steps)
    past = lambda tau, x: np.convolve(x[:steps], np.exp(-DT / tau * k))[:steps]
    filtered = lambda tau, x, first: (
        -np.expm1(-DT / tau) * past(tau, x) + first * np.exp(-DT / tau * (k + 1))
    )
    minus, plus = (filtered(p[t], late, p["theta_minus"]) for t in ("tau_minus", "tau_plus"))
    x = (past(p["tau_x"], arrived) - arrived) / p["tau_x"]
    above = lambda u, theta: np.maximum(u - theta, 0.0)
    ltd = p["A_LTD"] * arrived * above(minus, p["theta_minus"])
    if "u_ref" in p:
        bar = filtered(p["tau_u_bar_bar"], late - p["theta_minus"], p["u_ref"])
        ltd = ltd * (bar / p["u_ref"]) ** 2
    ltp = p["A_LTP"] * DT * x * above(u, p["theta_plus"]) * above(plus, p["theta_minus"])
    found = []
    for down, up in zip(ltd, ltp, strict=True):
        w = np.clip(w - down, p["w_min"], p["w_max"])
        w = np.clip(w + up, p["w_min"], p["w_max"])
        found.append(w)
    return np.array(found)


def voltages(n, steps, seed):
    """Slow fluctuations that cross the thresholds, with single steps above 0 mV."""
    rng = np.random.default_rng(seed)
    V = np.zeros((steps, n))
    for k in range(1, steps):
        V[k] = V[k - 1] * np.exp(-DT / 5.0) + rng.normal(0.0, 2.0, n)
    V = np.minimum(V * 0.8 - 62.0, -20.0)
    V[rng.random((steps, n)) < 0.003] = 10.0
    return V


@pytest.mark.parametrize(("where", "delay"), [("axonal", 1.5), ("dendritic", 0.7)])
def test_random_trains_and_voltages(where, delay):
    n_pre, n_post, steps = 5, 4, 1500
    pre, V = random_trains(n_pre, 148.0, 60.0, seed=1), voltages(n_post, steps, seed=2)
    rng = np.random.default_rng(3)
    matrix = np.where(rng.random((n_pre, n_post)) < 0.7, rng.uniform(0.5, 1.5, (n_pre, n_post)), 0)
    edges = nj.connectivity.from_matrix(matrix).build(n_pre, n_post, rng)
    other = {"clamp": {}, "own spikes": {"t_clamp": 0.0, "delay_u_bars": 0.0}}
    other["homeostasis"] = {"u_ref": 5.0, "tau_u_bar_bar": 80.0}
    rules = {n: nj.plasticity.Clopath(**{**RULE, **more}, delay=where) for n, more in other.items()}
    net = network(pre, n_post, rules, None, delay, edges)
    record = {name: nj.Trace(f"projections.{name}.weights") for name in rules}
    inputs = {"post": {"V": nj.inputs.Sampled(V, DT)}}
    sim = nj.simulate(net, duration=steps * DT, dt=DT, inputs=inputs, record=record)
    for name, more in other.items():
        for e, (i, j) in enumerate(zip(edges.pre, edges.post, strict=True)):
            expected = by_hand(pre[i], V[:, j], matrix[i, j], delay, where, {**RULE, **more})
            np.testing.assert_allclose(sim[name][:, e], expected, rtol=1e-9, err_msg=name)
        assert np.mean(np.ptp(sim[name], axis=0)) > 0.2
    assert min(w.min() for w in sim.records.values()) == 0.45
    assert max(w.max() for w in sim.records.values()) == 1.7


def test_trials_and_derivatives():
    steps, n = 300, 3
    pre, V = random_trains(n, 28.0, 100.0, seed=1), voltages(n, 2 * steps, seed=5)
    free = {**RULE, "w_min": -jnp.inf, "w_max": jnp.inf, "u_ref": 6.0}
    pairs = nj.plasticity.PairSTDP(A_plus=0.05, w_min=-jnp.inf)
    rules = {"s": [nj.plasticity.Clopath(**free), pairs]}
    net = network(pre, n, rules, 1.0, 0.3, nj.connectivity.all_to_all())
    V = jnp.asarray(V.reshape(2, steps, n))
    names = ("A_LTD", "A_LTP", "theta_plus", "tau_plus", "tau_minus", "u_ref")

    def total(p, V):
        parts = lambda net: [getattr(net.projections["s"].plasticity[0], name) for name in names]
        changed = eqx.tree_at(parts, net, list(p))
        inputs = {"post": {"V": nj.inputs.Sampled(V, DT)}}
        sim = nj.simulate(changed, duration=steps * DT, dt=DT, inputs=inputs, adjoint="steps")
        return jnp.sum(jnp.sin(net.weights(sim.final_state, "s")))

    p = jnp.array([free[name] for name in names])
    size = 1e-5 * jnp.abs(p)
    moves = jnp.concatenate([jnp.diag(size), -jnp.diag(size), jnp.zeros((2, len(p)))])
    which = jnp.array([0] * 12 + [0, 1])
    together = jax.jit(jax.vmap(total))(p[None] + moves, V[which])
    alone = jax.jit(jax.value_and_grad(total))
    (first, slope), (second, _) = alone(p, V[0]), alone(p, V[1])
    np.testing.assert_allclose(together[12:], [first, second], rtol=1e-12)
    assert abs(first - second) > 1e-3
    numeric = (together[:6] - together[6:12]) / (2 * size)
    np.testing.assert_allclose(slope, numeric, rtol=1e-4)
    assert np.all(np.abs(slope * p) > 1e-4)


def test_pairs_depress_at_low_and_potentiate_at_high_rates():
    # the postsynaptic spike 10 ms later or earlier (Sjostrom et al. 2001); the paper's parameters,
    # and a membrane that stays depolarised after a spike, as the paper's does
    rates, pairs = np.array([2.0, 10.0, 20.0, 40.0, 50.0]), 10
    pre = [20.0 + np.arange(pairs) * np.round(1e3 / f) for f in rates for _ in range(2)]
    lags = [10.0, -10.0] * len(rates)
    cell = nj.neurons.LIF(
        C_m=250.0, g_L=12.5, E_L=-70.6, V_th=-50.0, V_reset=-55.0, n=len(lags),
        receptors={"in": nj.synapses.ExpCurrent(tau=2.0), "teach": nj.synapses.Delta()},
    )  # fmt: skip
    one = nj.connectivity.one_to_one()
    teacher = nj.neurons.SpikeTimes([p + lag - DT for p, lag in zip(pre, lags, strict=True)])
    rule = nj.plasticity.Clopath(w_max=3.0)
    net = nj.Network(
        {"pre": nj.neurons.SpikeTimes(pre), "teacher": teacher, "post": cell},
        [
            nj.Projection("pre", "post", "in", one, weight=1.0, plasticity=rule, name="s"),
            nj.Projection("teacher", "post", "teach", one, weight=40.0),
        ],
    )  # fmt: skip
    duration = 20.0 + pairs * 500.0
    sim = nj.simulate(net, duration=duration, dt=DT, record={"s": nj.Spikes("post")})
    np.testing.assert_array_equal(sim["s"].counts(), pairs)
    later, earlier = np.reshape(net.weights(sim.final_state, "s") - 1.0, (-1, 2)).T
    # a spike does not see itself: rare pairs do not potentiate
    assert abs(later[0]) < 1e-3 and np.all(np.diff(later) > 0) and later[-1] > 0.02
    # where the postsynaptic spike comes first, depression turns into potentiation
    assert np.all(earlier[:3] < -0.02) and earlier[-1] > 0.02


def test_what_has_no_voltage_is_refused():
    one = nj.connectivity.one_to_one()
    source = nj.neurons.SpikeTimes([[5.0]])
    rule = nj.plasticity.Clopath()
    with pytest.raises(ValueError, match=r"Clopath of projection 's' reads .*'V_m'.*'b' \(SpikeT"):
        nj.Network(
            {"a": source, "b": source},
            [nj.Projection("a", "b", "in", one, weight=1.0, plasticity=rule, name="s")],
        )
    with pytest.raises(ValueError, match="t_clamp of Clopath must not be negative"):
        nj.plasticity.Clopath(t_clamp=-1.0)
    with pytest.raises(TypeError, match="delay_u_bars of Clopath must be a finite number of ms"):
        nj.plasticity.Clopath(delay_u_bars=np.inf)
    with pytest.raises(ValueError, match="u_ref of Clopath must be positive"):
        nj.plasticity.Clopath(u_ref=0.0)
