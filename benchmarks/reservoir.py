r"""Echo-state reservoirs beside reservoirpy (numpy, and its jax backend), and Mackey-Glass.

Claims, on one core and in processor time: 1000 units and 10,000 steps at density 0.1 run at least
2 times faster than in either; no reservoir of 100 to 5000 units at densities 0.01 to 1 runs slower;
64 series at once at least 5 times faster; the ridge fit takes no longer at equal error; a sweep of
100 settings is at least 10 times faster. Each library stands in a process of its own and they take
turns; the root mean square of the last rates, or the error, stands beside each time. neurojax keeps
its default precision (float32 states) and is shown in float64 as well; reservoirpy computes in
float64 with numpy.

    python benchmarks/reservoir.py --install
    python benchmarks/reservoir.py --peers --json
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent / "reservoirs"
sys.path.insert(0, str(HERE.parent / "simulators"))

from protocol import Worker  # noqa: E402

PEER = ["reservoirpy==0.4.2", "jax"]
KINDS = {
    "neurojax": ("neurojax", "float32"),
    "neurojax float64": ("neurojax", "float64"),
    "reservoirpy": ("reservoirpy", "numpy"),
    "reservoirpy jax": ("reservoirpy", "jax"),
}
RUNS = [
    {"n": n, "density": density, "steps": steps}
    for n, steps in ((100, 10_000), (1000, 10_000), (5000, 100))
    for density in (0.01, 0.1, 1.0)
]


def compare(pythons, core, what, size, repeats, kinds):
    """Processor seconds of each library, in turns."""
    workers = {}
    try:
        for name in kinds:
            library = KINDS[name][0]
            if library not in pythons:
                continue
            script = HERE / f"with_{library}.py"
            workers[name] = Worker(name, str(pythons[library]), str(script), core)
        facts = {
            name: worker.ask(do="build", backend=KINDS[name][1], what=what, **size)
            for name, worker in workers.items()
        }
        rounds = []
        for _ in range(repeats):
            rounds.append({k: w.ask(do="run", repeats=1)["cpu_s"] for k, w in workers.items()})
    finally:
        for worker in workers.values():
            worker.close()
    rows = []
    for name, fact in facts.items():
        rows.append({
            "library": name, "what": what, **size,
            "cpu_s": statistics.median(r[name] for r in rounds),
            "theirs_over_ours": statistics.median(r[name] / r["neurojax"] for r in rounds),
            "first_call_s": fact["first_s"], "check": fact["check"],
            "versions": fact["versions"],
        })  # fmt: skip
        if "errors" in fact and "errors" in facts["neurojax"]:
            pairs = zip(fact["errors"], facts["neurojax"]["errors"], strict=True)
            rows[-1]["largest_relative_difference"] = max(abs(a - b) / b for a, b in pairs)
    return rows


def mackey_glass(seeds, double):
    """NRMSE one step and 84 steps ahead, 1000 units, 8000 samples to fit and 2000 to judge."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); import forecast; forecast.main()"
    asked = [sys.executable, "-c", program, str(HERE), str(seeds), str(int(double))]
    found = subprocess.run(asked, capture_output=True, text=True, check=True)
    return json.loads(found.stdout.splitlines()[-1])


def bars(rows, forecasts):
    """The claims, and whether they hold."""
    found = []
    for r in rows:
        if r["library"].startswith("neurojax"):
            continue
        if r["what"] == "run" and "series" in r:
            least, label = 5.0, f"{r['series']} series at once, density {r['density']}"
        elif r["what"] == "run":
            least = 2.0 if (r["n"], r["density"]) == (1000, 0.1) else 1.0
            label = f"run, {r['n']} units, density {r['density']}"
        else:
            least = {"ridge": 1.0, "sweep": 10.0}[r["what"]]
            label = "ridge" if r["what"] == "ridge" else f"sweep of 100, {r['n']} units"
        found.append({"what": f"{label}: {r['library']} / neurojax", "found": r["theirs_over_ours"],
                      "at_least": least, "met": r["theirs_over_ours"] >= least})  # fmt: skip
    for name, limit in (("one_step", 1e-5), ("steps_84", 0.02)) if forecasts else ():
        median = statistics.median(forecasts["float64"][name])
        found.append({"what": f"Mackey-Glass NRMSE, {name}, float64", "found": median,
                      "at_most": limit, "met": median <= limit})  # fmt: skip
    return found


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peers", action="store_true", help="beside reservoirpy")
    parser.add_argument("--install", action="store_true", help="make its environment")
    parser.add_argument("--environment", default="build/peers/reservoirpy")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=["run", "batch", "ridge", "sweep", "forecast"])
    given = parser.parse_args()
    peer = Path(given.environment) / "bin" / "python"
    if given.install:
        subprocess.run([sys.executable, "-m", "venv", given.environment], check=True)
        subprocess.run([str(peer), "-m", "pip", "install", *PEER], check=True)
        return
    pythons = {"neurojax": Path(sys.executable)}
    if given.peers:
        pythons["reservoirpy"] = peer.absolute()
    ask = lambda what, size, repeats, kinds=tuple(KINDS): compare(
        pythons, given.core, what, size, repeats, kinds
    )
    rows = []
    if "run" in given.only:
        for size in RUNS:
            rows += ask("run", size, given.repeats)
    if "batch" in given.only:
        for density in (0.1, 1.0):
            size = {"n": 1000, "density": density, "steps": 50, "series": 64}
            rows += ask("run", size, 3)
    if "ridge" in given.only:
        rows += ask("ridge", {"samples": 10_000, "n": 1000}, 3)
    if "sweep" in given.only:
        for n in (100, 500):
            size = {"n": n, "density": 0.1, "steps": 2000}
            rows += ask("sweep", size, 3, ("neurojax", "reservoirpy"))
    forecasts = {}
    if "forecast" in given.only:
        forecasts = {
            name: mackey_glass(given.seeds, double)
            for name, double in (("float64", True), ("float32", False))
        }
    claims = bars(rows, forecasts)
    result = {"rows": rows, "mackey_glass": forecasts, "claims": claims,
              "machine": platform.machine(), "python": platform.python_version()}  # fmt: skip
    if given.json:
        print(json.dumps(result, indent=1))
        return
    for r in rows:
        print(
            f"{r['what']:6s} {r['library']:17s} {r.get('n', 0):5d} {r.get('density', 1.0):5.2f} "
            f"{1e3 * r['cpu_s']:10.2f} ms  {r['theirs_over_ours']:7.2f}  check {r['check']:.8g}"
        )
    for name, found in forecasts.items():
        print(name, {k: statistics.median(v) for k, v in found.items()})
    for claim in claims:
        print("met " if claim["met"] else "MISS", claim)


if __name__ == "__main__":
    main()
