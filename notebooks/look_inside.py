# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Look inside a trained network
#
# A network learns to remember: each of its two outputs shall be the sign of the last pulse on its
# own input, for as long as no other pulse comes. Two bits are four combinations. Where does it keep
# them, and what decides whether a pulse flips a bit? The fixed points of the trained network tell.

# %%
import os

os.environ["PJRT_NPROC"] = "1"  # one thread is best for a small network

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import neurojax as nj
from neurojax.analysis import dynamics

# %matplotlib inline

# %% [markdown]
# ## Train
#
# 50 rate units $\tau \dot x = -x + W \tanh x + B u$, by backpropagation through time.

# %%
task = nj.tasks.FlipFlop(bits=2)
circuit = nj.circuits.RateRNN(
    50,
    inputs=task.inputs,
    outputs=task.outputs,
    tau=50.0,
    recurrent=nj.circuits.Gaussian(1.0),
    key=jax.random.key(0),
)
rule = nj.fitting.rules.BPTT(optax.chain(optax.clip_by_global_norm(1.0), optax.adam(5e-3)))
trained = nj.train(circuit, task, rule=rule, steps=400, batch=32, progress=False)
circuit = trained.circuit

# %% [markdown]
# What it does in trials that it has not seen:

# %%
trials = task.trials(jax.random.key(1), 40)
run = nj.fitting.unroll(circuit, trials)
print(f"right sign between pulses: {float(task.score(trials, run.outputs).mean()):.1%} of steps")

changes = jnp.sum(jnp.abs(jnp.diff(trials.targets, axis=1)), axis=(1, 2))
k = int(jnp.argmax(changes))  # the trial in which most is to be done
figure, axes = plt.subplots(2, 1, figsize=(8, 3.2), sharex=True, layout="constrained")
for bit, ax in enumerate(axes):
    ax.plot(trials.times, trials.inputs[k, :, bit], color="0.6", label="pulses")
    ax.plot(trials.times, trials.targets[k, :, bit], "k--", lw=1, label="wanted")
    ax.plot(trials.times, run.outputs[k, :, bit], color="#0072B2", label="output")
    ax.set(ylabel=f"bit {bit + 1}", ylim=(-2.2, 2.2))
axes[1].set_xlabel("time (ms)")
_ = axes[0].legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))

# %% [markdown]
# ## Where it stands still
#
# `fixed_points` searches from many states. Memories are easily found from states that the network
# visits; what separates them lies between such states, so the search begins on the lines between
# pairs of them.

# %%
keys = jax.random.split(jax.random.key(2), 3)
draw = lambda key: dynamics.sample_states(circuit, run.states, 400, noise=0.2, key=key)["x"]
one, other = draw(keys[0]), draw(keys[1])
share = jax.random.uniform(keys[2], (400, 1))
found = dynamics.fixed_points(circuit, {"x": share * one + (1.0 - share) * other})
points = found.fixed
outputs = np.asarray(circuit.read_out(circuit.rates(points.states)))

for z, stable, directions in zip(outputs, points.stable, points.unstable_directions, strict=True):
    kind = "stable" if stable else f"unstable in {directions} of {circuit.n} directions"
    print(f"outputs ({z[0]:+.2f}, {z[1]:+.2f}): {kind}")

# %% [markdown]
# Stable points hold the combinations; each point with one unstable direction lies between two of
# them that differ in one bit; the last one, unstable in two directions, is in the middle.
#
# Were a point missing, the signs would show it. Far from zero the flow points inwards, and then
# the sum of $(-1)^k$ over all fixed points, with k unstable directions each, is 1.

# %%
print("sum of signs:", int(np.sum((-1.0) ** points.unstable_directions)))

# %% [markdown]
# ## The picture
#
# Trials (grey) and fixed points, in the plane of the two outputs.

# %%
seen = eqx.tree_at(lambda p: p.states, points, {"z": outputs})
ax = nj.plotting.flow(
    np.asarray(run.outputs), seen, plane=np.eye(2), labels=("output 1", "output 2")
)
ax.set_aspect("equal")
ax.figure

# %% [markdown]
# ## A gate
#
# A saddle is a gate. Nudged to either side along its unstable direction, the network runs to one
# memory or the other, slowly at first: the unstable eigenvalue is small.

# %%
gates = points.select(points.unstable_directions == 1)
gate = np.asarray(gates.states["x"][0])
values, vectors = np.linalg.eig(np.asarray(dynamics.jacobian(circuit, {"x": jnp.asarray(gate)})))
away = vectors[:, np.argmax(values.real)].real
print(f"time constant away from the gate: {1.0 / values.real.max():.0f} ms")

starts = jnp.asarray(np.stack([gate + size * away for size in (-0.3, -0.03, 0.03, 0.3)]))
silence = jnp.zeros((4, 200, 2))
released = nj.fitting.unroll(
    circuit, nj.tasks.Trials(silence, silence, dt=task.dt, initial=starts)
).outputs
bit = int(np.argmax(np.ptp(np.asarray(released[:, -1]), axis=0)))
figure, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.plot(np.arange(200) * task.dt, released[:, :, bit].T, color="#D55E00")
_ = ax.set(xlabel="time (ms)", ylabel=f"output {bit + 1}", ylim=(-1.2, 1.2))
