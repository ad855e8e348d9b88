"""Inputs that several cases share: trains of spikes, weights and delays."""

import numpy as np

STEPS, DT = 2000, 0.1


def trains(n=12, rate=80.0, steps=STEPS, dt=DT, seed=1):
    """Random trains on the grid, ms."""
    draws = np.random.RandomState(seed).rand(n, steps) < rate * 1e-3 * dt
    return [dt * (np.flatnonzero(row) + 1) for row in draws]


def matrix(n_pre, n_post, low, high, seed=2):
    """Weights between two bounds, shape (pre, post)."""
    return np.random.RandomState(seed).uniform(low, high, (n_pre, n_post))


def delays(n_pre, n_post, dt=DT):
    """Delays of 1, 2, 3 and 20 steps, by the neuron that sends, ms."""
    steps = np.resize([1, 2, 3, 20], n_pre)
    return np.repeat(steps[:, None] * dt, n_post, axis=1)
