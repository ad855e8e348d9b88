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
# # Liquids: spiking reservoirs, and one with an astrocyte
#
# A liquid is a spiking network with random synapses. Inputs make ripples in it, and a linear
# read-out tells from the ripples what the input was (Maass, Natschläger and Markram 2002). How
# excitable it should be is a matter of weights; an astrocyte can help to set them.

# %%
import os

os.environ["PJRT_NPROC"] = "1"  # one thread is best for circuits of this size

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import neurojax as nj

# %matplotlib inline
orange, blue = "#D55E00", "#0072B2"

# %% [markdown]
# ## A liquid at work
#
# Two groups of four channels. In a trial each group sends a volley of spikes or is silent, and
# single spikes come at random. Did one of the groups send, but not both? No weighted sum of the
# input can tell (it is "exclusive or"), so a linear read-out needs something between. (Where a
# weighted sum is enough, as for telling two fixed patterns of spikes apart, the input alone does as
# well as a liquid or better.)

# %%
steps, at = 80, 20
liquid = nj.circuits.Liquid((5, 5, 5), inputs=8, key=jax.random.key(0))


def trials(key, count):
    """Spikes (trial, step, channel) and which groups send (trial, group)."""
    keys = jax.random.split(key, 3)
    sends = jax.random.bernoulli(keys[0], 0.5, (count, 2))
    on = (jnp.arange(steps) >= at) & (jnp.arange(steps) < at + 30)
    rate = 0.15 * on[None, :, None] * jnp.repeat(sends, 4, axis=1)[:, None, :]
    volleys = jax.random.bernoulli(keys[1], rate)
    return volleys | jax.random.bernoulli(keys[2], 0.005, rate.shape), sends


spikes, sends = trials(jax.random.key(2), 600)
both = int(jnp.argmax(sends.all(axis=1)))
inputs = {"u": nj.inputs.Sampled(spikes[both].astype(float), dt=1.0)}
sim = nj.simulate(
    liquid, duration=float(steps), dt=1.0, inputs=inputs, record={"spikes": nj.Spikes("E", "I")}
)
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
nj.plotting.raster(sim, ax=axis)
axis.axvspan(at, at + 30, color="0.93", zorder=0)
axis.set_title("a trial in which both groups send (grey)", fontsize=10)
plt.show()

# %% [markdown]
# The read-out sees each neuron's spikes, filtered with 20 ms, when the volley is over. It is fitted
# to 400 trials and judged on 200 more. Beside it the input channels, filtered alike.

# %%
until = at + 30
seen = np.asarray(nj.circuits.responses(liquid, spikes[:, :until], dt=1.0))
decay = np.exp(-np.arange(until)[::-1] / 20.0)
direct = np.einsum("ntc,t->nc", np.asarray(spikes[:, :until], float), decay)
wanted = np.where(np.asarray(sends[:, 0] ^ sends[:, 1]), 1.0, -1.0)
for name, features in (("liquid", seen), ("input alone", direct)):
    x = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    gram = x[:400].T @ x[:400] + 10.0 * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x[:400].T @ wanted[:400])
    print(f"{name}: {np.mean(np.sign(x[400:] @ weights) == wanted[400:]):.0%} right in new trials")

# %% [markdown]
# ## An astrocyte that sees to the rate
#
# With spike-timing dependent plasticity a liquid shapes its own weights. But where excitation
# begins strong, plasticity may leave it running wild. An astrocyte compares the spikes of the
# liquid with those of its input, and where the liquid has more it strengthens the depression of
# synapses (Ivanov and Michmizos 2021). $w_a$ is how much it does so; with 0 there is plain
# plasticity. After learning the weights are kept, and the rate is measured.

# %%
keys = jax.random.split(jax.random.key(3), 4)
images = jax.random.beta(keys[0], 0.5, 1.0, (10, 1, 32))  # brightness of 32 pixels
chosen = images[jax.random.randint(keys[1], (300,), 0, 10)]
shown = jax.random.bernoulli(keys[2], chosen, (300, 20, 32))  # 300 images of 20 ms
tests = jax.random.bernoulli(keys[3], images, (10, 200, 32))
grid = nj.circuits.LiquidGrid((5, 5, 5), key=keys[0])
starts = {"strong excitation": (2.5, -0.5), "strong inhibition": (0.5, -2.5)}
astrocyte = (0.0, 0.01, 0.02, 0.05)


def made(start, w_a, plasticity):
    return nj.circuits.AstrocyteLiquid(
        grid, inputs=32, excitatory_weight=start[0], inhibitory_weight=start[1], w_a=w_a,
        plasticity=plasticity, tau_trace=jnp.inf, key=keys[1],
    )  # fmt: skip


def rate(liquid):
    """Spikes of a neuron per second, with weights that stay."""
    return float(nj.circuits.responses(liquid, tests, dt=1.0).mean() / 0.2)


rates = {}
for name, start in starts.items():
    static = made(start, 0.0, False)
    rates[name] = [rate(static)]
    for w_a in astrocyte:
        learnt = nj.circuits.initialise_weights(made(start, w_a, True), shown)
        fixed = eqx.tree_at(
            lambda l: (l.recurrent, l.input), static, (learnt.recurrent, learnt.input)
        )
        rates[name].append(rate(fixed))
    print(f"{name}: {rates[name][0]:.0f} Hz before learning, then", np.round(rates[name][1:]))

# %%
figure, axis = plt.subplots(figsize=(5.5, 3), layout="constrained")
for (name, values), colour in zip(rates.items(), (orange, blue), strict=True):
    axis.plot(astrocyte, values[1:], "o-", color=colour, label=name)
    axis.axhline(values[0], color=colour, lw=0.8, ls=":")
axis.set(xlabel="weight of the astrocyte $w_a$", ylabel="rate after learning (Hz)", ylim=(0, None))
axis.legend(frameon=False, title="at the start")
plt.show()

# %% [markdown]
# Dotted: before learning. From strong excitation the rate that plasticity leads to falls with
# $w_a$; from strong inhibition, where there is little to hold down, it does not. This is one
# network; `benchmarks/astrocyte_liquid.py` has five, with a balanced start, branching ratios, and
# digits.
