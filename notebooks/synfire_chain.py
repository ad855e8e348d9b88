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
# # A synfire chain
#
# Groups of neurons are joined in a row, each neuron to all of the next group. If enough neurons of
# a group fire within a short time, the next group does too, and a volley of spikes (a pulse
# packet) runs down the chain; if not, it dies. Diesmann, Gewaltig and Aertsen (1999) showed that
# size and width of the packet decide.

# %%
import os

os.environ["PJRT_NPROC"] = "1"  # one thread is best on a small machine

import jax
import matplotlib.pyplot as plt
import numpy as np

import neurojax as nj

# %matplotlib inline

# %% [markdown]
# ## Many chains at once
#
# A chain has eight groups of 100 neurons. A packet of $a$ spikes with the standard deviation
# $\sigma$ is sent into the first group. There is one chain for each pair $(a, \sigma)$, and all of
# them are one population: the neuron with index $i$ belongs to chain $i \,//\, 800$.

# %%
sizes, widths = np.array([30, 45, 60, 75, 90, 110]), np.array([0.0, 1.5, 3.0, 4.5])  # spikes, ms
a, sigma = (x.ravel() for x in np.meshgrid(sizes, widths, indexing="ij"))
chains, groups, width = len(a), 8, 100
n = chains * groups * width
neuron = np.arange(n)
group = (neuron // width) % groups

# %% [markdown]
# The membrane has 10 ms, the current of a synapse the shape of an alpha function. Its weight is
# such that one spike moves the membrane by 0.14 mV. The many other inputs of each neuron are a
# noisy current here. It holds the membrane about 7 mV below the threshold, moves it up and down by
# 2.8 mV (standard deviation), and makes the neuron fire now and then by itself.

# %%
weight = 45.0  # pA
cells = nj.neurons.LIF(
    C_m=250.0, g_L=25.0, E_L=-70.0, V_th=-55.0, V_reset=-70.0, t_ref=15.0, n=n,
    receptors={"exc": nj.synapses.AlphaCurrent(tau=0.33)},
    initial={"V_m": nj.random.Normal(-62.0, 2.8)},
)  # fmt: skip

# from each neuron to the 100 of the next group
pre = np.repeat(neuron[group < groups - 1], width)
start_of_next = (pre // width + 1) * width
post = start_of_next + np.tile(np.arange(width), len(pre) // width)

# a source for each spike of a packet, and from each to all of the first group of its chain
rng = np.random.default_rng(0)
t_0, delay = 40.0, 5.0
times = np.concatenate([rng.normal(t_0, s, k) for k, s in zip(a, sigma, strict=True)])
chain_of_source = np.repeat(np.arange(chains), a)
source_post = (chain_of_source[:, None] * groups * width + np.arange(width)).ravel()

net = nj.Network(
    {"packet": nj.neurons.SpikeTimes(times, np.arange(len(times))), "chain": cells},
    [
        nj.Projection(
            "packet", "chain", "exc",
            nj.connectivity.from_edges(np.repeat(np.arange(len(times)), width), source_post),
            weight=weight, delay=delay,
        ),
        nj.Projection(
            "chain", "chain", "exc", nj.connectivity.from_edges(pre, post),
            weight=weight, delay=delay,
        ),
    ],
    key=jax.random.key(0),
)  # fmt: skip
net.summary()

# %%
tau_noise = 0.5  # ms
sd = 2.8 * 25.0 * np.sqrt((tau_noise + 10.0) / tau_noise)  # pA, for 2.8 mV at the membrane
noise = nj.inputs.OrnsteinUhlenbeck(mean=200.0, sd=sd, tau=tau_noise, shape=(n,))

duration = 105.0
sim = nj.simulate(
    net,
    duration=duration,
    dt=0.1,
    inputs={"chain": {"I_e": noise}},
    record={"spikes": nj.Spikes("chain")},
    key=jax.random.key(1),
)
spike_times, spiking = sim["spikes"].times, sim["spikes"].neurons

# %% [markdown]
# ## One lives, one dies
#
# Two chains that got packets of the same width:

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for axis, (k, s) in zip(axes, ((90, 3.0), (60, 3.0)), strict=True):
    chain = int(np.flatnonzero((a == k) & (sigma == s))[0])
    mine = spiking // (groups * width) == chain
    axis.plot(spike_times[mine], spiking[mine] % (groups * width), "|", ms=4, mew=0.8)
    for edge in range(width, groups * width, width):
        axis.axhline(edge - 0.5, color="0.85", lw=0.7, zorder=0)
    axis.set(xlim=(30, duration), ylim=(0, groups * width), xlabel="time (ms)")
    axis.set(title=f"{k} spikes, $\\sigma$ = {s:g} ms")
axes[0].set_yticks(np.arange(groups) * width + width / 2, range(1, groups + 1))
_ = axes[0].set(ylabel="group")

# %% [markdown]
# ## Size and width along the chain
#
# The packet of a group is taken from a window around the time at which it is due, which follows
# from that of the group before. Its width is measured by the quartiles, so that the few spikes
# that come by chance do not count. Once there are no more than ten spikes, there is no packet.


# %%
def packets(chain):
    """Size and width (ms) of the packet of each group, the given one first."""
    found, centre = [(a[chain], sigma[chain])], t_0
    for g in range(groups):
        late = spike_times[spiking // width == chain * groups + g] - (centre + delay)
        packet = late[(late > -8.0) & (late < 12.0)]
        if len(packet) <= 10:
            break
        quartiles = np.quantile(packet, (0.25, 0.75))
        found.append((len(packet), np.diff(quartiles)[0] / 1.349))  # 1.349: of a normal law
        centre += delay + np.median(packet)
    return np.array(found)


paths = [packets(chain) for chain in range(chains)]
last = np.array([path[-1, 0] if len(path) > groups else 0 for path in paths]).reshape(
    len(sizes), len(widths)
)
print("spikes in the last group, by size (down) and width in ms (across) of the packet")
print("     ", *(f"{s:5.1f}" for s in widths))
for k, row in zip(sizes, last, strict=True):
    print(f"{k:5d}", *(f"{x:5.0f}" for x in row))

# %%
figure, axes = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
for path in paths:
    lives = len(path) > groups and path[-1, 0] > 50
    colour = "#0072B2" if lives else "#D55E00"
    axes.plot(path[:, 1], path[:, 0], color=colour, lw=0.9, alpha=0.8)
    axes.plot(path[0, 1], path[0, 0], "o", color=colour, ms=5)
    axes.plot(path[1:, 1], path[1:, 0], ".", color=colour, ms=4)
axes.plot([], [], "o-", color="#0072B2", label="survives")
axes.plot([], [], "o-", color="#D55E00", label="dies")
axes.set(xlabel=r"width of the packet $\sigma$ (ms)", ylabel="spikes in the packet $a$")
axes.set(xlim=(-0.1, 6.0), ylim=(0, 120))
_ = axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))

# %% [markdown]
# Each line starts (circle) with the packet that was sent and has a point for each group. Packets
# that are large or narrow enough all become the same one: nearly every neuron of the group fires
# once, within a fraction of a millisecond. The others fade into the spikes that neurons fire by
# themselves. What travels is not the packet that was sent but one of two outcomes.
