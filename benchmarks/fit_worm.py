"""The worm fit: seconds to compile, seconds per 100 gradient steps, held-out scores.

    python benchmarks/fit_worm.py [--json] [--steps 500] [--shuffles 3]

One fit on later time is made twice, the first compiles; the difference is the compile time, the
rest of the second is training and scoring. Steps alone are timed as the slope between two warm
fits of different length. Scores are those of the full protocol: leave one animal out, with
shuffles.
"""

import argparse
import json
import statistics
import time

import jax

import neurojax as nj


def problem():
    """The recordings, and the circuit of all neurons labelled in any of them."""
    animals = nj.recordings.load("dag2023")
    labelled = {worm.labels[i] for worm in animals for i in worm.exact}
    cook = nj.connectomes.cook2019()
    wiring = cook.subset([name for name in cook.names if name in labelled])
    return nj.circuits.ConnectomeCircuit(wiring, key=jax.random.key(0)), animals


def seconds(steps: int, optimizer) -> float:
    """How long one fit and its scores take."""
    circuit, animals = problem()
    start = time.perf_counter()
    nj.fit(
        circuit, animals, observer=nj.fitting.EdgeObserver(), optimizer=optimizer, steps=steps,
        progress=False, key=jax.random.key(0),
    )  # fmt: skip
    return time.perf_counter() - start


def measure(steps: int, shuffles: int) -> dict:
    """All figures of this file."""
    import optax

    optimizer = optax.adam(optax.cosine_decay_schedule(0.02, steps))  # one program for all lengths
    first = seconds(100, optimizer)
    short = statistics.median(seconds(100, optimizer) for _ in range(3))
    long = statistics.median(seconds(400, optimizer) for _ in range(3))
    circuit, animals = problem()
    fit = nj.fit(
        circuit, animals, observer=nj.fitting.EdgeObserver(), steps=steps,
        hold_out=nj.fitting.LeaveOneAnimalOut(), controls=[nj.fitting.Shuffled(shuffles)],
        progress=False, key=jax.random.key(0),
    )  # fmt: skip
    scores = {}
    for protocol in fit.rows:
        gain = fit.connectome_gain(protocol)
        scores[protocol] = {
            "circuit_r": round(fit.scores(protocol).mean, 4),
            "above_shuffled": None if gain is None else round(float(gain.mean()), 4),
            "animals_above_shuffled": None if gain is None else int((gain > 0).sum()),
        }
    return {
        "benchmark": "fit_worm",
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "neurons": len(circuit.names),
        "compile_s": round(first - short, 2),
        "per_100_steps_s": round((long - short) / 3, 3),
        "fits": len(fit.jobs),
        "all_fits_s": round(fit.seconds, 1),
        "skipped_steps": fit.skipped,
        "scores": scores,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--shuffles", type=int, default=3)
    asked = parser.parse_args()
    found = measure(asked.steps, asked.shuffles)
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:18} {value}")


if __name__ == "__main__":
    main()
