"""The same reservoirs and series for every library."""

import numpy as np
import scipy.sparse

RADIUS, PENALTY, WASHOUT = 0.9, 1e-8, 100
SWEEP = {"radius": np.linspace(0.1, 1.3, 10), "leak": np.linspace(0.1, 1.0, 10)}


def matrices(n, density, seed=0):
    """W (of about unit spectral radius), Win and bias; W sparse below density 1."""
    rng = np.random.default_rng(seed)
    scale = 1 / np.sqrt(density * n)
    if density == 1.0:
        W = scale * rng.normal(size=(n, n))
    else:
        draw = lambda size: scale * rng.normal(size=size)
        W = scipy.sparse.random_array((n, n), density=density, format="csr", rng=rng,
                                      data_sampler=lambda size: draw(size))  # fmt: skip
    return W, rng.uniform(-1, 1, (n, 1)), 0.1 * rng.uniform(-1, 1, n)


def noise(steps, series=None):
    """Inputs (steps, 1) or (series, steps, 1)."""
    shape = (steps, 1) if series is None else (series, steps, 1)
    return np.random.default_rng(1).uniform(-1, 1, shape)


def memory(u, delay=5):
    """The input of some steps ago."""
    return np.roll(u, delay, axis=-2)


def regression(samples, n):
    """Features and targets as they come from a reservoir: correlated, of very unequal size."""
    rng = np.random.default_rng(2)
    X = np.tanh(rng.normal(size=(samples, n)) @ (rng.normal(size=(n, n)) / np.sqrt(n)))
    X = X * np.logspace(0, -3, n)
    return X, X @ rng.normal(size=(n, 1)) + 1e-3 * rng.normal(size=(samples, 1))
