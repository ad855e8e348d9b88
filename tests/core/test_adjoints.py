"""Gradients of whole runs: every adjoint mode, against finite differences, in both precisions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models

import neurojax as nj

MODES = ["auto", "plain", "steps", "blocks", "forward"]


def loss(numbers, mode="auto", every=1, steps=300):
    a, tau, I = numbers
    model = eqx.tree_at(lambda m: (m.a, m.tau), models.Oscillator(), (a, tau))
    run = nj.simulate(
        model, duration=0.1 * steps, dt=0.1, inputs={"I": I}, adjoint=mode,
        record={"V": nj.Trace("V", every=every)},
    )  # fmt: skip
    return jnp.mean(run["V"] ** 2) + jnp.sum(run.final_state.state["w"])


START = np.array([0.7, 12.5, 0.5])


@pytest.fixture(scope="module")
def truth():
    """The gradient by central differences in x64, extrapolated in the step length."""
    value = jax.jit(lambda x, every: loss(x, every=every), static_argnums=1)

    def slope(every):
        def difference(h):
            ends = [(value(START + h * e, every), value(START - h * e, every)) for e in np.eye(3)]
            return np.array([float(a - b) / (2 * h) for a, b in ends])

        return (4 * difference(1e-4) - difference(2e-4)) / 3

    return {every: slope(every) for every in (1, 50)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("every", [1, 50])
def test_gradient_equals_finite_differences(mode, every, truth):
    found = jax.grad(loss)(jnp.array(START), mode, every)
    np.testing.assert_allclose(found, truth[every], rtol=1e-7)


@pytest.mark.parametrize("mode", MODES)
def test_forward_and_second_derivatives(mode, truth):
    direction = jnp.array([0.3, -1.0, 2.0])
    _, slope = jax.jvp(lambda x: loss(x, mode), (jnp.array(START),), (direction,))
    assert float(slope) == pytest.approx(float(truth[1] @ np.asarray(direction)), rel=1e-7)


def test_hessian():
    short = lambda x: loss(x, steps=60)
    hessian = jax.hessian(short)(jnp.array(START))
    h = 1e-5
    gradient = jax.jit(jax.grad(short))
    columns = [(gradient(START + h * e) - gradient(START - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(hessian, np.stack(columns), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-9, atol=1e-12)


def spiking_loss(numbers, mode):
    model = eqx.tree_at(lambda m: (m.g_Na, m.g_K, m.g_L), models.HodgkinHuxley(), tuple(numbers))
    run = nj.simulate(model, duration=25.0, dt=0.025, adjoint=mode, record={"V": "V"})
    return jnp.mean(run["V"] ** 2), run.stats.spikes[""]


def test_float32_gradient_of_a_spiking_cell_in_every_mode():
    """Three conductances through two spikes: the classic trap of single precision."""
    start = (120.0, 36.0, 0.3)
    gradient = jax.jit(jax.grad(spiking_loss, has_aux=True), static_argnums=1)
    exact, spikes = gradient(tuple(map(jnp.asarray, start)), "plain")
    assert int(spikes) == 2
    value = jax.jit(lambda x: spiking_loss(x, "plain")[0])
    for i, h in enumerate((1e-4, 1e-4, 1e-6)):
        ends = [tuple(x + s * h * (i == j) for j, x in enumerate(start)) for s in (1, -1)]
        difference = float(value(ends[0]) - value(ends[1])) / (2 * h)
        assert float(exact[i]) == pytest.approx(difference, rel=1e-5)
    with jax.enable_x64(False):
        for mode in MODES:
            single, _ = gradient(tuple(jnp.asarray(x, jnp.float32) for x in start), mode)
            assert all(x.dtype == jnp.float32 for x in single)
            for a, b in zip(single, exact, strict=True):
                assert float(a) == pytest.approx(float(b), rel=5e-3), mode


def test_what_auto_chooses():
    auto = nj.adjoints.Auto()
    small, large = auto.forward_limit, auto.forward_limit + 1
    assert isinstance(auto.choose(small, 1000, 100), nj.adjoints.Forward)
    assert isinstance(auto.choose(large, 1000, auto.tiny), nj.adjoints.Plain)
    assert isinstance(auto.choose(large, 1000, auto.tiny + 1), nj.adjoints.CheckpointSteps)
    assert isinstance(auto.choose(large, 10**7, 10**4), nj.adjoints.CheckpointBlocks)


@pytest.mark.parametrize(
    ("numbers", "n", "kind"),
    [
        (1, 100, "Forward"),
        (8, 8, "Forward"),
        (9, 9, "CheckpointSteps"),
        (9, 1, "Plain"),
    ],
)
def test_auto_sees_how_many_numbers_are_differentiated(numbers, n, kind, monkeypatch):
    """Counted by what carries a derivative, not by all parameters of the model."""
    kinds = []
    choose = nj.adjoints.Auto.choose

    def spy(self, *sizes):
        kinds.append(type(choose(self, *sizes)).__name__)
        return choose(self, *sizes)

    monkeypatch.setattr(nj.adjoints.Auto, "choose", spy)

    def end(x):
        signal = x if numbers in (1, n) else nj.inputs.Sampled(x, dt=0.2)
        model = models.Relaxation(n=n)
        return nj.simulate(
            model, duration=1.0, dt=0.1, inputs={"I": signal}
        ).final_state.state["V"].sum()  # fmt: skip

    jax.grad(end)(jnp.ones(() if numbers == 1 else numbers))
    assert kinds == [kind]


def memory(mode, steps, n=400, every=10**9):
    """Bytes of temporary memory of a compiled gradient."""

    def end(I):
        run = nj.simulate(
            models.Oscillator(n=n), duration=0.1 * steps, dt=0.1, inputs={"I": I}, adjoint=mode
        )
        return run.final_state.state["V"].sum()

    compiled = jax.jit(jax.grad(end)).lower(jnp.ones(n)).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_memory_of_the_checkpointing_modes():
    """Plain keeps all that a step computes, steps the states, blocks the root of that."""
    state = 2 * 400 * 8
    plain, each, blocks = (memory(mode, 4000) for mode in ("plain", "steps", "blocks"))
    assert plain > 1.5 * each
    assert each > 0.9 * 4000 * state
    assert blocks < 0.1 * each
    assert memory("blocks", 16000) < 3 * blocks  # twice, for four times the steps


def test_memory_of_blocks_with_a_long_stride():
    """A stride beyond the root of the run must not make the blocks as long as itself."""

    def end(I):
        run = nj.simulate(
            models.Oscillator(n=400), duration=400.0, dt=0.1, inputs={"I": I}, adjoint="blocks",
            record={"V": nj.Trace("V", every=2000)},
        )  # fmt: skip
        return run["V"].sum()

    compiled = jax.jit(jax.grad(end)).lower(jnp.ones(400)).compile()
    state = 2 * 400 * 8
    assert compiled.memory_analysis().temp_size_in_bytes < 0.2 * 4000 * state


def test_budget_leads_to_blocks():
    tight = nj.adjoints.Auto(budget=10_000)
    assert isinstance(tight.choose(100, 4000, 600), nj.adjoints.CheckpointBlocks)
    found = jax.grad(loss)(jnp.array(START), nj.adjoints.Auto(forward_limit=0, budget=1000))
    np.testing.assert_allclose(found, jax.grad(loss)(jnp.array(START), "plain"), rtol=1e-10)


def test_gradient_through_a_surrogate():
    """Spikes as read-outs have the surrogate's slope; here the chain rule by hand."""

    def total(I):
        state = {"V": jnp.array([-3.0, 0.5])}
        _, output = Threshold().step(state, {"I": I}, nj.Clock(0, 0.1))
        return output.spikes.values().sum()

    V = np.array([-3.0, 0.5]) + 0.1 * 2.0
    slope = 0.1 * np.sum(np.maximum(0, 1 - np.abs(V) / 10) / 10)
    assert float(jax.grad(total)(2.0)) == pytest.approx(slope, rel=1e-12)


class Threshold(nj.ContinuousDynamics):
    solver: models.Solver = nj.solvers.Euler()

    def init_state(self, *, key=None):
        return {"V": jnp.zeros(2)}

    def drift(self, t, state, inputs):
        return {"V": jnp.broadcast_to(inputs["I"], (2,))}

    def emit(self, state, clock):
        return nj.Output(spikes=nj.SpikeOutput(state["V"], 0.0))


def test_gradients_of_a_batch_of_runs():
    """grad of vmap and vmap of grad agree with a loop."""
    xs = jnp.stack([START, START + 0.1])
    by_vmap = jax.vmap(jax.grad(loss))(xs)
    of_vmap = jax.grad(lambda xs: jax.vmap(loss)(xs).sum())(xs)
    by_loop = jnp.stack([jax.grad(loss)(x) for x in xs])
    np.testing.assert_allclose(by_vmap, by_loop, rtol=1e-10)
    np.testing.assert_allclose(of_vmap, by_loop, rtol=1e-10)


def test_state_and_initial_conditions_have_gradients():
    def end(V0):
        state = {"V": V0, "w": jnp.zeros(2)}
        return nj.simulate(
            models.Oscillator(), duration=3.0, dt=0.1, inputs={"I": 0.5}, state=state
        ).final_state.state["V"]

    V0 = jnp.array([0.1, 0.4])
    jacobian = jax.jacrev(end)(V0)
    h = 1e-6
    for i in range(2):
        e = h * np.eye(2)[i]
        np.testing.assert_allclose(
            jacobian[:, i], (end(V0 + e) - end(V0 - e)) / (2 * h), rtol=1e-6, atol=1e-9
        )
    np.testing.assert_allclose(jax.jacfwd(end)(V0), jacobian, rtol=1e-10)


def test_unknown_adjoints_are_refused():
    run = lambda adjoint: nj.simulate(models.Oscillator(), duration=1.0, dt=0.1, adjoint=adjoint)
    with pytest.raises(ValueError, match="Did you mean 'forward'"):
        run("foward")
    import diffrax

    with pytest.raises(TypeError, match="stepsize_controller="):
        run(diffrax.DirectAdjoint())


@jax.custom_vjp
def leaky(v):
    return jax.nn.relu(v)


leaky.defvjp(lambda v: (jax.nn.relu(v), v), lambda v, g: (jnp.where(v > 0, g, 0.5 * g),))


class Leaking(nj.Dynamics):
    """A step with a derivative that its author wrote for reverse mode only."""

    def init_state(self, *, key=None):
        return {"x": jnp.array([1.0, -1.0])}

    def step(self, state, inputs, clock):
        return {"x": state["x"] - 0.1 * leaky(state["x"]) + inputs["I"]}, nj.Output()


@pytest.mark.parametrize("adjoint", MODES[:-1])
def test_derivatives_of_reverse_mode_only(adjoint):
    """By one number, for which "auto" would go forward, beside the product of slopes by hand."""

    def total(drive):
        sim = nj.simulate(Leaking(), duration=0.5, dt=0.1, inputs={"I": drive}, adjoint=adjoint)
        return sim.final_state.state["x"].sum()

    # dx' = (1 - 0.1 slope) dx + 1; both stay on their side of 0
    slopes = [sum(r**k for k in range(5)) for r in (0.9, 0.95)]
    np.testing.assert_allclose(jax.grad(total)(0.01), sum(slopes), rtol=1e-12)
    np.testing.assert_allclose(jax.jit(jax.grad(total))(0.01), sum(slopes), rtol=1e-12)


def test_forward_says_that_there_is_no_forward_mode():
    run = lambda I: nj.simulate(
        Leaking(), duration=0.5, dt=0.1, inputs={"I": I}, adjoint="forward"
    ).final_state.state["x"].sum()  # fmt: skip
    with pytest.raises(TypeError, match=r"adjoint='forward'.*jax.custom_vjp.*'steps'"):
        jax.grad(run)(0.01)
