"""A reference on the grid: equations solved to 1e-12 between labels, thresholds seen at labels."""

import numpy as np


def arrivals(times, weights, delays, steps, dt=0.1):
    """The sum of the weights that arrive at each label, shape (step, post)."""
    found = np.zeros((steps, weights.shape[1]))
    for i, train in enumerate(times):
        for j in range(weights.shape[1]):
            labels = np.rint((np.asarray(train) + delays[i, j]) / dt).astype(int) - 1
            np.add.at(found[:, j], labels[labels < steps], weights[i, j])
    return found


def on_grid(rates, start, arrive, spiked, reset, held_steps, steps, dt=0.1, tolerance=1e-12):
    """Integrate rows of a state (leaf, neuron); V is row 0.

    `rates(y, held)` are time derivatives, `arrive(y, k)` adds what arrives at label k, `spiked(y)`
    is a mask, `reset(y, mask)` makes the jump, `held_steps` is an array of refractory steps.
    """
    from scipy.integrate import solve_ivp

    y, left = np.array(start, float), np.zeros(np.shape(start)[1], int)
    trace, spikes, shape = [], [], y.shape
    for k in range(steps):
        held = left > 0
        flow = lambda t, x, held=held: rates(x.reshape(shape), held).ravel()
        solved = solve_ivp(
            flow, (0.0, dt), y.ravel(), method="DOP853", rtol=tolerance, atol=tolerance
        )
        y = arrive(solved.y[:, -1].reshape(shape), k)
        fired = spiked(y) & ~held
        y = reset(y, fired)
        left = np.where(fired, held_steps, np.maximum(left - 1, 0))
        spikes += [(dt * (k + 1), j) for j in np.flatnonzero(fired)]
        trace.append(y.copy())
    return np.array(trace), np.array(spikes).reshape(-1, 2)
