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
# # Spike-timing dependent plasticity
#
# A synapse that learns from the order of spikes, first with one pair of spikes and then with a
# thousand inputs, of which a neuron picks those that fire together.

# %%
import os

os.environ["PJRT_NPROC"] = "1"  # one thread is best for one neuron

import jax
import matplotlib.pyplot as plt
import numpy as np

import neurojax as nj
from neurojax.analysis import spikes

# %matplotlib inline

# %% [markdown]
# ## The window
#
# One synapse for each lag: the presynaptic spike arrives at 100 ms, the postsynaptic neuron fires
# `lag` later. Pre before post strengthens, post before pre weakens:
#
# $$\Delta w = \begin{cases} A_+ e^{-\Delta t / \tau_+} & \Delta t > 0 \\
# -A_- e^{\Delta t / \tau_-} & \Delta t < 0 \end{cases}$$

# %%
rule = nj.plasticity.PairSTDP(A_plus=0.01, A_minus=0.0105, tau_plus=20.0, tau_minus=20.0, w_max=1.0)
lags = np.arange(-80.0, 81.0, 2.0)
delay = 1.0
pairs = nj.Network(
    {
        "pre": nj.neurons.SpikeTimes([[100.0 - delay]] * len(lags)),
        "post": nj.neurons.SpikeTimes([[100.0 + lag] for lag in lags]),
    },
    [
        nj.Projection(
            "pre", "post", "in", nj.connectivity.one_to_one(), weight=0.5, delay=delay,
            plasticity=rule, name="synapse",
        )
    ],
)  # fmt: skip
sim = nj.simulate(pairs, duration=200.0, dt=0.1)
change = np.asarray(pairs.weights(sim.final_state, "synapse")) - 0.5
formula = np.where(lags > 0, 0.01, -0.0105) * np.exp(-abs(lags) / 20.0) * (lags != 0)
print("largest difference from the formula:", f"{abs(change - formula).max():.1e}")
nj.plotting.stdp_window(lags, change).figure

# %% [markdown]
# ## A neuron and a thousand synapses
#
# As in Song, Miller and Abbott (2000), a leaky integrate-and-fire neuron gets 1000 excitatory
# inputs of 10 Hz that learn, and inhibition that does not. Half of the inputs are independent. The
# rates of the others go up and down together, each value lasting 20 ms; in every other respect the
# two halves are alike. A pair changes a weight by at most 1.65 % of its maximum, three times as
# much as in the paper, so that two minutes are enough.
# Rates and the ratio of depression to potentiation are the third choice of three, for a clear
# result in a short time; faster inputs gave less bimodal weights.

# %%
n, duration, dt = 500, 120_000.0, 0.5
g_L = 10.0  # nS
w_max = 0.015 * g_L
rng = np.random.default_rng(0)
common = np.maximum(10.0 * (1.0 + 0.5 * rng.standard_normal(int(duration / 20.0))), 0.0)

neuron = nj.neurons.LIF(
    C_m=200.0, g_L=g_L, E_L=-70.0, V_th=-54.0, V_reset=-60.0, t_ref=0.0,
    receptors={
        "exc": nj.synapses.ExpConductance(tau=5.0, E_rev=0.0),
        "inh": nj.synapses.ExpConductance(tau=5.0, E_rev=-70.0),
    },
)  # fmt: skip
learning = nj.plasticity.PairSTDP(
    A_plus=0.015 * w_max, A_minus=0.0165 * w_max, tau_plus=20.0, tau_minus=20.0, w_max=w_max
)
net = nj.Network(
    {
        "together": nj.neurons.InhomogeneousPoisson(n=n),
        "alone": nj.neurons.Poisson(rate=10.0, n=n),
        "cell": neuron.population(1),
    },
    [
        nj.Projection(
            ["together", "alone"], "cell", "exc", nj.connectivity.all_to_all(),
            weight=nj.random.Uniform(0.0, w_max), delay=dt, plasticity=learning, name="learning",
        )
    ],
    key=jax.random.key(0),
    dt=dt,
)  # fmt: skip

# %%
sim = nj.simulate(
    net,
    duration=duration,
    dt=dt,
    inputs={
        "together": {"rate": nj.inputs.Sampled(common, dt=20.0)},
        "cell": {"inh": nj.inputs.Poisson(rate=200 * 10.0, weight=0.05 * g_L, shape=(1,))},
    },
    record={
        "spikes": nj.Spikes("cell"),
        "w": nj.Trace("projections.learning.weights", every=2000),
    },
    key=jax.random.key(1),
)
w = np.asarray(sim["w"])
edges = net.projections["learning"].edges
w = w[:, np.argsort(edges.pre)]  # `together` first
for name, part in (("together", w[:, :n]), ("alone", w[:, n:])):
    print(f"{name:>8}: mean weight {part[0].mean():.3f} nS at first, {part[-1].mean():.3f} at last")

# %% [markdown]
# ## Who wins
#
# Additive plasticity makes synapses compete: each rise makes the neuron fire without the help of
# others, and what does not help is weakened. The inputs that fire together make the neuron fire, so
# theirs are strengthened.

# %%
seconds = 1e-3 * sim.times("w")
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
image = axes[0].imshow(
    w.T, aspect="auto", origin="lower", extent=(0, seconds[-1], 0, 2 * n), vmin=0, vmax=w_max
)
axes[0].axhline(n, color="white", lw=1)
axes[0].set(xlabel="time (s)", yticks=(n / 2, 3 * n / 2), yticklabels=("together", "alone"))
figure.colorbar(image, ax=axes[0], label="weight (nS)")
for name, part, colour in (("together", w[:, :n], "#0072B2"), ("alone", w[:, n:], "#D55E00")):
    low, middle, high = np.quantile(part, (0.25, 0.5, 0.75), axis=1)
    axes[1].fill_between(seconds, low, high, color=colour, alpha=0.2, lw=0)
    axes[1].plot(seconds, middle, color=colour, label=f"{name}: median and quartiles")
axes[1].set(xlabel="time (s)", ylabel="weight (nS)", ylim=(0, w_max))
_ = axes[1].legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))

# %% [markdown]
# The weights end up near their bounds:

# %%
nj.plotting.weight_histogram({"together": w[-1, :n], "alone": w[-1, n:]}, bins=30, unit="nS").figure

# %% [markdown]
# ## What the neuron has learnt
#
# The neuron now reports the signal that half of its inputs share: it answers more strongly to the
# common rate than at the beginning, and the number of its spikes in 20 ms goes with it more
# closely.

# %%
counts = spikes.binned_counts(sim["spikes"], 20.0, t_stop=duration)[0]
levels = np.linspace(0.0, 20.0, 9)
figure, axes = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
for name, bins in (("first 20 s", slice(1000)), ("last 20 s", slice(-1000, None))):
    which = np.digitize(common[bins], levels)
    mean = [50.0 * counts[bins][which == k].mean() for k in range(1, len(levels))]
    axes.plot(0.5 * (levels[1:] + levels[:-1]), mean, "o-", label=name)
    correlation = np.corrcoef(common[bins], counts[bins])[0, 1]
    print(f"{name}: {50 * counts[bins].mean():.0f} Hz, correlation {correlation:.2f}")
axes.set(xlabel="common rate of the inputs (Hz)", ylabel="rate of the neuron (Hz)", ylim=(0, None))
_ = axes.legend(frameon=False)
