"""Run-time trouble: the first step and leaf that are not finite, inside and outside of jit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models

import neurojax as nj
from neurojax.core import run as run_module


class Explodes(nj.Dynamics):
    """One leaf becomes NaN or infinite in a known step."""

    at: nj.Parameter = nj.parameter(50.0)
    leaf: str = eqx.field(static=True, default="b")
    value: float = eqx.field(static=True, default=np.nan)

    def init_state(self, *, key=None):
        return {"a": jnp.zeros(3), "b": jnp.zeros((2, 2)), "n": jnp.zeros((), jnp.int32)}

    def step(self, state, inputs, clock):
        broken = jnp.where(clock.step + 1 >= self.at, self.value, 0.0)
        state = state | {"n": state["n"] + 1}
        return state | {self.leaf: state[self.leaf] + broken}, nj.Output()


STEPS = [1, 2, 127, 128, 129, 500, 999, 1000]


@pytest.mark.parametrize("at", STEPS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_first_step_and_leaf_outside_of_jit(at, value):
    model = Explodes(at=float(at), value=value)
    run = nj.simulate(model, duration=1000.0, dt=1.0, throw=False)
    assert int(run.stats.nonfinite_step) == at
    assert run.stats.leaves[int(run.stats.nonfinite_leaf)] == "b"
    assert run.stats.trouble == f"'b' is not finite after step {at}"


def test_first_step_and_leaf_inside_jit_and_vmap():
    locate = lambda at: (
        nj.simulate(eqx.tree_at(lambda m: m.at, Explodes(), at), duration=1000.0, dt=1.0).stats
    )
    for at in STEPS:
        stats = jax.jit(locate)(float(at))
        assert int(stats.nonfinite_step) == at
        assert stats.leaves[int(stats.nonfinite_leaf)] == "b"
    batch = jax.vmap(locate)(jnp.array([*STEPS, 5000]))
    np.testing.assert_array_equal(batch.nonfinite_step, [*STEPS, -1])
    np.testing.assert_array_equal(batch.nonfinite_leaf, [1] * len(STEPS) + [-1])


def test_error_says_what_to_do():
    with pytest.raises(
        nj.NonFiniteError, match=r"leaf 'b' of Explodes.*step 50 \(t = 25 ms\)"
    ) as e:
        nj.simulate(Explodes(), duration=500.0, dt=0.5)
    for advice in ("dt=0.5", "ExponentialEuler", "NaN in parameters and inputs", "throw=False"):
        assert advice in str(e.value)


def test_the_first_of_several_leaves_by_order_of_the_state():
    class Both(nj.Dynamics):
        def init_state(self, *, key=None):
            return {"a": jnp.zeros(2), "b": jnp.zeros(2)}

        def step(self, state, inputs, clock):
            bad = jnp.where(clock.step == 9, jnp.nan, 0.0)
            return jax.tree.map(lambda x: x + bad, state), nj.Output()

    run = nj.simulate(Both(), duration=20.0, dt=1.0, throw=False)
    assert (int(run.stats.nonfinite_step), int(run.stats.nonfinite_leaf)) == (10, 0)


def test_trouble_in_a_later_chunk_and_after_going_on(monkeypatch):
    monkeypatch.setattr(run_module, "_CHUNK_BYTES", 400)
    record = {"a": "a"}
    run = nj.simulate(Explodes(at=777.0), duration=1000.0, dt=1.0, record=record, throw=False)
    assert int(run.stats.nonfinite_step) == 777
    assert int(run.stats.steps) < 1000  # it stops at the end of that chunk
    assert run["a"].shape[0] == int(run.stats.steps) == len(run.times("a"))
    first = nj.simulate(Explodes(at=777.0), duration=500.0, dt=1.0)
    rest = nj.simulate(
        Explodes(at=777.0), duration=500.0, dt=1.0, state=first.final_state, throw=False
    )
    assert int(rest.stats.nonfinite_step) == 777  # counted from time zero


def test_a_state_that_begins_broken():
    state = {"a": jnp.array([0.0, jnp.nan, 0.0]), "b": jnp.zeros((2, 2)), "n": jnp.asarray(0)}
    run = nj.simulate(Explodes(at=1e9), duration=10.0, dt=1.0, state=state, throw=False)
    assert (int(run.stats.nonfinite_step), int(run.stats.nonfinite_leaf)) == (0, 0)


@pytest.mark.parametrize("mode", ["plain", "steps", "blocks", "forward"])
def test_located_under_a_gradient(mode):
    """The forward pass of a gradient reports as well, and its trouble is where it is without."""

    def end(at):
        run = nj.simulate(
            eqx.tree_at(lambda m: m.at, Explodes(), at), duration=1000.0, dt=1.0, adjoint=mode
        )
        return run.final_state.state["a"].sum(), run.stats

    _, stats = jax.grad(end, has_aux=True)(333.0)
    assert int(stats.nonfinite_step) == 333


def test_noise_is_the_same_when_a_block_is_run_again():
    """The step is found by repeating a block, so its noise must repeat too."""

    class Crossing(nj.Dynamics):
        def init_state(self, *, key=None):
            return {"x": jnp.zeros(())}

        def step(self, state, inputs, clock):
            z = clock.normal("z")
            x = state["x"] + inputs["u"] * 0 + z
            return {"x": jnp.where(z > 3.0, jnp.nan, x)}, nj.Output(values={"z": z})

    noise = nj.inputs.OrnsteinUhlenbeck(0.0, 1.0, 5.0)
    run = nj.simulate(
        Crossing(), duration=2000.0, dt=1.0, key=jax.random.key(1), inputs={"u": noise},
        record={"z": "z"}, throw=False,
    )  # fmt: skip
    first = int(np.argmax(np.asarray(run["z"]) > 3.0)) + 1
    assert first > 130
    assert int(run.stats.nonfinite_step) == first


def test_a_real_model_with_too_long_a_step():
    """The located step against an explicit loop."""
    model = models.Oscillator(solver=nj.solvers.Euler())
    run = nj.simulate(model, duration=1000.0, dt=10.0, inputs={"I": 0.5}, throw=False)
    y = np.array([[0.0, 1.0], [0.0, 0.0]])
    with np.errstate(all="ignore"):
        step = 0
        while np.all(np.isfinite(y)):
            step += 1
            y = y + 10.0 * models.Oscillator.numpy_drift(y, 0.5)
    assert int(run.stats.nonfinite_step) == step
    assert run.stats.leaves[int(run.stats.nonfinite_leaf)] == ("V" if not np.all(
        np.isfinite(y[0])) else "w")  # fmt: skip


def test_a_finite_run_has_no_trouble():
    run = nj.simulate(models.Oscillator(), duration=10.0, dt=0.1)
    assert (int(run.stats.nonfinite_step), int(run.stats.nonfinite_leaf)) == (-1, -1)
    assert run.stats.trouble is None and not bool(run.stats.overflow)
