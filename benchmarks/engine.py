"""The fixed-step engine beside a hand-written `lax.scan` of the same model.

Claims: forward within 1.10 and gradient within 1.15 of the hand-written loop (medians of
interleaved runs); 10 000 Hodgkin-Huxley-like cells by Heun in at most 14 ns per cell and step;
noise in at most 6 ns (threefry) and 1 ns (counter) a number. Spike counts and final states are
compared, so equal work is proven. On one core: `PJRT_NPROC=1 python benchmarks/engine.py --json`.
"""

import argparse
import json
import platform
import statistics
import time

import jax
import jax.numpy as jnp

import neurojax as nj

STEPS = 4000


def _ratio(z):
    """The quotient z / (exp(z) - 1), smooth through zero."""
    small = jnp.abs(z) < 1e-2
    safe = jnp.where(small, 1.0, z)
    return jnp.where(small, 1 - z * (0.5 - z * (1 / 12)), safe / (jnp.exp(safe) - 1))


def hodgkin_huxley(V, m, h, n, g_Na, g_K, g_L, I_e):
    """Rates of change of the squid axon's variables (densities in mS/cm2 and uA/cm2)."""
    a_m, b_m = _ratio((V + 40) * -0.1), 4 * jnp.exp((V + 65) * (-1 / 18))
    a_h, b_h = 0.07 * jnp.exp((V + 65) * (-1 / 20)), jax.nn.sigmoid((V + 35) * 0.1)
    a_n, b_n = 0.1 * _ratio((V + 55) * -0.1), 0.125 * jnp.exp((V + 65) * (-1 / 80))
    current = I_e - g_Na * m**3 * h * (V - 50) - g_K * n**4 * (V + 77) - g_L * (V + 54.4)
    return current, a_m * (1 - m) - b_m * m, a_h * (1 - h) - b_h * h, a_n * (1 - n) - b_n * n


class HodgkinHuxley(nj.ContinuousDynamics):
    """The same as a model."""

    g_Na: nj.Parameter = nj.parameter(required=True)
    g_K: nj.Parameter = nj.parameter(required=True)
    g_L: nj.Parameter = nj.parameter(required=True)
    I_e: nj.Parameter = nj.parameter(required=True)
    solver: nj.solvers.AbstractStepper = nj.solvers.Heun()

    def init_state(self, *, key=None):
        V, m, h, n = hh_start(self.g_Na.shape[0])
        return {"V": V, "m": m, "h": h, "n": n, "armed": V <= 0.0}

    def begin(self, state, clock):
        return state | {"armed": state["V"] <= 0.0}

    def drift(self, t, state, inputs):
        rates = hodgkin_huxley(*(state[k] for k in "Vmhn"), self.g_Na, self.g_K, self.g_L, self.I_e)
        return dict(zip("Vmhn", rates, strict=True)) | {"armed": None}

    def emit(self, state, clock):
        return nj.Output(spikes=nj.SpikeOutput(state["V"], 0.0, state["armed"]))


def hh_start(n):
    one = jnp.ones(n)
    return -65 * one + 0.01 * jnp.arange(n), 0.05 * one, 0.6 * one, 0.32 * one


def hh_parameters(n):
    return tuple(jnp.full(n, x) for x in (120.0, 36.0, 0.3, 10.0))


def hh_by_hand(parameters, dt, remat=False, steps=STEPS):
    """Heun's method written out; final V, spike count, all V."""

    def step(carry, _):
        y, count = carry
        k0 = hodgkin_huxley(*y, *parameters)
        k1 = hodgkin_huxley(*(a + dt * b for a, b in zip(y, k0, strict=True)), *parameters)
        new = tuple(a + 0.5 * dt * (b + c) for a, b, c in zip(y, k0, k1, strict=True))
        count += jnp.sum((new[0] > 0) & (y[0] <= 0), dtype=jnp.int32)
        return (new, count), new[0] if remat else None

    start = (hh_start(parameters[0].shape[0]), jnp.zeros((), jnp.int32))
    body = jax.checkpoint(step, prevent_cse=False) if remat else step
    (y, count), V = jax.lax.scan(body, start, None, length=steps)
    return y[0], count, V


class LeakyIntegrateAndFire(nj.ContinuousDynamics):
    """tau dV/dt = E_L - V + I R, reset in the step after the crossing, all-to-all pulses."""

    drive: nj.Parameter = nj.parameter(required=True)
    W: nj.Parameter = nj.parameter(required=True)
    solver: nj.solvers.AbstractStepper = nj.solvers.Euler()

    def init_state(self, *, key=None):
        return {
            "V": jnp.linspace(-65.0, -51.0, self.drive.shape[0]),
            "g": jnp.zeros_like(self.drive),
        }

    def begin(self, state, clock):
        fired = nj.SpikeOutput(state["V"], -50.0).values()
        return {
            "V": jnp.where(state["V"] > -50.0, -65.0, state["V"]),
            "g": state["g"] + fired @ self.W,
        }

    def drift(self, t, state, inputs):
        V, g = state["V"], state["g"]
        return {"V": (self.drive - 65.0 - V + g) * (1 / 20), "g": g * (-1 / 5)}

    def emit(self, state, clock):
        return nj.Output(spikes=nj.SpikeOutput(state["V"], -50.0))


def lif_parameters(n):
    W = 0.3 * jax.random.normal(jax.random.key(0), (n, n)) / jnp.sqrt(n)
    return jnp.linspace(14.0, 20.0, n), W


def lif_by_hand(parameters, dt, remat=False):
    """The same loop written out."""
    drive, W = parameters
    surrogate = nj.core.spikes.Triangle()

    def step(carry, _):
        V, g, count = carry
        fired = surrogate(V - (-50.0))
        g = g + fired @ W
        V = jnp.where(V > -50.0, -65.0, V)
        V, g = V + dt * (drive - 65.0 - V + g) * (1 / 20), g + dt * g * (-1 / 5)
        count += jnp.sum(V > -50.0, dtype=jnp.int32)
        return (V, g, count), V if remat else None

    n = drive.shape[0]
    start = (jnp.linspace(-65.0, -51.0, n), jnp.zeros(n), jnp.zeros((), jnp.int32))
    body = jax.checkpoint(step, prevent_cse=False) if remat else step
    (V, _, count), trace = jax.lax.scan(body, start, None, length=STEPS)
    return V, count, trace


def ours(model, dt):
    sim = nj.simulate(model, duration=STEPS * dt, dt=dt)
    return sim.final_state.state["V"], sim.stats.spikes[""]


def our_loss(build, parameters, dt):
    sim = nj.simulate(build(parameters), duration=STEPS * dt, dt=dt, record={"V": "V"})
    return jnp.mean((sim["V"] / 50) ** 2)


def timed(function, *arguments):
    begun = time.perf_counter()
    value = jax.block_until_ready(function(*arguments))
    return time.perf_counter() - begun, value


def pair(first, second, arguments, repeats):
    """Medians of interleaved runs, compile times, and both results."""
    compiled = [timed(f, *arguments) for f in (first, second)]
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for kept, function in zip(seconds, (first, second), strict=True):
            kept.append(timed(function, *arguments)[0])
    medians = [statistics.median(s) for s in seconds]
    times = [c[0] - m for c, m in zip(compiled, medians, strict=True)]
    return medians, times, compiled[0][1], compiled[1][1]


def compare(name, build, by_hand, parameters, dt, repeats):
    """Forward and gradient of one model beside the hand-written loop."""
    forward = jax.jit(lambda p: ours(build(p), dt))
    hand = jax.jit(lambda p: by_hand(p, dt)[:2])
    (a, b), (ca, cb), (V, spikes), (V_hand, spikes_hand) = pair(
        forward, hand, (parameters,), repeats
    )
    slope = jax.jit(jax.value_and_grad(lambda p: our_loss(build, p, dt)))
    slope_hand = jax.jit(
        jax.value_and_grad(lambda p: jnp.mean((by_hand(p, dt, remat=True)[2] / 50) ** 2))
    )
    (ga, gb), (cga, cgb), (_, g), (_, g_hand) = pair(slope, slope_hand, (parameters,), repeats)
    flat = lambda t: jnp.concatenate([jnp.ravel(x) for x in jax.tree.leaves(t)])
    off = jnp.linalg.norm(flat(g) - flat(g_hand)) / jnp.linalg.norm(flat(g_hand))
    return {
        "model": name,
        "forward_ms": 1e3 * a,
        "forward_ratio": a / b,
        "gradient_ms": 1e3 * ga,
        "gradient_ratio": ga / gb,
        "compile_forward_s": [ca, cb],
        "compile_gradient_s": [cga, cgb],
        "spikes": [int(spikes), int(spikes_hand)],
        "largest_difference_of_V": float(jnp.abs(V - V_hand).max()),
        "relative_difference_of_gradients": float(off),
    }


def cell_steps(repeats):
    """Nanoseconds per cell and step of 10 000 Hodgkin-Huxley-like cells by Heun, and by hand."""
    cells, steps, dt = 10_000, 400, 0.025
    run = jax.jit(
        lambda p: nj.simulate(HodgkinHuxley(*p), duration=steps * dt, dt=dt).stats.spikes[""]
    )
    hand = jax.jit(lambda p: hh_by_hand(p, dt, steps=steps)[1])
    medians, _, spikes, spikes_hand = pair(run, hand, (hh_parameters(cells),), repeats)
    assert int(spikes) == int(spikes_hand)
    return [m * 1e9 / cells / steps for m in medians]


def noise(kind, repeats):
    """Nanoseconds a normal number, drawn step by step in a scan, by a clock and by jax.random."""
    n, steps = 10_000, 200

    def summed(draw):
        def run(key):
            body = lambda total, step: (total + draw(key, step), None)
            return jax.lax.scan(body, jnp.zeros(n), jnp.arange(steps))[0]

        return jax.jit(run)

    clock = summed(lambda key, step: nj.Clock(step, 0.1, key, kind).normal("noise", (n,)))
    plain = summed(lambda key, step: jax.random.normal(jax.random.fold_in(key, step), (n,)))
    medians, _, total, _ = pair(clock, plain, (jax.random.key(0),), repeats)
    assert abs(float(jnp.std(total)) / steps**0.5 - 1) < 0.05
    return [m * 1e9 / n / steps for m in medians]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    cells = cell_steps(options.repeats)
    threefry, counter = (noise(kind, options.repeats) for kind in ("threefry", "counter"))
    found = {
        "python": platform.python_version(),
        "jax": jax.__version__,
        "steps": STEPS,
        "models": [
            compare("100 Hodgkin-Huxley cells, Heun", lambda p: HodgkinHuxley(*p), hh_by_hand,
                    hh_parameters(100), 0.025, options.repeats),
            compare("100 leaky integrate-and-fire neurons", lambda p: LeakyIntegrateAndFire(*p),
                    lif_by_hand, lif_parameters(100), 0.1, options.repeats),
        ],
        "hodgkin_huxley_ns_per_cell_and_step": cells[0],
        "by_hand_ns_per_cell_and_step": cells[1],
        "threefry_ns_per_number": threefry[0],
        "counter_ns_per_number": counter[0],
        "jax_random_ns_per_number": threefry[1],
    }  # fmt: skip
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for row in found["models"]:
            print(
                f"{row['model']}: forward {row['forward_ms']:.2f} ms ({row['forward_ratio']:.2f} "
                f"of the hand-written loop), gradient {row['gradient_ms']:.2f} ms "
                f"({row['gradient_ratio']:.2f}); spikes {row['spikes']}"
            )
        print({k: v for k, v in found.items() if k != "models"})


if __name__ == "__main__":
    main()
