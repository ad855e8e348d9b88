"""The diffrax engine: agreement with fixed steps, stiff and noisy models, recording, errors."""

import itertools

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import small_models as models

import neurojax as nj

S = nj.solvers
TIGHT = diffrax.PIDController(rtol=1e-9, atol=1e-11)


def adaptive(model=None, duration=20.0, **arguments):
    arguments = {"stepsize_controller": TIGHT, "inputs": {"I": 0.5}} | arguments
    return nj.simulate(models.Oscillator() if model is None else model, duration=duration,
                       **arguments)  # fmt: skip


def gap(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(float(np.max(np.abs(np.asarray(x) - np.asarray(y)))) for x, y in pairs)


@pytest.mark.parametrize(
    ("solver", "order"),
    [(S.Euler(), 1), (S.ExponentialEuler(), 1), (S.Heun(), 2), (S.RungeKutta4(), 4)],
    ids=repr,
)
@pytest.mark.parametrize("name", ["cell", "circuit"])
def test_engines_agree_as_dt_goes_to_zero(solver, order, name):
    W = np.array([[0.3, -0.8, 0.2], [0.5, -0.4, -0.9], [-0.2, 0.7, 0.5]])
    model = models.Oscillator() if name == "cell" else models.RateCircuitWithDecay(W)
    exact = adaptive(model, 10.0).final_state.state
    gaps = []
    for dt in (0.1, 0.05):
        fixed = nj.simulate(model, duration=10.0, dt=dt, solver=solver, inputs={"I": 0.5})
        gaps.append(gap(fixed.final_state.state, exact))
    assert abs(np.log2(gaps[0] / gaps[1]) - order) < 0.2


def test_agreement_with_scipy():
    solve = lambda V0: scipy.integrate.solve_ivp(
        lambda t, y: models.Oscillator.numpy_drift(y, 0.5), (0, 20), [V0, 0.0],
        method="DOP853", rtol=1e-12, atol=1e-12,
    ).y[:, -1]  # fmt: skip
    state = adaptive().final_state.state
    expected = np.stack([solve(0.0), solve(1.0)], axis=1)
    np.testing.assert_allclose(np.stack([state["V"], state["w"]]), expected, atol=1e-7)


def test_stiff_model_with_an_implicit_solver():
    """Van der Pol with mu = 1000: an explicit solver would need a million steps."""
    state = adaptive(
        VanDerPol(), 500.0, solver=diffrax.Kvaerno5(), inputs={},
        stepsize_controller=diffrax.PIDController(rtol=1e-7, atol=1e-9),
    )  # fmt: skip
    f = lambda t, y: [y[1], 1000 * (1 - y[0] ** 2) * y[1] - y[0]]
    exact = scipy.integrate.solve_ivp(f, (0, 500), [2.0, 0.0], method="Radau", rtol=1e-10)
    assert float(state.final_state.state["x"]) == pytest.approx(exact.y[0, -1], rel=1e-4)
    assert int(state.stats.steps) < 1000


class VanDerPol(nj.ContinuousDynamics):
    mu: nj.Parameter = nj.parameter(1000.0)
    solver: models.Solver = S.Heun()

    def init_state(self, *, key=None):
        return {"x": jnp.array(2.0), "y": jnp.array(0.0)}

    def drift(self, t, state, inputs):
        x, y = state["x"], state["y"]
        return {"x": y, "y": self.mu * (1 - x**2) * y - x}


@pytest.mark.parametrize(
    "solver",
    [diffrax.Dopri8(), diffrax.Bosh3(), S.Heun(),
     *(pytest.param(s, marks=pytest.mark.slow)
       for s in (diffrax.Kvaerno3(), diffrax.KenCarp4(), diffrax.ReversibleHeun()))],
    ids=lambda s: type(s).__name__,
)  # fmt: skip
def test_any_diffrax_solver(solver):
    controller = diffrax.PIDController(rtol=1e-6, atol=1e-8)
    found = adaptive(duration=5.0, solver=solver, stepsize_controller=controller)
    assert gap(found.final_state.state, adaptive(duration=5.0).final_state.state) < 1e-3


def test_constant_steps_and_given_steps():
    fixed = nj.simulate(
        models.Oscillator(), duration=20.0, dt=0.1, solver=S.Heun(), inputs={"I": 0.5}
    ).final_state.state
    constant = adaptive(dt=0.1, solver=S.Heun(), stepsize_controller=diffrax.ConstantStepSize())
    assert gap(constant.final_state.state, fixed) < 1e-10
    assert int(constant.stats.steps) == 200
    grid = diffrax.StepTo(ts=jnp.linspace(0.0, 20.0, 201))
    given = adaptive(solver=S.Heun(), stepsize_controller=grid)
    assert gap(given.final_state.state, fixed) < 1e-10
    pulse = nj.inputs.Step(1.0, start=3.0, stop=5.0)  # has jumps, which given steps ignore
    adaptive(solver=S.Heun(), stepsize_controller=grid, inputs={"I": pulse})
    with pytest.raises(ValueError, match=r"ConstantStepSize\(\) needs dt="):
        adaptive(stepsize_controller=diffrax.ConstantStepSize())


class Integral(nj.ContinuousDynamics):
    """The integral of an input, and of the time."""

    solver: models.Solver = S.Heun()

    def init_state(self, *, key=None):
        return {"x": jnp.zeros(()), "t": jnp.zeros(())}

    def drift(self, t, state, inputs):
        return {"x": inputs["I"], "t": jnp.asarray(t)}


class Pulse(nj.inputs.AbstractInput):
    """A signal of a user's own that jumps from 0 to 2 at `start` and back at `stop`."""

    start: float
    stop: float

    def at(self, clock):
        raise NotImplementedError

    def __call__(self, t):
        return jnp.where((t >= self.start) & (t < self.stop), 2.0, 0.0)

    def edges(self):
        return np.array([self.start, self.stop])


LATE = 1e5
LATE_SIGNALS = {
    "step": (nj.inputs.Step(2.0, LATE + 1, LATE + 3), 4.0),
    "ramp": (nj.inputs.Ramp(0.0, 3.0, LATE + 1, LATE + 4), 4.5 + 18.0),
    "sampled": (nj.inputs.Sampled([1.0, 3.0, -2.0, 0.0], 2.5, LATE), 5.0),
    "sine": (nj.inputs.Sine(1.0, 25.0), 2.0 * 40.0 / (2 * np.pi) * np.sin(np.pi / 4) ** 2),
    "own": (Pulse(LATE + 1, LATE + 3), 4.0),
    "sum": (nj.inputs.Step(2.0, LATE + 1, LATE + 3) + Pulse(LATE + 6, LATE + 9) + 1.0, 20.0),
}


@pytest.mark.parametrize("name", LATE_SIGNALS)
def test_late_inputs_in_single_precision(float32, name):
    signal, expected = LATE_SIGNALS[name]
    signal = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), signal)
    record = {"x": nj.Trace("x", at=[LATE + 10.0])}
    run = adaptive(
        Integral(), 10.0, t0=LATE, inputs={"I": signal}, record=record,
        stepsize_controller=diffrax.PIDController(rtol=1e-6, atol=1e-6),
    )  # fmt: skip
    assert float(run["x"][0]) == pytest.approx(expected, rel=3e-6)
    assert float(run.final_state.state["t"]) == pytest.approx(10 * LATE + 50.0, rel=1e-6)
    assert int(run.stats.steps) < 60


@pytest.mark.parametrize("t0", [0.3, 7.7, 1000.1, -3.6])
def test_a_run_from_any_time(t0):
    pulse = nj.inputs.Step(2.0, t0 + 1.25, t0 + 3.0) + nj.inputs.Ramp(0.0, 1.0, t0, t0 + 2.0)
    at = [t0, t0 + 2.0, t0 + 5.0]
    record = {"x": nj.Trace("x", at=at)}
    run = adaptive(Integral(), 5.0, t0=t0, inputs={"I": pulse}, record=record)
    np.testing.assert_allclose(run["x"], [0.0, 2.5, 7.5], atol=1e-9)
    assert run.times("x").tolist() == at
    begin = lambda step: nj.SimState(Integral().init_state(), step)
    inside = jax.jit(
        lambda step: adaptive(Integral(), 5.0, dt=0.1, state=begin(step), inputs={"I": pulse})
    )
    late = inside(round(t0 / 0.1))
    assert float(late.final_state.state["x"]) == pytest.approx(7.5, abs=1e-9)


# -- recording --------------------------------------------------------------------------------


def test_recording_at_given_times():
    times = [0.0, 0.05, 7.3, 20.0]
    run = adaptive(record={
        "V": nj.Trace("V", at=times), "one": nj.Trace("w", 1, at=[3.0]),
        "f": nj.Trace(lambda s: s["V"].sum(), at=times),
    })  # fmt: skip
    solve = scipy.integrate.solve_ivp(
        lambda t, y: models.Oscillator.numpy_drift(y, 0.5), (0, 20), [0.0, 0.0], t_eval=times,
        method="DOP853", rtol=1e-12, atol=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(run["V"][:, 0], solve.y[0], atol=1e-6)
    np.testing.assert_allclose(run["f"], run["V"].sum(axis=1), rtol=1e-12)
    assert run["one"].shape == (1,)
    assert run.times("V").tolist() == times


def test_recording_on_a_grid_equals_that_of_fixed_steps():
    record = {"V": nj.Trace("V", every=10), "w": nj.Trace("w", every=3)}
    run = adaptive(dt=0.1, record=record)
    fixed = nj.simulate(models.Oscillator(), duration=20.0, dt=0.1, inputs={"I": 0.5},
                        record=record)  # fmt: skip
    for name in record:
        np.testing.assert_allclose(run.times(name), fixed.times(name), rtol=1e-12)
        np.testing.assert_allclose(run[name], fixed[name], atol=1e-5)


class Emitting(models.Relaxation):
    """What it emits depends on its state and on time."""

    def emit(self, state, clock):
        return nj.Output(values={"late": state["V"] * clock.t})


def test_what_is_emitted_is_a_record():
    times = np.array([0.0, 1.5, 7.0])
    late = {"a.late": nj.Trace("a.late", at=times), "V": nj.Trace("a.V", at=times)}
    run = adaptive(nj.Block({"a": Emitting()}), record=late, inputs={"a": {"I": 0.5}})
    np.testing.assert_allclose(run["a.late"], run["V"] * times[:, None], rtol=1e-12)
    with pytest.raises(ValueError, match="out of range for 2 elements"):
        adaptive(Emitting(), record={"x": nj.Trace("late", 5, at=times)})


def test_refused_records():
    with pytest.raises(nj.UnknownNameError, match="record 'v'"):
        adaptive(record={"v": nj.Trace("v", at=[1.0])})
    with pytest.raises(nj.UnknownNameError, match=r"Known: .*late"):
        adaptive(Emitting(), record={"v": nj.Trace("lat", at=[1.0])})
    with pytest.raises(ValueError, match="outside the run from 0 to 20 ms"):
        adaptive(record={"V": nj.Trace("V", at=[21.0])})
    with pytest.raises(ValueError, match="give its times"):
        adaptive(record={"V": "V"})
    with pytest.raises(ValueError, match="out of range"):
        adaptive(record={"V": nj.Trace("V", 5, at=[1.0])})
    with pytest.raises(ValueError, match="spikes need fixed steps"):
        adaptive(record={"s": nj.Spikes()})


# -- going on ---------------------------------------------------------------------------------


def test_going_on_from_one_engine_to_the_other():
    truth = adaptive(duration=12.0).final_state.state
    first = nj.simulate(
        models.Oscillator(), duration=4.0, dt=0.01, inputs={"I": 0.5}, record={"V": "V"}
    )
    second = adaptive(duration=4.0, dt=0.01, state=first.final_state)
    assert int(second.final_state.step) == 800
    third = nj.simulate(
        models.Oscillator(), duration=4.0, dt=0.01, inputs={"I": 0.5}, state=second.final_state,
        record={"V": nj.Trace("V", every=400)},
    )  # fmt: skip
    assert gap(third.final_state.state, truth) < 1e-7
    np.testing.assert_allclose(third.times("V"), [12.0])


def test_time_goes_on_without_a_common_step():
    """A run to 3.3 ms has no steps; the next one still begins at 3.3 ms."""
    pulse = {"I": nj.inputs.Step(1.0, start=5.0, stop=6.0)}
    first = adaptive(duration=3.3, inputs=pulse)
    rest = adaptive(duration=6.7, inputs=pulse, state=first.final_state)
    whole = adaptive(duration=10.0, inputs=pulse)
    assert gap(rest.final_state.state, whole.final_state.state) < 1e-7
    fixed = nj.simulate(
        models.Oscillator(), duration=6.7, dt=0.01, inputs=pulse, state=first.final_state
    )
    assert int(fixed.final_state.step) == 1000
    assert gap(fixed.final_state.state, whole.final_state.state) < 1e-5


def test_time_goes_on_inside_jit():
    pulse = {"I": nj.inputs.Step(1.0, start=5.0, stop=6.0)}
    whole = adaptive(duration=10.0, inputs=pulse).final_state.state
    first = adaptive(duration=4.0, inputs=pulse, dt=0.1)

    @jax.jit
    def rest(state):
        by_diffrax = adaptive(duration=6.0, inputs=pulse, state=state, dt=0.1)
        by_steps = nj.simulate(
            models.Oscillator(), duration=6.0, dt=0.02, inputs=pulse, state=state
        )
        return by_diffrax.final_state.state, by_steps.final_state

    by_diffrax, by_steps = rest(first.final_state)
    assert gap(by_diffrax, whole) < 1e-7
    assert int(by_steps.step) == 500
    assert gap(by_steps.state, whole) < 1e-4


# -- inputs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signal",
    [
        nj.inputs.Step(1.0, start=3.3, stop=3.5),
        nj.inputs.Ramp(0.0, 1.0, start=2.0, stop=7.7),
        nj.inputs.Sampled(np.array([0.0, 1.0, -1.0, 0.5, 2.0]), dt=2.1),
        nj.inputs.Sine(0.5, frequency=100.0) + nj.inputs.Step(1.0, start=3.3, stop=3.5),
    ],
    ids=["step", "ramp", "sampled", "sum"],
)
def test_inputs_that_jump_are_integrated_to_tolerance(signal):
    """Pieces between the jumps by scipy; without jump times an adaptive step misses a pulse."""
    run = adaptive(duration=10.0, inputs={"I": signal})
    y = np.array([0.0, 0.0])
    for lo, hi in itertools.pairwise([0.0, 2.0, 2.1, 3.3, 3.5, 4.2, 6.3, 7.7, 8.4, 10.0]):
        drift = lambda t, y, ends=(lo + 1e-9, hi - 1e-9): models.Oscillator.numpy_drift(
            y, float(signal(jnp.asarray(np.clip(t, *ends))))
        )
        y = scipy.integrate.solve_ivp(drift, (lo, hi), y, method="DOP853", rtol=1e-9).y[:, -1]
    state = run.final_state.state
    np.testing.assert_allclose([state["V"][0], state["w"][0]], y, atol=2e-6)


def test_jump_times_may_be_trained():
    """Start of a pulse as a traced number: a gradient with respect to a jump time."""

    def end(start):
        pulse = nj.inputs.Step(1.0, start=start, stop=4.0)
        return adaptive(models.Relaxation(n=1), 6.0, inputs={"I": pulse}).final_state.state["V"][0]

    value = jax.jit(end)(2.0)
    fixed = nj.simulate(
        models.Relaxation(n=1), duration=6.0, dt=0.01, solver=S.Propagator(),
        inputs={"I": nj.inputs.Step(1.0, start=2.0, stop=4.0)},
    )  # fmt: skip
    assert float(value) == pytest.approx(float(fixed.final_state.state["V"][0]), rel=1e-7)


def test_refused_inputs():
    with pytest.raises(nj.UnknownNameError, match="never reads the input 'i'"):
        adaptive(inputs={"i": 1.0})
    with pytest.raises(ValueError, match="drawn once per fixed step"):
        adaptive(inputs={"I": nj.inputs.OrnsteinUhlenbeck(0.0, 1.0, 5.0)}, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"\(7,\).*Sampled"):
        adaptive(inputs={"I": jnp.ones(7)})


class WithPort(nj.ContinuousDynamics):
    solver: models.Solver = S.Euler()

    def init_state(self, *, key=None):
        return {"g": jnp.zeros(1)}

    def drift(self, t, state, inputs):
        return {"g": -state["g"]}

    def receive(self, state, inputs):
        return {"g": state["g"] + inputs.get("ampa", 0.0)}


def test_impulses_are_refused():
    with pytest.raises(ValueError, match="impulses at a port"):
        adaptive(WithPort(), inputs={"ampa": 1.0})
    with pytest.raises(nj.UnknownNameError, match="Did you mean 'ampa'"):
        adaptive(WithPort(), inputs={"amp": 1.0})


# -- noise ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_moments_of_a_stochastic_run():
    """Stationary mean and deviation after the start is forgotten; five standard errors."""
    model = models.OrnsteinUhlenbeck(n=4000)
    for arguments in (
        {"stepsize_controller": diffrax.ConstantStepSize(), "dt": 0.25},
        {"stepsize_controller": diffrax.PIDController(rtol=1e-2, atol=1e-2), "dt": 0.25},
    ):
        x = adaptive(
            model, 20.0, inputs={}, key=jax.random.key(0), state=jnp.zeros(4000), **arguments
        ).final_state.state
        mean, sd = 1.0 * (1 - np.exp(-5.0)), 0.5 * np.sqrt(2.0 * (1 - np.exp(-10.0)))
        assert abs(np.mean(x) - mean) < 5 * sd / np.sqrt(4000)
        assert abs(np.std(x) / sd - 1) < 5 / np.sqrt(8000) + 0.01


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fixed", "diffrax"])
def test_both_engines_solve_in_the_sense_of_the_models_solver(engine):
    """E[x] of geometric Brownian motion is e^{a t} for Ito, e^{(a + b^2/2) t} for Stratonovich."""
    for solver, growth in ((S.EulerMaruyama(), 0.1), (S.Heun(), 0.1 + 0.125)):
        model = models.GeometricBrownianMotion(n=10_000, solver=solver)
        arguments = {"duration": 2.0, "dt": 0.05, "key": jax.random.key(3)}
        if engine == "diffrax":
            arguments["stepsize_controller"] = diffrax.ConstantStepSize()
        x = np.asarray(nj.simulate(model, **arguments).final_state.state)
        spread = x.std() / np.sqrt(len(x))
        assert abs(x.mean() - np.exp(growth * 2.0)) < 5 * spread
        assert abs(np.exp(0.2) - np.exp(0.45)) > 15 * spread  # the two are told apart


def test_ito_noise_that_depends_on_the_state_needs_constant_steps():
    with pytest.raises(ValueError, match="no adaptive solver"):
        adaptive(models.GeometricBrownianMotion(), 1.0, inputs={}, key=jax.random.key(0))
    by_choice = adaptive(
        models.GeometricBrownianMotion(), 1.0, inputs={}, key=jax.random.key(0), dt=0.1,
        solver=diffrax.Heun(), stepsize_controller=diffrax.PIDController(rtol=1e-2, atol=1e-2),
    )  # fmt: skip
    assert np.all(np.isfinite(by_choice.final_state.state))


def test_a_stochastic_run_that_goes_on_draws_new_noise():
    run = lambda **a: adaptive(
        models.OrnsteinUhlenbeck(n=500), 1.0, inputs={}, key=jax.random.key(0), dt=0.1,
        stepsize_controller=diffrax.ConstantStepSize(), **a,
    )  # fmt: skip
    first = run(state=jnp.zeros(500))
    second = run(state=first.final_state)
    push = lambda before, after: np.asarray(after) - np.exp(-0.25) * np.asarray(before)
    a = push(np.zeros(500), first.final_state.state)
    b = push(first.final_state.state, second.final_state.state)
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(500)


def test_noise_of_special_kinds_of_solver():
    model = models.OrnsteinUhlenbeck(n=50)
    for solver in (diffrax.ShARK(), diffrax.SlowRK(), diffrax.ItoMilstein()):
        run = adaptive(
            model, 2.0, inputs={}, key=jax.random.key(0), dt=0.1, solver=solver,
            stepsize_controller=diffrax.ConstantStepSize(),
        )  # fmt: skip
        assert np.all(np.isfinite(run.final_state.state))
    with pytest.raises(ValueError, match="Tsit5 does not integrate noise"):
        adaptive(model, 1.0, inputs={}, key=jax.random.key(0), solver=diffrax.Tsit5())
    with pytest.raises(ValueError, match=r"key=jax\.random\.key\(0\)"):
        adaptive(model, 1.0, inputs={})


# -- derivatives and transforms ---------------------------------------------------------------


def end(a, **arguments):
    model = eqx.tree_at(lambda m: m.a, models.Oscillator(), jnp.asarray(a))
    return adaptive(model, 10.0, **arguments).final_state.state["V"].sum()


@pytest.mark.parametrize(
    "adjoint",
    ["auto", diffrax.BacksolveAdjoint(),
     pytest.param(diffrax.DirectAdjoint(), marks=pytest.mark.slow)],
    ids=lambda a: a if isinstance(a, str) else type(a).__name__,
)  # fmt: skip
def test_adjoints(adjoint):
    slope = jax.grad(lambda a: end(a, adjoint=adjoint))(0.7)
    difference = (end(0.7 + 1e-4) - end(0.7 - 1e-4)) / 2e-4
    assert float(slope) == pytest.approx(float(difference), rel=1e-5)


def test_forward_mode():
    _, slope = jax.jvp(lambda a: end(a, adjoint=diffrax.ForwardMode()), (0.7,), (1.0,))
    difference = (end(0.7 + 1e-4) - end(0.7 - 1e-4)) / 2e-4
    assert float(slope) == pytest.approx(float(difference), rel=1e-5)


def test_gradients_of_both_engines_agree():
    fixed = lambda a: nj.simulate(
        eqx.tree_at(lambda m: m.a, models.Oscillator(), a), duration=10.0, dt=0.02,
        inputs={"I": 0.5},
    ).final_state.state["V"].sum()  # fmt: skip
    assert float(jax.grad(fixed)(0.7)) == pytest.approx(float(jax.grad(end)(0.7)), rel=1e-6)


def test_jit_and_vmap():
    values = [float(end(a)) for a in (0.5, 0.7)]
    np.testing.assert_allclose(jax.vmap(end)(jnp.array([0.5, 0.7])), values, rtol=1e-7)
    assert float(jax.jit(end)(0.7)) == pytest.approx(values[1], rel=1e-9)


def test_no_new_trace_for_new_numbers():
    from neurojax.core.diffrax_engine import _solve

    size = _solve._cached._cache_size
    run = lambda a, I, dt, t0: adaptive(
        models.Oscillator(a=a), 5.0, inputs={"I": I}, dt=dt, t0=t0,
        record={"V": nj.Trace("V", at=[t0 + 1.0, t0 + 2.0])},
    )  # fmt: skip
    run(0.7, 0.5, 0.1, 0.0)
    before = size()
    run(0.8, 0.5, 0.1, 0.0)
    run(0.7, 0.6, 0.2, 0.0)
    run(0.7, 0.5, 0.1, 3.0)
    assert size() == before


# -- models that diffrax cannot take ----------------------------------------------------------


def test_models_that_move_in_jumps_are_refused():
    class Reset(nj.ContinuousDynamics):
        solver: models.Solver = S.Euler()

        def init_state(self, *, key=None):
            return {"V": jnp.zeros(1)}

        def begin(self, state, clock):
            return {"V": jnp.where(state["V"] > 1, 0.0, state["V"])}

        def drift(self, t, state, inputs):
            return {"V": jnp.ones(1)}

    with pytest.raises(ValueError, match="changes its state at the beginning of a step"):
        adaptive(Reset(), inputs={})
    with pytest.raises(ValueError, match=r"resetting \(Reset\) changes its state"):
        adaptive(nj.Block({"smooth": models.Oscillator(), "resetting": Reset()}), inputs={})


def test_discrete_models_are_refused():
    class Discrete(nj.Dynamics):
        def init_state(self, *, key=None):
            return {"x": jnp.zeros(1)}

        def step(self, state, inputs, clock):
            return state, nj.Output()

    with pytest.raises(ValueError, match="Discrete moves in discrete steps"):
        adaptive(Discrete(), inputs={})


def test_a_whole_that_offers_itself_as_one_field():
    """`as_continuous` gives the vector field of a model of parts."""

    class Network(nj.Dynamics):
        part: nj.ContinuousDynamics

        def init_state(self, *, key=None):
            return self.part.init_state(key=key)

        def step(self, state, inputs, clock):
            return self.part.step(state, inputs, clock)

        def as_continuous(self):
            return self.part

    assert (
        gap(adaptive(Network(models.Oscillator())).final_state.state, adaptive().final_state.state)
        == 0.0
    )


def test_integer_leaves_stay_as_they_are():
    class Counting(nj.ContinuousDynamics):
        solver: models.Solver = S.Heun()

        def init_state(self, *, key=None):
            return {"V": jnp.ones(2), "id": jnp.arange(3)}

        def drift(self, t, state, inputs):
            return {"V": -state["V"] * state["id"][1], "id": None}

    state = adaptive(Counting(), 1.0, inputs={}).final_state.state
    np.testing.assert_array_equal(state["id"], [0, 1, 2])
    np.testing.assert_allclose(state["V"], np.exp(-1.0), rtol=1e-6)


def test_blocks():
    W = np.array([[0.4, -0.9], [1.2, 0.3]])
    parts = {"a": models.Oscillator(), "b": models.Oscillator()}
    block = nj.Block(parts, [nj.synapses.Graded("a", "b", W, jnp.tanh, port="I")])
    run = adaptive(block, 10.0, inputs={"a": {"I": 0.5}})
    fixed = nj.simulate(
        block, duration=10.0, dt=0.02, solver=S.RungeKutta4(), inputs={"a": {"I": 0.5}}
    )
    assert gap(run.final_state.state, fixed.final_state.state) < 1e-6


def test_trouble_is_reported():
    blow_up = VanDerPol(mu=jnp.nan)
    with pytest.raises(nj.NonFiniteError, match=r"throw=False"):
        adaptive(blow_up, 1.0, inputs={})
    constant = {"stepsize_controller": diffrax.ConstantStepSize(), "dt": 0.1}
    with pytest.raises(nj.NonFiniteError, match=r"leaf 'x'|leaf 'y'"):
        adaptive(blow_up, 1.0, inputs={}, **constant)
    run = adaptive(blow_up, 1.0, inputs={}, throw=False, **constant)
    assert int(run.stats.nonfinite_step) > 0


def test_refused_arguments(tmp_path):
    with pytest.raises(TypeError, match="'auto' or a diffrax adjoint"):
        adaptive(adjoint=nj.adjoints.Plain())
    with pytest.raises(ValueError, match="RungeKutta4 steps with fixed dt"):
        adaptive(solver=S.RungeKutta4())
    with pytest.raises(TypeError, match=r"write solver=Tsit5\(\)"):
        adaptive(solver=diffrax.Tsit5)
    with pytest.raises(ValueError, match="another kind of equation"):
        adaptive(solver=diffrax.SemiImplicitEuler())
    with pytest.raises(ValueError, match="fixed-step engine"):
        adaptive(stream_to=tmp_path / "run")
    with pytest.raises(ValueError, match="either t0= or state="):
        adaptive(t0=1.0, state=nj.SimState({"V": jnp.zeros(2), "w": jnp.zeros(2)}, 1, 0.1))
