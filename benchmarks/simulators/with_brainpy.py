"""The balanced network in BrainPy: its state-based interface with brainevent's event products.

Its fastest path on a processor: one population, synaptic state aligned to the targets, one event
product per step with homogeneous weights in compressed rows (a numba kernel), one compiled loop.
"""

import platform

import brainevent
import brainpy
import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from problem import CONSTANTS as C
from problem import load
from protocol import Stopwatch, serve, used

built = {}


class Coba(brainstate.nn.Module):
    """The network; both kinds of synapses in one table of rows, whose targets are [g_e | g_i].

    A projection for each kind would be slower: each product is a call out of the compiled loop,
    which costs more than what it computes.
    """

    def __init__(self, p):
        super().__init__()
        n = p["n"]
        values = {k: jnp.asarray(p[k], jnp.float32) for k in ("V", "g_e", "g_i")}
        self.N = brainpy.state.LIFRef(
            n, R=1 / (C["g_L"] * u.nS), tau=C["C_m"] / C["g_L"] * u.ms, tau_ref=C["t_ref"] * u.ms,
            V_th=C["V_th"] * u.mV, V_reset=C["V_reset"] * u.mV, V_rest=C["E_L"] * u.mV,
            V_initializer=lambda *_, **__: values["V"] * u.mV, spk_reset="hard",
        )  # fmt: skip
        for kind in "ei":
            synapse = brainpy.state.Expon(
                n, tau=C[f"tau_{kind}"] * u.ms,
                g_initializer=lambda *_, g=values[f"g_{kind}"] * u.nS, **__: g,
            )  # fmt: skip
            setattr(self, f"syn_{kind}", synapse)
            reversal = C[f"E_{kind}"] * u.mV
            self.N.add_current_input(
                kind, lambda V, synapse=synapse, reversal=reversal: synapse.g.value * (reversal - V)
            )
        pre = np.concatenate([p["pre_e"], p["pre_i"]])  # in order: all of e come first
        post = np.concatenate([p["post_e"], p["post_i"] + n])
        starts = np.zeros(n + 1, np.int32)
        np.cumsum(np.bincount(pre, minlength=n), out=starts[1:])
        parts = jnp.ones(1, jnp.float32), jnp.asarray(post, jnp.int32), jnp.asarray(starts)
        self.rows = brainevent.CSR(parts, shape=(n, 2 * n))

    def update(self, i):
        """One step; the number of spikes in it."""
        with brainstate.environ.context(i=i, t=i * brainstate.environ.get_dt()):
            spikes = self.N.get_spike() != 0.0
            arrived = brainevent.BinaryArray(spikes) @ self.rows
            n = spikes.shape[0]
            self.syn_e(arrived[:n] * (C["w_e"] * u.nS))
            self.syn_i(arrived[n:] * (C["w_i"] * u.nS))
            self.N(0.0 * u.pA)
            return jnp.sum(self.N.get_spike() != 0.0, dtype=jnp.int32)


def build(problem, name="", duration=1000.0):
    """Build and compile."""
    p = load(problem)
    brainstate.environ.set(dt=0.1 * u.ms, precision=32)
    begun = used()
    net = Coba(p)
    brainstate.nn.init_all_states(net)
    build_s = used() - begun
    steps = round(duration / 0.1)
    start = {k: v.value for k, v in net.states().items()}

    def simulate(values):
        states = net.states()
        for k, v in values.items():
            states[k].value = v
        counts = brainstate.transform.for_loop(net.update, jnp.arange(steps))
        return jnp.sum(counts)

    function = brainstate.transform.jit(simulate)
    begun = used()
    jax.block_until_ready(function(start))
    first = used() - begun
    built.update(function=function, start=start, n=p["n"], duration=duration)
    return {
        "build_s": build_s,
        "compile_s": max(0.0, first - run()["cpu_s"]),
        "versions": {
            "brainpy": brainpy.__version__, "brainstate": brainstate.__version__,
            "brainevent": brainevent.__version__, "jax": jax.__version__,
            "python": platform.python_version(),
        },
    }  # fmt: skip


def run(name=""):
    """Simulate from the start."""
    with Stopwatch() as watch:
        count = int(jax.block_until_ready(built["function"](built["start"])))
    rate = count / built["n"] / (built["duration"] / 1000)
    return {"wall_s": watch.wall, "cpu_s": watch.cpu, "spikes": count, "rate_hz": rate}


if __name__ == "__main__":
    serve(build, run)
