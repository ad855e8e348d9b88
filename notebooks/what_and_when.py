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
# # What comes, and when: a read-out that learns within trials
#
# After a cue one of two events will come, each at a time of its own and with a probability of its
# own. A spiking reservoir is to foretell them. Two read-outs share the work (Yamada and Chao 2026,
# arXiv:2510.14382): *when* learns the time course of each event, online; *what* learns how likely
# each is, once a trial. Their product is the prediction. FORCE, with one read-out for all, is set
# beside it. Then the latencies change places.

# %%
import os

os.environ["PJRT_NPROC"] = "1"  # one thread is best for circuits of this size

import equinox as eqx
import jax
import matplotlib.pyplot as plt
import numpy as np

import neurojax as nj
from neurojax.fitting import ErrorModulated, ForceReadout, ForceTrials, WhatWhen
from neurojax.tasks import relative_error

# %matplotlib inline
orange, blue = "#D55E00", "#0072B2"

# %% [markdown]
# ## The task and the reservoir
#
# Event A comes 150 ms after the cue in 7 of 10 trials, B after 300 ms in the others. 400 Izhikevich
# neurons hear the cue and the present prediction; no neuron hears the events, which only teach.

# %%
task = nj.tasks.MEET()
circuit = nj.circuits.IzhikevichReservoir(
    400, inputs=task.inputs, outputs=task.outputs, feedback=1.0, jitter=0.02, key=jax.random.key(0)
)
rules = {
    "what and when": (ErrorModulated(), WhatWhen.start(circuit)),
    "FORCE": (ForceTrials(), ForceReadout.start(circuit)),
}
later = task.switched(latency=task.latency[::-1])
count = 80


@eqx.filter_jit
def block(rule, readouts, task, key):
    """A block of trials, after each of which the cue comes alone to test the prediction."""
    draw, run = jax.random.split(key)
    test = task.cue_only()
    trials = task.trials(draw, count)
    readouts, trace = rule.trials(circuit, readouts, trials, key=run, test=test)
    return readouts, trace.outputs, jax.vmap(lambda z: relative_error(test, z))(trace.outputs)


outputs, errors = {}, {}
for name, (rule, readouts) in rules.items():
    runs = []
    for number, block_task in enumerate((task, later)):
        readouts, *run = block(rule, readouts, block_task, jax.random.key(number))
        runs.append(run)
    outputs[name] = [np.asarray(run[0]) for run in runs]
    errors[name] = [np.asarray(run[1]) for run in runs]

# %% [markdown]
# ## What it foretells
#
# Means of the last ten tests of each block. Dashed: what is to be expected, a bump at the time of
# each event as high as the event is likely.

# %%
figure, axes = plt.subplots(2, 2, figsize=(9, 4), sharex=True, sharey=True, layout="constrained")
for row, name in zip(axes, rules, strict=True):
    for axis, each, now in zip(row, outputs[name], (task, later), strict=True):
        wanted = np.asarray(now.cue_only().targets)
        for event, colour in ((0, blue), (1, orange)):
            axis.plot(wanted[:, event], "--", color=colour, lw=0.8)
            axis.plot(each[-10:].mean(axis=0)[:, event], color=colour, label="AB"[event])
    row[0].set_ylabel(f"{name}\nprediction")
for axis, title in zip(axes[0], ("before the switch", "after the switch"), strict=True):
    axis.set_title(title, fontsize=10)
for axis in axes[1]:
    axis.set_xlabel("time after the cue (ms)")
axes[0, 0].legend(frameon=False, title="event")
plt.show()

# %% [markdown]
# ## How fast it learns, and learns anew
#
# The error is relative: 1 for no prediction at all.

# %%
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
for (name, each), colour in zip(errors.items(), (blue, orange), strict=True):
    course = np.concatenate(each)
    axis.plot(course, color=colour, lw=0.5, alpha=0.5)
    for k in range(2):
        smooth = np.convolve(each[k], np.ones(10) / 10, "valid")
        axis.plot(
            k * count + 9 + np.arange(len(smooth)), smooth, color=colour, label=None if k else name
        )
    ends = [run[-10:].mean() for run in each]
    print(f"{name}: error {ends[0]:.2f} at the end of the first block, "
          f"{each[1][:3].mean():.2f} just after the switch, {ends[1]:.2f} at the end")  # fmt: skip
axis.axvline(count, color="0.5", lw=0.8, ls=":")
axis.set(xlabel="trial (latencies change places at the dotted line)", ylabel="relative error")
axis.set_ylim(0, 2)
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# In this run FORCE is faster in the first block, and after one switch both learn anew. FORCE keeps
# the correlations of all rates and moves less the more it has seen; *what* and *when* keep nothing
# but their weights, each of which is changed by its own neuron and an error. Look at both where
# conditions keep changing: `benchmarks/what_when.py` has five seeds and five switches in a row, and
# a FORCE that is reset at each switch as well.
