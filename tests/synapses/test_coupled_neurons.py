"""Gap junctions and graded synapses between point neurons in a block, against scipy and numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import neurojax as nj

S = nj.synapses
C_A, C_B, G_A, G_B = 200.0, 150.0, 10.0, 20.0
JUNCTION = np.array([[4.0, 1.0, 0.0], [0.5, 0.0, 3.0]])  # b (2 neurons) from a (3 neurons), nS


def pair(couplings, *, V_th=1e3, solver=None, receptors=None):
    common = {"V_th": V_th, "V_reset": -65.0, "receptors": receptors or {}, "t_ref": 1.0}
    parts = {
        "a": nj.neurons.LIF(C_m=C_A, g_L=G_A, E_L=-70.0, n=3,
                            initial={"V_m": np.array([-70.0, -55.0, -60.0])}, **common),
        "b": nj.neurons.LIF(C_m=C_B, g_L=G_B, E_L=-62.0, n=2, **common),
    }  # fmt: skip
    return nj.Block(parts, couplings, solver=solver)


def both_ways(**options):
    return [
        S.GapJunctions("a", "b", JUNCTION, **options),
        S.GapJunctions("b", "a", JUNCTION.T, **options),
    ]


LEAK, REST = np.array([G_A] * 3 + [G_B] * 2), np.array([-70.0] * 3 + [-62.0] * 2)
CAPACITANCE = np.array([C_A] * 3 + [C_B] * 2)
START = np.array([-70.0, -55.0, -60.0, -62.0, -62.0])
FULL = np.zeros((5, 5))
FULL[3:, :3], FULL[:3, 3:] = JUNCTION, JUNCTION.T
MATRIX = (FULL - np.diag(FULL.sum(axis=1) + LEAK)) / CAPACITANCE[:, None]


def voltages(state):
    return np.concatenate([state["a"]["V_m"], state["b"]["V_m"]])


@pytest.mark.parametrize(
    ("solver", "dt", "rtol"),
    [
        (nj.solvers.Heun(), 0.05, 1e-6),
        pytest.param(nj.solvers.Propagator(), 3.0, 1e-12),
    ],
    ids=["heun", "propagator"],
)
def test_passive_cells_are_a_linear_system(solver, dt, rtol):
    """Without leaf=, the couplings find V_m; the propagator is exact."""
    drive = np.array([30.0, 0.0, 0.0, 0.0, -20.0])
    source = (LEAK * REST + drive) / CAPACITANCE
    fixed = np.linalg.solve(MATRIX, -source)
    expected = fixed + expm(MATRIX * 12.0) @ (START - fixed)
    inputs = {"a": {"I_e": jnp.array(drive[:3])}, "b": {"I_e": jnp.array(drive[3:])}}
    sim = nj.simulate(pair(both_ways(), solver=solver), duration=12.0, dt=dt, inputs=inputs)
    np.testing.assert_allclose(voltages(sim.final_state.state), expected, rtol=rtol)


def test_spiking_cells():
    """Resets and refractory steps in a block, against a loop in numpy; every spike."""
    dt, steps, drive = 0.1, 600, 600.0
    model = pair(both_ways(), V_th=-50.0, solver=nj.solvers.Propagator())
    inputs = {"a": {"I_e": drive}}
    record = {"a": nj.Spikes("a"), "b": nj.Spikes("b")}
    sim = nj.simulate(model, duration=steps * dt, dt=dt, inputs=inputs, record=record)
    flow = expm(MATRIX * dt)
    source = (LEAK * REST + np.array([drive] * 3 + [0.0] * 2)) / CAPACITANCE
    fixed = np.linalg.solve(MATRIX, -source)
    V, left, fired = START.copy(), np.zeros(5, int), []
    for k in range(1, steps + 1):
        spiked = V > -50.0
        V, left = np.where(spiked, -65.0, V), np.where(spiked, 10, np.maximum(left - 1, 0))
        V = np.where(left > 0, V, fixed + flow @ (V - fixed))
        fired += [(k, i) for i in np.flatnonzero(V > -50.0)]
    found = [(round(t / dt), i) for i in range(3) for t in sim["a"].train(i)]
    found += [(round(t / dt), i + 3) for i in range(2) for t in sim["b"].train(i)]
    assert len(fired) > 5
    assert sorted(found) == sorted(fired)


def test_rectifying_junctions_by_hand():
    V_a, V_b = np.array([-50.0, -70.0, -64.0]), np.array([-65.0, -55.0])
    junction = S.GapJunctions("a", "b", JUNCTION, rectifying=True)
    current = junction.current({"V_m": jnp.array(V_a)}, {"V_m": jnp.array(V_b)})
    # the first target is below sources 0 and 2, the second below source 0
    np.testing.assert_allclose(current, [4.0 * 15 + 0.0 * 1, 0.5 * 5.0], rtol=1e-14)
    slopes = jax.jacobian(lambda V: junction.current({"V_m": V}, {"V_m": jnp.array(V_b)}))(
        jnp.array(V_a)
    )
    np.testing.assert_allclose(slopes, [[4.0, 0.0, 0.0], [0.5, 0.0, 0.0]], rtol=1e-14)


def test_rectifying_junctions_through_a_block():
    """Against an adaptive solution; the propagator, which they are too nonlinear for, refuses."""

    def rate(t, V):
        current = (FULL * np.maximum(V[None, :] - V[:, None], 0.0)).sum(axis=1)
        return (current - LEAK * (V - REST)) / CAPACITANCE

    expected = solve_ivp(rate, (0, 8), START, method="DOP853", rtol=1e-11, atol=1e-11).y[:, -1]
    model = pair(both_ways(rectifying=True))
    # Heun: the kinks where two voltages cross cost no more than its second order
    found = voltages(nj.simulate(model, duration=8.0, dt=0.01).final_state.state)
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    model = pair(both_ways(rectifying=True), solver=nj.solvers.Propagator())
    with pytest.raises(ValueError, match="not affine"):
        nj.simulate(model, duration=1.0, dt=0.1)


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_graded_synapses_between_neurons(name):
    function, same = {
        "tanh": (jnp.tanh, np.tanh),
        "sigmoid": (jax.nn.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    }[name]
    of = lambda f: lambda V: f((V + 60) / 5)
    function, same = of(function), of(same)
    weights = 30.0 * JUNCTION  # pA
    couplings = [S.Graded("a", "b", weights, function), S.Graded("b", "a", -weights.T, function)]

    def rate(t, V):
        current = np.concatenate([-weights.T @ same(V[3:]), weights @ same(V[:3])])
        return (current - LEAK * (V - REST)) / CAPACITANCE

    expected = solve_ivp(rate, (0, 10), START, method="DOP853", rtol=1e-11, atol=1e-11).y[:, -1]
    sim = nj.simulate(pair(couplings), duration=10.0, dt=0.01)
    np.testing.assert_allclose(voltages(sim.final_state.state), expected, rtol=1e-7)


def test_ports_of_coupled_neurons():
    """Conductances in a block are stepped exactly on the side, at second order for V."""
    receptors = {"exc": S.AlphaConductance(2.0, 0.0)}
    w, onset = 5.0, 0.5
    impulse = lambda dt: nj.inputs.Sampled(
        np.where(np.arange(round(8 / dt)) == round(onset / dt) - 1, w, 0.0), dt
    )

    def rate(t, V):
        g = np.zeros(5)
        if t > onset:
            g[:3] = w * (t - onset) / 2.0 * np.exp(1 - (t - onset) / 2.0)
        return MATRIX @ V + (LEAK * REST + g * (0.0 - V)) / CAPACITANCE

    options = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-11}
    middle = solve_ivp(rate, (0, onset), START, **options).y[:, -1]
    expected = solve_ivp(rate, (onset, 8), middle, **options).y[:, -1]
    model = pair(both_ways(), receptors=receptors)
    errors = []
    for dt in (0.1, 0.05):
        sim = nj.simulate(model, duration=8.0, dt=dt, inputs={"a": {"exc": impulse(dt)}})
        errors.append(np.abs(voltages(sim.final_state.state) - expected).max())
    assert errors[1] < 2e-3 and errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


def test_the_voltage_is_found_by_itself():
    V = jnp.array([-50.0, -60.0])
    gap = S.GapJunctions("a", "b", jnp.eye(2))
    for source in ({"V": V}, {"V_m": V}, {"V_m": V, "V": 0 * V}):
        for target in ({"V": V - 1}, {"V_m": V - 1}):
            np.testing.assert_allclose(gap.current(source, target), [1.0, 1.0], rtol=1e-13)
    with pytest.raises(ValueError, match=r"'V_m' or 'V' of part 'b'.*Known: rate"):
        gap.current({"V": V}, {"rate": V})
    explicit = S.GapJunctions("a", "b", jnp.eye(2), leaf="V")
    with pytest.raises(ValueError, match=r"'V' of part 'a'.*Did you mean 'V_m'"):
        explicit.current({"V_m": V}, {"V_m": V})


@pytest.mark.parametrize("cell", ["AdEx", "EIF", "QIF", "Izhikevich"])
@pytest.mark.parametrize("solver", [nj.solvers.Heun(), nj.solvers.RungeKutta4()], ids=type)
def test_a_spike_is_no_higher_for_others_than_its_peak(cell, solver):
    """A stage that runs away must not reach the neighbour: g (V_peak - E_L) / g_L bounds it."""
    source, g, g_L, E_L = getattr(nj.neurons, cell)(), 0.001, 25.0, -70.0
    target = nj.neurons.LIF(C_m=250.0, g_L=g_L, E_L=E_L)
    junctions = [S.GapJunctions("a", "b", np.array([[g]]))]
    record = {"V": nj.Trace("b.V_m"), "spikes": nj.Spikes("a", "b")}
    for drive in (20.0,) if cell == "Izhikevich" else (700.0, 1000.0, 1200.0):
        block = nj.Block({"a": source, "b": target}, junctions, solver)
        sim = nj.simulate(
            block, duration=100.0, dt=0.1, inputs={"a": {"I_e": drive}}, record=record
        )
        assert len(sim["spikes"]["a"].times) > 0 and len(sim["spikes"]["b"].times) == 0
        highest = E_L + g * (float(source.V_peak) - E_L) / g_L
        assert float(jnp.max(sim["V"])) < highest + 1e-4


def test_a_held_membrane_does_not_move_for_others():
    """The neighbour of a refractory cell relaxes exponentially, and Heun is of second order."""
    g, g_L, C_m, errors = 10.0, 25.0, 250.0, []
    for dt in (0.2, 0.1):
        parts = {
            "a": nj.neurons.LIF(V_th=-60.0, t_ref=30.0, initial={"V_m": -60.0001}),
            "b": nj.neurons.LIF(C_m=C_m, g_L=g_L, E_L=-70.0, V_th=1e3),
        }
        block = nj.Block(parts, [S.GapJunctions("a", "b", np.array([[g]]))])
        sim = nj.simulate(
            block, duration=25.0, dt=dt, inputs={"a": {"I_e": 500.0}},
            record={"V": nj.Trace("b.V_m")},
        )  # fmt: skip
        V = np.asarray(sim["V"])[round(2.0 / dt) - 1 :, 0]
        t = dt * np.arange(len(V))
        exact = -70.0 + (V[0] + 70.0) * np.exp(-t * (g_L + g) / C_m)  # a is held at -70 mV
        errors.append(np.abs(V - exact).max())
    assert errors[0] < 2e-5 and errors[0] / errors[1] > 3.5


def coupled_adex(G, drive, duration, p):
    """Spike times of two cells by an adaptive solver with events."""

    def rate(t, y):
        V, w = np.minimum(y[:2], p["V_peak"] + 0.5), y[2:]
        upswing = p["Delta_T"] * np.exp((V - p["V_th"]) / p["Delta_T"])
        own = p["g_L"] * (p["E_L"] - V + upswing) - w + drive
        gap = (G * (V[None, :] - V[:, None])).sum(axis=1)
        return np.append((own + gap) / p["C_m"], (p["a"] * (V - p["E_L"]) - w) / p["tau_w"])

    events = [lambda t, y, i=i: y[i] - p["V_peak"] for i in range(2)]
    for event in events:
        event.terminal, event.direction = True, 1
    t, y, found = 0.0, np.array([p["E_L"], p["E_L"], 0.0, 0.0]), ([], [])
    while True:
        part = solve_ivp(
            rate, (t, duration), y, method="LSODA", rtol=1e-10, atol=1e-10, events=events
        )
        t, y = part.t[-1], part.y[:, -1].copy()
        if part.status != 1:
            return found
        i = 0 if len(part.t_events[0]) else 1
        found[i].append(t)
        y[i], y[2 + i] = p["V_reset"], y[2 + i] + p["b"]


@pytest.mark.parametrize("split", [False, True], ids=["one population", "two populations"])
@pytest.mark.parametrize(("g", "drive"), [(2.0, [450.0, 300.0]), (1.0, [600.0, 500.0])])
def test_coupled_upswings_spike_within_a_step(g, drive, split):
    """After some 20 to 40 spikes a label is at most one step off that of the step with the peak."""
    p = {"C_m": 100.0, "g_L": 10.0, "E_L": -70.0, "V_th": -50.0, "Delta_T": 2.0, "a": 2.0,
         "b": 30.0, "tau_w": 50.0, "V_reset": -60.0, "V_peak": 0.0}  # fmt: skip
    drive = np.array(drive)
    expected = coupled_adex(np.array([[0.0, g], [g, 0.0]]), drive, 150.0, p)
    if split:
        parts = {"a": nj.neurons.AdEx(**p), "b": nj.neurons.AdEx(**p)}
        junctions = [S.GapJunctions(*way, np.array([[g]])) for way in (("a", "b"), ("b", "a"))]
        inputs = {"a": {"I_e": drive[0]}, "b": {"I_e": drive[1]}}
    else:
        parts = {"a": nj.neurons.AdEx(n=2, **p)}
        junctions = [S.GapJunctions("a", "a", np.array([[0.0, g], [g, 0.0]]))]
        inputs = {"a": {"I_e": drive}}
    record = {name: nj.Spikes(name) for name in parts}
    for dt in (0.1, 0.02):
        net = nj.Network(parts, couplings=junctions)
        sim = nj.simulate(net, duration=150.0, dt=dt, inputs=inputs, record=record)
        trains = [sim["a"].train(0), sim["b"].train(0) if split else sim["a"].train(1)]
        for train, times in zip(trains, expected, strict=True):
            late = np.asarray(train) - np.array(times)  # also says that none is missing
            assert -dt < late.min() and late.max() < 2 * dt


def test_the_time_of_a_coupled_spike_has_a_derivative():
    """Through three spikes of the source, against differences in double precision."""
    net = nj.Network(
        {"a": nj.neurons.AdEx(), "b": nj.neurons.LIF()},
        couplings=[S.GapJunctions("a", "b", np.array([[5.0]]))],
    )

    def end(drive):
        sim = nj.simulate(net, duration=50.0, dt=0.1, inputs={"a": {"I_e": drive}})
        return sim.final_state.state["populations"]["b"]["V_m"][0]

    h = 1e-4
    difference = (end(1000.0 + h) - end(1000.0 - h)) / (2 * h)
    assert abs(difference) > 1e-4
    np.testing.assert_allclose(jax.grad(end)(1000.0), difference, rtol=1e-5)


def test_which_solver_joined_parts_have():
    """One that keeps times within a step where a cell has them; a wrapped cell counts like it."""
    LIF, AdEx = nj.neurons.LIF(), nj.neurons.AdEx()
    wrapped = nj.plasticity.HomeostaticThreshold(LIF)
    gap = S.GapJunctions("a", "b", np.array([[1.0]]))
    for cell, expected in (
        (LIF, nj.solvers.Heun), (wrapped, nj.solvers.Heun), (AdEx, nj.solvers.PartByPart),
        (nj.plasticity.HomeostaticThreshold(AdEx), nj.solvers.PartByPart),
        (nj.neurons.AdEx(solver=nj.solvers.Heun()), nj.solvers.Heun),
    ):  # fmt: skip
        net = nj.Network({"a": cell, "b": LIF}, couplings=[gap])
        assert isinstance(net.block_solvers["a+b"], expected)
        sim = nj.simulate(net, duration=20.0, dt=0.1, inputs={"a": {"I_e": 1000.0}})
        assert int(sim.stats.spikes["a"]) > 0 and int(sim.stats.spikes["b"]) == 0
    with pytest.raises(ValueError, match="PartByPart steps the parts of a Block one by one"):
        nj.neurons.LIF(solver=nj.solvers.PartByPart())
    with pytest.raises(ValueError, match=r"give it to nj.Block\(parts, couplings, solver="):
        nj.simulate(AdEx, duration=1.0, dt=0.1, solver=nj.solvers.PartByPart())


def test_upswings_beside_circuits_and_in_nested_blocks():
    """What stands beside them, without coupling, changes no spike."""
    AdEx, LIF, drive = nj.neurons.AdEx(), nj.neurons.LIF(), {"I_e": 1500.0}
    run = lambda model, inputs: nj.simulate(model, duration=60.0, dt=0.1, inputs=inputs)
    alone = run(AdEx, drive).final_state.state
    rates = nj.circuits.RateRNN(2, key=jax.random.key(0))
    beside = nj.Block({"x": AdEx, "r": rates}, [])
    inner = nj.Block({"x": AdEx, "y": LIF}, [])
    nested = nj.Block({"i": inner, "z": LIF}, [])
    for block, inputs, of in (
        (beside, {"x": drive}, lambda state: state["x"]),
        (nested, {"i": {"x": drive}}, lambda state: state["i"]["x"]),
    ):
        assert isinstance(block.solver, nj.solvers.PartByPart)
        found = of(run(block, inputs).final_state.state)
        for name in ("V_m", "w"):
            np.testing.assert_allclose(found[name], alone[name], rtol=1e-12)
    noisy = nj.circuits.RateRNN(2, noise=0.1, key=jax.random.key(0))
    assert isinstance(nj.Block({"x": AdEx, "r": noisy}, []).solver, nj.solvers.Heun)
