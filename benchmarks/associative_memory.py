"""How many patterns a classical and a modern Hopfield network hold.

Claims: with Hebbian weights random patterns are recalled up to a load of about 0.138 per unit and
lost beyond it (Amit, Gutfreund, Sompolinsky 1985); a modern network of 64 units retrieves any of
10 000 patterns in one update, if beta is large enough, and averages them if it is small (Ramsauer
et al. 2020, arXiv:2008.02217). `python benchmarks/associative_memory.py --json`, under a minute.
"""

import argparse
import json
import time

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.circuits import ClassicalHopfield, ModernHopfield

UNITS, LOADS, CUES = 500, (0.05, 0.1, 0.12, 0.138, 0.16, 0.2), 40
SPHERES = ((64, 10_000), (16, 100), (256, 10_000))  # units, patterns


def classical(rng) -> list[dict]:
    """Mean overlap with a stored pattern after recall from a cue with one in ten units wrong."""
    rows = []
    for load in LOADS:
        patterns = rng.choice([-1.0, 1.0], size=(round(load * UNITS), UNITS))
        some = patterns[:CUES]
        cues = jnp.asarray(some * np.where(rng.random(some.shape) < 0.1, -1.0, 1.0))
        found = jax.jit(jax.vmap(ClassicalHopfield(patterns).recall))(cues)
        rows.append({"load": load, "overlap": float(np.mean(np.asarray(found) * some))})
    return rows


def modern(rng) -> list[dict]:
    """Relative error after one update from a cue with noise of 0.3, patterns on a sphere."""
    rows = []
    for n, count in SPHERES:
        patterns = rng.normal(size=(count, n))
        patterns *= np.sqrt(n) / np.linalg.norm(patterns, axis=1, keepdims=True)
        some = patterns[:CUES]
        cues = jnp.asarray(some + 0.3 * rng.normal(size=some.shape))
        row = {"units": n, "patterns": count}
        for name, beta in (("1/sqrt(n)", n**-0.5), ("1", 1.0), ("4", 4.0)):
            found = np.asarray(ModernHopfield(patterns, beta).update(cues))
            row[f"error at beta {name}"] = float(
                np.linalg.norm(found - some) / np.linalg.norm(some)
            )
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    start, rng = time.perf_counter(), np.random.default_rng(0)
    report = {"classical": classical(rng), "modern": modern(rng)}
    report["seconds"] = round(time.perf_counter() - start, 1)
    if arguments.json:
        print(json.dumps(report, indent=1))
        return
    for row in report["classical"] + report["modern"]:
        print(row)


if __name__ == "__main__":
    main()
