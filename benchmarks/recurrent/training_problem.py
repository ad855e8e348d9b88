"""The training problem that every library gets: the same weights, inputs and targets.

A recurrent network of n units with 3 inputs and 2 outputs, T steps, a batch of trials; the loss is
the mean squared error of all outputs, the optimiser plain gradient descent. Numpy alone is needed.
"""

import numpy as np

RATE = 0.05  # of the gradient descent


def problem(n, steps, batch, seed=0):
    """Weights, inputs and targets as single precision arrays."""
    rng = np.random.default_rng(seed)
    draw = lambda scale, *shape: (scale * rng.standard_normal(shape)).astype(np.float32)
    u = draw(1.0, batch, steps, 3)
    smooth = np.cumsum(u[..., :2], axis=1) / np.sqrt(np.arange(1, steps + 1))[None, :, None]
    return {
        "W": draw(1.0 / np.sqrt(n), n, n),
        "B": draw(0.5, n, 3),
        "out": draw(1.0 / np.sqrt(n), 2, n),
        "u": u,
        "targets": smooth.astype(np.float32),
    }
