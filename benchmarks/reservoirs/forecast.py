"""The Mackey-Glass series (tau 17) one step and 84 steps ahead, with 1000 units."""

import json
import sys

import jax
import numpy as np

import neurojax as nj


def main():
    """Print the NRMSE of each seed as JSON."""
    seeds, double = int(sys.argv[2]), bool(int(sys.argv[3]))
    with jax.enable_x64(True):  # the series is the same in both precisions
        x = np.asarray(nj.tasks.MackeyGlass().solve(1.2, 10_300))[200:, None]
    x = 2 * (x - x.min()) / (x.max() - x.min()) - 1
    found = {"one_step": [], "steps_84": []}
    with jax.enable_x64(double):
        for seed in range(seeds):
            reservoir = nj.circuits.EchoState(
                1000, inputs=1, radius=0.9, density=0.1, bias_scaling=1.0, key=jax.random.key(seed)
            )
            for name, ahead in (("one_step", 1), ("steps_84", 84)):
                u, y = x[:10_000], x[ahead : 10_000 + ahead]
                method = nj.fitting.Ridge(1e-10)
                fitted = nj.fitting.fit_readout(
                    reservoir, u[:8000], y[:8000], method=method, washout=100
                )
                miss = fitted.predict(u[8000:], state=fitted.state) - y[8000:]
                found[name].append(float(np.sqrt(np.mean(miss**2)) / y[8000:].std()))
    print(json.dumps(found))
