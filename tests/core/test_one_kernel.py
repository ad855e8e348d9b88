"""Runs of small operations as one function: the same values, wherever it can be and where not."""

import os
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.core.one_kernel import in_kernels, one_kernel

MARK = "xla_cpu_small_call"


def mixed(x, y, k):
    """Small operations with others between them: a product, a sort, a scatter and a loop."""
    z = jnp.where(x > 0, jnp.sin(x) * y, x**2)
    k = k + jnp.sum(x > 0).astype(int)
    z = jnp.sort(z @ jnp.eye(3, dtype=x.dtype)) + jnp.tanh(y)
    z = z.at[jnp.array([0, 0, 2])].add(y) * jnp.exp(-y)
    z = jax.lax.fori_loop(0, 3, lambda i, z: jnp.cos(z) + i, z)
    return {"w": jnp.tanh(z) * y + jnp.exp(-x * x) / (1 + y * y), "k": k}


def given(trials=None):
    """Three numbers twice, for each trial."""
    rng = np.random.default_rng(0)
    shape = (3,) if trials is None else (trials, 3)
    return jnp.asarray(rng.normal(size=shape)), jnp.asarray(rng.normal(size=shape)), 3


@pytest.mark.parametrize("around", [lambda f: f, jax.jit])
def test_the_values_are_those_of_the_function(around):
    found, wanted = around(in_kernels(mixed))(*given()), mixed(*given())
    np.testing.assert_allclose(found["w"], wanted["w"], rtol=1e-6)
    assert int(found["k"]) == int(wanted["k"])


@pytest.mark.parametrize("axes", [(0, 0, None), (0, None, None), (None, 0, None)])
def test_trials_give_what_each_gives_alone(axes):
    arguments = [
        many if axis == 0 else one for axis, many, one in zip(axes, given(5), given(), strict=True)
    ]
    found = jax.jit(jax.vmap(in_kernels(mixed), axes))(*arguments)
    wanted = jax.vmap(mixed, axes)(*arguments)
    np.testing.assert_allclose(found["w"], wanted["w"], rtol=1e-6)
    np.testing.assert_array_equal(found["k"], wanted["k"])


def test_in_a_loop():
    def run(step):
        def body(carry, t):
            out = step(carry, jnp.sin(t + jnp.arange(3.0)), t)
            return out["w"], out

        return jax.lax.scan(body, given()[0], jnp.arange(20))[1]

    found, wanted = jax.jit(lambda: run(in_kernels(mixed)))(), run(mixed)
    np.testing.assert_allclose(found["w"], wanted["w"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["k"], wanted["k"])


def test_arguments_that_turn_out_not_to_matter():
    never = jnp.zeros(3, bool)  # XLA ended the process at an argument that nothing reads

    def f(x, a, b):
        return jax.lax.select(never, a, x) + 1.0, b.astype(int) * 0, x * 2.0

    x, a, b = given()[0], jnp.ones(3), jnp.ones((3, 4))
    found = jax.jit(lambda *given: one_kernel(f, *given))(x, a, b)
    for one, wanted in zip(found, f(x, a, b), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-6)


@pytest.mark.parametrize(("n", "marked"), [(1000, True), (100_000, False)])
def test_large_arrays_stay_operations_of_their_own(n, marked):
    """XLA shares these among threads."""
    f = in_kernels(lambda x: jnp.where(x > 0, jnp.sin(x) * 2.0, x + 1.0) * x)
    assert (MARK in jax.jit(f).lower(jnp.ones(n)).as_text()) is marked


def test_other_devices_get_the_plain_operations():
    f = in_kernels(lambda x: jnp.where(x > 0, jnp.sin(x) * 2.0, x + 1.0) * x)
    text = lambda platform: jax.export.export(jax.jit(f), platforms=[platform])(
        jnp.ones(3)
    ).mlir_module()
    assert MARK in text("cpu")
    assert MARK not in text("cuda")
    assert MARK not in text("tpu")


def test_results_that_nobody_reads_are_not_made():
    def f(x):
        return one_kernel(lambda x: (x + 1.0, jnp.sin(x)), x)[0]

    closed = jax.make_jaxpr(f)(jnp.ones(3))
    alive, _ = jax.interpreters.partial_eval.dce_jaxpr(closed.jaxpr, [True])
    (eqn,) = alive.eqns
    assert [e.primitive.name for e in eqn.params["jaxpr"].jaxpr.eqns] == ["add"]


def test_a_network_spikes_as_it_does_operation_by_operation():
    """The value of a derivative is computed without such calls."""
    with jax.enable_x64(True):
        receptors = {
            "exc": nj.synapses.ExpConductance(tau=5.0, E_rev=0.0),
            "inh": nj.synapses.ExpConductance(tau=10.0, E_rev=-80.0),
        }
        cell = nj.neurons.LIF(V_th=-50.0, E_L=-60.0, V_reset=-60.0, receptors=receptors)
        own = lambda source, port, weight: nj.Projection(
            source, ["E", "I"], port, nj.connectivity.fixed_indegree(20), weight=weight
        )
        net = nj.Network(
            {"E": cell.population(160), "I": cell.population(40)},
            [own("E", "exc", 1.0), own("I", "inh", 5.0)], key=jax.random.key(0),
        )  # fmt: skip

        def run(current):
            inputs = {name: {"I_e": current} for name in ("E", "I")}
            sim = nj.simulate(
                net, duration=100.0, dt=0.1, inputs=inputs, throw=False,
                record={"V": nj.Trace("E.V_m")},
            )  # fmt: skip
            return sim["V"], sim.stats.spikes

        (V, spikes) = jax.jit(run)(400.0)
        (wanted, expected), _ = jax.jit(lambda I_e: jax.jvp(run, (I_e,), (1.0,)))(400.0)
    assert int(spikes["E"]) > 300
    assert {k: int(v) for k, v in spikes.items()} == {k: int(v) for k, v in expected.items()}
    np.testing.assert_allclose(V, wanted, rtol=1e-9)


@pytest.mark.parametrize("record", [None, {"V": "E.V_m"}, {"spikes": nj.Spikes("E")}])
@pytest.mark.parametrize("n", [1, 50])
def test_numbers_that_are_constants_of_a_program(record, n):
    """XLA ended the process where one of them was also what a loop began with."""
    receptors = {"exc": nj.synapses.ExpCurrent(tau=1.0)}
    cell = nj.neurons.LIF(V_th=15.0, E_L=0.0, V_reset=0.0, t_ref=0.0, receptors=receptors)
    everyone = nj.connectivity.all_to_all()
    net = nj.Network(
        {"E": cell.population(n)}, [nj.Projection("E", "E", "exc", everyone, weight=0.0)]
    )

    def run(current):
        inputs = {"E": {"I_e": current}}
        sim = nj.simulate(net, duration=50.0, dt=0.1, inputs=inputs, record=record, throw=False)
        return sim.stats.spikes["E"]

    assert int(jax.jit(lambda: run(500.0))()) == int(jax.jit(run)(500.0)) > 0


def test_arrays_that_are_constants_of_a_program(float32):
    """XLA ended the process where it knew an array that was handed to such a call."""
    film = np.random.default_rng(0).uniform(0.0, 2000.0, (100, 500))
    cell = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=5.0)}).population(500)
    some = nj.connectivity.fixed_indegree(50)
    net = nj.Network(
        {"E": cell}, [nj.Projection("E", "E", "exc", some, weight=20.0, delay=1.0)],
        key=jax.random.key(0),
    )  # fmt: skip

    arrays, static = eqx.partition(net, eqx.is_array)

    def run(arrays, film):
        inputs = {"E": {"I_e": nj.inputs.Sampled(film, 1.0)}}
        net = eqx.combine(arrays, static)
        sim = nj.simulate(net, duration=50.0, dt=0.1, inputs=inputs, throw=False)
        return sim.stats.spikes["E"]

    assert int(jax.jit(lambda arrays: run(arrays, film))(arrays)) == int(jax.jit(run)(arrays, film))


@pytest.mark.slow
def test_trials_divided_over_devices_by_jit():
    """XLA ended with an error where it divided what was one function already."""
    source = str(Path(nj.__file__).parents[1])
    flags = "--xla_force_host_platform_device_count=4"
    env = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": source}
    script = Path(__file__).with_name("_divided_trials.py")
    done = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
