"""Rich or lazy learning by the rank of the weights that a circuit begins with.

Claim (Liu et al. 2023, arXiv:2310.08513): of initial weights of equal Frobenius norm, those of
lower rank change more when a task is learnt (richer), and representation and tangent kernel stay
less like the initial ones. 100 ReLU units without leak or biases learn a decision between two
noisy stimuli (700 ms, steps of 100 ms) by gradient descent with momentum on the cross-entropy of
all steps; 3000 updates, five seeds, at the paper's initial gain of 1.25 and at 1. Circuits of a
seed have the same training trials and weights cut from the same draw; they are compared at the
end, and where each first reaches the loss (on trials apart) that all ranks of the seed reach.
`python benchmarks/rich_lazy.py --json`, about two minutes.
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
import optax

import neurojax as nj
from neurojax.analysis import (
    kernel_alignment,
    representation_alignment,
    tangent_kernel,
    weight_change,
)

UNITS, RANKS, GAINS = 100, (1, 5, 20, 100), (1.25, 1.0)
UPDATES, EVERY, BATCH, SEEDS = 3000, 50, 32, 5
TASK = nj.tasks.PerceptualDecision(
    fixation=100.0, stimulus=700.0, decision=100.0, grace=0.0, dt=100.0
)
RULE = nj.fitting.rules.BPTT(
    optax.sgd(0.003, momentum=0.9), loss="cross_entropy", freeze=["bias", "output_bias"]
)


def trials(key, count: int):
    """Trials of the decision with three classes: wait, 1, -1."""
    drawn = TASK.trials(key, count)
    classes = jnp.concatenate([drawn.targets == value for value in (0, 1, -1)], axis=-1)
    return nj.tasks.Trials(
        drawn.inputs, classes.astype(drawn.inputs.dtype), drawn.mask, drawn.conditions, dt=drawn.dt
    )


def begin(keys, rank: int, gain: float):
    """Circuits before learning, one per key, and the states of the rule."""

    def one(key):
        circuit = nj.circuits.LeakyRNN(
            UNITS, inputs=3, outputs=3, leak=1.0, nonlinearity="relu", key=key,
            recurrent=nj.circuits.Truncated(rank, gain),
        )  # fmt: skip
        return circuit, RULE.init(circuit, trials(key, 1), key)

    return eqx.filter_vmap(one)(keys)


@eqx.filter_jit
def advance(circuits, states, keys, first):
    """`EVERY` updates of all circuits, and their losses on trials that are kept for this."""

    apart = trials(jax.random.key(1), 500)

    def one(circuit, state, key):
        moving, static = eqx.partition((circuit, state), eqx.is_array)

        def update(moving, number):
            circuit, state = eqx.combine(moving, static)
            drawn = trials(jax.random.fold_in(key, number), BATCH)
            circuit, state, _ = RULE.update(circuit, state, drawn, None)
            return eqx.filter((circuit, state), eqx.is_array), None

        moving, _ = jax.lax.scan(update, moving, first + jnp.arange(EVERY))
        circuit, state = eqx.combine(moving, static)
        return circuit, state, RULE.value(circuit, apart)

    return eqx.filter_vmap(one)(circuits, states, keys)


def learn(rank: int, gain: float):
    """Circuits before, and after each `EVERY` updates with their losses (time, seed)."""
    keys = jax.random.split(jax.random.key(0), SEEDS)
    before, states = begin(keys, rank, gain)
    circuits, course, losses = before, [], []
    for first in range(0, UPDATES, EVERY):
        circuits, states, loss = advance(circuits, states, keys, jnp.asarray(first))
        course.append(circuits)
        losses.append(np.asarray(loss))
    return before, course, np.stack(losses)


def seed_of(circuits, seed: int):
    """One of the circuits."""
    return jax.tree.map(lambda x: x[seed] if eqx.is_array(x) else x, circuits)


@eqx.filter_jit
def compare(before, after):
    """Change of the recurrent weights, and alignments at the decision."""
    shown = trials(jax.random.key(2), 10 * BATCH)

    def rates(circuit):
        return nj.fitting.unroll(circuit, shown).rates[:, -1]

    def kernel(circuit):
        def outputs(weights):
            changed = eqx.tree_at(lambda c: c.recurrent, circuit, weights)
            return nj.fitting.unroll(changed, shown[:BATCH]).outputs[:, -1]

        return tangent_kernel(outputs, circuit.recurrent)

    return {
        "weight change": weight_change(before.recurrent, after.recurrent),
        "kernel alignment": kernel_alignment(kernel(before), kernel(after)),
        "representation alignment": representation_alignment(rates(before), rates(after)),
    }


def experiment(gain: float) -> list[dict]:
    """A row for each rank: at a common loss, and at the end; values of each seed."""
    learnt = [learn(rank, gain) for rank in RANKS]
    # the loss that the circuits of all ranks reach, for each seed
    common = np.max([losses.min(axis=0) for _, _, losses in learnt], axis=0)
    rows = []
    for rank, (before, course, losses) in zip(RANKS, learnt, strict=True):
        row = {"gain": gain, "rank": rank}
        reached = np.argmax(losses <= common, axis=0)
        for when, at in (("common loss", reached), ("end", np.full(SEEDS, len(course) - 1))):
            found = [
                compare(seed_of(before, seed), seed_of(course[step], seed))
                for seed, step in enumerate(at)
            ]
            row[when] = {
                name: [round(float(one[name]), 4) for one in found] for name in found[0]
            } | {
                "loss": [round(float(losses[step, seed]), 4) for seed, step in enumerate(at)],
                "updates": [int(EVERY * (step + 1)) for step in at],
            }
        rows.append(row)
    return rows


def judged(rows: list[dict], when: str) -> dict:
    """Whether the claims hold, for the medians over seeds and for how many seeds."""
    table = lambda name: np.array([row[when][name] for row in rows])  # rank, seed
    changes = table("weight change")
    falls = lambda x: np.all(np.diff(x, axis=0) < 0, axis=0)
    found = {
        "weight change falls with rank": bool(falls(np.median(changes, axis=1))),
        "seeds in which it does": int(falls(changes).sum()),
    }
    for name in ("kernel alignment", "representation alignment"):
        values = np.median(table(name), axis=1)
        found[f"{name} lowest at rank 1"] = bool(np.argmin(values) == 0)
        found[f"{name} rises with rank"] = bool(np.all(np.diff(values) > 0))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    arguments = parser.parse_args()
    start = time.perf_counter()
    results = []
    for gain in GAINS:
        rows = experiment(gain)
        claims = {when: judged(rows, when) for when in ("common loss", "end")}
        results.append({"gain": gain, "rows": rows, "claims": claims})
    report = {
        "results": results, "seeds": SEEDS, "seconds": round(time.perf_counter() - start, 1)
    }  # fmt: skip
    if arguments.json:
        print(json.dumps(report, indent=1))
        return
    median = lambda x: float(np.median(x))
    for result in results:
        for when, claims in result["claims"].items():
            print(f"gain {result['gain']}, at the {when}, medians of {SEEDS} seeds")
            print("rank    loss  weight change  kernel alignment  representation alignment")
            for row in result["rows"]:
                found = row[when]
                print(
                    f"{row['rank']:4}  {median(found['loss']):6.4f}  "
                    f"{median(found['weight change']):13.3f}  "
                    f"{median(found['kernel alignment']):16.3f}  "
                    f"{median(found['representation alignment']):24.3f}"
                )
            print("\n".join(f"  {name}: {met}" for name, met in claims.items()), end="\n\n")
    print(report["seconds"], "seconds")


if __name__ == "__main__":
    main()
