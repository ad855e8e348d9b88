# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A balanced network with conductances
#
# 3200 excitatory and 800 inhibitory neurons, connected at random, keep each other firing without
# any input from outside. It is the conductance-based network of Vogels and Abbott (2005), which
# Brette et al. (2007) made a benchmark of simulators ("COBA").

# %%
import os

os.environ["PJRT_NPROC"] = "1"  # one thread is best for a few thousand neurons

import jax
import matplotlib.pyplot as plt
import numpy as np

import neurojax as nj
from neurojax.analysis import spikes

# %matplotlib inline

# %% [markdown]
# ## Cells and synapses
#
# $$C_m \dot V = g_L (E_L - V) + g_e (0 - V) + g_i (-80 - V)$$
#
# A spike of an excitatory neuron adds 6 nS to $g_e$ of its targets, one of an inhibitory neuron 67
# nS to $g_i$. Units are mV, ms, nS and pF. The conductances begin at values that start the
# activity; from then on it is on its own.

# %%
key = jax.random.key(1)
cells = nj.neurons.LIF(
    C_m=200.0, g_L=10.0, E_L=-60.0, V_th=-50.0, V_reset=-60.0, t_ref=5.0,
    receptors={
        "ampa": nj.synapses.ExpConductance(tau=5.0, E_rev=0.0),
        "gaba": nj.synapses.ExpConductance(tau=10.0, E_rev=-80.0),
    },
    initial={
        "V_m": nj.random.Normal(-65.0, 5.0),
        "ampa.g": nj.random.Clipped(nj.random.Normal(40.0, 15.0), low=0.0),
        "gaba.g": nj.random.Clipped(nj.random.Normal(200.0, 120.0), low=0.0),
    },
)  # fmt: skip
net = nj.Network(
    {"E": cells.population(3200), "I": cells.population(800)},
    [
        nj.Projection("E", ["E", "I"], "ampa", nj.connectivity.bernoulli(0.02), weight=6.0),
        nj.Projection("I", ["E", "I"], "gaba", nj.connectivity.bernoulli(0.02), weight=67.0),
    ],
    key=key,
)
net.summary()

# %% [markdown]
# ## One second

# %%
duration = 1000.0
sim = nj.simulate(
    net,
    duration=duration,
    dt=0.1,
    record={
        "spikes": nj.Spikes("E", "I"),
        "V": nj.Trace("E.V_m", slice(200), every=2),
        "g_e": nj.Trace("E.ampa.g", slice(200), every=2),
        "g_i": nj.Trace("E.gaba.g", slice(200), every=2),
    },
    key=key,
)
print("rates (Hz):", {name: round(float(rate), 1) for name, rate in sim.stats.rates.items()})
print("warnings:", sim.stats.warnings)

# %%
nj.plotting.raster(sim, histogram=True).figure

# %% [markdown]
# ## Membrane potentials
#
# V wanders below the threshold and crosses it now and then. A vertical line marks a spike, since a
# neuron that is reset has none in its voltage.

# %%
nj.plotting.voltage(sim, range(5), record="V", spikes=sim["spikes"]["E"]).figure

# %% [markdown]
# ## Balance
#
# Two currents much larger than their sum meet in each neuron. What is left, together with the leak,
# is a drive whose fluctuations decide when it fires.

# %%
ms, V = sim.times("V"), np.asarray(sim["V"])
I_e = 1e-3 * np.asarray(sim["g_e"]) * (0.0 - V)  # nA
I_i = 1e-3 * np.asarray(sim["g_i"]) * (-80.0 - V)

figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
for current, colour, name in (
    (I_e, "#0072B2", "excitatory"),
    (I_i, "#D55E00", "inhibitory"),
    (I_e + I_i, "#333333", "sum"),
):
    axes.plot(ms, current[:, 0], color=colour, lw=1, label=name)
axes.axhline(0, color="0.7", lw=0.7, zorder=0)
axes.set(xlim=(500, 800), xlabel="time (ms)", ylabel="current into neuron 0 (nA)")
axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
late = ms > 200
for current, name in ((I_e, "excitatory"), (I_i, "inhibitory"), (I_e + I_i, "sum")):
    print(f"{name:>10}: mean {current[late].mean():+.3f} nA over 200 neurons")

# %% [markdown]
# ## Irregular and asynchronous
#
# The coefficient of variation (CV) of the intervals between spikes is 1 for a Poisson process and
# 0 for a clock; here it is above 1, for most neurons fire in episodes. $\chi$ compares the
# fluctuations of the mean voltage with those of single neurons: 1 if all move together, $1/\sqrt
# N$ if they are independent.

# %%
window = {"t_start": 200.0, "t_stop": duration}
E = sim["spikes"]["E"]
rates, cv = spikes.rates(E, **window), spikes.cv(E, **window)
often = rates > 5.0  # a CV needs some intervals
print(f"mean CV of {often.sum()} neurons: {np.nanmean(cv[often]):.2f}")
print(f"chi of 200 voltages: {spikes.chi(sim['V'][late]):.2f}, independent: {200**-0.5:.2f}")

# %% [markdown]
# ## Who fires a lot?
#
# With `bernoulli` connections the number of inputs differs from neuron to neuron, and the rates
# differ widely. The few strong inhibitory inputs matter more than the many weak excitatory ones.

# %%
e_edges, i_edges = (synapses.edges for synapses in net.projections.values())
k_e = np.bincount(e_edges.post, minlength=4000)[:3200]  # of the excitatory neurons
k_i = np.bincount(i_edges.post, minlength=4000)[:3200]
k_out = np.bincount(e_edges.pre, minlength=3200)
for name, k in (("inputs E", k_e), ("inputs I", k_i), ("outputs", k_out)):
    correlation = np.corrcoef(k, rates)[0, 1]
    print(
        f"{name:>8}: {k.mean():.1f} ± {k.std():.1f}, correlation with the rate {correlation:+.2f}"
    )

figure, axes = plt.subplots(1, 3, figsize=(9, 2.9), layout="constrained")
axes[0].hist(rates, 50, color="#0072B2")
axes[0].set(xlabel="rate (Hz)", ylabel="excitatory neurons")
axes[1].hist(cv[often], 40, color="#009E73")
axes[1].set(xlabel="CV of the intervals", ylabel="excitatory neurons")
dots = axes[2].scatter(k_e, k_i, c=rates, s=4, vmax=np.percentile(rates, 98), cmap="viridis")
axes[2].set(xlabel="excitatory inputs", ylabel="inhibitory inputs")
_ = figure.colorbar(dots, label="rate (Hz)")
