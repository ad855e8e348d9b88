"""Short-term plasticity: what arrives, spike by spike."""

import in_nest
import in_neurojax as ours
import numpy as np
from drives import trains
from frame import Case

STEPS, N = 10_000, 5
TIMES = trains(N, 25.0, STEPS, seed=3)
# depressing, facilitating, both, none of facilitation, no depression
U = np.array([0.5, 0.05, 0.2, 0.7, 0.1])
REC = np.array([800.0, 100.0, 300.0, 50.0, 0.1])
FACIL = np.array([0.0, 1000.0, 200.0, 0.0, 500.0])
TAU_SYN = 3.0


def amplitudes(model, tau_psc=None):
    """Each train on a cell of its own that never spikes; its current tells the amplitudes."""

    def nest(nest):
        in_nest.start(nest)
        cells = in_nest.cells(nest, "iaf_psc_exp", N, tau_syn_ex=TAU_SYN, V_th=1e4)
        # generators would share one train: parrots send what is modified
        relays = nest.Create("parrot_neuron", N)
        in_nest.connect(nest, in_nest.trains(nest, TIMES), relays, np.eye(N), 0.1)
        for k in range(N):
            spec = {"synapse_model": model, "weight": 100.0, "delay": 1.0, "U": U[k],
                    "tau_rec": REC[k], "tau_fac": FACIL[k]}  # fmt: skip
            if tau_psc is not None:
                spec |= {"tau_psc": tau_psc, "u": 0.0, "x": 1.0, "y": 0.0}
            else:
                spec["u"] = U[k]
            nest.Connect(relays[k], cells[k], syn_spec=spec)
        found = in_nest.watch(nest, cells, "V_m", "I_syn_ex")(STEPS)
        return {"I": found["I_syn_ex"], "V_m": found["V_m"]}

    def neurojax(nj):
        receptors = {"exc": nj.synapses.ExpCurrent(TAU_SYN)}
        cells = nj.neurons.LIF(n=N, V_th=1e4, receptors=receptors)
        release = nj.synapses.TsodyksMarkram(U, REC, FACIL)
        net = ours.network(nj, cells, TIMES, [
            ours.connect(nj, "in", "cells", "exc", 100.0 * np.eye(N), 1.1, release=release)
        ])  # fmt: skip
        found = ours.run(nj, net, STEPS, "V_m", "exc.I")
        return {"I": found["exc.I"], "V_m": found["V_m"]}

    if tau_psc is None:
        return Case(
            model, neurojax, {"nest": nest}, {"I": 1e-9, "V_m": 1e-9}, {"I": 1e-2, "V_m": 2e-3},
            note="NEST's u is that of the next spike, so u = U is where ours begins",
        )  # fmt: skip
    limits = {"I": 1.0} if tau_psc < 0.1 else {}
    note = "NEST keeps released resources for tau_psc, ours returns them to recovery at once"
    return Case(f"{model}, tau_psc {tau_psc} ms", neurojax, {"nest": nest}, limits, note=note)


def quantal():
    """Means and variances of the number released over many synapses with one train each."""
    n, sites, train = 2000, 5, np.array([10.0, 30.0, 50.0, 70.0, 200.0])
    u, rec, facil = 0.3, 200.0, 100.0
    labels = np.rint((train + 1.0) / 0.1).astype(int) - 1

    def summary(released):
        return {"mean": released.mean(1), "deviation": released.std(1)}

    def nest(nest):
        in_nest.start(nest)
        nest.SetKernelStatus({"rng_seed": 5})
        cells = in_nest.cells(nest, "iaf_psc_exp", n, tau_syn_ex=0.01, V_th=1e9)
        source = in_nest.trains(nest, [train - 1.0])
        relay = nest.Create("parrot_neuron")
        nest.Connect(source, relay, syn_spec={"delay": 1.0})
        spec = {"synapse_model": "quantal_stp_synapse", "weight": 1.0, "delay": 1.0, "U": u,
                "u": u, "tau_rec": rec, "tau_fac": facil, "n": sites, "a": sites}  # fmt: skip
        nest.Connect(relay, cells, syn_spec=spec)
        return summary(in_nest.watch(nest, cells, "I_syn_ex")(2500)["I_syn_ex"][labels])

    def neurojax(nj):
        import jax

        receptors = {"exc": nj.synapses.ExpCurrent(0.01)}
        cells = nj.neurons.LIF(n=n, V_th=1e9, receptors=receptors)
        release = nj.synapses.Quantal(sites, u, rec, facil)
        # every neuron that sends draws for itself
        synapses = [ours.connect(nj, "in", "cells", "exc", np.eye(n), 1.0, release=release)]
        net = ours.network(nj, cells, [train] * n, synapses)
        found = ours.run(nj, net, 2500, "exc.I", key=jax.random.key(2))
        return summary(sites * found["exc.I"][labels])

    # four standard errors of a difference over 2000 synapses
    limits = {"mean": 0.14, "deviation": 0.1}
    return Case("quantal_stp_synapse, number released", neurojax, {"nest": nest}, limits)


CASES = [
    amplitudes("tsodyks2_synapse"),
    amplitudes("tsodyks_synapse", 0.01),
    amplitudes("tsodyks_synapse", 3.0),
    quantal(),
]
