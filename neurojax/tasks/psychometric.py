"""Psychometric curves: how often one of two answers is given."""

import dataclasses
from typing import Any, NamedTuple, final

import numpy as np


class PsychometricFit(NamedTuple):
    r"""A cumulative normal $P(x) = \Phi((x - \mathrm{bias}) / \mathrm{threshold})$.

    At `bias + threshold` 84 % of the answers are positive.

    Arguments:
        bias: the level at which both answers are equally frequent.
        threshold: the standard deviation of the normal, in the unit of the levels.

    Example:
        >>> import neurojax as nj
        >>> round(float(nj.tasks.PsychometricFit(bias=0.0, threshold=0.1)([0.1])[0]), 2)
        0.84
    """

    bias: float
    threshold: float

    @property
    def slope(self) -> float:
        """The steepest slope, at the bias."""
        return 1.0 / (self.threshold * np.sqrt(2.0 * np.pi))

    def __call__(self, x: Any) -> np.ndarray:
        """The probability of the positive answer at x."""
        from scipy.special import ndtr

        return ndtr((np.asarray(x, float) - self.bias) / self.threshold)


@final
@dataclasses.dataclass(frozen=True)
class Psychometric:
    """A table: for each level how often the positive answer was given.

    Attributes:
        levels: rising, shape (k,).
        fraction: of positive answers at each.
        count: number of trials at each.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> levels, count = np.array([-0.1, 0.0, 0.1]), np.full(3, 100)
        >>> table = nj.tasks.Psychometric(levels, np.array([0.16, 0.5, 0.84]), count)
        >>> round(float(table.fit().threshold), 2)
        0.1
    """

    levels: np.ndarray
    fraction: np.ndarray
    count: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Standard error of each fraction, with one answer of either kind added."""
        p = (self.fraction * self.count + 1.0) / (self.count + 2.0)
        return np.sqrt(p * (1.0 - p) / (self.count + 2.0))

    def fit(self) -> PsychometricFit:
        """The cumulative normal of the greatest likelihood.

        Raises:
            ValueError: if there is one level alone, or all answers are the same.
        """
        from scipy.optimize import minimize
        from scipy.special import log_ndtr

        positive = self.fraction * self.count
        if len(self.levels) < 2 or positive.sum() in (0, self.count.sum()):
            raise ValueError("a fit needs at least two levels and answers of both kinds")
        middle, scale = self.levels.mean(), np.ptp(self.levels)
        x = (self.levels - middle) / scale

        def loss(parameters):
            bias, log_threshold = parameters
            # beyond these bounds the curve is a step or flat: the data say no more
            z = (x - bias) * np.exp(-np.clip(log_threshold, -9.0, 9.0))
            return -np.sum(
                positive * log_ndtr(z) + (self.count - positive) * log_ndtr(-z)
            ) / np.sum(self.count)

        best = minimize(loss, [0.0, -1.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 4000})  # fmt: skip  # noqa: E501
        threshold = np.exp(np.clip(best.x[1], -9.0, 9.0))
        return PsychometricFit(float(middle + scale * best.x[0]), float(scale * threshold))

    def __str__(self) -> str:
        rows = zip(self.levels, self.fraction, self.count, strict=True)
        return "\n".join(f"{x:10.4g} {p:7.3f} {n:6d}" for x, p, n in rows)


def psychometric(levels: Any, positive: Any) -> Psychometric:
    """The table of a psychometric curve.

    Arguments:
        levels: of the evidence, one per trial; equal to six digits counts as the same level.
        positive: booleans per trial: whether the positive answer was given.

    Raises:
        ValueError: if the two are not equally long lists, or empty.

    Example:
        >>> from neurojax import tasks
        >>> table = tasks.psychometric([-1.0, -1.0, 1.0, 1.0], [False, True, True, True])
        >>> table.levels, table.fraction, table.count
        (array([-1.,  1.]), array([0.5, 1. ]), array([2, 2]))
    """
    levels, positive = np.asarray(levels, float), np.asarray(positive)
    if levels.ndim != 1 or levels.shape != positive.shape or not levels.size:
        raise ValueError(
            f"levels and positive must be equally long lists, got shapes {levels.shape} and "
            f"{positive.shape}"
        )
    size = max(float(np.abs(levels).max()), np.finfo(float).tiny)
    _, first, which = np.unique(np.round(levels / size, 6), return_index=True, return_inverse=True)
    count = np.bincount(which)
    return Psychometric(levels[first], np.bincount(which, positive.astype(bool)) / count, count)
