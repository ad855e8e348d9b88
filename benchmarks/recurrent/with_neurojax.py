"""The training step in neurojax: `nj.train` with `BPTT`, as a user calls it."""

import platform
import sys
from pathlib import Path

import jax
import numpy as np
import optax

import neurojax as nj

sys.path.insert(0, str(Path(__file__).parents[1] / "simulators"))
from protocol import Stopwatch, serve
from training_problem import RATE, problem

built = {}


def build(n, steps, batch, leak):
    """The circuit, the trials and the rule; the first call compiles."""
    p = problem(n, steps, batch)
    circuit = nj.circuits.LeakyRNN(
        n, inputs=3, outputs=2, recurrent=p["W"], input=p["B"], output=p["out"], leak=leak
    )
    built["trials"] = nj.tasks.Trials(p["u"], p["targets"], dt=1.0)
    built["rule"] = nj.fitting.rules.BPTT(optax.sgd(RATE))
    built["circuit"] = circuit
    versions = {"neurojax": nj.__version__, "jax": jax.__version__,
                "python": platform.python_version(), "numpy": np.__version__}  # fmt: skip
    first = _train(1)
    with Stopwatch() as watch:
        _train(5)
    built["circuit"] = first.circuit
    return {"losses": first.losses.tolist(), "compile_s": watch.cpu, "versions": versions}


def _train(steps):
    return nj.train(
        built["circuit"], built["trials"], rule=built["rule"], steps=steps, progress=False
    )


def run(steps):
    """Training steps."""
    with Stopwatch() as watch:
        trained = _train(steps)
    built["circuit"] = trained.circuit
    losses = trained.losses.tolist()
    return {"cpu_s": watch.cpu / steps, "wall_s": watch.wall / steps, "losses": losses}


if __name__ == "__main__":
    serve(build, run)
