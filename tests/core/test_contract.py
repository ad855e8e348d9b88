"""The contract carries what comes later: throw-away spiking networks and a discrete cell.

Each model here is checked against a loop in plain numpy that shares nothing with the package.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models

import neurojax as nj
from neurojax.core import run as run_module

S = nj.solvers
PORTS = {"ampa": (5.0, 0.0), "gaba": (10.0, -80.0)}  # time constant in ms, reversal in mV


class ConductanceLIF(nj.ContinuousDynamics):
    """C dV/dt = g_L (E_L - V) + sum of g (E_rev - V) + I_e; g decays exactly, jumps at events."""

    C_m: nj.Parameter = nj.parameter(200.0)
    g_L: nj.Parameter = nj.parameter(10.0)
    E_L: nj.Parameter = nj.parameter(-60.0)
    V_th: nj.Parameter = nj.parameter(-50.0)
    V_reset: nj.Parameter = nj.parameter(-60.0)
    t_ref: nj.Parameter = nj.parameter(2.0)
    sigma: nj.Parameter = nj.parameter(None)
    solver: S.AbstractStepper = S.Heun()
    n: int = eqx.field(static=True, default=10)

    def init_state(self, *, key=None):
        V = jnp.full(self.n, self.E_L)
        if key is not None:
            V = V + 10.0 * jax.random.uniform(key, (self.n,))
        g = {port: jnp.zeros(self.n) for port in PORTS}
        return {"V": V, "refractory": jnp.zeros(self.n, jnp.int32), "g": g}

    def visible(self, state):
        fired = state["V"] > self.V_th
        return state | {"V": jnp.where(fired, self.V_reset, state["V"])}

    def begin(self, state, clock):
        fired = state["V"] > self.V_th
        steps = jnp.round(self.t_ref / clock.dt).astype(jnp.int32)
        left = jnp.where(fired, steps, jnp.maximum(state["refractory"] - 1, 0))
        return self.visible(state) | {"refractory": left}

    def drift(self, t, state, inputs):
        V = state["V"]
        current = self.g_L * (self.E_L - V) + inputs.get("I_e", 0.0)
        for port, (_, E_rev) in PORTS.items():
            current = current + state["g"][port] * (E_rev - V)
        slope = jnp.where(state["refractory"] > 0, 0.0, current / self.C_m)
        decay = {port: -state["g"][port] / tau for port, (tau, _) in PORTS.items()}
        return {"V": slope, "refractory": None, "g": decay}

    def diffusion(self, t, state, inputs):
        return None if self.sigma is None else {"V": self.sigma, "refractory": None, "g": None}

    def propagate(self, state, h):
        g = {port: state["g"][port] * jnp.exp(-h / tau) for port, (tau, _) in PORTS.items()}
        return {"V": None, "refractory": None, "g": g}

    def receive(self, state, inputs):
        return state | {"g": {p: g + inputs.get(p, 0.0) for p, g in state["g"].items()}}

    def emit(self, state, clock):
        return nj.Output(spikes=nj.SpikeOutput(state["V"], self.V_th))


class SpikingNetwork(nj.Dynamics):
    """Populations joined by dense weights [target, source], with one delay in whole steps.

    Spikes wait in a ring at the source: as packed words, or as numbers where a gradient is wanted.
    """

    populations: dict
    projections: dict  # (source, target, port) -> weights
    delay: int = eqx.field(static=True, default=1)
    packed: bool = eqx.field(static=True, default=True)

    def init_state(self, *, key=None):
        clock = nj.Clock(0, 1.0, key)
        states = {n: p.init_state(key=clock.child(n).key) for n, p in self.populations.items()}
        if self.packed:
            row = lambda n: jnp.zeros((self.delay, -(-n // 32)), jnp.uint32)
        else:
            row = lambda n: jnp.zeros((self.delay, n))
        return {"cells": states, "ring": {n: row(p.n) for n, p in self.populations.items()}}

    def visible(self, state):
        return {n: p.visible(state["cells"][n]) for n, p in self.populations.items()}

    def prepare(self):
        parts = {name: part.prepare() for name, part in self.populations.items()}
        return eqx.tree_at(lambda m: m.populations, self, parts)

    def prepare_steps(self, state, inputs, clock):
        parts = {
            name: part.prepare_steps(state["cells"][name], inputs.get(name, {}), clock)
            for name, part in self.populations.items()
        }
        return eqx.tree_at(lambda m: m.populations, self, parts)

    def step(self, state, inputs, clock):
        place = clock.step % self.delay
        arrived = {name: self._read(ring[place], name) for name, ring in state["ring"].items()}
        given = {name: inputs.get(name, {}) for name in self.populations}
        for (source, target, port), weights in self.projections.items():
            before = given[target].get(port, 0.0)
            given[target] = given[target] | {port: before + weights @ arrived[source]}
        cells, rings, outputs = {}, {}, {}
        for name, part in self.populations.items():
            cells[name], outputs[name] = part.step(
                state["cells"][name], given[name], clock.child(name)
            )
            spikes = outputs[name].spikes
            row = spikes.packed() if self.packed else spikes.values()
            rings[name] = state["ring"][name].at[place].set(row)
        return {"cells": cells, "ring": rings}, nj.Output(parts=outputs)

    def _read(self, row, name):
        if not self.packed:
            return row
        bits = (row[None] >> jnp.arange(32, dtype=jnp.uint32)[:, None]) & 1
        return bits.reshape(-1)[: self.populations[name].n].astype(float)


N_E, N_I = 40, 12
RNG = np.random.default_rng(0)
WEIGHTS = {
    ("E", "E", "ampa"): 2.0 * (RNG.random((N_E, N_E)) < 0.2),
    ("E", "I", "ampa"): 2.0 * (RNG.random((N_I, N_E)) < 0.2),
    ("I", "E", "gaba"): 6.0 * (RNG.random((N_E, N_I)) < 0.2),
}
DRIVE = {"E": RNG.uniform(200.0, 400.0, N_E), "I": RNG.uniform(150.0, 300.0, N_I)}


def network(delay=3, **arguments):
    cells = {"E": ConductanceLIF(n=N_E), "I": ConductanceLIF(n=N_I)}
    weights = {edge: jnp.asarray(w, float) for edge, w in WEIGHTS.items()}
    return SpikingNetwork(cells, weights, delay, **arguments)


INPUTS = {name: {"I_e": jnp.asarray(I)} for name, I in DRIVE.items()}


def numpy_network(steps, dt, delay):
    """The same network as an explicit loop: reset, Heun with half-step receptors, events."""
    sizes = {"E": N_E, "I": N_I}
    V = {p: np.full(n, -60.0) for p, n in sizes.items()}
    left = {p: np.zeros(n, int) for p, n in sizes.items()}
    g = {p: {q: np.zeros(n) for q in PORTS} for p, n in sizes.items()}
    history, spikes, trace = [], [], []
    for k in range(steps):
        arrived = {p: {q: np.zeros(n) for q in PORTS} for p, n in sizes.items()}
        if k >= delay:
            for (source, target, port), weights in WEIGHTS.items():
                arrived[target][port] += weights @ history[k - delay][source]
        fired_now = {}
        for p in sizes:
            fired = V[p] > -50.0
            left[p] = np.where(fired, round(2.0 / dt), np.maximum(left[p] - 1, 0))
            start = np.where(fired, -60.0, V[p])

            def slope(v, p=p):
                current = 10.0 * (-60.0 - v) + DRIVE[p]
                for q, (tau, E_rev) in PORTS.items():
                    current = current + g[p][q] * np.exp(-0.5 * dt / tau) * (E_rev - v)
                return np.where(left[p] > 0, 0.0, current / 200.0)

            first = slope(start)
            V[p] = start + dt / 2 * (first + slope(start + dt * first))
            fired_now[p] = (V[p] > -50.0).astype(float)
            spikes += [(p, k + 1, i) for i in np.flatnonzero(fired_now[p])]
        for p in sizes:
            for q, (tau, _) in PORTS.items():
                g[p][q] = g[p][q] * np.exp(-dt / tau) + arrived[p][q]
        history.append(fired_now)
        trace.append(np.where(V["E"] > -50.0, -60.0, V["E"]))
    return np.array(trace), spikes


@pytest.mark.parametrize("delay", [1, 2, 3, 20])
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "numbers"])
def test_spiking_network_against_a_loop(delay, packed):
    run = nj.simulate(
        network(delay, packed=packed), duration=60.0, dt=0.1, inputs=INPUTS,
        record={"V": "E.V", "s": nj.Spikes("E", "I")},
    )  # fmt: skip
    trace, spikes = numpy_network(600, 0.1, delay)
    assert len(spikes) > 150 and {p for p, _, _ in spikes} == {"E", "I"}
    for p in "EI":
        expected = np.array([(k, i) for q, k, i in spikes if q == p])
        np.testing.assert_array_equal(run["s"][p].neurons, expected[:, 1])
        np.testing.assert_allclose(run["s"][p].times, 0.1 * expected[:, 0], rtol=1e-12)
        assert int(run.stats.spikes[p]) == len(expected)
    np.testing.assert_allclose(run["V"], trace, rtol=1e-9)


@pytest.mark.parametrize("delay", [1, 2, 3, 20])
def test_arrival_of_a_spike_is_exact(delay):
    """The first receptor state that a spike changes bears its label plus the delay."""
    cells = {"a": ConductanceLIF(n=1), "b": ConductanceLIF(n=1)}
    pair = SpikingNetwork(cells, {("a", "b", "ampa"): jnp.ones((1, 1))}, delay)
    run = nj.simulate(
        pair, duration=30.0, dt=0.1, inputs={"a": {"I_e": 300.0}},
        record={"s": nj.Spikes("a"), "g": "b.g.ampa"},
    )  # fmt: skip
    first = run["s"].times[0]
    arrival = run.times("g")[np.flatnonzero(run["g"][:, 0])[0]]
    assert arrival - first == pytest.approx(delay * 0.1, abs=1e-9)


def test_spiking_network_in_chunks_and_cut(monkeypatch):
    record = {"V": nj.Trace("E.V", slice(3), every=7), "s": nj.Spikes("E", "I")}
    noisy = eqx.tree_at(
        lambda m: [p.sigma for p in m.populations.values()], network(3),
        [jnp.asarray(0.5)] * 2, is_leaf=lambda x: x is None,
    )  # fmt: skip
    run = lambda duration, **a: nj.simulate(
        noisy, duration=duration, dt=0.1, inputs=INPUTS, record=record, noise="counter",
        key=jax.random.key(0), **a,
    )  # fmt: skip
    whole = run(50.0)
    assert len(whole["s"]["E"].times) > 80
    first = run(21.3)
    rest = run(28.7, state=first.final_state)
    monkeypatch.setattr(run_module, "_CHUNK_BYTES", 500)
    chunked = run(50.0)
    for p in "EI":
        np.testing.assert_array_equal(chunked["s"][p].times, whole["s"][p].times)
        np.testing.assert_array_equal(chunked["s"][p].neurons, whole["s"][p].neurons)
        cut = np.concatenate([first["s"][p].times, rest["s"][p].times])
        np.testing.assert_allclose(cut, whole["s"][p].times, rtol=1e-12)
    np.testing.assert_array_equal(chunked["V"], whole["V"])
    np.testing.assert_array_equal(np.concatenate([first["V"], rest["V"]]), whole["V"])
    jax.tree.map(np.testing.assert_array_equal, rest.final_state.state, whole.final_state.state)


def test_spiking_network_under_jit_and_vmap():
    def counts(scale):
        model = network(2)
        model = eqx.tree_at(
            lambda m: m.projections, model, jax.tree.map(lambda w: scale * w, model.projections)
        )
        return nj.simulate(model, duration=30.0, dt=0.1, inputs=INPUTS).stats.spikes

    batch = jax.jit(jax.vmap(counts))(jnp.array([0.0, 1.0, 3.0]))
    for i, scale in enumerate((0.0, 1.0, 3.0)):
        single = counts(scale)
        assert {p: int(batch[p][i]) for p in "EI"} == {p: int(single[p]) for p in "EI"}
    assert len({int(x) for x in batch["E"]}) == 3


@pytest.mark.parametrize("mode", ["auto", "plain", "steps", "blocks"])
def test_gradient_of_a_spiking_network(mode):
    """Surrogate gradient of a synapse's weight, against a scan written by hand."""
    steps, dt, delay = 150, 0.1, 2

    def ours(weights):
        model = SpikingNetwork(
            {"E": ConductanceLIF(n=N_E)}, {("E", "E", "ampa"): weights}, delay, packed=False
        )
        run = nj.simulate(
            model, duration=steps * dt, dt=dt, inputs={"E": INPUTS["E"]}, adjoint=mode,
            record={"V": nj.Trace(lambda s: jnp.sum(s["E"]["V"]))},
        )  # fmt: skip
        return run["V"].sum()

    value, slope = jax.value_and_grad(ours)(jnp.asarray(WEIGHTS["E", "E", "ampa"]))
    expected, by_hand = jax.value_and_grad(scan_by_hand, argnums=0)(
        jnp.asarray(WEIGHTS["E", "E", "ampa"]), steps, dt, delay
    )
    assert float(value) == pytest.approx(float(expected), rel=1e-12)
    assert np.max(np.abs(by_hand)) > 1e-3
    np.testing.assert_allclose(slope, by_hand, rtol=1e-8, atol=1e-10)


def scan_by_hand(weights, steps, dt, delay):
    """One population with excitatory weights; a triangular surrogate of half width 10 mV."""

    @jax.custom_jvp
    def heaviside(x):
        return (x > 0).astype(float)

    @heaviside.defjvp
    def _(primals, tangents):
        (x,), (dx,) = primals, tangents
        return heaviside(x), jnp.maximum(0, 1 - jnp.abs(x) / 10) / 10 * dx

    def step(carry, k):
        V, left, g, ring = carry
        fired = V > -50.0
        left = jnp.where(fired, 20, jnp.maximum(left - 1, 0))
        V = jnp.where(fired, -60.0, V)
        half = g * jnp.exp(-dt / 10.0)

        def slope(v):
            current = 10.0 * (-60.0 - v) + DRIVE["E"] + half * (0.0 - v)
            return jnp.where(left > 0, 0.0, current / 200.0)

        first = slope(V)
        V = V + dt / 2 * (first + slope(V + dt * first))
        g = g * jnp.exp(-dt / 5.0) + weights @ ring[k % delay]
        ring = ring.at[k % delay].set(heaviside(V + 50.0))
        return (V, left, g, ring), jnp.sum(jnp.where(V > -50.0, -60.0, V))

    start = (jnp.full(N_E, -60.0), jnp.zeros(N_E, int), jnp.zeros(N_E), jnp.zeros((delay, N_E)))
    return jax.lax.scan(step, start, jnp.arange(steps))[1].sum()


def test_order_of_a_conductance_cell():
    """Half-step receptors keep Heun at second order; frozen ones would make it first order."""

    def end(dt, solver=None):
        model = ConductanceLIF(V_th=1e9, n=1)
        state = model.init_state()
        state["g"]["ampa"] = jnp.array([15.0])
        run = nj.simulate(model, duration=8.0, dt=dt, state=state, solver=solver)
        return float(run.final_state.state["V"][0])

    exact = end(0.001)
    errors = np.abs([end(dt) - exact for dt in (0.4, 0.2, 0.1)])
    assert np.all(np.abs(np.log2(errors[:-1] / errors[1:]) - 2) < 0.1)


# -- current-based cells and the propagator ---------------------------------------------------


class CurrentLIF(nj.ContinuousDynamics):
    """Linear between events, so exact at any step; refractoriness clamps V before each step.

    The drift does not know of refractoriness: `Propagator` would refuse a switched drift.
    """

    tau_m: nj.Parameter = nj.parameter(10.0)
    tau_syn: nj.Parameter = nj.parameter(2.0)
    V_th: nj.Parameter = nj.parameter(15.0)
    t_ref: nj.Parameter = nj.parameter(2.0)
    solver: S.AbstractStepper = S.Propagator()
    n: int = eqx.field(static=True, default=3)

    def init_state(self, *, key=None):
        zero = jnp.zeros(self.n)
        return {"V": zero, "I": zero, "refractory": jnp.zeros(self.n, jnp.int32)}

    def visible(self, state):
        clamped = (state["V"] > self.V_th) | (state["refractory"] > 0)
        return state | {"V": jnp.where(clamped, 0.0, state["V"])}

    def begin(self, state, clock):
        free = state["refractory"] == 0
        fired = (state["V"] > self.V_th) & free
        steps = jnp.round(self.t_ref / clock.dt).astype(jnp.int32)
        left = jnp.where(fired, steps, jnp.maximum(state["refractory"] - 1, 0))
        return self.visible(state) | {"refractory": left}

    def drift(self, t, state, inputs):
        V = -state["V"] / self.tau_m + state["I"] + inputs.get("I_e", 0.0)
        return {"V": V, "I": -state["I"] / self.tau_syn, "refractory": None}

    def receive(self, state, inputs):
        return state | {"I": state["I"] + inputs.get("current", 0.0)}

    def emit(self, state, clock):
        free = state["refractory"] == 0
        return nj.Output(spikes=nj.SpikeOutput(state["V"], self.V_th, free))


@pytest.mark.parametrize("dt", [0.1, 0.5])
def test_current_based_cell_is_exact_between_events(dt):
    """Against the textbook solution with two exponentials, step by step, at any step length."""
    drive, impulse, steps = 1.8, 0.6, round(80 / dt)
    run = nj.simulate(
        CurrentLIF(n=1), duration=80.0, dt=dt, inputs={"I_e": drive, "current": impulse * dt},
        record={"V": "V", "s": nj.Spikes()},
    )  # fmt: skip
    V, I, left, trace, spikes = 0.0, 0.0, 0, [], []
    kernel = (np.exp(-dt / 2.0) - np.exp(-dt / 10.0)) * (2.0 * 10.0) / (2.0 - 10.0)
    for k in range(1, steps + 1):
        if left > 0 or V > 15.0:
            fired, V = V > 15.0 and left == 0, 0.0
            left = round(2.0 / dt) if fired else left - 1
        V = V * np.exp(-dt / 10.0) + I * kernel + drive * 10.0 * (1 - np.exp(-dt / 10.0))
        I = I * np.exp(-dt / 2.0) + impulse * dt
        if V > 15.0 and left == 0:
            spikes.append(k * dt)
        trace.append(0.0 if V > 15.0 or left > 0 else V)
    assert len(spikes) >= 4
    np.testing.assert_allclose(run["s"].times, spikes, rtol=1e-12)
    np.testing.assert_allclose(run["V"][:, 0], trace, rtol=1e-9, atol=1e-12)


def test_a_run_cut_inside_of_a_refractory_period():
    """The matrices of the propagator do not depend on the state at which a run begins."""
    run = lambda duration, **a: nj.simulate(
        CurrentLIF(), duration=duration, dt=0.1, inputs={"I_e": jnp.array([1.6, 1.9, 2.4])},
        record={"V": "V"}, **a,
    )  # fmt: skip
    whole = run(60.0)
    for cut in (10.0, 18.2, 20.5, 33.3):
        first = run(cut)
        rest = run(60.0 - cut, state=first.final_state)
        np.testing.assert_array_equal(np.concatenate([first["V"], rest["V"]]), whole["V"])


def test_solver_of_every_part_is_replaced_and_prepared():
    cells = {"a": CurrentLIF(n=2), "b": CurrentLIF(n=2)}
    model = SpikingNetwork(cells, {("a", "b", "current"): jnp.eye(2)}, 1)
    inputs = {"a": {"I_e": 1.9}, "b": {"I_e": 1.7}}
    exact = nj.simulate(model, duration=40.0, dt=0.1, inputs=inputs, record={"V": "b.V"})
    fine = nj.simulate(
        model, duration=40.0, dt=0.1, inputs=inputs, record={"V": "b.V"}, solver=S.RungeKutta4()
    )
    np.testing.assert_allclose(exact["V"], fine["V"], rtol=1e-6)
    end = lambda m: nj.simulate(m, duration=4.0, dt=0.1, inputs=inputs).final_state.state["cells"]
    outside, inside = models.primitives(jax.make_jaxpr(end)(model).jaxpr)
    assert "triangular_solve" in outside and "triangular_solve" not in inside


# -- a discrete cell --------------------------------------------------------------------------


class ExpressiveLeakyMemory(nj.Dynamics):
    """A discrete cell: leaky synapses feed a small network that writes leaky memory."""

    w_s: jax.Array
    W_1: jax.Array
    W_2: jax.Array
    w_y: jax.Array
    tau_s: jax.Array
    tau_m: jax.Array

    def __init__(self, inputs=7, hidden=5, memory=4, seed=0):
        draw = np.random.default_rng(seed).normal
        self.w_s = jnp.asarray(np.abs(draw(size=inputs)))
        self.W_1 = jnp.asarray(draw(size=(hidden, inputs + memory)) * 0.5)
        self.W_2 = jnp.asarray(draw(size=(memory, hidden)) * 0.5)
        self.w_y = jnp.asarray(draw(size=memory))
        self.tau_s = jnp.linspace(2.0, 10.0, inputs)
        self.tau_m = jnp.linspace(5.0, 150.0, memory)

    def init_state(self, *, key=None):
        return {"s": jnp.zeros(self.w_s.shape), "m": jnp.zeros(self.tau_m.shape)}

    def step(self, state, inputs, clock):
        keep_s, keep_m = jnp.exp(-clock.dt / self.tau_s), jnp.exp(-clock.dt / self.tau_m)
        s = keep_s * state["s"] + self.w_s * inputs["x"]
        before = keep_m * state["m"]
        hidden = jax.nn.relu(self.W_1 @ jnp.concatenate([s, before]))
        m = before + (1 - keep_m) * jnp.tanh(self.W_2 @ hidden)
        return {"s": s, "m": m}, nj.Output(values={"y": self.w_y @ m})


TRAIN = (np.random.default_rng(5).random((80, 7)) < 0.15).astype(float)


def numpy_memory(cell, x, dt=1.0):
    get = lambda name: np.asarray(getattr(cell, name))
    keep_s, keep_m = np.exp(-dt / get("tau_s")), np.exp(-dt / get("tau_m"))
    s, m, y = np.zeros(7), np.zeros(4), []
    for row in x:
        s = keep_s * s + get("w_s") * row
        hidden = np.maximum(0, get("W_1") @ np.concatenate([s, keep_m * m]))
        m = keep_m * m + (1 - keep_m) * np.tanh(get("W_2") @ hidden)
        y.append(get("w_y") @ m)
    return np.array(y)


def readout(cell, x, **arguments):
    sampled = nj.inputs.Sampled(x, dt=1.0)
    return nj.simulate(
        cell, duration=80.0, dt=1.0, inputs={"x": sampled}, record={"y": "y"}, **arguments
    )["y"]


def test_discrete_cell_against_a_loop():
    cell = ExpressiveLeakyMemory()
    np.testing.assert_allclose(readout(cell, TRAIN), numpy_memory(cell, TRAIN), rtol=1e-9)


def test_discrete_cells_in_a_batch():
    cells = [ExpressiveLeakyMemory(seed=seed) for seed in range(3)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *cells)
    batch = eqx.filter_vmap(lambda cell: readout(cell, TRAIN))(stacked)
    for i, cell in enumerate(cells):
        np.testing.assert_allclose(batch[i], numpy_memory(cell, TRAIN), rtol=1e-9)
    trials = jnp.stack([TRAIN, TRAIN[::-1]])
    by_trial = jax.vmap(lambda x: readout(cells[0], x))(trials)
    np.testing.assert_allclose(by_trial[1], numpy_memory(cells[0], TRAIN[::-1]), rtol=1e-9)


@pytest.mark.parametrize("mode", ["auto", "plain", "steps", "blocks"])
def test_gradient_of_a_discrete_cell(mode):
    cell = ExpressiveLeakyMemory()
    loss = lambda c: jnp.mean((readout(c, TRAIN, adjoint=mode) - 1.0) ** 2)
    slopes = eqx.filter_grad(loss)(cell)
    h = 1e-6
    for name, place in (("w_s", (3,)), ("W_1", (2, 8)), ("W_2", (1, 4)), ("tau_m", (2,))):
        ends = []
        for sign in (1, -1):
            moved = eqx.tree_at(
                lambda c, n=name: getattr(c, n), cell, getattr(cell, name).at[place].add(sign * h)
            )
            y = numpy_memory(moved, TRAIN)
            ends.append(np.mean((y - 1.0) ** 2))
        difference = (ends[0] - ends[1]) / (2 * h)
        found = float(getattr(slopes, name)[place])
        assert found == pytest.approx(difference, rel=1e-5, abs=1e-9), name


def test_discrete_cell_learns():
    """A few steps of gradient descent on a read-out through `simulate` lower the loss."""
    cell = ExpressiveLeakyMemory()
    target = jnp.sin(jnp.arange(80) / 10)
    loss = lambda c: jnp.mean((readout(c, TRAIN) - target) ** 2)
    step = eqx.filter_jit(lambda c: jax.tree.map(lambda x, g: x - 0.2 * g, c,
                                                 eqx.filter_grad(loss)(c)))  # fmt: skip
    before = float(loss(cell))
    for _ in range(100):
        cell = step(cell)
    assert float(loss(cell)) < 0.7 * before


def test_step_by_hand_equals_simulate():
    """Users may call `step` themselves, as the design promises."""
    model = network(2)
    step = eqx.filter_jit(model.step)
    state = model.init_state(key=jax.random.key(1))
    for k in range(30):
        state, output = step(state, INPUTS, nj.Clock(step=k, dt=0.1))
    run = nj.simulate(
        model, duration=3.0, dt=0.1, inputs=INPUTS, state=model.init_state(key=jax.random.key(1))
    )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), state, run.final_state.state
    )
    assert set(output.parts) == {"E", "I"}


def test_initial_state_above_threshold():
    """It is reset in step 0 and emits nothing."""
    model = ConductanceLIF(n=2)
    state = model.init_state() | {"V": jnp.array([-40.0, -55.0])}
    run = nj.simulate(model, duration=1.0, dt=0.1, state=state, record={"V": "V"})
    assert int(run.stats.spikes[""]) == 0
    np.testing.assert_array_equal(run["V"][:, 0], -60.0)  # refractory


def test_a_population_sized_copy_is_not_made(copies_in_a_step):
    """The loop over time updates the state in place."""
    n = 4096
    model = ConductanceLIF(n=n)
    state = model.init_state()
    run = jax.jit(lambda m, s: nj.simulate(
        m, duration=200.0, dt=0.1, state=s, inputs={"I_e": 250.0}
    ).final_state.state)  # fmt: skip
    text = run.lower(model, state).compile().as_text()
    assert copies_in_a_step(text, rf"\w+\[{n}\]") <= 1
