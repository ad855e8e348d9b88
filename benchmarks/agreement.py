r"""Traces, spikes and weights beside NEST, Brian2 and scipy, one small case at a time.

    python benchmarks/agreement.py                       # what is installed
    python benchmarks/agreement.py --only alpha --json
    python benchmarks/coba.py --install                  # makes the environments

Each simulator runs in an environment and a process of its own (see `coba.py`: `--peer-folder`, the
variable NEUROJAX_PEERS, or `--peer-env nest=PYTHON`). The cases are in the folder `agreement`, with
the limit that each must meet; neurojax runs in double precision, and in single precision where a
case says so. A peer that is not installed is named, and its rows are left out. All of it takes
about five minutes of one core.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "agreement"
sys.path.insert(0, str(HERE))

from frame import PEERS, cases, compare  # noqa: E402


def run(side, python, folder, only, say):
    """The results of one side by (file, case), its errors and its version."""
    out = folder / f"{side}.npz"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    command = [str(python), str(HERE / "side.py"), side, str(out), only]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if not out.exists():
        raise RuntimeError(f"{side} did not end well:\n{done.stderr[-3000:]}")
    found = {}
    with np.load(out) as file:
        about = json.loads(file["about"].tobytes())
        for key in file.files:
            if key != "about":
                module, case, name = key.split("\n")
                found.setdefault((module, case), {})[name] = file[key]
    errors = {tuple(key.split("\n")): text for key, text in about["errors"].items()}
    say(f"{side} {about['version']}: {len(found)} cases, {len(errors)} failed")
    for key, text in errors.items():
        say(f"  {key[1]}: {text}")
    return found, errors, about["version"]


def table(all_cases, results):
    """A row for every case, peer and precision."""
    rows = []
    for key, case in all_cases.items():
        for peer in case.peers:
            for side in ("neurojax", "neurojax32"):
                if peer not in results or (side == "neurojax32" and not case.single):
                    continue
                row = {"file": key[0], "case": case.name, "peer": peer,
                       "precision": "double" if side == "neurojax" else "single",
                       "note": case.note}  # fmt: skip
                sides = [results[side], results[peer]]
                failed = [errors[key] for _, errors, _ in sides if key in errors]
                if failed:
                    row |= {"error": failed[0], "results": {}, "met": False}
                else:
                    own, theirs = (found[key] for found, _, _ in sides)
                    found = compare(case, peer, own, theirs, side == "neurojax32")
                    judged = [r["met"] for r in found.values() if r["met"] is not None]
                    row |= {"results": found, "met": all(judged) if judged else None}
                rows.append(row)
    return rows


def show(found):
    """The table for a terminal."""
    file = noted = None
    marks = {True: "ok  ", False: "MISS", None: "    "}  # None: no limit, so nothing to meet
    for row in found["rows"]:
        if row["file"] != file:
            file = row["file"]
            print(f"\n{file}")
        words = []
        for name, r in row["results"].items():
            limit = "" if r["limit"] is None else f" (limit {r['limit']:g})"
            value = f"{r['differ']}/{r['of']}" if "differ" in r else f"{r['difference']:.2g}"
            words.append(f"{name} {value}{limit}")
        text = row.get("error") or ", ".join(words)
        print(f"{marks[row['met']]} {row['case']} | {row['peer']} {row['precision']}: {text}")
        if row["note"] and noted != (file, row["case"]):
            print(f"     ({row['note']})")
        noted = file, row["case"]
    for name in found["not_installed"]:
        print(f"\n{name} is not installed: its rows are left out (coba.py --install)")
    judged = [row["met"] for row in found["rows"] if row["met"] is not None]
    print(f"\n{sum(judged)} of {len(judged)} rows with a limit meet it")


def main():
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="cases with this in their title or file")
    parser.add_argument("--peer-env", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument(
        "--peer-folder", type=Path,
        default=Path(os.environ.get("NEUROJAX_PEERS", "~/.cache/neurojax/peers")),
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    folder = options.peer_folder.expanduser()
    pythons = {name: folder / name / "bin" / "python" for name in PEERS}
    pythons["scipy"] = Path(sys.executable)
    pythons |= {k: Path(path) for k, path in (item.split("=", 1) for item in options.peer_env)}
    all_cases = cases(options.only)
    wanted = {peer for case in all_cases.values() for peer in case.peers}
    known = {name: path for name, path in pythons.items() if path.exists() and name in wanted}
    say = lambda text: print(text, file=sys.stderr, flush=True)
    results = {}
    with tempfile.TemporaryDirectory() as out:
        sides = {"neurojax": sys.executable, **known}
        if any(case.single for case in all_cases.values()):
            sides["neurojax32"] = sys.executable
        for side, python in sides.items():
            results[side] = run(side, python, Path(out), options.only, say)
    found = {
        "versions": {side: version for side, (_, _, version) in results.items()},
        "not_installed": sorted(wanted - set(known)),
        "rows": table(all_cases, results),
    }
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)


if __name__ == "__main__":
    main()
