"""The loops of a run that is not differentiated: one step, one program for many durations."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models

import neurojax as nj

RECORD = {
    "all": "V",
    "tenth": nj.Trace("V", every=10),
    "fourth": nj.Trace("V", every=4),
    "hundredth": nj.Trace("w", every=100),
    "given": nj.Trace("V", at=[0.0, 0.33, 1.7]),
}
EVERY = {"tenth": 10, "fourth": 4, "hundredth": 100}


def run(steps, start=None, record=None):
    return nj.simulate(
        models.Oscillator(), duration=steps * 0.1, dt=0.1, inputs={"I": 0.5}, state=start,
        record=record,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:record .* stays empty")
@pytest.mark.parametrize("steps", [1, 3, 20, 127, 128, 129, 400, 1003])
@pytest.mark.parametrize("lead", [0, 7, 130])
def test_samples_at_strides_are_those_of_every_step(steps, lead):
    start = run(lead).final_state if lead else None
    record = {name: r for name, r in RECORD.items() if name != "given"}
    outside = run(steps, start, record)
    inside = jax.jit(lambda: run(steps, start, record))()
    V, w = outside["all"], run(steps, start, {"w": "w"})["w"]
    assert V.shape[0] == steps
    for name, every in EVERY.items():
        labels = np.arange(lead + 1, lead + steps + 1)
        expected = (w if name == "hundredth" else V)[labels % every == 0]
        np.testing.assert_array_equal(outside[name], expected)
        np.testing.assert_allclose(inside[name], expected, rtol=1e-6)
        np.testing.assert_allclose(
            outside.times(name), 0.1 * labels[labels % every == 0], rtol=1e-12
        )


def test_a_run_equals_the_value_that_is_differentiated():
    def last(I):
        sim = nj.simulate(
            models.Oscillator(), duration=40.3, dt=0.1, inputs={"I": I}, record=RECORD
        )
        return sim.records, sim.final_state.state

    current = jnp.asarray(0.5)
    loops = jax.jit(last)(current)
    for adjoint in ("plain", "steps", "blocks", "forward"):
        scans, _ = jax.jvp(
            lambda I, how=adjoint: nj.simulate(
                models.Oscillator(), duration=40.3, dt=0.1, inputs={"I": I}, record=RECORD,
                adjoint=how,
            ).records,
            (current,), (jnp.ones(()),),
        )  # fmt: skip
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5), loops[0], scans)


class Marked(nj.Dynamics):
    """Counts steps; the sine of its hyperbolic kind marks each copy of the step in a program."""

    def init_state(self, *, key=None):
        return {"x": jnp.zeros(3)}

    def step(self, state, inputs, clock):
        return {"x": jnp.arcsinh(state["x"]) + 1.0}, nj.Output()


@pytest.mark.parametrize("record", [None, {"x": "x"}, {"x": nj.Trace("x", every=7)}])
def test_the_step_stands_in_a_program_once(record):
    f = lambda model: nj.simulate(model, duration=1003.0, dt=1.0, record=record, throw=False)
    text = jax.jit(lambda x: f(Marked()).final_state.state["x"] + x).lower(0.0).as_text()
    assert text.count("chlo.asinh") == 1


def test_outside_of_jit_runs_of_other_durations_share_a_program(compiled_in):
    run(1000)
    assert compiled_in(lambda: run(1001)) == 0
    assert compiled_in(lambda: run(17)) == 0
    strides = {name: r for name, r in RECORD.items() if name != "given"}
    for record in (RECORD, strides):
        whole = run(1000, record=record)
        with models.count_traces() as traces:
            for steps in (513, 700, 1024):
                part = run(steps, record=record)
                np.testing.assert_array_equal(part["all"][:513], whole["all"][:513])
        assert traces() == 0
    with models.count_traces() as traces:
        run(600, part.final_state, strides)  # begins on no stride
    assert traces() == 0


class Explodes(nj.Dynamics):
    """Becomes NaN in a known step."""

    at: nj.Parameter = nj.parameter(50.0)

    def init_state(self, *, key=None):
        return {"a": jnp.zeros(3), "n": jnp.zeros((), jnp.int32)}

    def step(self, state, inputs, clock):
        broken = jnp.where(clock.step + 1 == self.at, jnp.nan, 1.0)
        return {"a": state["a"] + broken, "n": state["n"] + 1}, nj.Output()


def test_trials_that_break_are_found_each_and_leave_the_others_alone():
    """Going back to find them changes neither states nor samples."""
    at = jnp.array([5000.0, 300.0, 130.0, 999.0, 1.0])

    def one(at):
        model = eqx.tree_at(lambda m: m.at, Explodes(), at)
        record = {"a": "a", "n": nj.Trace("n", every=30)}
        return nj.simulate(model, duration=1000.0, dt=1.0, record=record)

    batch = jax.jit(jax.vmap(one))(at)
    np.testing.assert_array_equal(batch.stats.nonfinite_step, [-1, 300, 130, 999, 1])
    np.testing.assert_array_equal(batch.final_state.state["n"], 1000)
    np.testing.assert_array_equal(batch["n"], np.tile(np.arange(30, 1001, 30), (5, 1)))
    np.testing.assert_array_equal(batch["a"][0, :, 0], np.arange(1, 1001))
    for trial, step in enumerate([300, 130, 999, 1], 1):
        finite = np.isfinite(batch["a"][trial, :, 0])
        np.testing.assert_array_equal(finite, np.arange(1, 1001) < step)


def test_a_batch_compiled_inside_of_a_gradient():
    """JAX takes the axes of a batch from the run, and the values from its rule."""

    def square(shift, key):
        sim = nj.simulate(
            models.OrnsteinUhlenbeck(mu=shift), duration=20.0, dt=0.1, key=key,
            record={"x": nj.Trace(lambda x: x, every=7)},
        )  # fmt: skip
        return jnp.mean(sim["x"] ** 2)

    keys = jax.random.split(jax.random.key(0), 5)
    batch = lambda shift: jnp.mean(jax.jit(jax.vmap(square, (None, 0)))(shift, keys))
    got = jax.grad(batch)(0.7)
    wanted = np.mean([jax.grad(square)(0.7, key) for key in keys])
    np.testing.assert_allclose(got, wanted, rtol=1e-5)
