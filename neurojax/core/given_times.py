"""Recording at given times with fixed steps: keep the neighbours, interpolate between them."""

import jax
import numpy as np

from .recorders import Trace


class GivenTimes:
    """Given times: which steps must be kept, and how to interpolate between them."""

    def __init__(self, name: str, recorder: Trace, first_step, steps: int, dt: float):
        if first_step is None:
            raise ValueError(
                f"record {name!r}: at= needs a run whose start is known; inside jit begin at t0 "
                "or use every="
            )
        self.times = np.asarray(recorder.at)
        label = self.times / dt
        position = label - first_step  # in steps since the start of the run
        near = np.round(position)
        rounding = np.maximum(
            1e-6 * np.maximum(1, near) ** 0.5, 4 * np.finfo(float).eps * np.abs(label)
        )
        position = np.where(np.abs(position - near) < rounding, near, position)
        if position[0] < 0 or position[-1] > steps:
            lo, hi = first_step * dt, (first_step + steps) * dt
            raise ValueError(
                f"record {name!r}: at= has times outside the run from {lo:.14g} to {hi:.14g} "
                f"ms ({self.times[0]:.14g} to {self.times[-1]:.14g})"
            )
        self.low = np.floor(position).astype(int)
        self.high = np.ceil(position).astype(int)
        self.weight = position - self.low
        self.kept = np.unique(np.concatenate([self.low, self.high, [0]]))
        # a sample sits on absolute multiples of the stride
        self.stride = int(np.gcd.reduce(np.append(self.kept[1:] + first_step, first_step))) or 1
        self.first_step, self.steps = first_step, steps

    def rows(self, done: int, steps: int) -> np.ndarray:
        """Rows of a stretch's samples that are needed."""
        labels = self.kept[(self.kept > done) & (self.kept <= done + steps)]
        before = (self.first_step + done) // self.stride
        return (self.first_step + labels) // self.stride - before - 1

    def all_rows(self):
        """Rows of low and high neighbours among the start and all samples of a whole run."""
        before = self.first_step // self.stride
        row = lambda label: (self.first_step + label) // self.stride - before
        return row(self.low), row(self.high)

    def kept_rows(self):
        """Rows of low and high neighbours among the kept samples."""
        return np.searchsorted(self.kept, self.low), np.searchsorted(self.kept, self.high)

    def until(self, steps: int, samples):
        """Values at the given times up to a step, from the samples kept until then; the times."""
        reached = self.high <= steps
        rows = tuple(row[reached] for row in self.kept_rows())
        return self.interpolate(samples, rows, self.weight[reached]), self.times[reached]

    def interpolate(self, samples, rows, weight=None):
        """Values at the given times."""
        low, high = rows
        weight = self.weight if weight is None else weight

        def between(x):
            w = weight.reshape(-1, *(1,) * (x.ndim - 1)).astype(x.dtype)
            return x[low] * (1 - w) + x[high] * w

        return jax.tree.map(between, samples)
