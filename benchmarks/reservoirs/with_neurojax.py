"""Reservoirs in neurojax, in single or double precision."""

import platform
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import neurojax as nj

sys.path.insert(0, str(Path(__file__).parents[1] / "simulators"))
import reservoir_problem as p
from protocol import Stopwatch, serve

built = {}


def build(backend, what, **size):
    jax.config.update("jax_enable_x64", backend == "float64")
    built.clear()
    built.update(what=what)
    if what == "ridge":
        built["X"], built["y"] = p.regression(size["samples"], size["n"])
    else:
        W, Win, bias = p.matrices(size["n"], size["density"])
        if what == "run":
            W = p.RADIUS * W
        built["r"] = nj.circuits.EchoState(
            size["n"], inputs=1, recurrent=W, radius=None if what == "run" else 1.0,
            input=Win, bias=bias, bias_scaling=1.0,
        )  # fmt: skip
        if what == "sweep":  # the radius is a factor here, as in the other libraries
            built["r"] = eqx.tree_at(lambda r: r.unit, built["r"], jnp.array(1.0))
        built["u"] = p.noise(size["steps"], size.get("series"))
    with Stopwatch() as watch:
        answer = once()
    versions = {"neurojax": nj.__version__, "jax": jax.__version__,
                "python": platform.python_version()}  # fmt: skip
    return {"first_s": watch.cpu, "versions": versions, **answer}


def once():
    if built["what"] == "run":
        rates = np.asarray(nj.fitting.drive(built["r"], built["u"]).rates)
        last = rates[..., -1, :].astype(float)
        return {"check": float(np.sqrt(np.mean(last**2))), "dtype": str(rates.dtype)}
    if built["what"] == "ridge":
        X, y = built["X"], built["y"]
        found = nj.fitting.Ridge(p.PENALTY).solve(X[None], y[None], np.ones((1, len(X))))
        miss = X @ found.weights.T + found.bias - y
        return {"check": float(np.sqrt(np.mean(miss**2))), "solver": found.solver}
    u, y = built["u"], p.memory(built["u"])
    split = 3 * len(u) // 4
    if "error" not in built:

        def error(reservoir, radius, leak):
            changed = eqx.tree_at(lambda r: (r.radius, r.leak), reservoir, (radius, leak))
            method = nj.fitting.Ridge(p.PENALTY)
            fitted = nj.fitting.fit_readout(changed, u[:split], y[:split], method=method,
                                            washout=p.WASHOUT)  # fmt: skip
            later = fitted.predict(u[split:], state=fitted.state)
            return jnp.mean((later - y[split:]) ** 2)

        built["error"] = error
    table = nj.fitting.sweep(built["error"], p.SWEEP, models=built["r"])
    errors = table.scores["score"].ravel().tolist()
    return {"check": min(errors), "errors": errors}


def run(repeats):
    with Stopwatch() as watch:
        for _ in range(repeats):
            answer = once()
    return {"cpu_s": watch.cpu / repeats, "wall_s": watch.wall / repeats, **answer}


if __name__ == "__main__":
    serve(build, run)
