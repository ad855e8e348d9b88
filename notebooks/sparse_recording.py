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
# # A circuit from its output and a few recorded neurons
#
# We know what a circuit puts out, and the rates of some of its neurons. A network is trained on
# both. Does knowing a few neurons make it do better where it was not trained, and does it become
# more like the circuit as a whole? (Salatiello and Giese 2020, arXiv:2005.02211.)

# %%
import os

os.environ["PJRT_NPROC"] = "1"  # one thread is best for circuits of this size

import jax
import matplotlib.pyplot as plt
import numpy as np
import optax

import neurojax as nj
from neurojax.analysis.similarity import linear_cka
from neurojax.tasks.centre_out import CentreOutReach

# %matplotlib inline

# %% [markdown]
# ## The circuit that we pretend to record from
#
# 200 neurons, half of them excitatory, with weights optimised so that the circuit is stable and
# yet amplifies (Hennequin et al. 2014). A cue of 200 ms tells the angle of a reach; then the
# circuit is left alone, and two muscles read its excitatory neurons. There are 27 angles. Five
# are for training.

# %%
task = CentreOutReach()
trained, untrained = task.subset(6), task.left_out(6)
times = np.asarray(trained.times) - task.cue

figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
axes[0].plot(times, trained.activity[1, :, ::20], lw=1)
axes[0].set(xlabel="time from the end of the cue (ms)", ylabel="rate - baseline (Hz)")
axes[0].set_title("ten neurons, one reach")
colours = plt.cm.twilight(np.asarray(task.angles) / (2 * np.pi))
for colour, target in zip(colours, task.all().targets, strict=True):
    axes[1].plot(times[40:], target[40:, 0], color=colour, lw=1)
_ = axes[1].set(xlabel="time from the end of the cue (ms)", title="one muscle, all 27 reaches")

# %% [markdown]
# ## Training by gradient
#
# The loss is the squared error of the outputs plus that of the recorded neurons, for which the
# first units of a network of 300 stand. Each neuron's rates are scaled by their maximum to fit
# into the range of tanh.

# %%
key = jax.random.key(0)
order = np.asarray(jax.random.permutation(key, 200))
shares = (0, 10, 50)
updates = 150


def recorded(trials, neurons, fill):
    """The trials with the rates of some neurons, the greatest of which become `fill`."""
    greatest = np.abs(trained.activity).max((0, 1))[neurons]
    rates = fill * trials.activity[..., neurons] / greatest if len(neurons) else None
    return nj.tasks.Trials(trials.inputs, trials.targets, trials.mask, dt=trials.dt, activity=rates)


def learn(rule, steps, share, fill):
    circuit = nj.circuits.RateRNN(
        300, inputs=3, outputs=2, tau=50.0, recurrent=nj.circuits.Gaussian(1.0), key=key
    )
    known = recorded(trained, order[: 2 * share], fill)
    return nj.train(circuit, known, rule=rule, steps=steps, key=key, progress=False).circuit


adam = optax.adam(optax.cosine_decay_schedule(3e-3, updates))
by_gradient = nj.fitting.rules.BPTT(optax.chain(optax.clip_by_global_norm(1.0), adam))
circuits = {share: learn(by_gradient, updates, share, 0.95) for share in shares}

# %% [markdown]
# ## Reaches that were never trained


# %%
def r2(trials, outputs):
    counts = np.asarray(trials.mask) > 0
    wanted, found = np.asarray(trials.targets)[counts], np.asarray(outputs)[counts]
    return 1 - np.sum((wanted - found) ** 2) / np.sum((wanted - wanted.mean(0)) ** 2)


def judge(circuit):
    """R2 on trained and untrained reaches, and the likeness to the whole circuit."""
    run, new = (nj.fitting.unroll(circuit, trials) for trials in (trained, untrained))
    moving = np.asarray(untrained.mask) > 0
    alike = linear_cka(new.rates[moving], untrained.activity[moving])
    return r2(trained, run.outputs), r2(untrained, new.outputs), float(alike)


gradient = {share: judge(circuit) for share, circuit in circuits.items()}
print("recorded  R2 trained  R2 untrained   CKA")
for share, values in gradient.items():
    print(f"{share:6} %  {values[0]:10.4f}  {values[1]:12.3f}  {values[2]:.3f}")

# %%
reach = 9  # between two trained ones
figure, axes = plt.subplots(1, 3, figsize=(10, 2.8), sharey=True, layout="constrained")
for axis, (share, circuit) in zip(axes, circuits.items(), strict=True):
    new = nj.fitting.unroll(circuit, untrained)
    axis.plot(times[40:], untrained.targets[reach, 40:], color="0.6", lw=3)
    axis.plot(times[40:], new.outputs[reach, 40:], color="#D55E00", lw=1.2)
    axis.set(xlabel="time (ms)", title=f"{share} % recorded")
_ = axes[0].set(ylabel="muscles (grey: wanted)")

# %% [markdown]
# ## Training by least squares
#
# Full-FORCE needs no gradient and a second instead of many. A random network shows the units which
# currents to make; those that stand for recorded neurons get the current that makes them follow
# the recording. Its inverse of tanh is steep near 1, so the rates are scaled to 0.5. A teacher of
# gain 1 is not chaotic by itself: its units follow the outputs and recorded rates that drive it.

# %%
rule = nj.fitting.rules.FullFORCE(gain=1.0)
ridge = {share: judge(learn(rule, 6, share, 0.5)) for share in shares}

figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for name, values in (("gradient", gradient), ("full-FORCE, ridge", ridge)):
    for axis, column in ((axes[0], 1), (axes[1], 2)):
        axis.plot(shares, [values[share][column] for share in shares], "o-", label=name)
axes[0].set(xlabel="recorded (%)", ylabel="output $R^2$, untrained reaches")
axes[1].set(xlabel="recorded (%)", ylabel="CKA with the whole circuit")
_ = axes[0].legend(frameon=False)

# %% [markdown]
# This is one network of each kind. Networks differ, those by least squares a good deal:
# `benchmarks/sparse_recording.py` has the medians of five for six shares, on five and on seven
# trained reaches.
