"""Measures the table of the page "Choose an adjoint": time and memory of a gradient by mode.

    python docs/measurements/adjoints.py

prints a Markdown table with the versions it was measured on. The modes are run in turns; the time
is that of the fastest run. Memory is what XLA says that the compiled gradient needs beside its
arguments and results.
"""

import platform
import time
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

import neurojax as nj

RUNS = 21
FIXED = ("forward", "plain", "steps", "blocks")


class HodgkinHuxley(nj.ContinuousDynamics):
    """Sodium, potassium and leak, with conductances per cell; what the table is measured on."""

    n: int
    g_Na: nj.Parameter
    solver: nj.solvers.AbstractStepper = nj.solvers.Heun()

    def init_state(self, *, key=None):
        """Near rest."""
        full = lambda value: jnp.full(self.n, value)
        return {"V_m": full(-65.0), "m": full(0.05), "h": full(0.6), "n": full(0.32)}

    def drift(self, t, state, inputs):
        """In mV/ms and 1/ms."""
        V, m, h, n = (state[name] for name in ("V_m", "m", "h", "n"))
        alpha_m = 0.1 * _ratio((V + 40.0) / 10.0)
        alpha_h = 0.07 * jnp.exp(-(V + 65.0) / 20.0)
        alpha_n = 0.01 * _ratio((V + 55.0) / 10.0)
        beta_m = 4.0 * jnp.exp(-(V + 65.0) / 18.0)
        beta_h = 1.0 / (1.0 + jnp.exp(-(V + 35.0) / 10.0))
        beta_n = 0.125 * jnp.exp(-(V + 65.0) / 80.0)
        ionic = self.g_Na * m**3 * h * (V - 50.0) + 36.0 * n**4 * (V + 77.0) + 0.3 * (V + 54.387)
        return {
            "V_m": inputs["I_e"] - ionic,
            "m": alpha_m * (1.0 - m) - beta_m * m,
            "h": alpha_h * (1.0 - h) - beta_h * h,
            "n": alpha_n * (1.0 - n) - beta_n * n,
        }


def _ratio(x):
    """10 x / (1 - exp(-x)), smooth through zero."""
    near = jnp.abs(x) < 1e-3
    safe = jnp.where(near, 1.0, x)
    return 10.0 * jnp.where(near, 1.0 + 0.5 * x, safe / -jnp.expm1(-safe))


class Case(NamedTuple):
    """One row of the table."""

    name: str
    run: Callable  # (parameters, arguments of simulate) -> Simulation
    parameters: jax.Array
    modes: tuple[str, ...]


def cells(count: int) -> Callable:
    """Hodgkin-Huxley cells with a conductance each, 2,000 steps of 0.025 ms."""

    def run(g_Na, **how):
        return nj.simulate(
            HodgkinHuxley(count, g_Na), duration=50.0, dt=0.025, inputs={"I_e": 10.0}, **how
        )

    return run


def stimulated(amplitudes, **how):
    """One cell with a stimulus of 20 free amplitudes."""
    stimulus = nj.inputs.Sampled(amplitudes / 12.0, dt=2.5)
    return nj.simulate(
        HodgkinHuxley(1, 120.0), duration=50.0, dt=0.025, inputs={"I_e": stimulus}, **how
    )


def worm(biases, **how):
    """The circuit of Cook 2019, 302 neurons, 1000 steps of 600 ms."""
    circuit = nj.circuits.ConnectomeCircuit(nj.connectomes.cook2019(), key=jax.random.key(0))
    circuit = eqx.tree_at(lambda c: c.bias, circuit, biases)
    return nj.simulate(circuit, duration=600_000.0, dt=600.0, **how)


def measure(case: Case) -> dict[str, tuple[float, float]]:
    """Milliseconds and MB of the gradient by mode."""
    compiled, found = {}, {}
    for mode in case.modes:
        derive = jax.jacfwd if mode == "forward" else jax.grad

        def loss(parameters, mode=mode):
            state = case.run(parameters, adjoint=mode).final_state.state
            return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(state))

        compiled[mode] = jax.jit(derive(loss)).lower(case.parameters).compile()
    times = {mode: [] for mode in case.modes}
    for _ in range(RUNS):
        for mode, function in compiled.items():
            start = time.perf_counter()
            jax.block_until_ready(function(case.parameters))
            times[mode].append(1e3 * (time.perf_counter() - start))
    for mode, function in compiled.items():
        memory = function.memory_analysis()
        found[mode] = min(times[mode]), memory.temp_size_in_bytes / 1e6
    return found


def main() -> None:
    """Prints the table."""
    reverse = FIXED[1:]
    cases = [
        Case("1 cell, 1 parameter, 2,000 steps", cells(1), jnp.full(1, 120.0), FIXED),
        Case("1 cell, 20 amplitudes of its input", stimulated, jnp.full(20, 120.0), FIXED),
        Case("100 cells, a parameter each", cells(100), jnp.full(100, 120.0), reverse),
        Case("302 neurons of the worm, a bias each, 1,000 steps", worm, jnp.zeros(302), reverse),
    ]
    print(f"jax {jax.__version__}, Python {platform.python_version()}, {jax.default_backend()}\n")
    print("| model | " + " | ".join(f"`{m}`" for m in FIXED) + " |")
    print("| --- |" + " --- |" * len(FIXED))
    for case in cases:
        found = measure(case)
        row = [f"{found[m][0]:.1f} ms, {found[m][1]:.1f} MB" if m in found else "-" for m in FIXED]
        print(f"| {case.name} | " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
