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
# # Rich or lazy: what the initial weights leave to be learnt
#
# Two circuits can solve a task equally well, and one has changed its weights and its representation
# a good deal (rich), the other hardly at all (lazy). One thing that decides is the rank of the
# recurrent weights before learning (Liu et al. 2023, arXiv:2310.08513): of initial weights of equal
# norm, those of low rank should change more.

# %%
import os

os.environ["PJRT_NPROC"] = "1"  # one thread is best for circuits of this size

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import neurojax as nj
from neurojax import analysis

# %matplotlib inline

# %% [markdown]
# ## The same task from four ranks
#
# Which of two noisy stimuli is stronger? 100 ReLU units learn it by gradient descent. `Truncated`
# cuts weights of a given rank from one Gaussian draw and scales them to the same norm, so circuits
# of a seed differ in nothing but the rank.

# %%
task = nj.tasks.PerceptualDecision(
    fixation=100.0, stimulus=700.0, decision=100.0, grace=0.0, dt=100.0
)
rule = nj.fitting.rules.BPTT(
    optax.sgd(0.003, momentum=0.9), loss="cross_entropy", freeze=["bias", "output_bias"]
)
ranks, seeds = (1, 5, 20, 100), 3


def choices(key, count):
    """Trials with one output for each of three choices: wait, 1, -1."""
    drawn = task.trials(key, count)
    wanted = jnp.concatenate([drawn.targets == value for value in (0, 1, -1)], axis=-1)
    return nj.tasks.Trials(drawn.inputs, wanted.astype(float), drawn.mask, dt=task.dt)


def begin(rank, seed):
    return nj.circuits.LeakyRNN(
        100, inputs=task.inputs, outputs=3, leak=1.0, nonlinearity="relu",
        recurrent=nj.circuits.Truncated(rank, 1.25), key=jax.random.key(seed),
    )  # fmt: skip


before = {(rank, seed): begin(rank, seed) for rank in ranks for seed in range(seeds)}
trials = choices(jax.random.key(99), 8000)
trained = {
    which: nj.train(
        circuit,
        trials,
        rule=rule,
        steps=500,
        batch=32,
        key=jax.random.key(which[1]),
        progress=False,
    )
    for which, circuit in before.items()
}

# %% [markdown]
# ## How much was changed
#
# Three numbers: the norm of the change of the recurrent weights, and the alignment, 1 for no
# change, of two kernels before and after: that of the rates (which trials look alike to the
# circuit?) and the tangent kernel (which trials learn together?), here with respect to the
# recurrent weights.

# %%
shown = choices(jax.random.key(100), 300)


@eqx.filter_jit
def compare(before, after):
    def rates(circuit):
        return nj.fitting.unroll(circuit, shown).rates[:, -1]

    def kernel(circuit):
        def outputs(weights):
            changed = eqx.tree_at(lambda c: c.recurrent, circuit, weights)
            return nj.fitting.unroll(changed, shown[:32]).outputs[:, -1]

        return analysis.tangent_kernel(outputs, circuit.recurrent)

    last = nj.fitting.unroll(after, shown).outputs[:, -1]
    right = jnp.argmax(last, axis=-1) == jnp.argmax(shown.targets[:, -1], axis=-1)
    return {
        "weight change": analysis.weight_change(before.recurrent, after.recurrent),
        "kernel alignment": analysis.kernel_alignment(kernel(before), kernel(after)),
        "representation alignment": analysis.representation_alignment(rates(before), rates(after)),
        "right": jnp.mean(right),
    }


found = {which: compare(circuit, trained[which].circuit) for which, circuit in before.items()}
table = {
    name: np.array([[float(found[rank, seed][name]) for seed in range(seeds)] for rank in ranks])
    for name in found[1, 0]
}
print(f"medians of {seeds} seeds")
print("rank  " + "  ".join(table))
for row, rank in enumerate(ranks):
    values = (f"{np.median(table[name][row]):>{len(name)}.2f}" for name in table)
    print(f"{rank:4}  " + "  ".join(values))

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
for shade, rank in zip(plt.cm.viridis(np.linspace(0, 0.85, len(ranks))), ranks, strict=True):
    losses = np.mean([trained[rank, seed].losses for seed in range(seeds)], axis=0)
    smooth = np.convolve(losses, np.ones(20) / 20, "valid")
    axes[0].plot(smooth, color=shade, label=f"rank {rank}")
axes[0].set(xlabel="update", ylabel="loss (mean of 20 updates)", yscale="log")
axes[0].legend(frameon=False)
names = ("weight change", "kernel alignment", "representation alignment")
for axis, shown_names in ((axes[1], names[:1]), (axes[2], names[1:])):
    for name, colour in zip(shown_names, ("#0072B2", "#D55E00"), strict=False):
        axis.plot(ranks, np.median(table[name], axis=1), color=colour, label=name)
        axis.plot(ranks, table[name], ".", color=colour, alpha=0.5)
    axis.set(xscale="log", xlabel="initial rank", xticks=ranks, xticklabels=ranks)
    axis.minorticks_off()
axes[1].set(ylabel="weight change (norm)")
axes[2].set(ylabel="alignment with before", ylim=(0, 1.02))
axes[2].legend(frameon=False)
plt.show()

# %% [markdown]
# Dots are seeds, lines medians. The tangent kernel tells the ranks apart more clearly than the norm
# of the change does. If a circuit is to stand for a brain that learns by reorganising, begin with a
# low rank; if its initial representation is to last, with full rank. Training longer changes more,
# whatever the rank, so compare circuits at the same loss, as `benchmarks/rich_lazy.py` does with
# five seeds.
