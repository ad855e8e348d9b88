r"""Training recurrent circuits beside PyTorch and flax, FORCE beside numpy, fixed points, tasks.

Claims, on one core and in processor time: a training step of 256 units, 500 steps, 64 trials takes
at most as long as with `torch.nn.RNN` (no leak), 0.9 times a loop by hand in PyTorch (leak 0.2) and
1.05 times flax; an update of FORCE on 1000 units at most as long as in numpy; the fixed points of
256 units from 1000 starts 20 times faster than a loop of `scipy.optimize.root`; tasks make 10^5
trials a second. The losses of the first steps are compared, so equal work is proven. Each library
stands in a process of its own and they take turns.

    python benchmarks/rnn.py --install          # an environment with PyTorch (large)
    python benchmarks/rnn.py --peers --json
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent / "recurrent"
sys.path.insert(0, str(HERE.parent / "simulators"))

from protocol import Worker  # noqa: E402

TORCH = ["torch==2.13.0", "numpy"]
LIMITS = {
    ("torch", 1.0): ("torch.nn.RNN, leak 1", 1.0),
    ("torch", 0.2): ("a loop in PyTorch, leak 0.2", 0.9),
    ("flax", 1.0): ("flax, leak 1", 1.05),
    ("flax", 0.2): ("flax, leak 0.2", 1.05),
}


def training(pythons, core, size, repeats):
    """Processor seconds of a training step for each library and leak."""
    rows = []
    for leak in (1.0, 0.2):
        workers = {
            name: Worker(name, str(python), str(HERE / f"with_{name}.py"), core)
            for name, python in pythons.items()
        }
        try:
            facts = {k: w.ask(do="build", leak=leak, **size) for k, w in workers.items()}
            losses = {k: list(f["losses"]) for k, f in facts.items()}
            rounds = []
            for _ in range(repeats):
                found = {k: w.ask(do="run", steps=5) for k, w in workers.items()}
                for k, f in found.items():
                    losses[k] += f["losses"]
                rounds.append({k: f["cpu_s"] for k, f in found.items()})
        finally:
            for worker in workers.values():
                worker.close()
        for name in workers:
            rows.append({
                "library": name,
                "leak": leak,
                "cpu_s": statistics.median(r[name] for r in rounds),
                "ours_over_theirs": statistics.median(r["neurojax"] / r[name] for r in rounds),
                "compile_s": facts[name]["compile_s"],
                "losses": losses[name][:6],
                "versions": facts[name]["versions"],
            })  # fmt: skip
    return rows


def force(n, steps, repeats):
    """Milliseconds of processor time of an update of FORCE, here and in numpy."""
    import jax.numpy as jnp
    import numpy as np

    import neurojax as nj

    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    J, F, out, x0 = 1.5 / np.sqrt(n) * draw(n, n), draw(n, 1), np.zeros((1, n), np.float32), draw(n)
    wave = np.sin(2 * np.pi * np.arange(steps) / 60).astype(np.float32)
    circuit = nj.circuits.RateRNN(
        n, outputs=1, recurrent=J, feedback=F, output=out, initial=x0, tau=10.0
    )
    trials = nj.tasks.Trials(np.zeros((1, steps, 0)), wave[None, :, None], dt=1.0)
    rule = nj.fitting.rules.FORCE()

    def ours():
        return nj.train(circuit, trials, rule=rule, steps=1, progress=False)

    def theirs():
        x, w, P, r = x0.copy(), out[0].copy(), np.eye(n, dtype=np.float32), np.tanh(x0)
        total, q, step = 0.0, np.empty(n, np.float32), np.float32(0.1)
        change = np.empty((n, n), np.float32)
        for target in wave:
            x += step * (J @ r + F[:, 0] * (w @ r) - x)
            r = np.tanh(x)
            error = w @ r - target
            q = P @ r
            k = q / (1 + r @ q)
            np.multiply(k[:, None], q[None, :], out=change)
            P -= change
            w -= error * k
            total += float(error) ** 2
        return total / steps

    first = float(ours().losses[0])
    times = {"neurojax": [], "numpy": []}
    for _ in range(repeats):
        for name, run in (("neurojax", ours), ("numpy", theirs)):
            begun = time.process_time()
            found = run()
            times[name].append(1e3 * (time.process_time() - begun) / steps)
    error = found if isinstance(found, float) else float(found.losses[0])
    ratios = [a / b for a, b in zip(times["neurojax"], times["numpy"], strict=True)]
    return {
        "units": n,
        "ms_per_update": {k: statistics.median(v) for k, v in times.items()},
        "ours_over_numpy": statistics.median(ratios),
        "mean_squared_error": {"neurojax": first, "numpy": error},
        "dtype": str(jnp.asarray(circuit.recurrent).dtype),
    }


def fixed_points(n, starts, scipy_starts):
    """Processor seconds from many starts, here and by a loop of `scipy.optimize.root`.

    The circuit is a three-bit flip-flop that was trained; starts are states that it passed through,
    with noise.
    """
    import jax
    import numpy as np
    import optax
    import scipy.optimize

    import neurojax as nj
    from neurojax.analysis import dynamics

    task = nj.tasks.FlipFlop(bits=3)
    circuit = nj.circuits.RateRNN(n, inputs=3, outputs=3, tau=50.0, key=jax.random.key(1))
    rule = nj.fitting.rules.BPTT(optax.adam(3e-3))
    circuit = nj.train(circuit, task, rule=rule, steps=200, batch=32, progress=False).circuit
    trials = task.trials(jax.random.key(2), 100)
    run = nj.fitting.unroll(circuit, trials)
    score = float(task.score(trials, run.outputs).mean())
    draw = lambda seed: dynamics.sample_states(
        circuit, run.states, starts, noise=0.3, key=jax.random.key(seed)
    )
    times = []
    for seed in range(3):  # the first compiles
        begun = time.process_time()
        found = dynamics.fixed_points(circuit, draw(seed), spectra=False)
        times.append(time.process_time() - begun)
    ours = min(times[1:])
    W, b = (np.asarray(x, np.float64) for x in (circuit.recurrent, circuit.bias))
    field = lambda x: W @ np.tanh(x) + b - x
    slope = lambda x: W * (1 - np.tanh(x) ** 2)[None, :] - np.eye(n)
    begin = np.asarray(draw(2)["x"], np.float64)[:scipy_starts]
    begun = time.process_time()
    solved = [scipy.optimize.root(field, x, jac=slope) for x in begin]
    theirs = (time.process_time() - begun) * starts / scipy_starts
    error = max(np.abs(field(np.asarray(x, np.float64))).max() for x in found.fixed.states["x"])
    return {
        "units": n,
        "score_of_the_task": score,
        "starts": starts,
        "cpu_s": ours,
        "first_call_cpu_s": times[0],
        "points": len(found.fixed),
        "starts_that_arrived": int(np.sum(np.asarray(found.fixed.counts))),
        "largest_error": float(error),
        "scipy_cpu_s": theirs,
        "scipy_starts": scipy_starts,
        "scipy_share_that_arrived": sum(bool(s.success) for s in solved) / scipy_starts,
        "times_faster": theirs / ours,
    }


def task_rates():
    """Trials per second of processor time of each task.

    As many at a time as a batch has: of many more the time goes into new memory for the results.
    """
    import jax

    import neurojax as nj

    rates = {}
    quick = ("PerceptualDecision", "ContextDecision", "FlipFlop", "DelayedMatchToSample")
    for name in (*quick, "MackeyGlass", "Lorenz"):
        task, count = getattr(nj.tasks, name)(), 20_000 if name in quick else 512
        draw = jax.jit(lambda key, task=task, count=count: task.trials(key, count))
        jax.block_until_ready(draw(jax.random.key(0)))
        begun = time.process_time()
        runs = 3 if name in quick else 20
        for seed in range(runs):
            jax.block_until_ready(draw(jax.random.key(seed)))
        rates[name] = runs * count / (time.process_time() - begun)
    return rates


def bars(found):
    """The claims, and whether they hold."""
    rows = [
        {"what": f"training step / {label}", "found": r["ours_over_theirs"], "limit": limit,
         "met": r["ours_over_theirs"] <= limit}
        for r in found["training"]
        for label, limit in [LIMITS.get((r["library"], r["leak"]), (None, 0.0))] if label
    ]  # fmt: skip
    ratio = found["force"]["ours_over_numpy"]
    rows.append({"what": "FORCE update / numpy", "found": ratio, "limit": 1.0, "met": ratio <= 1})
    faster = found["fixed_points"]["times_faster"]
    rows.append({"what": "fixed points, times faster than scipy", "found": faster, "limit": 20.0,
                 "met": faster >= 20})  # fmt: skip
    for name, rate in found["trials_per_s"].items():
        rows.append({"what": f"trials/s of {name}", "found": rate, "limit": 1e5,
                     "met": rate >= 1e5})  # fmt: skip
    return rows


def main():
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", action="store_true", help="compare with those installed")
    parser.add_argument(
        "--peer-folder", type=Path,
        default=Path(os.environ.get("NEUROJAX_PEERS", "~/.cache/neurojax/peers")),
        help="a folder with an environment `torch`",
    )  # fmt: skip
    parser.add_argument("--install", action="store_true", help="make this environment, and end")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--core", type=int, help="the core that all processes share")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    python = options.peer_folder.expanduser() / "torch" / "bin" / "python"
    if options.install:
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *TORCH], check=True)
        return
    # settings that make OpenBLAS run on old processors slow numpy down on new ones
    slow = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"} & set(os.environ)
    if slow:
        kept = {k: v for k, v in os.environ.items() if k not in slow}
        os.execve(sys.executable, [sys.executable, *sys.argv], kept)
    core = options.core
    if hasattr(os, "sched_setaffinity"):
        core = max(os.sched_getaffinity(0)) if core is None else core
        os.sched_setaffinity(0, {core})
    os.environ["PJRT_NPROC"] = "1"
    pythons = {"neurojax": Path(sys.executable)}
    if options.peers:
        pythons["flax"] = Path(sys.executable)
        if python.exists():
            pythons["torch"] = python
    size = {"n": 256, "steps": 500, "batch": 64}
    found = {
        "python": platform.python_version(),
        "load": os.getloadavg(),
        "not_installed": [] if python.exists() or not options.peers else ["torch"],
        "size": size,
        "training": training(pythons, core, size, options.repeats),
        "force": force(1000, 500, options.repeats),
        "fixed_points": fixed_points(256, 1000, 50),
        "trials_per_s": task_rates(),
    }
    found["bars"] = bars(found)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for r in found["training"]:
        print(f"{r['library']:10s} leak {r['leak']}: {r['cpu_s']:.3f} s a step, "
              f"neurojax takes {r['ours_over_theirs']:.2f} of it; losses "
              + " ".join(f"{x:.5f}" for x in r["losses"][:3]))  # fmt: skip
    for bar in found["bars"]:
        print(f"{'ok  ' if bar['met'] else 'MISS'} {bar['what']}: {bar['found']:.3g} "
              f"(limit {bar['limit']:g})")  # fmt: skip


if __name__ == "__main__":
    main()
