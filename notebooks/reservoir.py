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
# # A reservoir: forecast, memory, and rates of its own
#
# A reservoir is a circuit whose random weights stay. What it makes of its input is read out by a
# linear map, and only that is fitted. Three questions: how far ahead does it see, what does it
# remember, and how does a biological one keep its neurons busy?

# %%
import equinox as eqx
import jax
import matplotlib.pyplot as plt
import numpy as np

import neurojax as nj

# %matplotlib inline
orange, blue = "#D55E00", "#0072B2"

# %% [markdown]
# ## A forecast that runs on its own outputs
#
# The Lorenz system is chaotic: two states that are nearly the same part, and in about one
# Lyapunov time (1.1 of its time) their distance is multiplied by e. The reservoir learns the next
# step from 3000 steps. Then each output becomes the next input.

# %%
lorenz = nj.tasks.Lorenz()
x = lorenz.series(jax.random.key(0), 4000)
seen = 3000
reservoir = nj.circuits.EchoState(
    300, inputs=3, radius=0.5, leak=0.9, input_scaling=0.5, bias_scaling=0.5
)
fitted = nj.fitting.fit_readout(
    nj.circuits.WithSquares(reservoir), x[: seen - 1], x[1:seen], washout=100
)
forecast = fitted.generate(len(x) - seen)
truth = x[seen:]
time = np.arange(len(truth)) * lorenz.sampling / 1.1  # in Lyapunov times
right = nj.analysis.reservoirs.valid_prediction_time(truth, forecast, dt=time[1])
print(f"error of one step {fitted.nrmse:.1e}; right for {float(right):.1f} Lyapunov times")

# %%
figure = plt.figure(figsize=(10, 4), layout="constrained")
axes = figure.subplot_mosaic("AAC;BBC", per_subplot_kw={"C": {"projection": "3d"}})
for name, channel in (("A", 0), ("B", 2)):
    axes[name].plot(time, truth[:, channel], color="0.6", lw=3, label="truth")
    axes[name].plot(time, forecast[:, channel], color=orange, lw=1.2, label="forecast")
    axes[name].axvline(float(right), color="0.3", lw=0.8, ls=":")
    axes[name].set(ylabel="xyz"[channel])
axes["B"].set(xlabel="Lyapunov times since the last input")
axes["A"].legend(frameon=False, ncols=2, loc="upper right", bbox_to_anchor=(1.0, 1.25))
axes["C"].plot(*np.asarray(forecast).T, color=orange, lw=0.5)
axes["C"].set(xticks=[], yticks=[], zticks=[], title="the forecast as a whole")
plt.show()

# %% [markdown]
# After some Lyapunov times the forecast is another trajectory than the truth, as any forecast of
# chaos must become; but it stays on the attractor.

# %% [markdown]
# ## What is remembered, over radius and leak
#
# The memory capacity is the sum over delays of how much of a past input (squared correlation) a
# linear read-out gives back. Radius and leak are numbers beside the weights, so the whole grid is
# one compiled call that shares the weights; here for two reservoirs.

# %%
u = jax.random.uniform(jax.random.key(1), (1500, 1), minval=-1.0)


def capacity(reservoir, radius, leak):
    changed = eqx.tree_at(lambda r: (r.radius, r.leak), reservoir, (radius, leak))
    rates = nj.fitting.drive(changed, u).rates
    return nj.analysis.reservoirs.memory_capacity(rates, u, 60, penalty=1e-5, washout=200).total


seeds = [
    nj.circuits.EchoState(100, inputs=1, input_scaling=0.1, key=jax.random.key(seed))
    for seed in range(2)
]
grid = {"radius": np.arange(3, 16, 2) / 10, "leak": np.arange(2, 11, 2) / 10}
table = nj.fitting.sweep(capacity, grid, models=seeds, batch=7)
best = table.best(largest=True)
print(best)

# %%
mean = table.scores["score"].mean(axis=0).T
figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
image = axis.imshow(mean, origin="lower", aspect="auto", cmap="viridis")
axis.set_xticks(range(len(grid["radius"])), [f"{value:.1f}" for value in grid["radius"]])
axis.set_yticks(range(len(grid["leak"])), [f"{value:.1f}" for value in grid["leak"]])
axis.set(xlabel="spectral radius", ylabel="leak")
at = [int(np.argmin(np.abs(grid[name] - best[name]))) for name in ("radius", "leak")]
axis.plot(*at, marker="o", mfc="none", mec=orange, ms=14, mew=2)
figure.colorbar(image, label="memory capacity (delays 1 to 60)")
plt.show()

# %% [markdown]
# ## Inhibition that adapts
#
# Excitatory and inhibitory neurons with random synapses: some neurons are nearly silent, others
# nearly always at their maximum. A local rule strengthens the inhibition of a neuron that is more
# active than its target, and weakens it otherwise (Srinivasan, Plenz and Girvan 2025).

# %%
static = nj.circuits.EIReservoir(200, inputs=1)
adapted, adaptation = nj.circuits.adapt_inhibition(static, u, target=0.5)
targets = np.random.default_rng(0).uniform(0.15, 0.85, static.n)  # or nj.circuits.beta_targets
different, spread = nj.circuits.adapt_inhibition(static, u, targets)

rates = {
    "static": nj.circuits.driven_rates(static, u).mean,
    "target 0.5": adaptation.reached.mean,
    "0.15 to 0.85": spread.reached.mean,
}
figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
colours = {"static": "0.5", "target 0.5": orange, "0.15 to 0.85": blue}
for name, values in rates.items():
    axes[0].hist(
        values, np.linspace(0, 1, 21), color=colours[name], label=name, histtype="step", lw=1.5
    )
axes[0].set(xlabel="mean rate", ylabel="neurons", ylim=(0, 50))  # all of one target: 200
axes[0].legend(frameon=False)
axes[1].plot([0, 1], [0, 1], color="0.6", lw=1)
axes[1].plot(targets, spread.reached.mean, ".", color=blue, ms=4)
axes[1].set(xlabel="target rate", ylabel="rate reached")

kept = {}
for name, circuit in {"static": static, "target 0.5": adapted, "0.15 to 0.85": different}.items():
    found = nj.analysis.reservoirs.memory_capacity(
        nj.fitting.drive(circuit, u).rates, u, 40, penalty=1e-5, washout=200
    )
    kept[name] = float(found.total)
    axes[2].plot(np.arange(1, 41), found.profile, color=colours[name])
axes[2].set(xlabel="delay (steps)", ylabel="squared correlation", ylim=(0, 1.02))
plt.show()
print("memory capacity", {name: round(value, 1) for name, value in kept.items()})

# %% [markdown]
# This is one reservoir at one static balance. `benchmarks/ei_reservoir.py` compares ten balances
# in five networks, and `benchmarks/tuned_reservoir.py` asks what tuning by gradient is worth.
