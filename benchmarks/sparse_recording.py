"""Does it help to know some neurons, besides what a circuit puts out?

A stability-optimised circuit of 200 neurons makes 27 reaches (`CentreOutReach`). A
learner of 300 units is trained on 7 or 5 of them, on the two muscle outputs and on the rates of no
neuron, of some, or of all, and is judged on the other reaches. Claims (Salatiello and Giese 2020,
arXiv:2005.02211): it generalises better to untrained reaches, and what was not recorded becomes
more like the circuit too.

Rates are scaled by the maximum of each neuron over the training reaches, into the range of tanh.
Three ways to train:

- ridge: full-FORCE by ridge regression, six passes, a teacher of gain 1.5 (chaotic by itself);
  rates up to 0.5, where tanh is nearly linear: full-FORCE inverts it, and what the inverse bends
  no linear current can follow (0.5 was taken after 0.95, which left trained reaches worse)
- ridge, quiet teacher: the same with gain 1, so that the teacher's units follow what drives them
- gradient: Adam through time from weights of gain 1, rates up to 0.95, equal weights of the mean
  squared errors of outputs and of recorded units

R2 is over the movement and pooled over reaches; CKA is linear, of all 300 rates with all 200. For
scale there is the R2 of a regression of the outputs on (1, cos, sin) of the angle, one at each
time: a circuit below it has learnt the trained reaches rather than the family.
`python benchmarks/sparse_recording.py --json`; `--methods`, `--shares`, `--seeds` run a part.
"""

import argparse
import json
import os
import time

os.environ.setdefault("PJRT_NPROC", "1")  # one thread is best for circuits of this size

import jax
import jax.numpy as jnp
import numpy as np
import optax

import neurojax as nj
from neurojax.analysis.similarity import linear_cka
from neurojax.tasks.centre_out import CentreOutReach

UNITS, TAU, PASSES, UPDATES = 300, 50.0, 6, 200
SHARES = (0, 5, 10, 25, 50, 100)  # per cent
EVERY = {7: 4, 5: 6}  # trained reaches: every so many-th of 27

_adam = optax.adam(optax.cosine_decay_schedule(3e-3, UPDATES))
_clipped = optax.chain(optax.clip_by_global_norm(1.0), _adam)
METHODS = {  # rule, updates, and what the greatest rate of a neuron becomes
    "ridge": (nj.fitting.rules.FullFORCE(gain=1.5), PASSES, 0.5),
    "ridge, quiet teacher": (nj.fitting.rules.FullFORCE(gain=1.0), PASSES, 0.5),
    "gradient": (nj.fitting.rules.BPTT(_clipped), UPDATES, 0.95),
}


def pooled_r2(wanted, found, mask) -> float:
    """Share of the variance that is explained, over trials, counted times and channels."""
    wanted, found = (np.asarray(a, np.float64)[np.asarray(mask) > 0] for a in (wanted, found))
    return float(1 - np.sum((wanted - found) ** 2) / np.sum((wanted - wanted.mean(0)) ** 2))


def recording(trials, neurons, scale):
    """The trials with the scaled rates of some neurons, which the first units stand for."""
    rates = trials.activity[..., neurons] / scale[neurons] if len(neurons) else None
    return nj.tasks.Trials(
        trials.inputs, trials.targets, trials.mask, trials.conditions, dt=trials.dt, activity=rates
    )


def interpolation(trained, untrained) -> float:
    """R2 of outputs that are linear in the cosine and sine of the angle, at each time."""
    basis = lambda t: np.stack(
        [np.ones(len(t)), *(f(t.condition("angle")) for f in (np.cos, np.sin))]
    )
    flat = np.asarray(trained.targets, np.float64).reshape(len(trained), -1)
    weights = np.linalg.lstsq(basis(trained).T, flat, rcond=None)[0]
    found = (basis(untrained).T @ weights).reshape(untrained.targets.shape)
    return pooled_r2(untrained.targets, found, untrained.mask)


def one(task, method: str, every: int, share: int, seed: int) -> dict:
    """A learner trained and judged."""
    circuit_key, training_key, choice = jax.random.split(jax.random.key(seed), 3)
    rates = task.activity
    # the same order for all shares: what is recorded at 10 % is recorded at 25 % as well
    neurons = np.asarray(jax.random.permutation(choice, rates.shape[-1]))
    neurons = neurons[: round(share / 100 * rates.shape[-1])]
    trained, untrained = task.subset(every), task.left_out(every)
    rule, steps, fill = METHODS[method]
    scale = jnp.max(jnp.abs(trained.activity), axis=(0, 1)) / fill
    learn = recording(trained, neurons, scale)
    circuit = nj.circuits.RateRNN(
        UNITS, inputs=task.inputs, outputs=task.outputs, tau=TAU, key=circuit_key,
        recurrent=nj.circuits.Gaussian(1.0),
    )  # fmt: skip
    start = time.perf_counter()
    fitted = nj.train(circuit, learn, rule=rule, steps=steps, key=training_key, progress=False)
    seconds = time.perf_counter() - start
    run, new = (nj.fitting.unroll(fitted.circuit, trials) for trials in (trained, untrained))
    moving = np.asarray(untrained.mask) > 0
    found = {
        "trained": pooled_r2(trained.targets, run.outputs, trained.mask),
        "untrained": pooled_r2(untrained.targets, new.outputs, untrained.mask),
        "cka": float(linear_cka(new.rates[moving], untrained.activity[moving])),
        "seconds": seconds,
    }
    if len(neurons):
        wanted = untrained.activity[..., neurons] / scale[neurons]
        found["recorded"] = pooled_r2(wanted, new.rates[..., : len(neurons)], untrained.mask)
    return found


def summary(runs: list[dict]) -> dict:
    """Medians over seeds; for the untrained reaches the range and all values too."""
    medians = {name: round(float(np.median([run[name] for run in runs])), 4) for name in runs[0]}
    values = [round(run["untrained"], 4) for run in runs]
    return medians | {"untrained_range": [min(values), max(values)], "untrained_seeds": values}


def judged(rows: list[dict], method: str) -> dict:
    """What was to be shown, by one method."""
    rows = [row for row in rows if row["method"] == method]
    found = {"trained R2 above 0.99 up to 50 %": all(
        row["trained"] > 0.99 for row in rows if row["share"] <= 50
    )}  # fmt: skip
    for count in EVERY:
        by_share = {row["share"]: row for row in rows if row["reaches"] == count}
        ckas = [by_share[share]["cka"] for share in sorted(by_share)]
        found[f"CKA rises with the share, {count} reaches"] = bool(np.all(np.diff(ckas) > 0))
        if {0, 10} <= set(by_share):
            gain = by_share[10]["untrained"] - by_share[0]["untrained"]
            pairs = zip(
                by_share[10]["untrained_seeds"], by_share[0]["untrained_seeds"], strict=True
            )
            found[f"gain by 10 %, {count} reaches"] = {
                "of the medians": round(gain, 4),
                "median over seeds": round(float(np.median([a - b for a, b in pairs])), 4),
                "at least 0.05": bool(gain >= 0.05),
            }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--shares", nargs="+", type=int, default=SHARES, help="per cent")
    arguments = parser.parse_args()
    start = time.perf_counter()
    task = CentreOutReach()
    references = {
        count: round(interpolation(task.subset(every), task.left_out(every)), 4)
        for count, every in EVERY.items()
    }
    rows = []
    say = print if not arguments.json else lambda *line, **how: None
    say(f"{'method':22} reaches share  trained  untrained (range)      recorded   CKA  seconds")
    for method in arguments.methods:
        for count, every in EVERY.items():
            for share in arguments.shares:
                runs = [one(task, method, every, share, seed) for seed in range(arguments.seeds)]
                row = {"method": method, "reaches": count, "share": share} | summary(runs)
                rows.append(row)
                low, high = row["untrained_range"]
                say(
                    f"{method:22} {count:7} {share:4} %  {row['trained']:7.4f}  "
                    f"{row['untrained']:6.3f} ({low:.3f} - {high:.3f})  "
                    f"{row.get('recorded', float('nan')):8.3f}  {row['cka']:.3f}  "
                    f"{row['seconds']:6.1f}",
                    flush=True,
                )
    report = {
        "rows": rows,
        "interpolation": references,
        "judged": {method: judged(rows, method) for method in arguments.methods},
        "seeds": arguments.seeds,
        "seconds": round(time.perf_counter() - start, 1),
    }
    if arguments.json:
        print(json.dumps(report, indent=1))
        return
    print("linear interpolation of the outputs:", references)
    for method, found in report["judged"].items():
        print(method, json.dumps(found, indent=1))
    print(report["seconds"], "seconds")


if __name__ == "__main__":
    main()
