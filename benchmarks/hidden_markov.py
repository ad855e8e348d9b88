"""A recurrent circuit that turns noise into the sequences of a two-state hidden Markov model.

Claims (Torre et al. 2025, arXiv:2510.25674): trained by the Sinkhorn divergence between batches of
sequences, its symbols change as seldom as those of the chain; without noise its activity decays
to one fixed point, so that noise is what makes it jump. To be met after 1000 updates: every
probability to stay with the first or the last symbol within 0.06 of the chain's, volatility (the
share of steps at which the symbol changes) below 0.11, and silence without noise. 64 ReLU units,
16 channels of noise, sequences of 30 symbols, 192 in a batch; untrained volatility is about 2/3.
Five seeds. `python benchmarks/hidden_markov.py --json`, under three minutes.
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
from neurojax.analysis import dynamics
from neurojax.fitting.rules import Sinkhorn, straight_through

UNITS, CHANNELS, STEPS, BATCH, UPDATES = 64, 16, 30, 192, 1000
EPSILON, ITERATIONS = 0.3, 14
TASK = nj.tasks.HiddenMarkov.linear_chain(2, length=10.0 * STEPS, noise_channels=CHANNELS)
LONG = nj.tasks.HiddenMarkov.linear_chain(2, length=10.0 * 200, noise_channels=CHANNELS)
RULE = Sinkhorn(
    optax.chain(optax.clip_by_global_norm(0.9), optax.adam(2e-3, b2=0.9)),
    epsilon=EPSILON, iterations=ITERATIONS, freeze=["bias", "output_bias"],
)  # fmt: skip


def symbols(circuit, task, key) -> tuple:
    """One-hot symbols that a circuit draws from noise, and its rates."""
    trials_key, draw = jax.random.split(key)
    run = nj.fitting.unroll(circuit, task.trials(trials_key, 200))
    return straight_through(draw, run.outputs), run.rates


def statistics(circuit, key) -> dict:
    """Of long sequences."""
    drawn, _ = symbols(circuit, LONG, key)
    return {
        "volatility": round(float(LONG.volatility(drawn)), 4),
        "frequencies": np.round(np.asarray(LONG.frequencies(drawn), float), 3).tolist(),
        "transitions": np.round(np.asarray(LONG.transitions(drawn), float), 3).tolist(),
    }


def silent(circuit, key) -> dict:
    """What is left without noise: activity after 500 steps, and fixed points."""
    _, rates = symbols(circuit, LONG, key)
    starts = dynamics.sample_states(circuit, {"h": rates}, 200, noise=0.1, key=key)
    quiet = jnp.zeros((100, 500, CHANNELS))
    blank = nj.tasks.Trials(quiet, jnp.zeros((100, 500, 3)), dt=TASK.dt, initial=starts["h"][:100])
    left = nj.fitting.unroll(circuit, blank).rates[:, -1]
    # at zero, the kink of every unit, eigenvalues say nothing: the silent run shows what attracts
    found = dynamics.fixed_points(circuit, starts, dt=TASK.dt, spectra=False)
    norm = lambda x: float(jnp.max(jnp.linalg.norm(x, axis=-1)))
    return {
        "largest activity with noise": round(norm(states), 2),
        "largest activity after 500 silent steps": norm(left),
        "fixed points": len(found.fixed),
        "largest rate at a fixed point": float(jnp.max(jnp.abs(found.fixed.states["h"]))),
        "spectral radius of the weights": round(
            float(nj.circuits.spectral_radius(circuit.recurrent)), 2
        ),
    }


def experiment(seed: int) -> dict:
    """One circuit, before and after."""
    keys = jax.random.split(jax.random.key(seed), 4)
    circuit = nj.circuits.LeakyRNN(
        UNITS, inputs=CHANNELS, outputs=TASK.outputs, leak=1.0, nonlinearity="relu", key=keys[0],
    )  # fmt: skip
    start = time.process_time()
    trained = nj.train(
        circuit, TASK, rule=RULE, steps=UPDATES, batch=BATCH, key=keys[1], progress=False
    )
    return {
        "seed": seed,
        "before": statistics(circuit, keys[2]),
        "after": statistics(trained.circuit, keys[2]),
        "silent": silent(trained.circuit, keys[3]),
        "loss": [round(float(trained.losses[k]), 3) for k in (0, 249, 499, 749, 999)],
        "processor seconds of training": round(time.process_time() - start, 1),
    }


def judged(rows: list[dict]) -> dict:
    """Each claim in each seed, and for the medians."""
    wanted = np.asarray(TASK.expected_transitions())
    stay = np.array([np.diag(row["after"]["transitions"])[[0, 2]] for row in rows])
    off = np.abs(stay - np.diag(wanted)[[0, 2]]).max(axis=1)
    volatility = np.array([row["after"]["volatility"] for row in rows])
    left = np.array([row["silent"]["largest activity after 500 silent steps"] for row in rows])
    points = np.array([row["silent"]["fixed points"] for row in rows])
    met = lambda values, holds: {
        "seeds": int(np.sum(holds(values))),
        "median": float(np.median(values)),
        "met": bool(holds(np.median(values))),
    }
    return {
        "stay probabilities within 0.06": met(off, lambda x: x <= 0.06),
        "volatility below 0.11": met(volatility, lambda x: x < 0.11),
        "activity below 1e-3 after 500 silent steps": met(left, lambda x: x < 1e-3),
        "one fixed point": met(points, lambda x: x == 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    start = time.perf_counter()
    rows = [experiment(seed) for seed in range(arguments.seeds)]
    report = {
        "chain": {
            "volatility": round(float(TASK.expected_volatility()), 4),
            "frequencies": np.round(np.asarray(TASK.expected_frequencies(), float), 3).tolist(),
            "transitions": np.round(np.asarray(TASK.expected_transitions(), float), 3).tolist(),
        },
        "rows": rows,
        "claims": judged(rows),
        "seconds": round(time.perf_counter() - start, 1),
    }
    if arguments.json:
        print(json.dumps(report, indent=1))
        return
    print("chain", json.dumps(report["chain"]))
    for row in rows:
        print("\n".join(f"{name:30} {value}" for name, value in row.items()), end="\n\n")
    for name, found in report["claims"].items():
        print(f"{name}: {found['seeds']} of {len(rows)} seeds, median {found['median']:.3g}")
    print(report["seconds"], "seconds")


if __name__ == "__main__":
    main()
