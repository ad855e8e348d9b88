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
# # Simulate
#
# The wiring of a worm becomes a circuit; the circuit is driven, recorded, swept and differentiated.

# %%
import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import neurojax as nj

# %matplotlib inline

# %% [markdown]
# ## A circuit from a connectome
#
# The connectome of Cook et al. 2019 has 302 neurons. A `Connectome` holds chemical synapses
# [from, to], gap junctions, and what is known of the neurons.

# %%
wiring = nj.connectomes.cook2019()
print(wiring)
nj.plotting.connectome(wiring).figure

# %% [markdown]
# `ConnectomeCircuit` puts one weight on every edge, here random ones whose sign is kept where it
# has been predicted. $V$ has no unit, $\tau$ is in ms:
#
# $$\tau_i \dot V_i = -(V_i - b_i) + \sum_j W_{ji} \tanh V_j + \sum_j G_{ij} (V_j - V_i) + I_i$$

# %%
circuit = nj.circuits.ConnectomeCircuit(wiring, signs="connectome", key=jax.random.key(0))
circuit = eqx.tree_at(lambda c: c.weight, circuit, nj.unwrap(circuit).weight * 2.0)

# %% [markdown]
# ## Drive it
#
# The six touch receptor neurons get a current for two seconds. Without a step-size controller a run
# is one `lax.scan` with steps of `dt`; what is asked for by `record` is kept.

# %%
touch = ["ALML", "ALMR", "AVM", "PLML", "PLMR", "PVM"]
where = np.isin(circuit.names, touch).astype(float)
inputs = {"I_e": nj.inputs.Step(2.0 * where, start=1000.0, stop=3000.0)}
shown = [circuit.names.index(name) for name in ("ALML", "AVDR", "AVAL", "AVBL", "PVCL")]
record = {"V": nj.Trace("V", shown)}

fixed = nj.simulate(circuit, duration=8000.0, dt=10.0, inputs=inputs, record=record)

# %% [markdown]
# The same circuit, handed to diffrax, which chooses its own steps:

# %%
adaptive = nj.simulate(
    circuit,
    duration=8000.0,
    dt=10.0,
    inputs=inputs,
    record=record,
    solver=diffrax.Tsit5(),
    stepsize_controller=diffrax.PIDController(rtol=1e-6, atol=1e-6),
)

# %%
seconds = fixed.times("V") / 1e3
figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
for i, neuron in enumerate(shown):
    (line,) = axes.plot(seconds, fixed["V"][:, i], label=circuit.names[neuron])
    axes.plot(seconds, adaptive["V"][:, i], "--", color=line.get_color(), alpha=0.6, lw=3)
axes.axvspan(1, 3, color="0.92", zorder=0)
axes.set(xlabel="time (s)", ylabel="V", title="fixed steps (lines) and diffrax (dashes)")
axes.legend(loc="center right", frameon=False)
print("largest difference between the engines:", float(abs(fixed["V"] - adaptive["V"]).max()))

# %% [markdown]
# ## Noise, and what an instrument sees
#
# With `noise` the circuit is a stochastic differential equation. Its randomness follows from the
# key: the same key gives the same run, also if it is cut into pieces. `Calcium` turns V into what
# an indicator shows.

# %%
noisy = nj.circuits.ConnectomeCircuit(wiring, noise=0.02, key=jax.random.key(0))
sim = nj.simulate(
    noisy, duration=120_000.0, dt=100.0, record={"V": nj.Trace("V", every=5)}, key=jax.random.key(2)
)
fluorescence = nj.observations.Calcium(tau_c=1500.0, noise_sd=0.02).observe(
    sim["V"], dt=500.0, key=jax.random.key(3)
)
recording = nj.recordings.Recording(
    sim.times("V") / 1e3, np.asarray(fluorescence), circuit.names, unit="simulated F"
)
print(recording)
nj.plotting.heatmap(recording, circuit.names[:60]).figure

# %%
first = nj.simulate(noisy, duration=60_000.0, dt=100.0, key=jax.random.key(2))
second = nj.simulate(
    noisy, duration=60_000.0, dt=100.0, state=first.final_state, key=jax.random.key(2)
)
np.array_equal(second.final_state.state["V"], sim.final_state.state["V"])

# %% [markdown]
# ## A sweep is a `vmap`
#
# How strongly do the command neurons answer, as the chemical synapses are scaled up? All twenty
# circuits run at once.


# %%
def answer(scale):
    scaled = eqx.tree_at(lambda c: c.weight, noisy, noisy.weight * scale)
    quiet = eqx.tree_at(lambda c: c.noise, scaled, None)
    sim = nj.simulate(quiet, duration=3000.0, dt=20.0, inputs={"I_e": 2.0 * where})
    return sim.final_state.state["V"]


scales = jnp.linspace(0.0, 6.0, 20)
V = jax.jit(jax.vmap(answer))(scales)

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
for name in ("AVAL", "AVBL", "AVDR", "PVCL"):
    axes.plot(scales, V[:, circuit.names.index(name)], marker="o", ms=3, label=name)
axes.set(xlabel="scale of the weights", ylabel="V after 3 s of touch")
_ = axes.legend(frameon=False)

# %% [markdown]
# ## A gradient is a `grad`
#
# Which synapses would have to change so that touch excites AVAL more? The gradient of a simulation
# by a circuit is a circuit, with one number for every weight.


# %%
def excitation(circuit):
    sim = nj.simulate(circuit, duration=3000.0, dt=20.0, inputs={"I_e": 2.0 * where})
    return sim.final_state.state["V"][circuit.names.index("AVAL")]


plain = nj.circuits.ConnectomeCircuit(wiring, key=jax.random.key(0))
slope = eqx.filter_grad(excitation)(plain).weight
for edge in np.argsort(-np.abs(slope))[:8]:
    pre, post = circuit.names[plain.pre[edge]], circuit.names[plain.post[edge]]
    print(f"{pre:>5} -> {post:<5} {slope[edge]:+.3f}")

# %% [markdown]
# One number to check it with: move one weight and run again.

# %%
edge = int(np.argmax(np.abs(slope)))
step = 1e-2
more = eqx.tree_at(lambda c: c.weight, plain, plain.weight.at[edge].add(step))
less = eqx.tree_at(lambda c: c.weight, plain, plain.weight.at[edge].add(-step))
difference = (excitation(more) - excitation(less)) / (2 * step)
print(f"gradient {slope[edge]:.4f}, finite difference {difference:.4f}")
