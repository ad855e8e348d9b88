"""The balanced network in neurojax, through its public interface; one worker, many variants."""

import platform

import equinox as eqx
import jax
import numpy as np
from problem import CONSTANTS as C
from problem import load
from protocol import Stopwatch, serve, used

import neurojax as nj

built = {}


def cell(p, members):
    """A population of the given neurons with their initial values."""
    receptors = {
        "ampa": nj.synapses.ExpConductance(tau=C["tau_e"], E_rev=C["E_e"]),
        "gaba": nj.synapses.ExpConductance(tau=C["tau_i"], E_rev=C["E_i"]),
    }
    own = {k: C[k] for k in ("C_m", "g_L", "E_L", "V_th", "V_reset", "t_ref")}
    initial = {"V_m": p["V"], "ampa.g": p["g_e"], "gaba.g": p["g_i"]}
    return nj.neurons.LIF(**own, receptors=receptors).population(
        members.stop - members.start, initial={k: v[members] for k, v in initial.items()}
    )


def cuts(p, populations):
    """Names and ranges of the populations: E and I, or equal parts in the order of neurons."""
    n, n_e = p["n"], p["n_e"]
    if not populations:
        return {"E": slice(0, n_e), "I": slice(n_e, n)}
    size = n // populations
    return {f"P{i}": slice(i * size, (i + 1) * size) for i in range(populations)}


def among(parts, low, high):
    """The neurons low .. high - 1 as a list of parts of populations."""
    found = []
    for name, part in parts.items():
        a, b = max(low, part.start), min(high, part.stop)
        if a < b:
            whole = (a, b) == (part.start, part.stop)
            found.append(name if whole else (name, slice(a - part.start, b - part.start)))
    return found


def projections(p, parts, weights, delays, plasticity):
    """Excitatory synapses, then inhibitory ones."""
    n, n_e = p["n"], p["n_e"]
    ends = {"e": (0, n_e, "ampa"), "i": (n_e, n, "gaba")}
    made = []
    for kind, (low, high, port) in ends.items():
        edges = nj.connectivity.Edges(p[f"pre_{kind}"] - low, p[f"post_{kind}"], high - low, n)
        weight = np.full(len(edges), C[f"w_{kind}"]) if weights else C[f"w_{kind}"]
        delay = 0.1 * p[f"delay_steps_{kind}"] if delays else C["delay"]
        rule = plasticity if kind == "e" else None
        made.append(
            nj.Projection(
                among(parts, low, high), list(parts), port, edges, weight=weight, delay=delay,
                plasticity=rule, name=kind,
            )
        )  # fmt: skip
    return made


def one_by_one(p, parts):
    """The same synapses as one projection for each pair of populations."""
    made = []
    for kind, port in (("e", "ampa"), ("i", "gaba")):
        pre, post = p[f"pre_{kind}"], p[f"post_{kind}"]
        for source, a in parts.items():
            for target, b in parts.items():
                own = (pre >= a.start) & (pre < a.stop) & (post >= b.start) & (post < b.stop)
                if own.any():
                    sizes = a.stop - a.start, b.stop - b.start
                    edges = nj.connectivity.Edges(pre[own] - a.start, post[own] - b.start, *sizes)
                    made.append(
                        nj.Projection(
                            source, target, port, edges, weight=C[f"w_{kind}"], delay=C["delay"],
                            name=f"{kind}: {source} to {target}",
                        )
                    )  # fmt: skip
    return made


def stdp():
    """The learning rule of the plastic variant."""
    if not hasattr(nj, "plasticity"):
        raise NotImplementedError("this version has no nj.plasticity")
    A = 0.001 * C["w_e"]
    return nj.plasticity.PairSTDP(
        A_plus=A, A_minus=A, tau_plus=20.0, tau_minus=20.0, w_max=2 * C["w_e"]
    )


def build(
    problem, name="", solver=None, weights=False, delays=False, spikes=False, populations=0,
    pairwise=False, silent=False, plastic=False, drive=0.0, dt=0.1, duration=1000.0,
):  # fmt: skip
    """Build and compile one variant."""
    p = load(problem)
    parts = cuts(p, populations)
    rule = stdp() if plastic else None
    begun = used()
    joined = (
        [] if silent
        else one_by_one(p, parts) if pairwise
        else projections(p, parts, weights, delays, rule)
    )  # fmt: skip
    net = nj.Network({k: cell(p, v) for k, v in parts.items()}, joined, dt=dt)
    build_s = used() - begun
    record = {"spikes": nj.Spikes(*parts)} if spikes else None
    options = {} if solver is None else {"solver": getattr(nj.solvers, solver)()}
    if drive:
        options["inputs"] = {name: {"I_e": drive} for name in parts}

    @eqx.filter_jit
    def simulate(net, state):
        return nj.simulate(
            net, duration=duration, dt=dt, state=state, record=record, throw=False, **options
        )

    state = net.init_state(key=jax.random.key(0))
    begun = used()
    compiled = simulate.lower(net, state).compile()
    compile_s = used() - begun
    built[name] = compiled, net, state, p, parts, duration
    return {
        "build_s": build_s,
        "compile_s": compile_s,
        "versions": {
            "neurojax": nj.__version__, "jax": jax.__version__,
            "python": platform.python_version(),
        },
    }  # fmt: skip


def run(name="", keep=None):
    """Run a variant; with `keep` write its spikes to that file."""
    compiled, net, state, p, parts, duration = built[name]
    with Stopwatch() as watch:
        sim = jax.block_until_ready(compiled(net, state))
    assert int(sim.stats.nonfinite_step) < 0
    count = sum(int(v) for v in sim.stats.spikes.values())
    if keep:
        times = np.concatenate([sim["spikes"][k].times for k in parts])
        neurons = np.concatenate([sim["spikes"][k].neurons + v.start for k, v in parts.items()])
        assert len(times) == count
        np.savez(keep, times=times, neurons=neurons)
    rate = count / p["n"] / (duration / 1000)
    return {"wall_s": watch.wall, "cpu_s": watch.cpu, "spikes": count, "rate_hz": rate}


if __name__ == "__main__":
    serve(build, run)
