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
# # Fit a worm
#
# One circuit with the wiring of *C. elegans*, fitted to whole-brain recordings of several animals,
# and scored on an animal that it has never seen. This notebook uses three animals and 150 steps, to
# be quick; `neurojax fit` in a shell does the same with all five animals and 250 steps.

# %%
import jax
import matplotlib.pyplot as plt
import numpy as np

import neurojax as nj

# %matplotlib inline

# %% [markdown]
# ## Look at a recording
#
# The recordings come with the package; source, citation and licence are in their metadata. About
# two thirds of the columns are neurons identified for certain; the others are kept, not fitted.

# %%
worms = nj.recordings.load("dag2023")[:3]
worm = worms[0]
print(worm)
print(worm.metadata["citation"])
nj.plotting.heatmap(worm, shade="reversal").figure

# %%
nj.plotting.traces(worm, ["AVAL", "AVAR", "AIBL", "RIMR", "RIBL", "SMDVL", "NSML"]).figure

# %% [markdown]
# AVAL and AVAR, left and right, do nearly the same. So it is easy to guess one from the other, with
# or without a connectome, and a good score means little until it is compared with controls.
#
# ## What the fit sees
#
# Slow drift is subtracted by a running mean that looks back only; mean and standard deviation are
# those of the first 60 % of the frames.

# %%
prepared = nj.fitting.Normalisation().apply(worms, train=0.6)
figure, axes = plt.subplots(2, 1, figsize=(8, 3.6), sharex=True, layout="constrained")
versions = {"as recorded": worm, "prepared": prepared[0]}
for ax, (what, recording) in zip(axes, versions.items(), strict=True):
    ax.plot(recording.times, recording.trace("AVAL"), lw=1)
    ax.axvline(worm.times[480], color="0.3", ls=":")
    ax.set_ylabel(what)
axes[1].set_xlabel("time (s); right of the dotted line is the test part")
axes[0].set_title("AVAL")
# %% [markdown]
# ## Fit
#
# One circuit is shared by all animals. In every window of a batch a random 10 to 50 % of the
# neurons is hidden; the others are clamped to the recording, and the circuit has to reconstruct
# those that are hidden. `EdgeObserver` lets a neuron's postsynaptic partners tell about it; it
# belongs to the estimator, and not to the circuit. Each animal is left out in turn, and two
# controls with shuffled wiring are fitted in the same way.

# %%
wiring = nj.connectomes.cook2019().subset(worms.labels)
circuit = nj.circuits.ConnectomeCircuit(wiring, key=jax.random.key(0))
fit = nj.fit(
    circuit,
    worms,
    objective=nj.fitting.MaskedNeurons(0.1, 0.5),
    observer=nj.fitting.EdgeObserver(),
    hold_out=nj.fitting.LeaveOneAnimalOut(),
    controls=[nj.fitting.Shuffled(2)],
    steps=150,
    progress=False,
    key=jax.random.key(1),
)
print(fit)
nj.plotting.loss_curve(fit).figure

# %% [markdown]
# ## Scores
#
# The correlation of hidden neurons with their recording, in the animal that was left out:

# %%
print(fit.table("left-out animal"))
nj.plotting.score_bars(fit, "left-out animal").figure

# %%
gain = fit.connectome_gain("left-out animal")
print("above the mean of the shuffled controls, by animal:", gain.round(3))
print("95 % interval of r over animals:", np.round(fit.interval("left-out animal"), 3))

# %% [markdown]
# And later in the same animals, where regression from all other neurons is hard to beat:

# %%
print(fit.table("later time"))

# %% [markdown]
# ## Hidden neurons, predicted

# %%
nj.plotting.reconstruction(fit, animal=0).figure

# %% [markdown]
# ## The weights
#
# They predict hidden neurons. They are no measurement of synapses: sizes hardly follow the counts
# of synapses, and neurons that were never seen together leave the weight between them undetermined.

# %%
nj.plotting.weights_against_counts(fit)

# %% [markdown]
# ## The report
#
# One page with all of this, for others to read:

# %%
print(nj.report(fit, "report.html").name)

# %% [markdown]
# The fitted circuit is an ordinary model: simulate it, or keep it with `nj.save`.

# %%
sim = nj.simulate(fit.circuit, duration=60_000.0, dt=600.0, record={"V": nj.Trace("V")})
nj.save("circuit.npz", fit.circuit)
sim["V"].shape
