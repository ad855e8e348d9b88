"""The balanced network in NEST: iaf_cond_exp, one thread (its solver adapts its steps)."""

import platform

import nest
import numpy as np
from problem import CONSTANTS as C
from problem import load
from protocol import Stopwatch, serve, used

built = {}


def build(problem, name="", duration=1000.0):
    """Keep the arrays; a network is made before each run, because NEST cannot go back in time."""
    built.update(p=load(problem), duration=duration)
    begun = used()
    connect()
    return {
        "build_s": used() - begun,
        "compile_s": 0.0,
        "versions": {"nest": nest.__version__, "python": platform.python_version()},
    }


def connect():
    """Make the network."""
    p = built["p"]
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.SetKernelStatus({"resolution": 0.1, "local_num_threads": 1})
    names = {"E_ex": "E_e", "E_in": "E_i", "tau_syn_ex": "tau_e", "tau_syn_in": "tau_i"}
    names |= {k: k for k in ("C_m", "g_L", "E_L", "V_th", "V_reset", "t_ref")}
    cells = nest.Create("iaf_cond_exp", p["n"], {k: C[v] for k, v in names.items()})
    cells.V_m, cells.g_ex, cells.g_in = p["V"].tolist(), p["g_e"].tolist(), p["g_i"].tolist()
    for kind, sign in (("e", 1.0), ("i", -1.0)):
        pre, post = p[f"pre_{kind}"] + 1, p[f"post_{kind}"] + 1
        spec = {
            "synapse_model": "static_synapse",
            "weight": np.full(len(pre), sign * C[f"w_{kind}"]),
            "delay": np.full(len(pre), C["delay"]),
        }
        nest.Connect(pre.astype(np.int64), post.astype(np.int64), "one_to_one", spec)
    built["fresh"] = True


def run(name=""):
    """Simulate from the start."""
    if not built["fresh"]:
        connect()
    built["fresh"] = False
    nest.Prepare()
    with Stopwatch() as watch:
        nest.Run(built["duration"])
    nest.Cleanup()
    count = int(nest.GetKernelStatus("local_spike_counter"))
    rate = count / built["p"]["n"] / (built["duration"] / 1000)
    return {"wall_s": watch.wall, "cpu_s": watch.cpu, "spikes": count, "rate_hz": rate}


if __name__ == "__main__":
    serve(build, run)
