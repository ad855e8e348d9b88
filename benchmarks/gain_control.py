"""Adaptation to an orientation that is shown often, by gains in a fixed recurrent circuit.

Claims (Duong et al. 2023, arXiv:2305.19869): in an ensemble where one orientation comes up three
times in ten, the gain of the neurons that prefer it falls, and so does their response; tuning
curves beside it are repelled; mean responses become more equal over neurons. Two prices of
activity; 90 orientations; local excitation (8 degrees, sum 0.6) and broad inhibition (sum 0.3).
`python benchmarks/gain_control.py --json`, under a minute.
"""

import argparse
import json
import time

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.circuits import GainControl, adapt_gains

N, ADAPTER, SHARE = 90, 45, 0.3
FLANK = 15  # neurons, 30 degrees
BESIDE = 5  # neurons, 10 degrees


def orientations():
    """Recurrent weights, and the drive of each orientation (one per row)."""
    angle = np.arange(N) * 180.0 / N
    apart = np.abs(np.subtract.outer(angle, angle))
    apart = np.minimum(apart, 180.0 - apart)
    near = np.exp(-0.5 * (apart / 8.0) ** 2)
    weights = 0.6 * near / near.sum(axis=1, keepdims=True) - 0.3 / N
    return weights, np.exp(-0.5 * (apart / 12.0) ** 2)


def preferred(responses, neuron):
    """The peak of a tuning curve in degrees, by a parabola through three orientations."""
    curve = responses[:, neuron]
    k = int(curve.argmax())
    a, b, c = curve[k - 1 : k + 2]
    return (k + 0.5 * (a - c) / (a - 2 * b + c)) * 180.0 / N


def experiment(activity: float) -> dict:
    weights, drives = (jnp.asarray(x) for x in orientations())
    biased = np.full(N, (1 - SHARE) / (N - 1))
    biased[ADAPTER] = SHARE
    adapt = lambda p: adapt_gains(
        GainControl(weights), drives, jnp.asarray(p), activity=activity, homeostasis=20.0 / N
    )[0]
    uniform, adapted = adapt(np.full(N, 1.0 / N)), adapt(biased)
    gain = np.asarray(adapted.gain / uniform.gain)
    before, after = (np.asarray(c.response(drives)) for c in (uniform, adapted))
    unequal = lambda z: float(np.std(biased @ z) / np.mean(biased @ z))
    shift = lambda i: preferred(after, i) - preferred(before, i)
    return {
        "activity": activity,
        "gain at the adapter": float(gain[ADAPTER]),
        "gain 30 degrees away": float(gain[ADAPTER + FLANK]),
        "peak response at the adapter": float(after[:, ADAPTER].max() / before[:, ADAPTER].max()),
        "variation of mean responses": [unequal(before), unequal(after)],
        "repulsion at -10 and 10 degrees": [
            float(-shift(ADAPTER - BESIDE)),
            float(shift(ADAPTER + BESIDE)),
        ],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    start = time.perf_counter()
    results = [experiment(activity) for activity in (0.3, 1.0)]
    report = {"results": results, "seconds": round(time.perf_counter() - start, 1)}
    if arguments.json:
        print(json.dumps(report, indent=1))
        return
    for row in results:
        print("\n".join(f"{name:34} {value}" for name, value in row.items()), end="\n\n")


if __name__ == "__main__":
    main()
