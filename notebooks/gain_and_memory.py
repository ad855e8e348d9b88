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
# # Three circuits with a theory: gains, memories, agreement
#
# Some circuits need no training, since mathematics says what they do. Three of them, and how far
# the mathematics goes: a circuit that adapts its gains to what it sees, associative memories, and
# noisy copies that pull each other together.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import neurojax as nj
from neurojax.circuits import ClassicalHopfield, CoupledSystems, GainControl, ModernHopfield

# %matplotlib inline
orange, blue = "#D55E00", "#0072B2"

# %% [markdown]
# ## Gains that adapt
#
# 45 neurons prefer one orientation each and excite their neighbours. Weights stay; gains are set to
# code the orientations faithfully with little activity (Duong et al. 2023, arXiv:2305.19869). Then
# one orientation, the adapter, comes three times in ten. `adapt_gains` finds the best gains by
# gradient through the steady state.

# %%
n, adapter = 45, 22
angle = np.arange(n) * 180.0 / n
apart = np.abs(np.subtract.outer(angle, angle))
apart = np.minimum(apart, 180.0 - apart)
near = np.exp(-0.5 * (apart / 8.0) ** 2)
weights = 0.6 * near / near.sum(axis=1, keepdims=True) - 0.3 / n
drives = jnp.asarray(np.exp(-0.5 * (apart / 12.0) ** 2))  # of each orientation, one per row

biased = np.full(n, 0.7 / (n - 1))
biased[adapter] = 0.3
circuits = {}
for name, probability in (("uniform", np.full(n, 1.0 / n)), ("adapted", biased)):
    circuits[name], _ = nj.circuits.adapt_gains(
        GainControl(jnp.asarray(weights)), drives, jnp.asarray(probability),
        activity=1.0, steps=120,
    )  # fmt: skip
gain = np.asarray(circuits["adapted"].gain / circuits["uniform"].gain)
peaks = [float(c.response(drives)[:, adapter].max()) for c in circuits.values()]
print(f"peak response of the adapter's neuron {peaks[0]:.2f} before, {peaks[1]:.2f} after")
print(f"gain at the adapter {gain[adapter]:.2f}, 32 degrees away {gain[adapter + 8]:.2f}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
axes[0].axhline(1.0, color="0.7", lw=0.8)
axes[0].plot(angle - angle[adapter], gain, color=orange)
axes[0].set(xlabel="preferred orientation from the adapter (degrees)", ylabel="gain, of uniform")
for name, style in (("uniform", "--"), ("adapted", "-")):
    responses = np.asarray(circuits[name].response(drives))
    for neuron, colour in ((adapter, orange), (adapter + 3, blue)):
        label = f"{name}, {angle[neuron] - angle[adapter]:.0f}°"
        axes[1].plot(
            angle - angle[adapter], responses[:, neuron], style, color=colour, label=label, lw=1.2
        )
axes[1].set(
    xlabel="orientation shown, from the adapter (degrees)", ylabel="response", xlim=(-45, 60)
)
axes[1].legend(frameon=False, title="prefers", fontsize=8, title_fontsize=8)
for axis in axes:
    axis.axvline(0.0, color="0.7", lw=0.8, ls=":")
plt.show()

# %% [markdown]
# ## How many memories
#
# A classical Hopfield network stores patterns in its weights by Hebb's rule, and holds about 0.138
# patterns per neuron (Amit, Gutfreund and Sompolinsky 1985). A modern one (Ramsauer et al. 2020)
# keeps the patterns apart and looks them up by softmax. Both are given cues with errors.

# %%
rng = np.random.default_rng(0)
units, cues = 300, 30
loads = np.array([0.05, 0.1, 0.138, 0.18, 0.25])
overlap = {"classical": [], "modern": []}
for load in loads:
    patterns = rng.choice([-1.0, 1.0], size=(round(load * units), units))
    some = patterns[np.arange(cues) % len(patterns)]
    wrong = jnp.asarray(some * np.where(rng.random(some.shape) < 0.1, -1.0, 1.0))
    found = jax.jit(jax.vmap(ClassicalHopfield(patterns).recall))(wrong)
    overlap["classical"].append(float(np.mean(np.asarray(found) * some)))
    found = np.sign(ModernHopfield(patterns, 1.0).update(wrong))
    overlap["modern"].append(float(np.mean(found * some)))

few = 32
patterns = rng.normal(size=(5000, few))
patterns *= np.sqrt(few) / np.linalg.norm(patterns, axis=1, keepdims=True)
noisy = jnp.asarray(patterns[:cues] + 0.3 * rng.normal(size=(cues, few)))
betas = np.geomspace(0.05, 8.0, 9)
error = [
    float(np.linalg.norm(ModernHopfield(patterns, beta).update(noisy) - patterns[:cues]))
    / float(np.linalg.norm(patterns[:cues]))
    for beta in betas
]
print("overlap with the pattern, classical:", np.round(overlap["classical"], 2))
print(f"modern, {len(patterns)} patterns in {few} units: error {error[0]:.2f} at beta "
      f"{betas[0]:.2f}, {error[-1]:.2g} at beta {betas[-1]:.0f}")  # fmt: skip

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for name, colour in (("modern", blue), ("classical", orange)):
    axes[0].plot(loads, overlap[name], "o-", color=colour, label=name)
axes[0].axvline(0.138, color="0.5", lw=0.8, ls=":", label="theory, infinite size")
axes[0].set(
    xlabel="patterns per unit",
    xticks=np.arange(0.05, 0.26, 0.05),
    ylabel="overlap after recall",
    ylim=(0, 1.05),
)
axes[0].legend(frameon=False)
axes[1].semilogx(betas, error, "o-", color=blue)
axes[1].set(xlabel="beta", ylabel="relative error", ylim=(-0.03, 1.05))
axes[1].set_title(f"modern: {len(patterns)} patterns in {few} units", fontsize=10)
plt.show()

# %% [markdown]
# The price of the modern network: written as a circuit it has a unit for each pattern. And with a
# small beta it answers with an average of many patterns.

# %% [markdown]
# ## Agreement of noisy copies
#
# Ten copies of one system, each with noise of its own, are pulled towards each other: how far do
# they still disagree? For a quadratic potential the theory is exact (Bouvrie and Slotine 2011).

# %%
strengths = np.array([0.0, 0.1, 0.2, 0.4, 0.7, 1.0])
fine = np.linspace(0.0, 1.0, 41)
shapes = {"all to all": CoupledSystems.all_to_all, "ring": CoupledSystems.ring}
measured, expected = {}, {}
for name, shape in shapes.items():
    systems = [shape(10, strength, curvature=1.0, sigma=0.5) for strength in strengths]
    expected[name] = [system.expected_disagreement() for system in systems]
    runs = [
        nj.simulate(
            system, duration=300.0, dt=0.002, key=jax.random.key(0),
            record={"x": nj.Trace("x", every=50)},
        )
        for system in systems
    ]  # fmt: skip
    # without the first 10 ms, until they are stationary
    measured[name] = [float(nj.circuits.disagreement(run["x"])[100:].mean()) for run in runs]
    off = np.abs(np.array(measured[name]) / expected[name] - 1.0)
    print(f"{name}: at most {off.max():.1%} off the theory")

# %%
figure, axis = plt.subplots(figsize=(5.5, 3), layout="constrained")
for name, colour in (("ring", orange), ("all to all", blue)):
    theory = [shapes[name](10, k, sigma=0.5).expected_disagreement() for k in fine]
    axis.semilogy(fine, theory, color=colour, label=f"{name}, theory")
    axis.semilogy(strengths, measured[name], "o", mfc="none", color=colour, label="simulated")
axis.set(xlabel="coupling of a pair (per ms)", ylabel="mean squared disagreement")
axis.legend(frameon=False)
plt.show()
