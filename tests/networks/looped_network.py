"""A network of current-based integrate-and-fire neurons written out in numpy, step by step."""

import numpy as np


def simulate(
    W, delays, V, drive, steps, dt=0.1, tau=20.0, tau_syn=5.0, V_th=15.0, t_ref=20, C=250.0
):
    """Spikes [step, neuron] and currents [step, neuron] of neurons with rest and reset at zero.

    `W` and `delays` are matrices [pre, post]; delays in steps; `drive` in pA. A spike at the end of
    step k is added to the current at the end of step k + delay.
    """
    n = len(V)
    V, current = V.astype(float).copy(), np.zeros(n)
    left, arriving = np.zeros(n, int), np.zeros((steps + int(delays.max()) + 2, n))
    decay, leak = np.exp(-dt / tau_syn), np.exp(-dt / tau)
    # response of the membrane to a constant current and to a decaying one over a step
    constant = tau / C * (1 - leak)
    decaying = tau * tau_syn / (tau_syn - tau) / C * (decay - leak)
    spikes, currents = np.zeros((steps, n), bool), np.zeros((steps, n))
    for k in range(steps):
        fired = V_th < V
        left = np.where(fired, t_ref, np.maximum(left - 1, 0))
        V = np.where(fired, 0.0, V)
        moved = leak * V + constant * drive + decaying * current
        V = np.where(left > 0, V, moved)
        current = current * decay + arriving[k]
        spikes[k], currents[k] = V_th < V, current
        for pre in np.flatnonzero(spikes[k]):
            for post in np.flatnonzero(W[pre]):
                arriving[k + delays[pre, post], post] += W[pre, post]
    return spikes, currents
