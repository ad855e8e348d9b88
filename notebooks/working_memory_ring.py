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
# # Working memory on a ring
#
# An animal sees a cue at some angle, and must remember it after the cue is gone. Compte et al.
# (2000) showed how a network of spiking neurons can do that: neurons that prefer similar angles
# excite each other, all are inhibited together, and a bump of activity stays where the cue put it.
# This is their model at a quarter of its size, with weights four times as large.

# %%
import os

os.environ["PJRT_NPROC"] = "1"  # one thread is best for a few hundred neurons

import jax
import matplotlib.pyplot as plt
import numpy as np

import neurojax as nj
from neurojax.analysis import spikes

# %matplotlib inline

# %% [markdown]
# ## Cells
#
# Pyramidal cells (E) and interneurons (I) with AMPA receptors for the input from elsewhere, and
# NMDA and GABA receptors for the network's own. Recurrent excitation is slow (100 ms), which is
# what lets it hold on.

# %%
n_E, n_I = 512, 128
receptors = {
    "ampa": nj.synapses.ExpConductance(tau=2.0, E_rev=0.0),
    "nmda": nj.synapses.NMDA(tau_rise=2.0, tau_decay=100.0),
    "gaba": nj.synapses.ExpConductance(tau=10.0, E_rev=-70.0),
}
common = {"E_L": -70.0, "V_th": -50.0, "V_reset": -60.0, "receptors": receptors}
pyramidal = nj.neurons.LIF(C_m=500.0, g_L=25.0, t_ref=2.0, **common)
interneuron = nj.neurons.LIF(C_m=200.0, g_L=20.0, t_ref=1.0, **common)

# %% [markdown]
# ## Connections
#
# Every cell is joined to every other. From E to E the weight falls with the difference of the
# preferred angles, as a Gaussian on a pedestal whose mean over the ring is 1; all other weights
# are equal.
#
# The NMDA receptors of a synapse saturate: a spike opens the share $U$ of those that are still
# closed. That is the same as a synapse that depresses by $U$ and recovers as fast as the receptors
# close, so that one state per presynaptic cell is enough.

# %%
angle = np.arange(n_E) * 360.0 / n_E
difference = (angle[:, None] - angle + 180.0) % 360.0 - 180.0
bump = np.exp(-0.5 * (difference / 18.0) ** 2)
J_plus = 1.62  # the weight between neighbours, relative to the mean
J_minus = (1.0 - J_plus * bump[0].mean()) / (1.0 - bump[0].mean())
profile = J_minus + (J_plus - J_minus) * bump

saturation = nj.synapses.TsodyksMarkram(U=0.63, tau_rec=100.0)
everyone = nj.connectivity.all_to_all()
net = nj.Network(
    {"E": pyramidal.population(n_E), "I": interneuron.population(n_I)},
    [
        nj.Projection(
            "E", "E", "nmda", nj.connectivity.from_matrix(0.381 * 2048 / n_E * profile),
            release=saturation,
        ),
        nj.Projection("E", "I", "nmda", everyone, weight=0.292 * 2048 / n_E, release=saturation),
        nj.Projection("I", "E", "gaba", everyone, weight=1.336 * 512 / n_I),
        nj.Projection("I", "I", "gaba", everyone, weight=1.024 * 512 / n_I),
    ],
    key=jax.random.key(0),
)  # fmt: skip
net.summary()

# %% [markdown]
# ## Cue and delay
#
# All cells get Poisson input, as from 1000 connections of 1.8 Hz each. From 0.5 to 0.75 s a current
# that peaks at the angle of the cue is added. From then on nothing tells the network the angle.

# %%
duration = 3000.0


def remember(cue, key):
    apart = (angle - cue + 180.0) % 360.0 - 180.0
    current = 200.0 * np.exp(-0.5 * (apart / 18.0) ** 2)  # pA
    inputs = {
        "E": {
            "ampa": nj.inputs.Poisson(1800.0, 3.1, shape=(n_E,)),
            "I_e": nj.inputs.Step(current, start=500.0, stop=750.0),
        },
        "I": {"ampa": nj.inputs.Poisson(1800.0, 2.38, shape=(n_I,))},
    }
    record = {"spikes": nj.Spikes("E", "I")}
    return nj.simulate(net, duration=duration, dt=0.1, inputs=inputs, record=record, key=key)


cues = [45.0, 135.0, 225.0, 315.0]
sims = {cue: remember(cue, jax.random.key(k)) for k, cue in enumerate(cues)}

# %% [markdown]
# ## Reading the memory
#
# The population vector $\sum_j n_j e^{i \theta_j}$, with the number of spikes $n_j$ of the cell
# that prefers $\theta_j$ in a window of 100 ms, points at the remembered angle. Its length, divided
# by the number of spikes, says how sharp the bump is: 1 if all are at one angle, 0 if they are all
# over the ring.


# %%
def decode(sim, window=100.0):
    counts = spikes.binned_counts(sim["spikes"]["E"], window, t_stop=duration)
    vector = np.exp(1j * np.deg2rad(angle)) @ counts / np.maximum(counts.sum(0), 1)
    times = window * (np.arange(counts.shape[1]) + 0.5)
    return times, np.rad2deg(np.angle(vector)) % 360.0, np.abs(vector)


cue = 225.0
E = sims[cue]["spikes"]["E"]
times, decoded, sharpness = decode(sims[cue])
figure, axes = plt.subplots(
    2, 1, figsize=(9, 5), height_ratios=[4, 1], sharex=True, layout="constrained"
)
axes[0].plot(1e-3 * E.times, angle[E.neurons], ".", ms=1.5, color="#0072B2")
bumped = sharpness > 0.5
axes[0].plot(1e-3 * times[bumped], decoded[bumped], color="#D55E00", lw=2, label="decoded")
axes[0].axvspan(0.5, 0.75, color="0.9", zorder=0)
axes[0].set(ylabel="preferred angle (°)", ylim=(0, 360), yticks=range(0, 361, 90))
axes[0].legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
axes[1].plot(1e-3 * times, sharpness, color="#333333")
axes[1].axvspan(0.5, 0.75, color="0.9", zorder=0)
_ = axes[1].set(xlabel="time (s)", ylabel="sharpness", xlim=(0, 1e-3 * duration), ylim=(0, 1))

# %% [markdown]
# The same cells before, during and after the cue:

# %%
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for name, start, stop in (("before", 0, 500), ("cue", 500, 750), ("delay", 1000, 3000)):
    rates = spikes.rates(E, t_start=start, t_stop=stop)
    smooth = np.convolve(np.r_[rates[-8:], rates, rates[:8]], np.ones(17) / 17, "valid")
    axes.plot(angle, smooth, label=f"{name}: {rates.mean():.1f} Hz on average")
axes.set(xlabel="preferred angle (°)", ylabel="rate (Hz)", xticks=range(0, 361, 45), ylim=(0, None))
_ = axes.legend(frameon=False)

# %% [markdown]
# ## Four cues
#
# Any angle can be held, since no place on the ring differs from another. For the same reason
# nothing pulls the bump back: noise makes it wander.

# %%
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for cue, sim in sims.items():
    times, decoded, sharpness = decode(sim)
    (line,) = axes.plot(1e-3 * times[6:], decoded[6:], label=f"cue at {cue:.0f}°")
    axes.axhline(cue, color=line.get_color(), lw=0.7, ls="--")
    error = (decoded[-1] - cue + 180.0) % 360.0 - 180.0
    print(f"cue {cue:3.0f}°: {error:+5.1f}° off after {1e-3 * duration - 0.75:.2f} s")
axes.axvspan(0.5, 0.75, color="0.9", zorder=0)
axes.set(xlabel="time (s)", ylabel="decoded angle (°)", ylim=(0, 360), yticks=range(0, 361, 90))
_ = axes.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
