"""Many ridge regressions at once, from sums of products.

All regressions of a table see the same frames, so the sums over frames are taken once per animal.
Each regression is then a small linear system, and targets that share it are solved together.
"""

from typing import SupportsIndex

import numpy as np
from jaxtyping import Bool, Float, Int

_VALIDATION = 0.2  # the last part of the training frames, on which a penalty is chosen


class Moments:
    """Sums over frames of z z', z = (values of all neurons, 1), by animal and part.

    Only frames at which the target is there count. Neurons that are there at the same frames,
    as in most recordings all are, share one matrix.
    """

    def __init__(
        self,
        values: Float[np.ndarray, "animal time neuron"],
        mask: Bool[np.ndarray, "animal time neuron"],
        train: Bool[np.ndarray, "animal time"],
    ):
        self._z = np.concatenate([values, np.ones((*values.shape[:2], 1))], axis=2)
        number = np.cumsum(train, axis=1)
        first = number <= np.round((1 - _VALIDATION) * number[:, -1:])
        self._counts = (mask & (train & first)[:, :, None], mask & (train & ~first)[:, :, None])
        # One short name for each set of frames, so that targets with equal sets are found fast.
        names = {}
        self._frames = [
            [[names.setdefault(c.tobytes(), len(names)) for c in animal.T] for animal in part]
            for part in self._counts
        ]
        self._sums = {}

    def frames(self, animal: SupportsIndex, target: SupportsIndex) -> tuple[int, int]:
        """Names of the sets of frames, first and last part, at which a target is there."""
        first, last = (part[animal][target] for part in self._frames)
        return first, last

    def of(
        self, animals: tuple[int, ...], target: SupportsIndex, columns: Int[np.ndarray, " column"]
    ) -> list[Float[np.ndarray, "column column"]]:
        """The sums over some animals, for some columns, in the first and in the last part."""
        block = np.ix_(columns, columns)
        totals = [np.zeros((len(columns), len(columns))) for _ in range(2)]
        for animal in animals:
            for part, total in enumerate(totals):
                case = (part, animal, self._frames[part][animal][target])
                if case not in self._sums:
                    z = self._z[animal][self._counts[part][animal, :, target]]
                    self._sums[case] = z.T @ z
                total += self._sums[case][block]
        return totals


def best_ridge(
    moments: Moments,
    animals: tuple[int, ...],
    context: Bool[np.ndarray, " neuron"],
    targets: Int[np.ndarray, " target"],
    penalties: Float[np.ndarray, " penalty"],
) -> tuple[Float[np.ndarray, "neuron target"], Float[np.ndarray, " target"]]:
    """Weights and intercepts of targets that are there at the same frames.

    Each target is predicted from the neurons of `context`, without itself if it is one of them.
    Its penalty is the best on the last part of the training frames after a fit to the first.
    Without a sample in one of the two parts there is nothing to choose by, and the largest
    penalty is taken; without any sample the prediction is 0.
    """
    neurons = len(context)
    sources = np.flatnonzero(context)
    columns = np.concatenate([sources, targets, [neurons]])
    first, last = moments.of(animals, targets[0], columns)
    weights = np.zeros((neurons, len(targets)))
    if first[-1, -1] + last[-1, -1] == 0:
        return weights, np.zeros(len(targets))
    chosen = np.full(len(targets), np.argmax(penalties))
    if first[-1, -1] > 0 and last[-1, -1] > 0:
        residuals = _residuals(first, sources, targets, penalties)
        errors = np.sum((residuals @ last) * residuals, axis=2)
        chosen = np.argmin(errors, axis=0)
    residuals = _residuals(first + last, sources, targets, penalties)
    best = residuals[chosen, np.arange(len(targets))]
    weights[sources] = -best[:, : len(sources)].T
    return weights, -best[:, -1]


def _residuals(sums, sources, targets, penalties):
    """By penalty and target, the vector v with residual = v (sources, targets, 1).

    With P the inverse of the penalised covariance of the sources, a target outside has weights
    P cov(sources, target); one among them, by the inverse of a block matrix, -P[:, t] / P[t, t].
    """
    k = len(sources)
    mean = sums[:-1, -1] / sums[-1, -1]
    centred = sums[:-1, :-1] - sums[-1, -1] * np.outer(mean, mean)
    inverse = np.linalg.inv(centred[:k, :k] + penalties[:, None, None] * np.eye(k))
    weights = np.swapaxes(inverse @ centred[:k, k:], 1, 2)  # penalty, target, source
    for t, target in enumerate(targets):
        own = np.flatnonzero(sources == target)
        if own.size:
            i = own[0]
            weights[:, t] = -inverse[:, i] / inverse[:, i, i, None]
            weights[:, t, i] = 0.0
    ones = np.broadcast_to(np.eye(len(targets)), (len(penalties), len(targets), len(targets)))
    intercept = mean[k:] - weights @ mean[:k]
    return np.concatenate([-weights, ones, -intercept[..., None]], axis=2)
