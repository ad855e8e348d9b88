"""The balanced network in Brian2: C++ standalone, one thread, single precision."""

import json
import platform
import shutil
import tempfile
from pathlib import Path

import brian2 as b2
import numpy as np
from problem import CONSTANTS as C
from problem import load
from protocol import serve, used

built = {}

EQUATIONS = """
dv/dt = (g_L * (E_L - v) + g_e * (E_e - v) + g_i * (E_i - v)) / C_m : volt (unless refractory)
dg_e/dt = -g_e / tau_e : siemens
dg_i/dt = -g_i / tau_i : siemens
"""
# all pairs of spikes, additive, bounded
STDP = """
w : siemens
dx/dt = -x / tau_plus : 1 (event-driven)
dy/dt = -y / tau_minus : 1 (event-driven)
"""


def constants():
    """The constants with their units."""
    units = {"C_m": b2.pF, "g_L": b2.nS, "w_e": b2.nS, "w_i": b2.nS, "t_ref": b2.ms}
    units |= {"tau_e": b2.ms, "tau_i": b2.ms, "delay": b2.ms}
    return {k: v * units.get(k, b2.mV) for k, v in C.items()}


def build(problem, name="", plastic=False, duration=1000.0):
    """Generate and compile; the clock of the run phase is read inside the program."""
    p = load(problem)
    c = constants()
    shutil.rmtree(built.get("folder", ""), ignore_errors=True)
    folder = tempfile.mkdtemp(prefix="coba_brian2_")
    begun = used()
    b2.device.reinit()
    b2.device.activate(build_on_run=False)
    b2.defaultclock.dt = 0.1 * b2.ms
    cells = b2.NeuronGroup(
        p["n"], EQUATIONS, threshold="v > V_th", reset="v = V_reset", refractory=c["t_ref"],
        method="exponential_euler", namespace=c,
    )  # fmt: skip
    cells.v, cells.g_e, cells.g_i = p["V"] * b2.mV, p["g_e"] * b2.nS, p["g_i"] * b2.nS
    kinds = []
    for kind in "ei":
        model, pre, post = "", f"g_{kind}_post += w_{kind}", None
        space = c
        if plastic and kind == "e":
            model = STDP
            pre = "g_e_post += w; x += 1; w = clip(w - A_minus * y, 0*nS, w_max)"
            post = "y += 1; w = clip(w + A_plus * x, 0*nS, w_max)"
            space = c | {
                "tau_plus": 20 * b2.ms, "tau_minus": 20 * b2.ms, "w_max": 2 * c["w_e"],
                "A_plus": 0.001 * c["w_e"], "A_minus": 0.001 * c["w_e"],
            }  # fmt: skip
        synapses = b2.Synapses(
            cells, cells, model, on_pre=pre, on_post=post, delay=c["delay"], namespace=space
        )
        synapses.connect(i=p[f"pre_{kind}"], j=p[f"post_{kind}"])
        if model:
            synapses.w = c["w_e"]
        kinds.append(synapses)
    counter = b2.SpikeMonitor(cells, record=False)
    network = b2.Network(cells, counter, *kinds)
    b2.device.insert_code("before_network_run", "const std::clock_t cpu_begun = std::clock();")
    b2.device.insert_code(
        "after_network_run",
        'std::ofstream("cpu_seconds.txt") << double(std::clock() - cpu_begun) / CLOCKS_PER_SEC;',
    )
    network.run(duration * b2.ms, namespace=c)
    build_s = used() - begun
    begun = used()
    b2.device.build(directory=folder, compile=True, run=False, debug=False)
    built.update(folder=folder, counter=counter, n=p["n"], duration=duration)
    return {
        "build_s": build_s,
        "compile_s": used() - begun,
        "versions": {
            "brian2": b2.__version__, "numpy": np.__version__, "python": platform.python_version(),
        },
    }  # fmt: skip


def run(name=""):
    """Run the program; seconds are those of its run phase, without loading and saving."""
    folder = Path(built["folder"])
    b2.device.run(directory=str(folder), with_output=False)
    wall = float((folder / "results" / "last_run_info.txt").read_text().split()[0])
    found = list(folder.rglob("cpu_seconds.txt"))
    count = int(built["counter"].num_spikes)
    rate = count / built["n"] / (built["duration"] / 1000)
    return {
        "wall_s": wall, "cpu_s": float(json.loads(found[0].read_text())), "spikes": count,
        "rate_hz": rate,
    }  # fmt: skip


if __name__ == "__main__":
    b2.set_device("cpp_standalone", build_on_run=False)
    b2.prefs.core.default_float_dtype = np.float32
    b2.prefs.devices.cpp_standalone.openmp_threads = 0
    serve(build, run)
    shutil.rmtree(built.get("folder", ""), ignore_errors=True)
