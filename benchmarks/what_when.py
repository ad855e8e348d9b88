"""What comes after a cue, when, and how likely it is, learnt by a spiking reservoir.

Claims (Yamada and Chao 2026, arXiv:2510.14382): two read-outs of one reservoir of Izhikevich
neurons, one for what and one for when, each taught by its own error, learn to foretell events
within a hundred trials; the height of the prediction is the probability of the event; after a
switch of latency or probability they learn anew, where FORCE does not. Here 400 neurons, two
events 150 and 300 ms after a cue, V at the start uncertain by 0.02 mV; after each trial a test
with the cue alone. An error is |z - z*| / |z*| of a test against what is to be expected, 1 without
any output; "after n trials" is the mean of the last ten tests. FORCE sees the same trials in the
same reservoir, fed back its own output; one row resets what it knows of correlations at the
switch, in one it is taught what is to be expected in place of what comes. In one row
latencies change places five times, with FORCE as it is and with a reset at each switch. Five
seeds, medians.
`python benchmarks/what_when.py --json`, five to ten minutes.
"""

import argparse
import json
import os
import time

os.environ.setdefault("PJRT_NPROC", "1")  # one thread is best for circuits of this size

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.circuits.reservoirs.izhikevich_reservoir import IzhikevichReservoir
from neurojax.fitting.force_readout import ForceReadout, ForceTrials
from neurojax.fitting.what_when import ErrorModulated, WhatWhen
from neurojax.tasks.meet import MEET, relative_error

UNITS, TRIALS, SEEDS, LAST, REPEATED = 400, 80, 5, 10, 5
PROBABILITIES = (0.1, 0.3, 0.5, 0.7, 0.9)
TASK = MEET()
RULE = ErrorModulated()
SWITCHES = {
    "latency": TASK.switched(latency=TASK.latency[::-1]),
    "probability": TASK.switched(probability=TASK.probability[::-1]),
    "both": TASK.switched(latency=TASK.latency[::-1], probability=TASK.probability[::-1]),
}


def reservoir(key):
    return IzhikevichReservoir(
        UNITS, inputs=TASK.inputs, outputs=TASK.outputs, feedback=1.0, jitter=0.02, key=key
    )


@eqx.filter_jit
def block(rule, circuit, readouts, task, key):
    """A block of trials: the read-outs, the error of each test, and the heights of its bumps."""
    draw, run = jax.random.split(key)
    test = task.cue_only()
    readouts, trace = rule.trials(circuit, readouts, task.trials(draw, TRIALS), key=run, test=test)
    errors = jax.vmap(lambda outputs: relative_error(test, outputs))(trace.outputs)
    at = jnp.round(task.latency / task.dt).astype(int)
    heights = trace.outputs[:, at, jnp.arange(task.outputs)]
    return readouts, errors, heights, jnp.mean(trace.activity) / circuit.tau_trace * 1e3


def course(errors) -> dict:
    """Errors in the course of a block."""
    errors = np.asarray(errors)
    return {
        "after 1": float(errors[0]),
        "after 10": float(errors[:10].mean()),
        "after 50": float(errors[50 - LAST : 50].mean()),
        f"after {TRIALS}": float(errors[-LAST:].mean()),
    }


def before(rule, circuit, readouts, task, key) -> float:
    """The error of one test, before anything of the block is learnt."""
    _, trace = eqx.filter_jit(rule.trial)(circuit, readouts, task.cue_only(), key=key, learn=False)
    return float(relative_error(task.cue_only(), trace.outputs))


def blocks(rule, circuit, start, keys, reset: bool = False) -> dict:
    """A first block, and one after each switch."""
    learnt, errors, _, _ = block(rule, circuit, start, TASK, keys[0])
    result = {"first block": course(errors)}
    for name, task in SWITCHES.items():
        begun = learnt.reset() if reset else learnt
        _, errors, _, _ = block(rule, circuit, begun, task, keys[1])
        at_once = {"before": before(rule, circuit, learnt, task, keys[2])}
        result[f"switch of {name}"] = at_once | course(errors)
    return result


def many_switches(rule, circuit, readouts, key, reset: bool = False) -> list[float]:
    """The error at the end of each block where latencies change places from block to block."""
    ends = []
    for number, own in enumerate(jax.random.split(key, 1 + REPEATED)):
        task = SWITCHES["latency"] if number % 2 else TASK
        begun = readouts.reset() if reset and number else readouts
        readouts, errors, _, _ = block(rule, circuit, begun, task, own)
        ends.append(course(errors)[f"after {TRIALS}"])
    return ends


def experiment(seed: int) -> dict:
    circuit_key, *keys = jax.random.split(jax.random.key(seed), 5)
    circuit = reservoir(circuit_key)
    start, force = WhatWhen.start(circuit), ForceReadout.start(circuit)
    row: dict = {"seed": seed, "what/when": blocks(RULE, circuit, start, keys)}
    heights, errors = [], []
    for p in PROBABILITIES:
        task = TASK.switched(probability=(p, 1.0 - p))
        _, error, height, rate = block(RULE, circuit, start, task, keys[3])
        heights.append(np.asarray(height[-LAST:].mean(axis=0)))
        errors.append(float(error[-LAST:].mean()))
    heights = np.array(heights)
    row["mean rate (Hz)"] = float(rate)
    row["heights of A"], row["heights of B"] = heights[:, 0].tolist(), heights[:, 1].tolist()
    row["errors by probability of A"] = errors
    for event in (0, 1):
        row[f"r of height {'AB'[event]} and p(A)"] = float(
            np.corrcoef(PROBABILITIES, heights[:, event])[0, 1]
        )
    row["FORCE"] = blocks(ForceTrials(), circuit, force, keys)
    row["FORCE, reset at the switch"] = blocks(ForceTrials(), circuit, force, keys, reset=True)
    row["FORCE, taught the expectation"] = blocks(ForceTrials("expectation"), circuit, force, keys)
    row["error at the end of blocks, latency switched each time"] = {
        "what/when": many_switches(RULE, circuit, start, keys[0]),
        "FORCE": many_switches(ForceTrials(), circuit, force, keys[0]),
        "FORCE, reset": many_switches(ForceTrials(), circuit, force, keys[0], reset=True),
    }
    shown = eqx.tree_at(lambda t: t.event_strength, TASK, jnp.ones(()))
    silent = eqx.tree_at(lambda c: c.jitter, circuit, jnp.zeros(()))
    others = {
        "'when' alone fed back": (ErrorModulated(fed_back="when"), circuit, TASK),
        "gate of 60 ms around the event": (ErrorModulated(window=60.0), circuit, TASK),
        "no jitter": (RULE, silent, TASK),
        "events drive the reservoir in training": (RULE, circuit, shown),
    }
    row["other conditions, first block"] = {
        name: course(block(rule, used, start, task, keys[0])[1])
        for name, (rule, used, task) in others.items()
    }
    return row


def median(rows):
    """Medians over seeds of every number, entry by entry."""
    if isinstance(rows[0], dict):
        return {name: median([row[name] for row in rows]) for name in rows[0] if name != "seed"}
    return np.round(np.median(np.array(rows), axis=0), 3).tolist()


def judged(rows: list[dict]) -> dict:
    """Each claim: the figure of each seed, and whether the median meets it."""
    end = f"after {TRIALS}"
    fall = [1.0 - row["what/when"]["first block"][end] for row in rows]
    high = [row["r of height A and p(A)"] for row in rows]
    anew, beside = [], []
    for row in rows:
        ours, force = (row[name]["switch of latency"] for name in ("what/when", "FORCE"))
        anew.append(1.0 - ours[end] / ours["before"])
        beside.append(1.0 - force[end] / force["before"])
    repeated = [row["error at the end of blocks, latency switched each time"] for row in rows]
    after_many, after_resets = (
        [r[name][-1] - r["what/when"][-1] for r in repeated] for name in ("FORCE", "FORCE, reset")
    )
    mean = lambda r, name: float(np.mean(r[name][1:]))
    all_resets = [mean(r, "FORCE, reset") - mean(r, "what/when") for r in repeated]
    claims = {
        "error falls by 40 % in 80 trials": (fall, np.median(fall) >= 0.4),
        "height correlates with probability above 0.95": (high, np.median(high) > 0.95),
        "after a switch of latency its error falls by a larger share than that of FORCE": (
            np.subtract(anew, beside).tolist(), np.median(np.subtract(anew, beside)) > 0.0,
        ),
        f"after {REPEATED} switches its error is smaller than that of FORCE": (
            after_many, np.median(after_many) > 0.0,
        ),
        f"after {REPEATED} switches its error is smaller than that of FORCE, reset at each": (
            after_resets, np.median(after_resets) > 0.0,
        ),
        f"over {REPEATED} switches its mean error is smaller than that of FORCE, reset at each": (
            all_resets, np.median(all_resets) > 0.0,
        ),
    }  # fmt: skip
    return {
        name: {"seeds": np.round(v, 3).tolist(), "median": round(float(np.median(v)), 3),
               "met": bool(met)}
        for name, (v, met) in claims.items()
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    arguments = parser.parse_args()
    start = time.perf_counter()
    rows = [experiment(seed) for seed in range(SEEDS)]
    report = {"jax": jax.__version__, "claims": judged(rows), "medians": median(rows), "rows": rows}
    report["seconds"] = round(time.perf_counter() - start, 1)
    if arguments.json:
        print(json.dumps(report, indent=1))
        return
    for name, value in report["medians"].items():
        print(name, json.dumps(value, indent=1), end="\n\n")
    for name, claim in report["claims"].items():
        print(f"{name}: {claim['median']} ({'met' if claim['met'] else 'not met'})")
    print("jax", report["jax"], report["seconds"], "seconds")


if __name__ == "__main__":
    main()
