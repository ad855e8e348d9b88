"""Reservoirs in reservoirpy: numpy, or its jax backend where `backend` says so."""

import platform
import sys
from pathlib import Path

import numpy as np
import reservoirpy

sys.path.insert(0, str(Path(__file__).parents[1] / "simulators"))
import reservoir_problem as p
from protocol import Stopwatch, serve

built = {}


def nodes(backend):
    if backend == "jax":
        import reservoirpy.jax.nodes as found
    else:
        import reservoirpy.nodes as found
    return found


def reservoir(backend, W, Win, bias, radius, leak=1.0):
    library = nodes(backend)
    if backend == "jax":
        import jax.numpy as jnp
        from jax.experimental import sparse

        dense = not hasattr(W, "tocsr")
        W = jnp.asarray(radius * W) if dense else sparse.BCOO.from_scipy_sparse(radius * W)
        Win, bias = jnp.asarray(Win), jnp.asarray(bias)
    else:
        W = radius * W
    return library.Reservoir(units=W.shape[0], lr=leak, W=W, Win=Win, bias=bias, input_dim=1)


def build(backend, what, **size):
    built.clear()
    built.update(what=what, backend=backend)
    if what == "run":
        parts = p.matrices(size["n"], size["density"])
        built["r"] = reservoir(backend, *parts, p.RADIUS)
        built["u"] = p.noise(size["steps"], size.get("series"))
    elif what == "ridge":
        built["X"], built["y"] = p.regression(size["samples"], size["n"])
    else:
        built["parts"] = p.matrices(size["n"], size["density"])
        built["u"] = p.noise(size["steps"])
    with Stopwatch() as watch:
        answer = once()
    versions = {"reservoirpy": reservoirpy.__version__, "python": platform.python_version()}
    return {"first_s": watch.cpu, "versions": versions, **answer}


def once():
    if built["what"] == "run":
        if getattr(built["r"], "initialized", False):
            built["r"].reset()
        rates = np.asarray(built["r"].run(built["u"]))
        last = rates[..., -1, :]
        return {"check": float(np.sqrt(np.mean(last**2))), "dtype": str(rates.dtype)}
    if built["what"] == "ridge":
        node = nodes(built["backend"]).Ridge(ridge=p.PENALTY)
        node.fit(built["X"], built["y"])
        miss = np.asarray(node.run(built["X"])) - built["y"]
        return {"check": float(np.sqrt(np.mean(miss**2)))}
    W, Win, bias = built["parts"]
    u, y = built["u"], p.memory(built["u"])
    split, errors = 3 * len(u) // 4, []
    for radius in p.SWEEP["radius"]:
        for leak in p.SWEEP["leak"]:
            r = reservoir(built["backend"], W, Win, bias, radius, leak)
            readout = nodes(built["backend"]).Ridge(ridge=p.PENALTY)
            rates = np.asarray(r.run(u))
            readout.fit(rates[p.WASHOUT : split], y[p.WASHOUT : split])
            errors.append(float(np.mean((np.asarray(readout.run(rates[split:])) - y[split:]) ** 2)))
    return {"check": min(errors), "errors": errors}


def run(repeats):
    with Stopwatch() as watch:
        for _ in range(repeats):
            answer = once()
    return {"cpu_s": watch.cpu / repeats, "wall_s": watch.wall / repeats, **answer}


if __name__ == "__main__":
    serve(build, run)
