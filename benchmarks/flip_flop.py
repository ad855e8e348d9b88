"""The memory of a trained 3-bit flip-flop: eight stable fixed points, and saddles between them.

Claim (Sussillo and Barak 2013, Neural Comput. 25:626): a network that learns to hold the last
pulse of three inputs keeps the eight combinations in stable fixed points near the corners of a
cube; points with one unstable direction sit between neighbours and decide which bit flips.
Here 64 tanh units (`RateRNN`) learn by backpropagation through time, five seeds; points are looked
for from 1000 states, each on the line between two that the circuit visited. A saddle joins two
memories if the circuit, nudged to both sides along its unstable direction, runs to them. As the
flow points inwards far from zero, the sum of (-1)^(unstable directions) over all points is 1:
another sum says that some were missed.
`python benchmarks/flip_flop.py --json`, about a minute; `--figure flip_flop.png` draws seed 0.
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
from neurojax.analysis import dynamics

BITS, UNITS, TAU, UPDATES, BATCH, SEEDS = 3, 64, 50.0, 600, 32, 5
STARTS, NUDGE, RUN = 1000, 0.1, 300  # the last in steps
VIEW = ((1.0, 0.0, 0.35), (0.0, 1.0, 0.2))  # of the cube in the picture
TASK = nj.tasks.FlipFlop(bits=BITS)
RULE = nj.fitting.rules.BPTT(
    optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(5e-3, UPDATES))
    )
)


def learn(key):
    """A trained circuit."""
    circuit_key, training_key = jax.random.split(key)
    circuit = nj.circuits.RateRNN(
        UNITS, inputs=BITS, outputs=BITS, tau=TAU, key=circuit_key,
        recurrent=nj.circuits.Gaussian(1.0),
    )  # fmt: skip
    return nj.train(
        circuit, TASK, rule=RULE, steps=UPDATES, batch=BATCH, key=training_key, progress=False
    ).circuit


def between(circuit, states, key):
    """States on the lines between pairs of those that were visited: saddles lie there."""
    keys = jax.random.split(key, 3)
    draw = lambda k: dynamics.sample_states(circuit, states, STARTS, noise=0.2, key=k)["x"]
    pairs = [draw(k) for k in keys[:2]]
    share = jax.random.uniform(keys[2], (STARTS, 1))
    return {"x": share * pairs[0] + (1.0 - share) * pairs[1]}


def leads_to(circuit, states):
    """Where the circuit is after a while without input, from states (trial, unit)."""
    silent = jnp.zeros((len(states), RUN, BITS))
    trials = nj.tasks.Trials(silent, silent, dt=TASK.dt, initial=states)
    return nj.fitting.unroll(circuit, trials).states["x"][:, -1]


def joined(circuit, saddles, memories) -> list[tuple[int, int] | None]:
    """For each saddle the two memories that it lies between; `None` if it leads elsewhere."""
    points = np.asarray(saddles.states["x"])
    sides = []
    for point in points:
        jacobian = np.asarray(dynamics.jacobian(circuit, {"x": jnp.asarray(point)}))
        values, vectors = np.linalg.eig(jacobian)
        away = vectors[:, np.argmax(values.real)].real
        sides += [point + NUDGE * away, point - NUDGE * away]
    ends = np.asarray(leads_to(circuit, jnp.asarray(np.stack(sides), points.dtype)))
    apart = np.linalg.norm(ends[:, None] - np.asarray(memories.states["x"])[None], axis=-1)
    spread = np.sqrt(np.mean(np.sum(np.asarray(memories.states["x"]) ** 2, axis=1)))
    nearest = np.where(apart.min(axis=1) < 0.05 * spread, apart.argmin(axis=1), -1)
    pairs = nearest.reshape(-1, 2).tolist()
    return [(a, b) if a >= 0 and b >= 0 and a != b else None for a, b in pairs]


def experiment(seed: int) -> tuple[dict, tuple]:
    """What a trained circuit holds; and what is drawn."""
    learn_key, trial_key, start_key = jax.random.split(jax.random.key(seed), 3)
    circuit = learn(learn_key)
    trials = TASK.trials(trial_key, 64)
    run = nj.fitting.unroll(circuit, trials)
    starts = between(circuit, run.states, start_key)
    found = dynamics.fixed_points(circuit, starts)
    fixed = found.fixed
    directions = fixed.unstable_directions
    memories, saddles = fixed.select(fixed.stable), fixed.select(directions == 1)
    outputs = np.asarray(circuit.read_out(circuit.rates(memories.states)))
    bits = [tuple(row) for row in np.sign(outputs).astype(int).tolist()]
    pairs = joined(circuit, saddles, memories) if len(saddles) else []
    flips = [pair and sum(a != b for a, b in zip(*(bits[m] for m in pair), strict=True))
             for pair in pairs]  # fmt: skip
    row = {
        "seed": seed,
        "score": round(float(TASK.score(trials, run.outputs).mean()), 4),
        "stable points": len(memories),
        "combinations of bits": len(set(bits)),
        "largest error of an output": round(float(np.abs(np.abs(outputs) - 1.0).max()), 3),
        "points by unstable directions": np.bincount(directions).tolist(),
        "slow points": len(found.slow),
        "sum of (-1)^directions": int(np.sum((-1.0) ** directions)),
        "saddles between two memories": sum(pair is not None for pair in pairs),
        "pairs of one bit apart that are joined": len(
            {frozenset(pair) for pair, flip in zip(pairs, flips, strict=True) if flip == 1}
        ),
        "time constants of the saddles (ms)": sorted(
            round(float(1.0 / values[0].real), 1) for values in np.asarray(saddles.eigenvalues)
        ),
    }
    # what is drawn: outputs, where the memories are the corners of a cube that is seen obliquely
    shown = circuit.read_out(circuit.rates(found.states))
    seen = eqx.tree_at(lambda f: f.states, found, {"z": np.asarray(shown)})
    return row, (np.asarray(run.outputs)[:12], seen)


def judged(rows: list[dict]) -> dict:
    """In how many seeds each claim is met."""
    count = 2**BITS
    claims = {
        f"{count} stable points, one for each combination of bits": [
            row["stable points"] == row["combinations of bits"] == count for row in rows
        ],
        "every saddle with one unstable direction lies between two memories": [
            row["saddles between two memories"] == row["points by unstable directions"][1]
            for row in rows
        ],
        "all memories that are one bit apart are joined by a saddle": [
            row["pairs of one bit apart that are joined"] == BITS * count // 2 for row in rows
        ],
        "no point was missed, by the sum": [row["sum of (-1)^directions"] == 1 for row in rows],
    }
    return {
        name: {"seeds": sum(met), "met in the median": 2 * sum(met) > len(met)}
        for name, met in claims.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--figure", help="a file for a picture of the first seed")
    arguments = parser.parse_args()
    start, rows = time.perf_counter(), []
    for seed in range(SEEDS):
        row, drawn = experiment(seed)
        rows.append(row)
        if seed == 0 and arguments.figure:
            axes = nj.plotting.flow(*drawn, plane=VIEW, labels=("", ""))
            axes.figure.savefig(arguments.figure, bbox_inches="tight", dpi=150)
    report = {"rows": rows, "claims": judged(rows)}
    report["seconds"] = round(time.perf_counter() - start, 1)
    if arguments.json:
        print(json.dumps(report, indent=1))
        return
    for row in rows:
        print("\n".join(f"{name:39} {value}" for name, value in row.items()), end="\n\n")
    for name, met in report["claims"].items():
        print(f"{name}: {met['seeds']} of {SEEDS} seeds")
    print(report["seconds"], "seconds")


if __name__ == "__main__":
    main()
