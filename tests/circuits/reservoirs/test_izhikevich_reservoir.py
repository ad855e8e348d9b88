"""The Izhikevich reservoir against the published program, written out in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.circuits.reservoirs.izhikevich_reservoir import IzhikevichReservoir
from neurojax.core import unwrap
from neurojax.fitting import unroll

KEY = jax.random.key(3)


def test_it_is_the_published_program():
    n, steps = 30, 120
    circuit = IzhikevichReservoir(
        n, inputs=2, outputs=1, density=0.3, feedback=2.0, tau_syn=4.0, tau_trace=15.0,
        output=0.01 * jax.random.normal(KEY, (1, n)), key=KEY,
    )  # fmt: skip
    plain = unwrap(circuit)
    W, B, F, out, bias = (
        np.asarray(x)
        for x in (plain.recurrent, plain.input, plain.feedback, plain.output, plain.bias)
    )
    a, b, c, d = (np.asarray(getattr(plain.cells, name)) for name in "abcd")
    u_in = np.abs(np.random.default_rng(1).normal(size=(steps, 2)))
    V, s, z = np.full(n, -65.0), np.zeros(n), np.zeros(n)
    u, rates, outputs, fired = b * V, [], [], 0
    for k in range(steps):
        current = W @ s + B @ u_in[k] + F @ (out @ z) + bias
        over = V > 30.0
        V, u = np.where(over, c, V), np.where(over, u + d, u)
        for _ in range(2):
            V = V + 0.5 * (0.04 * V**2 + 5 * V + 140 - u + current)
        u = u + a * (b * V - u)
        s, z = s * np.exp(-1 / 4.0) + (V > 30), z * np.exp(-1 / 15.0) + (V > 30)
        fired += int(np.sum(V > 30))
        rates.append(z)
        outputs.append(out @ z)
    trials = nj.tasks.Trials(u_in, np.zeros((steps, 1)), dt=1.0)
    run = unroll(circuit, trials)
    assert fired > 50
    # the scheme is chaotic: a rounding error of 1e-16 is 1e-10 after some hundred steps
    assert np.allclose(run.rates, rates, atol=1e-6)
    assert np.allclose(run.outputs, outputs, atol=1e-6)
    sim = nj.simulate(
        circuit, duration=float(steps), dt=1.0, record={"z": "rate"},
        inputs={"u": nj.inputs.Sampled(u_in, dt=1.0)},
    )  # fmt: skip
    assert np.allclose(sim["z"], rates, atol=1e-6)
    assert int(sim.stats.spikes[""]) == fired


def test_kinds_and_signs_and_numbers():
    n = 500
    circuit = unwrap(IzhikevichReservoir(
        n, inputs=3, outputs=2, excitatory=0.7, density=0.2, weight=0.3, inhibition=5.0,
        input_scaling=8.0, feedback=1.5, key=KEY,
    ))  # fmt: skip
    a, b, c, d = (np.asarray(getattr(circuit.cells, name)) for name in "abcd")
    e = np.arange(n) < 350
    assert np.all((a[e] == 0.02) & (b[e] == 0.2) & (c[e] >= -65) & (c[e] <= -50))
    assert np.allclose(d[e], 8.0 - 6.0 * (c[e] + 65.0) / 15.0)
    assert np.all((c[~e] == -65.0) & (d[~e] == 2.0) & (a[~e] >= 0.02) & (a[~e] <= 0.1))
    assert np.allclose(b[~e], 0.25 - 0.05 * (a[~e] - 0.02) / 0.08)
    W = np.asarray(circuit.recurrent)
    assert np.all(W[:, e] >= 0) and np.all(W[:, ~e] <= 0) and not np.any(np.diag(W))
    pairs = n * (n - 1)
    assert abs((W != 0).sum() / pairs - 0.2) < 5 * np.sqrt(0.2 * 0.8 / pairs)
    for part, mean in ((W[:, e], 0.3), (W[:, ~e], -1.5)):
        sizes = part[part != 0]
        # uniform on [0, 2 m]: standard deviation m / sqrt(3)
        assert abs(sizes.mean() - mean) < 5 * abs(mean) / np.sqrt(3 * sizes.size)
    B = np.asarray(circuit.input)
    assert not np.any(B[~e]) and np.all(B[B != 0] >= 4.0) and np.all(B <= 12.0)
    assert abs((B[e] != 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / (3 * 350))
    assert np.abs(np.asarray(circuit.feedback)).max() <= 1.5
    assert np.array_equal(circuit.output, np.zeros((2, n)))


def test_weights_are_fixed_and_the_output_is_not():
    circuit = IzhikevichReservoir(20, inputs=1, outputs=1, feedback=1.0, bias=8.0, key=KEY)
    trials = nj.tasks.Trials(np.ones((60, 1)), np.ones((60, 1)), dt=1.0)
    rule = nj.fitting.rules.FORCE()
    state = rule.init(circuit, trials, KEY)
    batch = jax.tree.map(lambda x: x[None], trials)
    new, _, loss = rule.update(circuit, state, batch, KEY)
    assert np.isfinite(float(loss)) and np.any(np.asarray(new.output))
    for name in ("recurrent", "input", "feedback"):
        before, after = (unwrap(getattr(c, name)) for c in (circuit, new))
        assert np.array_equal(before, after)


def test_jitter_is_drawn_with_a_key_alone():
    circuit = IzhikevichReservoir(400, jitter=0.5, key=KEY)
    assert np.all(np.asarray(circuit.init_state()["V_m"]) == -65.0)
    V = np.asarray(circuit.init_state(key=KEY)["V_m"]) + 65.0
    assert abs(V.std() - 0.5) < 5 * 0.5 / np.sqrt(800) and abs(V.mean()) < 5 * 0.5 / 20


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"n": 0}, "n must"),
        ({"n": 5, "density": 1.5}, "density"),
        ({"n": 5, "excitatory": -0.1}, "excitatory"),
        ({"n": 5, "weight": -1.0}, "weight"),
        ({"n": 5, "weight": [1, 2]}, r"weight must be one number, got \[1, 2\]"),
        ({"n": 5, "tau_trace": 0.0}, "tau_trace"),
        ({"n": 5, "jitter": -1.0}, "jitter"),
        ({"n": 5, "recurrent": jnp.ones((5, 5))}, "one sign"),
        ({"n": 5, "recurrent": jnp.zeros((5, 4))}, "recurrent"),
        ({"n": 5, "feedback": 1.0}, "outputs"),
        ({"n": 5, "inputs": 2, "input": jnp.ones((5, 3))}, "input"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        IzhikevichReservoir(**arguments)


def test_steps_are_of_one_ms():
    with pytest.raises(ValueError, match=r"dt=1\.0"):
        nj.simulate(IzhikevichReservoir(5), duration=1.0, dt=0.1)
