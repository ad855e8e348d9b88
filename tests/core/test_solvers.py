"""Fixed-step solvers: order of convergence, exactness, and what they refuse."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import small_models as models

import neurojax as nj

S = nj.solvers


def oscillator_at(t, I=0.5):
    """The oscillator by scipy's eighth-order method, at relative tolerance 1e-13."""
    solve = lambda V0: scipy.integrate.solve_ivp(
        lambda t, y: models.Oscillator.numpy_drift(y, I(t) if callable(I) else I),
        (0, t), [V0, 0.0], method="DOP853", rtol=1e-13, atol=1e-13,
    ).y[:, -1]  # fmt: skip
    return np.stack([solve(0.0), solve(1.0)], axis=1)


def errors(model, solver, dts, truth, duration, **arguments):
    found = []
    for dt in dts:
        state = nj.simulate(model, duration=duration, dt=dt, solver=solver, **arguments)
        leaves = jax.tree.leaves(state.final_state.state)
        found.append(np.max(np.abs(np.stack(leaves) - truth)))
    return np.array(found)


def orders(found, factor=2.0):
    return np.log(found[:-1] / found[1:]) / np.log(factor)


@pytest.mark.parametrize(
    "solver",
    [S.Euler(), S.EulerMaruyama(), S.Heun(), S.Midpoint(), S.Ralston(), S.RungeKutta4(),
     S.ExponentialEuler()],
    ids=lambda s: type(s).__name__,
)  # fmt: skip
def test_order_on_a_nonlinear_cell(solver):
    dts = [0.1, 0.05, 0.025]
    found = errors(models.Oscillator(), solver, dts, oscillator_at(20.0), 20.0, inputs={"I": 0.5})
    assert np.all(np.abs(orders(found) - solver.order) < 0.15), orders(found)


@pytest.mark.parametrize("solver", [S.Heun(), S.Midpoint(), S.RungeKutta4()], ids=repr)
def test_a_sine_is_read_at_the_stages(solver):
    """A sine held at its mean would be second order under every solver."""
    sine = nj.inputs.Sine(0.8, frequency=40.0, phase=0.3, offset=0.4)
    truth = oscillator_at(20.0, lambda t: 0.4 + 0.8 * np.sin(2 * np.pi * 0.04 * t + 0.3))
    dts = [0.2, 0.1, 0.05]
    found = errors(models.Oscillator(), solver, dts, truth, 20.0, inputs={"I": sine})
    assert np.all(np.abs(orders(found) - solver.order) < 0.2), orders(found)


@pytest.mark.parametrize("solver", [S.Euler(), S.ExponentialEuler()], ids=repr)
def test_a_sine_is_averaged_by_first_order_solvers(solver):
    """The charge of a step is exact, so a slow integrator ends where it should."""
    model = models.Relaxation(E=0.0, tau=1e12, n=1)
    sine = nj.inputs.Sine(1.0, frequency=50.0, phase=0.2)
    run = nj.simulate(model, duration=7.0, dt=1.0, solver=solver, inputs={"I": sine})
    w = 2 * np.pi * 0.05
    charge = (np.cos(0.2) - np.cos(w * 7.0 + 0.2)) / w
    np.testing.assert_allclose(run.final_state.state["V"], 1.0 + charge, rtol=1e-9)


def circuit_at(W, t, tau=3.0):
    y0 = np.linspace(-1.0, 1.0, len(W))
    f = lambda t, y: -y / tau + W @ np.tanh(y)
    return scipy.integrate.solve_ivp(f, (0, t), y0, method="DOP853", rtol=1e-13, atol=1e-13).y[
        :, -1
    ]


WEIGHTS = np.array([[0.3, -0.8, 0.2], [0.5, -0.4, -0.9], [-0.2, 0.7, 0.5]])


def test_exponential_euler_uses_the_diagonal_of_a_coupled_circuit():
    """One step against the formula with the diagonal of the full Jacobian."""
    model = models.RateCircuitWithDecay(WEIGHTS)
    y, dt = model.init_state(), 0.7
    jacobian = jax.jacfwd(lambda y: model.drift(0.0, y, {}))(y)
    rates = -np.diagonal(jacobian)
    expected = y + model.drift(0.0, y, {}) * -np.expm1(-rates * dt) / rates
    new, _ = model.step(y, {}, nj.Clock(0, dt))
    np.testing.assert_allclose(new, expected, rtol=1e-12)
    row_sums = -jnp.sum(jacobian, axis=1)
    wrong = y + model.drift(0.0, y, {}) * -np.expm1(-row_sums * dt) / row_sums
    assert np.max(np.abs(new - wrong)) > 0.01  # what a derivative in the direction of ones gives


def test_exponential_euler_converges_on_a_coupled_circuit():
    model = models.RateCircuitWithDecay(WEIGHTS)
    found = errors(model, None, [0.1, 0.05, 0.025], circuit_at(WEIGHTS, 6.0), 6.0)
    assert np.all(np.abs(orders(found) - 1) < 0.15)


def test_exponential_euler_refuses_a_coupled_circuit_without_decay():
    with pytest.raises(ValueError, match=r"couples its elements.*decay"):
        nj.simulate(models.RateCircuit(WEIGHTS), duration=1.0, dt=0.1, solver=S.ExponentialEuler())


def test_exponential_euler_of_a_cell_is_gating_by_hand():
    """For a Hodgkin-Huxley gate the scheme is the textbook one with x_inf and tau_x."""
    model = models.HodgkinHuxley(solver=S.ExponentialEuler())
    state, dt = model.init_state(), 0.05
    new, _ = model.step(state, {}, nj.Clock(0, dt))
    V = -65.0
    alpha, beta = -0.01 * (V + 55) / np.expm1(-(V + 55) / 10), 0.125
    x_inf, tau = alpha / (alpha + beta), 1 / (alpha + beta)
    np.testing.assert_allclose(new["n"], x_inf + (0.32 - x_inf) * np.exp(-dt / tau), rtol=1e-12)


def test_exponential_euler_is_stable_and_exact_for_stiff_decay():
    model = models.Relaxation(tau=1e-3, solver=S.ExponentialEuler())
    run = nj.simulate(model, duration=10.0, dt=1.0)
    np.testing.assert_allclose(run.final_state.state["V"], -2.0, rtol=1e-12)
    slow = models.Relaxation(tau=5.0, solver=S.ExponentialEuler())
    run = nj.simulate(slow, duration=10.0, dt=2.5)
    expected = -2.0 + (np.array([1.0, 2.0]) + 2.0) * np.exp(-2.0)
    np.testing.assert_allclose(run.final_state.state["V"], expected, rtol=1e-13)


@pytest.mark.parametrize("rate", [0.0, 1e-9, 1e-3, 9.9e-3, 1.01e-2, 0.5, 30.0, -2.0])
def test_phi1_and_its_derivative(rate):
    from neurojax.core.solvers.exponential_euler import phi1

    series = lambda z: sum((-z) ** k / float(scipy.special.factorial(k + 1)) for k in range(40))
    exact = series(rate) if abs(rate) < 5 else -np.expm1(-rate) / rate
    assert float(phi1(jnp.array(rate))) == pytest.approx(exact, rel=1e-11)
    slope = jax.grad(phi1)(jnp.array(rate))
    h = 1e-5
    difference = (phi1(jnp.array(rate + h)) - phi1(jnp.array(rate - h))) / (2 * h)
    assert float(slope) == pytest.approx(float(difference), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("largest", [0.2, 0.999, 1.1, 40.0])
@pytest.mark.parametrize("kind, within", [("float32", 3e-7), ("float64", 1e-14)])
def test_phi1_of_many(largest, kind, within):
    from neurojax.core.solvers.exponential_euler import phi1

    z = np.linspace(-0.1, 1.0, 10_001) * largest
    z[0] = 0.0
    exact = np.ones_like(z)
    exact[1:] = -np.expm1(-z[1:]) / z[1:]
    exact[z == 0] = 1.0
    given = jnp.asarray(z.astype(kind))
    for found in (phi1(given), jax.vmap(phi1)(jnp.stack([given, given]))[1], phi1(given[:100])):
        assert found.dtype == kind
        # the argument itself is rounded: exp(4) for z = -4 magnifies that
        np.testing.assert_allclose(
            found, exact[: len(found)], rtol=within * max(1.0, 0.1 * largest)
        )
    slope = jax.grad(lambda z: jnp.sum(phi1(z)))(given)
    alone = jax.vmap(jax.grad(phi1))(given[::100])
    np.testing.assert_allclose(slope[::100], alone, rtol=1e-6)
    spoilt = phi1(given.at[7].set(jnp.nan))
    assert jnp.isnan(spoilt[7]) and jnp.isfinite(spoilt[8])


@pytest.mark.parametrize("kind, within", [("float32", 3e-7), ("float64", 1e-15)])
def test_a_rise_up_to_the_ends_of_the_numbers(kind, within):
    from neurojax.core.solvers.exponential_euler import _rise

    halvings = np.concatenate([np.linspace(-1100, 1100, 44_001), np.arange(-200, 200) + 0.5])
    halvings = halvings[halvings != 0].astype(kind)  # the grid holds ties of the rounding, and 0
    with np.errstate(over="ignore"):
        exact = -np.expm1(-np.log(np.longdouble(2)) * halvings.astype(np.longdouble)).astype(kind)
    found = _rise(jnp.asarray(halvings))
    # the last half power of two before the overflow may be infinite already
    near = np.abs(exact) < 0.7 * np.finfo(kind).max
    np.testing.assert_allclose(found[near], exact[near], rtol=within)
    np.testing.assert_array_equal(found[np.isinf(exact)], -np.inf)
    assert not np.isnan(found).any()


def exponential(A):
    """The matrix exponential by its series in extended precision.

    scipy loses half of the digits of a triangular matrix whose diagonal is nearly constant.
    """
    A = np.asarray(A, np.longdouble) / 2**12
    power = total = np.eye(len(A), dtype=np.longdouble)
    for k in range(1, 30):
        power = power @ A / k
        total = total + power
    return np.linalg.matrix_power(total, 2**12).astype(float)


@pytest.mark.parametrize("tau_syn", [5.0, 10.0, 10.0 + 1e-9, 0.2])
def test_propagator_is_exact_also_where_time_constants_are_equal(tau_syn):
    """tau_m = tau_syn is the singular case of the textbook formula."""
    model = models.LinearCell(tau_m=10.0, tau_syn=tau_syn)
    run = nj.simulate(model, duration=30.0, dt=7.5, inputs={"I_e": 0.3})
    A = np.array([[-1 / 10.0, 1.0], [0.0, -1 / tau_syn]])
    b = np.array([0.3, 0.0])
    block = np.zeros((3, 3))
    block[:2, :2], block[:2, 2] = A * 30.0, b * 30.0
    flow = exponential(block)
    y0 = np.stack([np.linspace(0, 1, 3), np.linspace(2, 1, 3), np.ones(3)])
    expected = flow @ y0
    state = run.final_state.state
    np.testing.assert_allclose(state["V"], expected[0], rtol=1e-11)
    np.testing.assert_allclose(state["I"], expected[1], rtol=1e-11, atol=1e-15)


def test_propagator_with_one_time_constant_per_neuron():
    taus = np.array([3.0, 10.0, 30.0])
    model = models.LinearCell(tau_m=taus, tau_syn=5.0)
    run = nj.simulate(model, duration=12.0, dt=4.0)
    for i, tau in enumerate(taus):
        A = np.array([[-1 / tau, 1.0], [0.0, -1 / 5.0]])
        y = scipy.linalg.expm(A * 12.0) @ [np.linspace(0, 1, 3)[i], np.linspace(2, 1, 3)[i]]
        assert float(run.final_state.state["V"][i]) == pytest.approx(y[0], rel=1e-11)


class LinearCircuit(nj.ContinuousDynamics):
    A: nj.Parameter = nj.parameter(required=True)
    solver: models.Solver = S.Propagator()

    def init_state(self, *, key=None):
        return {"x": jnp.arange(1.0, 1.0 + self.A.shape[0])}

    def drift(self, t, state, inputs):
        return {"x": self.A @ state["x"] + inputs.get("u", 0.0)}


@pytest.mark.parametrize("precision", [1e-13, 3e-6])
def test_many_small_matrices_are_integrated_as_one(precision):
    """Against scipy's exponential of a block matrix, for slow and stiff matrices."""
    from neurojax.core.solvers.propagator import _step_integral

    rng = np.random.default_rng(0)
    integral = jax.jit(_step_integral)
    for size in (0.0, 1e-3, 1.0, 30.0, 63.0, 300.0):
        A = rng.normal(size=(40, 3, 3)) - 2.5 * np.eye(3)
        A *= size / np.abs(A).sum(-1).max() / 0.1
        block = np.zeros((40, 6, 6))
        block[:, :3, :3], block[:, :3, 3:] = 0.1 * A, 0.1 * np.eye(3)
        exact = np.stack([scipy.linalg.expm(b)[:3, 3:] for b in block])
        kind = "float64" if precision == 1e-13 else "float32"
        found = integral(jnp.asarray(A, kind), jnp.asarray(0.1, kind))
        assert found.dtype == kind
        scale = np.abs(exact).max((1, 2), keepdims=True)
        np.testing.assert_allclose(found / scale, exact / scale, atol=precision)
    mild = jnp.asarray(0.05 * A[:, :1, :1])
    slopes = lambda f: jax.jacfwd(lambda dt: f(mild, dt))(0.1)[:, 0, 0]
    decay = lambda A, dt: -jnp.expm1(A * dt) / -A
    np.testing.assert_allclose(slopes(_step_integral), slopes(decay), rtol=1e-11)


@pytest.mark.parametrize(("kind", "precision"), [("float64", 1e-14), ("float32", 1e-6)])
@pytest.mark.parametrize("size", [1e-3, 63.0, 1e5])
def test_the_derivative_of_the_integral_of_a_step(size, kind, precision):
    """Against scipy's derivative of an exponential, of one matrix, of many, and under vmap."""
    from neurojax.core.solvers.propagator import _step_integral

    rng = np.random.default_rng(1)
    A = 0.3 * rng.normal(size=(5, 3, 3)) - 2.5 * np.eye(3)
    A *= size / np.abs(A).sum(-1).max() / 0.1
    E = rng.normal(size=A.shape)
    exact = []
    for a, e in zip(A, E, strict=True):
        block, along = np.zeros((6, 6)), np.zeros((6, 6))
        block[:3, :3], block[:3, 3:], along[:3, :3] = 0.1 * a, 0.1 * np.eye(3), 0.1 * e
        exact.append(scipy.linalg.expm_frechet(block, along, compute_expm=False)[:3, 3:])
    scale = np.abs(exact).max((1, 2), keepdims=True)
    A, E, dt = (jnp.asarray(x, kind) for x in (A, E, 0.1))
    along = lambda f: jax.jit(lambda A, E: jax.jvp(f, (A,), (E,)))(A, E)
    single = lambda a: _step_integral(a, dt)
    for f in (single, jax.vmap(single)):
        value, slope = along(f)
        assert slope.dtype == kind
        # scipy's own error grows with the squarings
        np.testing.assert_allclose(slope / scale, exact / scale, atol=precision * max(1, size / 50))
        np.testing.assert_array_equal(value, jax.jit(f)(A))
    back = jax.grad(lambda A: jnp.vdot(_step_integral(A, dt) / scale.astype(kind), E))(A)
    forward = jnp.vdot(along(single)[1] / scale.astype(kind), E)
    np.testing.assert_allclose(jnp.vdot(back, E), forward, rtol=30 * precision)


def test_higher_derivatives_of_the_integral_of_a_step():
    """Of one number: a is the rate, and (exp(a h) - 1) / a the integral."""
    from neurojax.core.solvers.propagator import _step_integral

    a, h = -0.7, 1.3
    e = np.exp(a * h)
    first = h * e / a - (e - 1) / a**2
    second = h**2 * e / a - 2 * h * e / a**2 + 2 * (e - 1) / a**3
    third = h**3 * e / a - 3 * second / a
    for shape in ((1, 1), (3, 1, 1)):
        f = lambda a, h, shape=shape: jnp.mean(_step_integral(jnp.broadcast_to(a, shape), h))
        slopes = jax.jit(jax.grad(f, (0, 1)))(a, h)
        np.testing.assert_allclose(slopes, (first, e), rtol=1e-13)
        curved = jax.jit(jax.jacrev(jax.grad(f, (0, 1))))(a, h)
        np.testing.assert_allclose(curved, (second, h * e), rtol=1e-12)
    assert float(jax.jit(jax.grad(jax.hessian(f)))(a, h)) == pytest.approx(third, rel=1e-11)


@pytest.mark.parametrize(
    ("tau", "alike"),
    [
        (lambda: 3.0, True),
        (lambda: jnp.full(5, 3.0), False),
        (lambda: 3.0 + jnp.arange(5.0), False),  # differs where no field of a model says so
    ],
)
def test_propagator_takes_one_matrix_for_neurons_that_are_alike(tau, alike):
    field = lambda t, y, inputs: {
        "V": (y["I"] - y["V"] + inputs) / tau(), "I": -y["I"] / (2.0 * tau()),
    }  # fmt: skip
    y = {"V": jnp.linspace(-2.0, 2.0, 5), "I": jnp.linspace(1.0, 3.0, 5)}
    inputs = jnp.linspace(0.0, 0.5, 5)
    solver = S.Propagator().prepare(field, 0.0, 0.7, y, inputs)
    assert solver.local.shape == ((2, 2) if alike else (2, 2, 5))
    found = solver.advance(field, 0.0, 0.7, y, inputs)
    slow, fast = np.exp(-0.35 / np.asarray(tau())), np.exp(-0.7 / np.asarray(tau()))
    V = y["V"] * fast + 2.0 * y["I"] * (slow - fast) + inputs * (1 - fast)
    np.testing.assert_allclose(found["V"], V, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(found["I"], y["I"] * slow, rtol=1e-13)


def test_propagator_of_a_coupled_circuit():
    A = np.array([[-0.1, 0.4, 0.0], [-0.4, -0.1, 0.2], [0.0, 0.0, 0.0]])  # singular
    run = nj.simulate(LinearCircuit(A), duration=9.0, dt=3.0)
    expected = scipy.linalg.expm(A * 9.0) @ [1.0, 2.0, 3.0]
    np.testing.assert_allclose(run.final_state.state["x"], expected, rtol=1e-11)


def test_propagator_gradient_is_exact():
    def end(tau):
        return (
            nj.simulate(models.LinearCell(tau_syn=tau), duration=10.0, dt=2.0)
            .final_state.state["V"]
            .sum()
        )

    h = 1e-5
    difference = (end(5.0 + h) - end(5.0 - h)) / (2 * h)
    assert float(jax.grad(end)(5.0)) == pytest.approx(float(difference), rel=1e-7)


class Growing(nj.ContinuousDynamics):
    solver: models.Solver = S.Propagator()

    def init_state(self, *, key=None):
        return jnp.ones(2)

    def drift(self, t, state, inputs):
        return jnp.sin(t) * state


class SwitchedOff(nj.ContinuousDynamics):
    """A drift that an integer leaf of the state switches off."""

    solver: models.Solver = S.Propagator()

    def init_state(self, *, key=None):
        return {"V": jnp.ones(2), "refractory": jnp.array([0, 3])}

    def drift(self, t, state, inputs):
        V = jnp.where(state["refractory"] > 0, 0.0, -state["V"])
        return {"V": V, "refractory": None}


class Modulated(nj.ContinuousDynamics):
    solver: models.Solver = S.Propagator()

    def init_state(self, *, key=None):
        return jnp.ones(2)

    def drift(self, t, state, inputs):
        return -inputs["g"] * state


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (models.Oscillator(solver=S.Propagator()), {}),
        (models.RateCircuit(WEIGHTS, solver=S.Propagator()), {}),
        (Growing(), {}),
        (SwitchedOff(), {}),
        (Modulated(), {"g": 1.0}),
    ],
    ids=["cubic", "tanh", "time-dependent", "switched", "input times state"],
)
def test_propagator_refuses_what_is_not_linear(model, inputs):
    """Each of these has a matrix at the start that is wrong later."""
    with pytest.raises(ValueError, match="not affine"):
        nj.simulate(model, duration=1.0, dt=0.1, inputs=inputs)


def test_propagator_refuses_a_huge_matrix(monkeypatch):
    from neurojax.core.solvers import propagator

    monkeypatch.setattr(propagator, "_LARGEST", 2)
    with pytest.raises(ValueError, match="7 x 7"):
        nj.simulate(LinearCircuit(-np.eye(7) + 0.1), duration=1.0, dt=0.1)


def test_propagator_matrices_are_formed_outside_of_the_loop_over_time():
    run = lambda model: nj.simulate(model, duration=10.0, dt=1.0).final_state.state["V"]
    outside, inside = models.primitives(jax.make_jaxpr(run)(models.LinearCell()).jaxpr)
    assert "triangular_solve" in outside and "triangular_solve" not in inside


TWINS = [
    (diffrax.Euler(), S.EulerMaruyama),
    (diffrax.Heun(), S.Heun),
    (diffrax.Midpoint(), S.Midpoint),
    (diffrax.Ralston(), S.Ralston),
]


@pytest.mark.parametrize(("theirs", "twin"), TWINS, ids=lambda x: getattr(x, "__name__", ""))
def test_diffrax_solver_becomes_its_twin(theirs, twin):
    """The same numbers as diffrax's own constant steps, step for step."""
    from neurojax.core.simulate import as_stepper

    assert type(as_stepper(theirs)) is twin
    arguments = {"duration": 10.0, "dt": 0.1, "inputs": {"I": 0.5}, "record": {"V": "V"}}
    ours = nj.simulate(models.Oscillator(), solver=theirs, **arguments)
    whole = nj.simulate(
        models.Oscillator(),
        solver=theirs,
        stepsize_controller=diffrax.ConstantStepSize(),
        **arguments,
    )
    np.testing.assert_allclose(ours["V"], whole["V"], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "theirs",
    [diffrax.Tsit5(), diffrax.Bosh3(), diffrax.Dopri5()],
    ids=lambda s: type(s).__name__,
)
def test_diffrax_solver_without_a_twin_is_stepped(theirs):
    run = nj.simulate(models.Oscillator(), duration=20.0, dt=0.1, solver=theirs, inputs={"I": 0.5})
    state = run.final_state.state
    np.testing.assert_allclose(np.stack([state["V"], state["w"]]), oscillator_at(20.0), atol=2e-5)


def test_implicit_diffrax_solver_is_stepped():
    import optimistix

    stiff = models.Relaxation(tau=1e-3)
    finder = optimistix.Newton(rtol=1e-9, atol=1e-9)
    run = nj.simulate(stiff, duration=1.0, dt=0.1, solver=diffrax.ImplicitEuler(root_finder=finder))
    np.testing.assert_allclose(run.final_state.state["V"], -2.0, atol=1e-8)


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (diffrax.LeapfrogMidpoint(), "memory from step to step"),
        (diffrax.ReversibleHeun(), "memory from step to step"),
        (diffrax.Kvaerno5(), "root_finder="),
        (diffrax.KenCarp4(), "several terms"),
        (diffrax.SemiImplicitEuler(), "several terms"),
    ],
    ids=lambda x: type(x).__name__ if not isinstance(x, str) else "",
)
def test_diffrax_solvers_that_cannot_be_stepped(theirs, message):
    with pytest.raises(ValueError, match=message):
        nj.simulate(models.Relaxation(), duration=1.0, dt=0.1, solver=theirs)


def test_every_solver_keeps_precision_and_structure(float32):
    """Float32 in, float32 out: a stray float64 constant would change the state's type."""
    for solver in [S.Euler(), S.Heun(), S.Midpoint(), S.Ralston(), S.RungeKutta4(),
                   S.EulerMaruyama(), S.ExponentialEuler(), S.Propagator()]:  # fmt: skip
        model = eqx.tree_at(lambda m: m.solver, models.LinearCell(), solver)
        state, _ = model.step(model.init_state(), {}, nj.Clock(0, 0.1))
        assert jax.tree.map(lambda x: x.dtype, state) == {"V": jnp.float32, "I": jnp.float32}


def test_a_second_derivative_of_a_fast_relaxation():
    from neurojax.core.solvers.exponential_euler import relaxation

    moved = lambda rate: relaxation(jnp.float32(1.0), rate, jnp.float32(0.1))
    second = jax.grad(jax.grad(moved))(jnp.float32(1e6))
    assert float(second) == pytest.approx(2e-18, rel=1e-5)
