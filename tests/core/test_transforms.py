"""`simulate` under jit, vmap, grad and shard_map, and without tracing twice."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models

import neurojax as nj


def end(model, **arguments):
    arguments = {"duration": 5.0, "dt": 0.1, "inputs": {"I": 0.5}} | arguments
    return nj.simulate(model, **arguments).final_state.state["V"]


def with_a(a):
    return eqx.tree_at(lambda m: m.a, models.Oscillator(), jnp.asarray(a))


def test_jit_equals_eager():
    record = {"V": nj.Trace("V", every=3), "at": nj.Trace("w", at=[0.05, 2.0, 5.0])}
    run = lambda m: nj.simulate(m, duration=5.0, dt=0.1, inputs={"I": 0.5}, record=record)
    eager, jitted = run(models.Oscillator()), jax.jit(run)(models.Oscillator())
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13), eager, jitted
    )
    assert eager.stats.leaves == jitted.stats.leaves


def test_nested_jit_and_jit_in_jit():
    @jax.jit
    def outer(a):
        inner = jax.jit(lambda a: end(with_a(a)))
        first = nj.simulate(with_a(a), duration=2.0, dt=0.1, inputs={"I": 0.5})
        rest = nj.simulate(
            with_a(a), duration=3.0, dt=0.1, inputs={"I": 0.5}, state=first.final_state
        )
        return inner(a), rest.final_state.state["V"]

    whole, cut = outer(0.7)
    np.testing.assert_allclose(whole, cut, rtol=1e-12)
    np.testing.assert_allclose(whole, end(with_a(0.7)), rtol=1e-12)


@pytest.mark.parametrize("over", ["parameter", "input", "state", "key"])
def test_vmap_equals_a_loop(over):
    if over == "parameter":
        xs, run = jnp.array([0.5, 0.7, 0.9]), lambda a: end(with_a(a))
    elif over == "input":
        xs, run = jnp.array([0.1, 0.5, 0.9]), lambda I: end(models.Oscillator(), inputs={"I": I})
    elif over == "state":
        xs = jnp.array([[0.0, 1.0], [2.0, -1.0], [0.3, 0.4]])
        run = lambda V: end(models.Oscillator(), state={"V": V, "w": jnp.zeros(2)})
    else:
        xs = jax.random.split(jax.random.key(0), 3)
        run = lambda key: (
            nj.simulate(models.OrnsteinUhlenbeck(), duration=3.0, dt=0.1, key=key).final_state.state
        )
    batched = jax.vmap(run)(xs)
    np.testing.assert_allclose(batched, jnp.stack([run(x) for x in xs]), rtol=1e-12, atol=1e-14)


def test_vmap_of_a_whole_simulation():
    run = lambda a: nj.simulate(
        with_a(a), duration=2.0, dt=0.1, inputs={"I": 0.5}, record={"V": "V"}
    )
    batch = jax.vmap(run)(jnp.array([0.5, 0.7]))
    assert batch["V"].shape == (2, 20, 2)
    assert batch.final_state.step.shape == (2,)
    np.testing.assert_array_equal(batch.times("V")[0], batch.times("V")[1])
    picked = jax.tree.map(lambda x: x[1], batch)
    np.testing.assert_allclose(picked["V"], run(0.7)["V"], rtol=1e-12)


def test_vmap_goes_on_from_a_batch_of_states():
    run = lambda a, state: (
        nj.simulate(with_a(a), duration=2.0, dt=0.1, inputs={"I": 0.5}, state=state).final_state
    )
    start = models.Oscillator().init_state()
    grid = jnp.array([0.5, 0.7])
    first = jax.vmap(lambda a: run(a, start))(grid)
    both = jax.vmap(run)(grid, first)
    for i, a in enumerate([0.5, 0.7]):
        np.testing.assert_allclose(both.state["V"][i], end(with_a(a), duration=4.0), rtol=1e-12)


def test_spikes_under_vmap():
    run = lambda I: nj.simulate(
        eqx.tree_at(lambda m: m.I, models.HodgkinHuxley(), I), duration=30.0, dt=0.025,
        record={"s": nj.Spikes()},
    )  # fmt: skip
    batch = jax.vmap(run)(jnp.array([0.0, 10.0, 20.0]))
    counts = [int(run(I).stats.spikes[""]) for I in (0.0, 10.0, 20.0)]
    assert counts[0] == 0 < counts[1] < counts[2]
    np.testing.assert_array_equal(batch.stats.spikes[""], counts)
    with pytest.raises(ValueError, match="pick one first"):
        _ = batch["s"].times
    last = jax.tree.map(lambda x: x[2], batch)
    assert len(last["s"].times) == counts[2]


def lif():
    return nj.neurons.LIF().population(12), lambda c: c.C_m


def glif():
    return nj.neurons.GLIF(level=5).population(12), lambda c: c.C_m


def with_release():
    port = {"exc": nj.synapses.ExpCurrent(tau=5.0)}
    cells = nj.neurons.LIF(receptors=port, initial={"V_m": jnp.linspace(-70.0, -55.5, 12)}, n=12)
    projection = nj.Projection(
        "E", "E", "exc", nj.connectivity.all_to_all(), weight=40.0, delay=0.3,
        release=nj.synapses.TsodyksMarkram(U=0.5, tau_rec=100.0),
    )  # fmt: skip
    network = nj.Network({"E": cells}, [projection], key=jax.random.key(0))
    return network, lambda n: n.populations["E"].C_m


@pytest.mark.parametrize("build", [lif, glif, with_release], ids=lambda f: f.__name__)
def test_gradient_of_a_batch_of_runs_with_matrices_of_their_own(build):
    """More than eight numbers, in reverse mode; the matrices of the propagator depend on them."""
    model, where = build()
    inputs = {"I_e": 500.0}
    name, inputs = ("E.V_m", {"E": inputs}) if build is with_release else ("V_m", inputs)

    @jax.jit
    def loss(x, k):
        run = nj.simulate(
            eqx.tree_at(where, model, x * k), duration=2.0, dt=0.1, inputs=inputs,
            record={"V": nj.Trace(name)},
        )  # fmt: skip
        return jnp.mean(run["V"] ** 2)

    x, ks = jnp.linspace(100.0, 250.0, 12), jnp.array([1.0, 1.1])
    found = jax.grad(lambda x: jnp.sum(jax.vmap(lambda k: loss(x, k))(ks)))(x)
    one = jax.jit(jax.grad(loss))
    assert np.all(np.abs(found) > 0)
    np.testing.assert_allclose(found, sum(one(x, k) for k in ks), rtol=1e-11)
    if build is lif:  # this one does not spike: no surrogate
        ahead, behind = (sum(loss(x.at[3].add(d), k) for k in ks) for d in (1e-4, -1e-4))
        assert float(found[3]) == pytest.approx(float((ahead - behind) / 2e-4), rel=1e-6)


def test_remat_and_linearize_of_a_run():
    loss = lambda a: end(with_a(a)).sum()
    slope = jax.grad(loss)(0.7)
    assert float(jax.grad(jax.checkpoint(loss))(0.7)) == pytest.approx(float(slope), rel=1e-12)
    _, tangent = jax.jvp(loss, (0.7,), (1.0,))
    assert float(tangent) == pytest.approx(float(slope), rel=1e-12)


def test_nothing_is_traced_again_for_new_numbers():
    """A parameter, dt, an input, times, a key, a state: all are arguments."""
    arguments = {"duration": 5.0, "dt": 0.1, "inputs": {"I": 0.5}, "key": jax.random.key(0)}
    run = lambda a=0.7, **new: nj.simulate(with_a(a), **arguments | new)
    state = run().final_state
    run(state=state)
    with models.count_traces() as traces:
        run(a=0.9)
        run(inputs={"I": 0.7})
        run(duration=10.0, dt=0.2)
        run(duration=7.3)
        run(t0=3.0)
        run(key=jax.random.key(1))
        run(state=nj.SimState({"V": jnp.ones(2), "w": jnp.ones(2)}, 7))
    assert traces() == 0
    with models.count_traces() as traces:
        run(inputs={"I": jnp.ones(2)})
    assert traces() == 1  # another shape is another program: the counter counts


def test_a_jitted_run_is_traced_once():
    run = eqx.filter_jit(
        eqx.debug.assert_max_traces(
            lambda m, I: nj.simulate(m, duration=5.0, dt=0.1, inputs={"I": I}), max_traces=1
        )
    )
    for a, I in ((0.5, 0.1), (0.7, 0.2), (0.9, 0.3)):
        run(with_a(a), jnp.array(I))


def test_a_step_is_traced_once_for_all_clocks():
    """A Python dt in the clock would be traced for each value."""
    model = models.Oscillator()
    step = eqx.filter_jit(
        eqx.debug.assert_max_traces(lambda s, clock: model.step(s, {"I": 0.5}, clock), max_traces=1)
    )
    state = model.init_state()
    for k, dt in ((0, 0.1), (1, 0.2), (7, 0.05)):
        state, _ = step(state, nj.Clock(step=k, dt=dt))


def test_stream_and_progress_are_refused_inside_jit(tmp_path):
    for arguments in ({"progress": True}, {"stream_to": tmp_path / "x"}):
        run = jax.jit(lambda m, a=arguments: nj.simulate(m, duration=1.0, dt=0.1, **a))
        with pytest.raises(ValueError, match="outside jit"):
            run(models.Oscillator())


def test_lengths_must_be_known_inside_jit():
    for run in (
        lambda x: nj.simulate(models.Oscillator(), duration=x, dt=0.1),
        lambda x: nj.simulate(models.Oscillator(), duration=1.0, dt=x),
        lambda x: nj.simulate(models.Oscillator(), duration=1.0, dt=0.1, t0=x),
    ):
        with pytest.raises(ValueError, match="plain number"):
            jax.jit(run)(0.5)


def test_wrapped_parameters_are_unwrapped_at_the_door():
    plain = models.Oscillator(a=0.7, tau=12.5)
    wrapped = models.Oscillator(
        a=nj.positive(0.7), tau=nj.frozen(12.5), b=nj.bounded(0.8, 0.0, 1.0)
    )
    np.testing.assert_allclose(end(wrapped), end(plain), rtol=1e-12)
    whole = nj.frozen(plain)
    np.testing.assert_allclose(end(whole), end(plain), rtol=1e-15)
    slope = eqx.filter_grad(lambda m: end(m).sum())(wrapped)
    assert float(jax.tree.leaves(slope.tau)[0]) == 0.0  # frozen
    by_hand = jax.grad(lambda a: end(eqx.tree_at(lambda m: m.a, plain, a)).sum())(0.7)
    assert float(jax.tree.leaves(slope.a)[0]) == pytest.approx(0.7 * float(by_hand), rel=1e-9)


SHARDED = """
    import jax, jax.numpy as jnp, numpy as np, equinox as eqx
    jax.config.update("jax_enable_x64", True)
    from jax.sharding import PartitionSpec as P
    import sys
    sys.path.append({folder!r})
    import small_models as models
    import neurojax as nj

    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("runs",))
    def run(a):
        model = eqx.tree_at(lambda m: m.a, models.Oscillator(), a)
        return nj.simulate(model, duration=5.0, dt=0.1, inputs={{"I": 0.5}},
                           record={{"V": nj.Trace("V", every=7)}})
    def loss(a):
        return run(a)["V"].sum()
    a = jnp.linspace(0.5, 0.9, 8)
    for f in (lambda a: run(a)["V"], lambda a: run(a).stats.nonfinite_step, jax.grad(loss)):
        many = jax.vmap(f)
        split = jax.jit(jax.shard_map(many, mesh=mesh, in_specs=P("runs"), out_specs=P("runs")))
        np.testing.assert_allclose(split(a), many(a), rtol=1e-12)

    def noisy(key):
        model = models.OrnsteinUhlenbeck()
        u = nj.inputs.OrnsteinUhlenbeck(0.0, 1.0, 3.0)
        return nj.simulate(models.Oscillator(), duration=5.0, dt=0.1, inputs={{"I": u}}, key=key,
                           noise="counter").final_state.state["V"]
    keys = jax.random.split(jax.random.key(0), 4)
    many = jax.vmap(noisy)
    split = jax.jit(jax.shard_map(many, mesh=mesh, in_specs=P("runs"), out_specs=P("runs")))
    np.testing.assert_allclose(split(keys), many(keys), rtol=1e-12)

    spiking = lambda I: nj.simulate(
        eqx.tree_at(lambda m: m.I, models.HodgkinHuxley(), I), duration=5.0, dt=0.025
    ).stats.spikes[""]
    many = jax.vmap(spiking)
    I = jnp.linspace(0.0, 30.0, 4)
    split = jax.jit(jax.shard_map(many, mesh=mesh, in_specs=P("runs"), out_specs=P("runs")))
    np.testing.assert_array_equal(split(I), many(I))

    # sharding by annotation alone
    sharded = jax.device_put(a, jax.NamedSharding(mesh, P("runs")))
    np.testing.assert_allclose(jax.jit(jax.vmap(loss))(sharded), jax.vmap(loss)(a), rtol=1e-12)
    print("fine on", jax.device_count())
"""


def test_shard_map_on_four_devices(tmp_path):
    code = textwrap.dedent(SHARDED).format(folder=str(Path(models.__file__).parent))
    source = Path(nj.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
             "PYTHONPATH": os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "fine on 4" in done.stdout
