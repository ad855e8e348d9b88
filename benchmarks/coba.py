r"""A balanced network of conductance-based neurons, beside other simulators.

The network is that of `simulators/problem.py`: in-degree 64 + 16, steps and delays of 0.1 ms,
single precision, one second of biological time. Every simulator gets the same edges and initial
values, stands in a process of its own, on the same core, and the runs take turns. Times are
processor seconds per simulated second (wall seconds are given too), building and compiling are
processor seconds apart from it; ratios are medians over the rounds. The seed is the first from 1
up with which all fire at 13 to 16 Hz.

Other simulators want environments of their own, because their requirements contradict each other:

    python benchmarks/coba.py --install                  # makes them with venv and pip
    python benchmarks/coba.py --peers --json

or by hand: `python -m venv FOLDER/brian2; FOLDER/brian2/bin/pip install "brian2==2.10.1"
"numpy<2.4"`, then `--peer-folder FOLDER` (or the environment variable NEUROJAX_PEERS), or
`--peer-env brian2=FOLDER/brian2/bin/python` for a single one. Those that are not there are left
out, with a note.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "simulators"
sys.path.insert(0, str(HERE))

import problem as network  # noqa: E402
from protocol import Worker, has_avx512, wide_vectors  # noqa: E402

PEERS = {
    "brian2": ["brian2==2.10.1", "numpy<2.4", "setuptools"],
    "brainpy": [
        "brainpy==2.9.0", "brainstate==0.6.0", "brainevent==0.3.0", "jax==0.12.0.1", "numba",
    ],
    "nest": ["nest-simulator==3.10.0", "numpy"],
}  # fmt: skip
RATES = (13.0, 16.0)
BASE, FIRST = "second order (default)", "first order (exponential Euler)"
# long delays silence the undriven network, so that row has a drive, and a row to compare it with
VARIANTS = {
    BASE: {},
    FIRST: {"solver": "ExponentialEuler"},
    "one weight per synapse": {"weights": True},
    "one-step delays, 50 pA": {"drive": 50.0},
    "delays of 1 to 10 steps, 50 pA": {"drive": 50.0, "delays": True},
    "all spikes recorded": {"spikes": True},
    "no synapses": {"silent": True},
}
# the same 4000 neurons and edges, cut into populations in order
CUT = {
    "two populations of 2000": {"populations": 2},
    "eight populations of 500": {"populations": 8},
    "eight populations of 500, a projection per pair": {"populations": 8, "pairwise": True},
}
GUIDE = {4000: (0.075, 0.085), 20_000: (0.27, 0.32), 100_000: (1.4, 1.6)}  # s: first, second order
LIMITS = {  # a row, at most so many times another one
    "one weight per synapse": (BASE, 1.5),
    "delays of 1 to 10 steps, 50 pA": ("one-step delays, 50 pA", 4.0),
    "all spikes recorded": (BASE, 1.3),
    "eight populations of 500": ("two populations of 2000", 1.4),
    "eight populations of 500, a projection per pair": ("two populations of 2000", 1.4),
}
FASTER = {"brian2": 3.0, "brainpy": 2.5}


def install(folder, names):
    """Make the environments of other simulators."""
    for name in names:
        subprocess.run([sys.executable, "-m", "venv", str(folder / name)], check=True)
        pip = [str(folder / name / "bin" / "python"), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *PEERS[name]], check=True)


def interpreters(folder, given):
    """The python of each simulator that can be found."""
    found = {name: folder / name / "bin" / "python" for name in PEERS}
    found |= {name: Path(path) for name, path in (item.split("=", 1) for item in given)}
    return {name: path for name, path in found.items() if path.exists()}


def processor():
    """The name of the processor, and whether it has wide vectors."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    wide = "with" if has_avx512() else "without"
    return f"{model or platform.machine()}, {wide} AVX-512"


class Crew:
    """Workers on one core that are asked in turns."""

    def __init__(self, core, pythons):
        self.core, self.pythons, self.workers = core, pythons, {}
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115

    def ask(self, worker, **request):
        """Ask a worker, which starts at the first question; `brian2 stdp` is a second brian2."""
        simulator = worker.split()[0]
        if worker not in self.workers:
            script = str(HERE / f"with_{simulator}.py")
            self.workers[worker] = Worker(
                worker, str(self.pythons[simulator]), script, self.core, self.log, wide_vectors()
            )
        try:
            return self.workers[worker].ask(**request)
        except RuntimeError as error:
            self.log.seek(0)
            raise RuntimeError(f"{error}\n{self.log.read()[-2000:]}") from error

    def close(self):
        """End all processes."""
        for worker in self.workers.values():
            worker.close()
        self.workers = {}


def choose_seed(crew, n, peers, folder, shorten, say):
    """Build every simulator with the first seed that fires in the range in all of them."""
    for seed in range(1, 31):
        path = str(folder / f"coba_{n}_{seed}.npz")
        network.save(path, n, seed)
        built, first = {}, {}
        for row, worker, options in [
            (BASE, "neurojax", {}),
            (FIRST, "neurojax", VARIANTS[FIRST]),
            *((name, name, {}) for name in peers),
        ]:
            duration = shorten.get((worker, n), 1000.0)
            asked = {"problem": path, "name": row, "duration": duration, **options}
            built[row] = crew.ask(worker, do="build", **asked)
            first[row] = crew.ask(worker, do="run", name=row)
            say(f"n {n}, seed {seed}, {row}: {first[row]['rate_hz']:.2f} Hz")
            if duration >= 1000.0 and not RATES[0] <= first[row]["rate_hz"] <= RATES[1]:
                break
        else:
            return path, seed, built
    raise RuntimeError(f"no seed up to 30 fires in the range at n = {n}")


def measure(crew, n, peers, folder, repeats, shorten, say):
    """All rows of one size."""
    path, seed, built = choose_seed(crew, n, peers, folder, shorten, say)
    workers = {name: ("neurojax", name) for name in VARIANTS} | {p: (p, p) for p in peers}
    extra = {k: v for k, v in VARIANTS.items() if k not in built} | (CUT if n == 4000 else {})
    workers |= {name: ("neurojax", name) for name in extra}
    skipped = {}
    for name, options in extra.items():
        built[name] = crew.ask("neurojax", do="build", problem=path, name=name, **options)
    plastic = [("pair STDP", "neurojax")]
    if "brian2" in peers:
        plastic.append(("brian2, pair STDP", "brian2 stdp"))
    for name, worker in plastic:
        try:
            built[name] = crew.ask(worker, do="build", problem=path, name=name, plastic=True)
        except RuntimeError as error:
            skipped[name] = str(error).splitlines()[0]
            break
        workers[name] = (worker, name)
    runs = {name: [] for name in workers}
    for i in range(repeats):
        for name, (worker, row) in workers.items():
            if (worker, n) in shorten and i:
                continue
            runs[name].append(crew.ask(worker, do="run", name=row))
        last = ", ".join(f"{k} {v[-1]['cpu_s']:.3f}" for k, v in runs.items())
        say(f"n {n}: round {i + 1} of {repeats}: {last}")
    rows = {}
    for name, (worker, _) in workers.items():
        scale = 1000.0 / shorten.get((worker, n), 1000.0)
        cpu = [scale * r["cpu_s"] for r in runs[name]]
        rate = runs[name][-1]["rate_hz"]
        base = [r["cpu_s"] for r in runs[BASE]]
        rows[name] = {
            "cpu_s": statistics.median(cpu),
            "wall_s": scale * statistics.median(r["wall_s"] for r in runs[name]),
            "rate_hz": rate,
            "ns_per_event": 1e9 * statistics.median(cpu) / max(rate * n * 80, 1e-9),
            "ratio_to_default": median_ratio(cpu, base),
            "build_s": built[name]["build_s"],
            "compile_s": built[name]["compile_s"],
            "runs": len(cpu),
            "simulated_ms": 1000.0 / scale,
            "versions": built[name]["versions"],
        }
    silent = rows["no synapses"]["cpu_s"]
    events = rows[BASE]["rate_hz"] * n * 80
    rows[BASE]["ns_per_event_beyond_neurons"] = 1e9 * (rows[BASE]["cpu_s"] - silent) / events
    for row, (other, _) in LIMITS.items():
        if row in rows:
            first, second = ([r["cpu_s"] for r in runs[k]] for k in (row, other))
            rows[row]["ratio_to_its_other"] = median_ratio(first, second)
    for peer in peers:
        cpu = [1000.0 / shorten.get((peer, n), 1000.0) * r["cpu_s"] for r in runs[peer]]
        for row in (BASE, FIRST):
            own = [r["cpu_s"] for r in runs[row]]
            rows[peer][f"times_slower_than_{'second' if row == BASE else 'first'}_order"] = (
                median_ratio(cpu, own)
            )
    errors = spike_errors(crew, path, folder)
    return {
        "n": n, "seed": seed, "rows": rows, "skipped": skipped, "spike_time_error": errors,
    }  # fmt: skip


def median_ratio(first, second):
    """The median of ratios of runs in the same round."""
    return statistics.median(a / b for a, b in zip(first, second, strict=False))


def spike_errors(crew, path, folder, duration=20.0):
    """First spikes of neurons at dt = 0.1 ms beside those at 0.01 ms.

    The network is chaotic, so spikes can be compared only while they follow from the initial
    values: within the first 20 ms, and the first of each neuron. Rounding up to the grid of 0.1 ms
    is a part of the error that no method of integration can avoid.
    """
    found = {}
    for name, dt, solver in [
        ("reference", 0.01, None),
        (BASE, 0.1, None),
        (FIRST, 0.1, "ExponentialEuler"),
    ]:
        asked = {"problem": path, "name": "short", "dt": dt, "duration": duration}
        crew.ask("neurojax", do="build", solver=solver, spikes=True, **asked)
        keep = str(folder / "spikes.npz")
        crew.ask("neurojax", do="run", name="short", keep=keep)
        with np.load(keep) as file:
            times, neurons = file["times"], file["neurons"]
        order = np.lexsort((times, neurons))
        neuron, where = np.unique(neurons[order], return_index=True)
        found[name] = dict(zip(neuron.tolist(), times[order][where].tolist(), strict=True))
    exact, errors = found.pop("reference"), {}
    for name, own in found.items():
        both = [k for k in exact if k in own]
        fine = np.array([exact[k] for k in both])
        off = np.abs(np.array([own[k] for k in both]) - fine)
        # a spike bears the label of the end of its step: the best that a grid of 0.1 ms can do
        best = np.ceil(fine / 0.1 - 1e-6) * 0.1 - fine
        errors[name] = {
            "median_of_rounding_alone_ms": float(np.median(best)),
            "median_ms": float(np.median(off)),
            "percentile_90_ms": float(np.percentile(off, 90)),
            "neurons_that_fire_in_both": len(both),
            "in_one_only": len(set(exact) ^ set(own)),
        }
    return errors


def bars(sizes):
    """What was promised, beside what was found."""
    checks = []

    def check(what, value, limit, at_least=False):
        met = value >= limit if at_least else value <= limit
        checks.append({"what": what, "found": value, "limit": limit, "met": bool(met)})

    for size in sizes:
        n, rows = size["n"], size["rows"]
        for row, limit in zip((FIRST, BASE), GUIDE.get(n, ()), strict=False):
            check(f"{n}: {row}, s per simulated s", rows[row]["cpu_s"], limit)
        for row in (FIRST, BASE):
            check(f"{n}: {row}, ns per event", rows[row]["ns_per_event"], 13.0)
            check(f"{n}: {row}, compile s", rows[row]["compile_s"], 3.0)
            check(f"{n}: {row}, build s", rows[row]["build_s"], 2.0)
        for row, (other, limit) in LIMITS.items():
            if row in rows:
                check(f"{n}: {row}, times {other}", rows[row]["ratio_to_its_other"], limit)
        for peer, limit in FASTER.items():
            for order in ("first", "second"):
                if peer in rows:
                    value = rows[peer][f"times_slower_than_{order}_order"]
                    check(f"{n}: {peer}, times slower than {order} order", value, limit, True)
        if "brian2, pair STDP" in rows:
            value = rows["brian2, pair STDP"]["cpu_s"] / rows["pair STDP"]["cpu_s"]
            check(f"{n}: brian2 with pair STDP, times slower", value, 1.0, True)
    return checks


def show(found):
    """A table for the terminal."""
    for size in found["sizes"]:
        print(f"\n{size['n']} neurons, seed {size['seed']}")
        print(f"{'':49}{'cpu s':>8}{'wall s':>8}{'Hz':>7}{'ns/ev':>7}{'ratio':>7}{'build':>7}"
              f"{'compile':>8}")  # fmt: skip
        for name, r in size["rows"].items():
            print(f"{name:49}{r['cpu_s']:8.3f}{r['wall_s']:8.3f}{r['rate_hz']:7.2f}"
                  f"{r['ns_per_event']:7.1f}{r['ratio_to_default']:7.2f}{r['build_s']:7.2f}"
                  f"{r['compile_s']:8.2f}")  # fmt: skip
        for name, why in size["skipped"].items():
            print(f"{name}: {why}")
        for name, e in size["spike_time_error"].items():
            print(f"{name}: first spikes off by {e['median_ms']:.3f} ms in the median")
    for bar in found["bars"]:
        print(f"{'ok  ' if bar['met'] else 'MISS'} {bar['what']}: {bar['found']:.3g} "
              f"(limit {bar['limit']:g})")  # fmt: skip


def main():
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, nargs="+", default=[4000, 20_000, 100_000])
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), metavar="NAME",
                        help="compare with these, or with all that are installed")  # fmt: skip
    parser.add_argument("--peer-env", action="append", default=[], metavar="NAME=PYTHON",
                        help="the interpreter of a simulator's environment")  # fmt: skip
    parser.add_argument(
        "--peer-folder", type=Path,
        default=Path(os.environ.get("NEUROJAX_PEERS", "~/.cache/neurojax/peers")),
        help="a folder with an environment for each simulator",
    )  # fmt: skip
    parser.add_argument("--install", action="store_true", help="make these environments, and end")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--core", type=int, help="the core that all processes share")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    folder = options.peer_folder.expanduser()
    wanted = list(PEERS) if not options.peers else options.peers
    if options.install:
        install(folder, wanted)
        return
    known = interpreters(folder, options.peer_env)
    peers = [p for p in wanted if p in known] if options.peers is not None else []
    missing = [p for p in wanted if p not in known] if options.peers is not None else []
    can_pin = hasattr(os, "sched_setaffinity")
    core = options.core
    if core is None and can_pin:
        core = max(os.sched_getaffinity(0))
    say = lambda text: print(text, file=sys.stderr, flush=True)
    # NEST solves each neuron with adaptive steps; large networks take minutes a second
    shorten = {("nest", n): 1000.0 if n <= 4000 else 100.0 for n in options.n}
    found = {
        "python": platform.python_version(),
        "machine": processor(),
        "xla_flags": os.environ.get("XLA_FLAGS", wide_vectors()),
        "cores": os.cpu_count(),
        "core": core if can_pin else None,
        "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "times": "medians of processor seconds per simulated second; ratios are medians over "
        "rounds of ratios of processor seconds",
        "not_installed": missing,
        "sizes": [],
    }
    for n in options.n:
        crew = Crew(core, {"neurojax": sys.executable, **known})
        with tempfile.TemporaryDirectory() as folder:
            try:
                found["sizes"].append(
                    measure(crew, n, peers, Path(folder), options.repeats, shorten, say)
                )
            finally:
                crew.close()
    found["bars"] = bars(found["sizes"])
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)


if __name__ == "__main__":
    main()
