r"""The same work on a CPU and on the accelerator of one machine: where a GPU pays, and where not.

Networks of `simulators/problem.py` (80 synapses per neuron, one step is 0.1 ms), a training step of
a recurrent circuit (256 units, 500 steps, 64 trials), a reservoir of 1000 units for one series and
for 64, the worm fit, and 4000 trials of a forecasting task. Wall seconds of a second call, which
does not compile, beside the seconds of the first; counts, losses and scores stand beside the times,
so equal work is proven. Every platform has a process of its own, one after the other.

    python benchmarks/accelerator.py --json
"""

import argparse
import json
import os
import platform as machine
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
for folder in ("", "recurrent", "simulators"):  # the last one is looked in first
    sys.path.insert(0, str(HERE / folder))

NETWORKS = ((4000, 200.0), (100_000, 100.0), (1_000_000, 50.0))  # neurons, ms


def timed(run):
    """Wall seconds of the first call and of the second, and what that gave."""
    import jax

    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        value = jax.block_until_ready(run())
        seconds.append(time.perf_counter() - begun)
    return seconds, value


def networks():
    """Simulated networks; the unit is one simulated second."""
    import problem
    import with_neurojax

    for n, duration in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            problem.save(f"{folder}/problem.npz", n, 1)
            built = with_neurojax.build(f"{folder}/problem.npz", duration=duration)
        first, second = with_neurojax.run(), with_neurojax.run()
        a_second = 1000.0 / duration
        yield {
            "what": f"network of {n} neurons, a simulated second",
            "first_s": built["compile_s"] + first["wall_s"],
            "wall_s": second["wall_s"] * a_second,
            "check": {"rate_hz": round(second["rate_hz"], 2)},
        }


def training():
    """A step of `nj.train` with `BPTT`."""
    import optax
    from training_problem import problem

    import neurojax as nj

    p = problem(256, 500, 64)
    weights = {"recurrent": p["W"], "input": p["B"], "output": p["out"]}
    circuit = nj.circuits.LeakyRNN(256, inputs=3, outputs=2, **weights, leak=0.2)
    trials = nj.tasks.Trials(p["u"], p["targets"], dt=1.0)
    rule = nj.fitting.rules.BPTT(optax.sgd(1e-3))
    losses = lambda steps: (
        lambda: nj.train(circuit, trials, rule=rule, steps=steps, progress=False).losses
    )
    (first, short), _ = timed(losses(5))
    (_, long), found = timed(losses(35))
    yield {
        "what": "training step, 256 units, 500 steps, 64 trials",
        "first_s": first,
        "wall_s": (long - short) / 30,
        "check": {"loss": round(float(found[-1]), 5)},
    }


def reservoirs():
    """`nj.fitting.drive` for one series and for many."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    import neurojax as nj

    circuit = nj.circuits.EchoState(1000, inputs=1, radius=0.9)
    drive = jax.jit(lambda circuit, u: nj.fitting.drive(circuit, u))
    u = jnp.asarray(np.random.default_rng(0).standard_normal((64, 2000, 1)), jnp.float32)
    for name, series in (("one series", u[0]), ("64 series", u)):
        (first, second), found = timed(lambda series=series: drive(circuit, series))
        size = float(jnp.sqrt(jnp.mean(jnp.square(jax.tree.leaves(found)[0]))))
        yield {
            "what": f"reservoir of 1000 units, 2000 steps, {name}",
            "first_s": first, "wall_s": second, "check": {"rms": round(size, 4)},
        }  # fmt: skip


def worm():
    """100 steps of the fit to recordings."""
    import fit_worm
    import optax

    optimizer = optax.adam(optax.cosine_decay_schedule(0.02, 300))
    first, short, long = (fit_worm.seconds(steps, optimizer) for steps in (100, 100, 300))
    yield {
        "what": "worm fit, 100 steps",
        "first_s": first,
        "wall_s": (long - short) / 2,
        "check": {},
    }


def trials():
    """Trials of chaotic series, which are long loops of small steps."""
    import jax

    import neurojax as nj

    for count in (4000, 40_000):
        make = jax.jit(lambda key, count=count: nj.tasks.Lorenz().trials(key, count).inputs)
        (first, second), found = timed(lambda make=make: make(jax.random.key(0)))
        yield {
            "what": f"{count} trials of Lorenz", "first_s": first, "wall_s": second,
            "check": {"std": round(float(found.std()), 3)},
        }  # fmt: skip


def measure():
    """All rows, on the platform that JAX has taken."""
    import jax

    device = jax.devices()[0]
    for rows in (networks, training, reservoirs, worm, trials):
        for row in rows():
            yield {"platform": device.platform, "device": device.device_kind, **row}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--platforms", nargs="+", default=["cuda", "cpu"], metavar="NAME")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        for row in measure():
            print(json.dumps(row), flush=True)
        return
    found = []
    for name in options.platforms:
        environment = os.environ | {"JAX_PLATFORMS": name}
        command = [sys.executable, str(HERE / "accelerator.py"), "--worker"]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            for line in process.stdout:
                row = json.loads(line)
                found.append(row)
                if not options.json:
                    own = f"{row['wall_s']:9.4f} s (first call {row['first_s']:.1f} s)"
                    print(f"{row['device'][:24]:24s} {row['what']:50s} {own} {row['check']}")
        if process.returncode:
            sys.exit(f"the process on {name} failed with {process.returncode}")
    if options.json:
        import jax

        versions = {"jax": jax.__version__, "python": machine.python_version()}
        print(json.dumps({"versions": versions, "cores": os.cpu_count(), "rows": found}, indent=2))


if __name__ == "__main__":
    main()
