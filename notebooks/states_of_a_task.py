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
# # A circuit with hidden states
#
# Animals switch between states of behaviour, and a hidden Markov model says when. What kind of
# dynamics could do the switching? Here a recurrent circuit learns to turn noise into sequences with
# the statistics of a two-state chain (Torre et al. 2025, arXiv:2510.25674), and we look at how it
# does so.

# %%
import os

os.environ["PJRT_NPROC"] = "1"  # one thread is best for circuits of this size

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import neurojax as nj
from neurojax.analysis import dynamics
from neurojax.fitting.rules import Sinkhorn, straight_through

# %matplotlib inline

# %% [markdown]
# ## Learn a distribution, not a sequence
#
# No input tells the circuit when to switch, so there is no target to follow step by step. The
# Sinkhorn divergence compares a batch of its sequences with a batch from the chain: the least cost
# of turning the one into the other. The circuit draws its symbols from softmax probabilities, and
# the gradient passes through the draw.

# %%
task = nj.tasks.HiddenMarkov.linear_chain(2, length=300.0, noise_channels=16)  # 30 symbols
circuit = nj.circuits.LeakyRNN(
    64, inputs=16, outputs=task.outputs, leak=1.0, nonlinearity="relu", key=jax.random.key(0)
)
adam = optax.chain(optax.clip_by_global_norm(0.9), optax.adam(2e-3, b2=0.9))
rule = Sinkhorn(adam, epsilon=0.3, iterations=14, freeze=["bias", "output_bias"])
trained = nj.train(
    circuit, task, rule=rule, steps=500, batch=128, key=jax.random.key(1), progress=False
)

# %%
long = nj.tasks.HiddenMarkov.linear_chain(2, length=2000.0, noise_channels=16)
trials = long.trials(jax.random.key(2), 100)


def sequences(circuit):
    run = nj.fitting.unroll(circuit, trials)
    return straight_through(jax.random.key(3), run.outputs), run


symbols, run = sequences(trained.circuit)
untrained, _ = sequences(circuit)
print("share of steps at which the symbol changes")
print(f"  chain {float(task.expected_volatility()):.3f}")
print(f"  circuit {float(long.volatility(untrained)):.3f} before, ", end="")
print(f"{float(long.volatility(symbols)):.3f} after learning")
stay = lambda transitions: np.diag(np.asarray(transitions))[[0, 2]].round(2)
print("probability to stay with the first and the last symbol")
print(f"  chain {stay(task.expected_transitions())}, circuit {stay(long.transitions(symbols))}")

# %%
figure, axes = plt.subplots(3, 1, figsize=(9, 3.2), sharex=True, layout="constrained")
rows = {"chain": trials.targets, "untrained": untrained, "trained": symbols}
for axis, (name, each) in zip(axes, rows.items(), strict=True):
    axis.imshow(
        np.asarray(each[:8]).argmax(-1), aspect="auto", cmap="cividis", interpolation="nearest"
    )
    axis.set(yticks=[], ylabel=name)
axes[-1].set_xlabel("step")
axes[0].set_title("eight sequences each; colours are symbols", fontsize=10)
plt.show()

# %% [markdown]
# ## Where are the states?
#
# Two states might be two attractors, between which noise kicks the circuit. The alternative is one
# attractor, and noise that the circuit integrates. Take the noise away and see what remains.

# %%
quiet = jnp.zeros((50, 120, 16))
starts = run.states["h"][:50, -1]
silent = nj.tasks.Trials(quiet, jnp.zeros((50, 120, 3)), dt=task.dt, initial=starts)
left = jnp.linalg.norm(nj.fitting.unroll(trained.circuit, silent).rates, axis=-1)
points = dynamics.sample_states(
    trained.circuit, {"h": run.rates}, 100, noise=0.1, key=jax.random.key(4)
)
found = dynamics.fixed_points(trained.circuit, points, dt=task.dt, spectra=False)
largest = float(jnp.max(jnp.abs(found.fixed.states["h"])))
print(f"fixed points: {len(found.fixed)}, largest rate there {largest:.1g}")

# %%
projected = nj.analysis.pca(run.rates.reshape(-1, 64), 2)
emitted = np.asarray(symbols).argmax(-1).reshape(-1)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for symbol, colour in ((0, "#0072B2"), (1, "0.4"), (2, "#D55E00")):
    which = np.flatnonzero(emitted == symbol)[:1500]
    axes[0].plot(
        *np.asarray(projected.projections)[which].T, ".", ms=2, color=colour, label=str(symbol)
    )
axes[0].set(xlabel="component 1", ylabel="component 2", title="with noise")
axes[0].legend(title="symbol", frameon=False, markerscale=5)
axes[1].semilogy(np.asarray(left).T, color="0.5", lw=0.5)
axes[1].set(xlabel="steps without noise", ylabel="norm of the rates", title="without noise")
plt.show()

# %% [markdown]
# The symbols lie on the two sides of one cloud, and where the noise ends the activity decays to a
# single point: this circuit has no state without its noise. So states in behaviour need not be
# attractors, and to tell, look for fixed points (`look_inside` has a circuit that does keep its
# states in attractors). `benchmarks/hidden_markov.py` trains longer, with several seeds.
