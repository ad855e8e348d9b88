"""Hyper-parameters of an echo-state network by gradient, beside random ones at equal size.

Claim: a reservoir whose radius, leak, input scaling, bias scaling and ridge penalty follow the
gradient of the error beats the same reservoir (same weights, same size) with random ones. 100
units, NARMA-10 and Mackey-Glass 84 steps ahead, each series in three parts: the read-out is fitted
to the first, the error of the second is what tuning descends, the third is the test. Random ones
are drawn from the ranges below (uniform, or uniform in the logarithm); tuning begins in the middle
of the same ranges and stays within. The tuned reservoir is set beside the median draw; beside the
best in the second part of as many draws as the tuning takes evaluations; and, since an evaluation
with its gradient takes longer, beside the best of three times as many (`seconds` says how long
each took). Float64, five seeds (of weights, series and draws), medians of ratios within a seed.
`python benchmarks/tuned_reservoir.py --json`, one to two minutes.
"""

import argparse
import json
import os
import time

# one thread is best for matrices of this size
os.environ |= {"PJRT_NPROC": "1", "OPENBLAS_NUM_THREADS": "1"}

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import neurojax as nj

UNITS, SEEDS, EVALUATIONS, DRAWS, RATE = 100, 5, 60, 180, 0.1
WASHOUT, FIT, VALIDATION, TEST = 200, 1500, 750, 750
AHEAD = 84
# low, high, and whether the logarithm is uniform
RANGES = {
    "radius": (0.1, 1.5, False),
    "leak": (0.05, 1.0, False),
    "input_scaling": (0.05, 5.0, True),
    "bias_scaling": (0.01, 2.0, True),
    "penalty": (1e-10, 1e-1, True),
}


def narma(key):
    """Inputs and targets."""
    trial = nj.tasks.NARMA(10, length=WASHOUT + FIT + VALIDATION + TEST, dt=1.0).trial(key)
    return trial.inputs, trial.targets


def mackey_glass(key):
    """Inputs and targets."""
    steps = WASHOUT + FIT + VALIDATION + TEST
    x = nj.tasks.MackeyGlass().series(key, steps + AHEAD)
    return x[:steps], x[AHEAD:]


RANDOM = {
    "random, median": "the median of random hyper-parameters",
    f"random, best of {EVALUATIONS}": f"the best of {EVALUATIONS} random ones",
    f"random, best of {DRAWS}": f"the best of {DRAWS} random ones",
}
TASKS = {"NARMA-10": narma, f"Mackey-Glass, {AHEAD} steps ahead": mackey_glass}


def ends(name):
    """The range on the scale on which it is uniform."""
    low, high, log = RANGES[name]
    return (np.log(low), np.log(high)) if log else (low, high)


def values(numbers) -> dict:
    """Hyper-parameters from numbers on the scale on which they are uniform."""
    return {name: jnp.exp(x) if RANGES[name][2] else x for name, x in numbers.items()}


def errors(reservoir, numbers, inputs, targets):
    """NRMSE of validation and test."""
    given = values(numbers)
    where = lambda r: (r.radius, r.leak, r.input_scaling, r.bias_scaling)
    reservoir = eqx.tree_at(where, reservoir, tuple(given[name] for name in list(RANGES)[:4]))
    fitted = WASHOUT + FIT
    readout = nj.fitting.fit_readout(
        reservoir, inputs[:fitted], targets[:fitted],
        method=nj.fitting.Ridge(given["penalty"]), washout=WASHOUT,
    )  # fmt: skip
    off = readout.predict(inputs[fitted:], state=readout.state) - targets[fitted:]
    nrmse = lambda part: jnp.sqrt(jnp.mean(part**2)) / jnp.std(targets[WASHOUT:fitted])
    return nrmse(off[:VALIDATION]), nrmse(off[VALIDATION:])


def experiment(seed: int, task: str) -> dict:
    """One reservoir and one series: the errors of the start, the tuned and the random ones."""
    weights, series, draws = jax.random.split(jax.random.key(seed), 3)
    inputs, targets = TASKS[task](series)
    reservoir = nj.unwrap(nj.circuits.EchoState(UNITS, inputs=1, key=weights))
    both = eqx.filter_jit(lambda numbers: errors(reservoir, nj.unwrap(numbers), inputs, targets))

    middle = {name: nj.bounded(sum(ends(name)) / 2, *ends(name)) for name in RANGES}
    begun = time.perf_counter()
    tuned = nj.fitting.tune(
        lambda numbers: both(numbers)[0], middle, steps=EVALUATIONS, optimizer=optax.adam(RATE)
    )
    seconds = {"tuning": time.perf_counter() - begun}

    uniform = jax.random.uniform(draws, (DRAWS, len(RANGES)))
    drawn = {
        name: ends(name)[0] + uniform[:, i] * (ends(name)[1] - ends(name)[0])
        for i, name in enumerate(RANGES)
    }

    def one(draw):
        numbers = {name: column[draw] for name, column in drawn.items()}
        validation, test = errors(reservoir, numbers, inputs, targets)
        return {"validation": validation, "test": test}

    begun = time.perf_counter()
    table = nj.fitting.sweep(one, {"draw": np.arange(DRAWS)}, batch=20)
    seconds["random"] = time.perf_counter() - begun
    validation, test = (table.scores[name][0] for name in ("validation", "test"))
    few, many = (int(np.nanargmin(validation[:count])) for count in (EVALUATIONS, DRAWS))
    return {
        "seed": seed,
        "start": float(both(middle)[1]),
        "tuned": float(both(tuned.model)[1]),
        "tuned, validation": float(tuned.loss),
        "random, median": float(np.median(test)),
        f"random, best of {EVALUATIONS}": float(test[few]),
        f"random, best of {DRAWS}": float(test[many]),
        "random, share better than tuned": float(np.mean(test < both(tuned.model)[1])),
        "tuned to": {k: float(v) for k, v in values(nj.unwrap(tuned.model)).items()},
        "best draw": {k: float(v[many]) for k, v in values(drawn).items()},
        "seconds": {k: round(v, 1) for k, v in seconds.items()},
    }


def summary(rows: list[dict]) -> dict:
    """Medians over the seeds, and ratios within a seed."""
    each = lambda name: np.array([row[name] for row in rows])
    names = [name for name, value in rows[0].items() if isinstance(value, float)]
    result = {name: float(np.median(each(name))) for name in names}
    for other in ("start", *RANDOM):
        ratios = each("tuned") / each(other)
        result[f"tuned / {other}"] = float(np.median(ratios))
        result[f"tuned / {other}, by seed"] = ratios.round(4).tolist()
    return result


def claims(results: dict) -> list[dict]:
    """What was claimed, the figures, and whether they say so."""
    rows = []
    for task, result in results.items():
        for other, name in RANDOM.items():
            ratio = result[f"tuned / {other}"]
            by_seed = result[f"tuned / {other}, by seed"]
            rows.append({
                "claim": f"{task}: tuned by gradient has a smaller test error than {name}",
                "figures": {"ratio": ratio, "by seed": by_seed},
                "met": bool(ratio < 1.0),
                "met in all seeds": bool(max(by_seed) < 1.0),
            })  # fmt: skip
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    start = time.perf_counter()
    runs = {task: [experiment(seed, task) for seed in range(SEEDS)] for task in TASKS}
    results = {task: summary(rows) for task, rows in runs.items()}
    report = {
        "jax": jax.__version__,
        "units": UNITS,
        "evaluations": EVALUATIONS,
        "draws": DRAWS,
        "ranges": {name: [low, high, "log" if log else "linear"]
                   for name, (low, high, log) in RANGES.items()},
        "claims": claims(results),
        "results": results,
        "runs": runs,
        "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip
    if arguments.json:
        print(json.dumps(report, indent=1))
        return
    for row in report["claims"]:
        print(f"{'met' if row['met'] else 'NOT met':8} {row['claim']}: {row['figures']}")


if __name__ == "__main__":
    main()
