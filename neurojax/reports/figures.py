"""The pictures of a report, as PNG files in memory."""

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from neurojax import plotting
from neurojax.fitting import Fit, edge_weights


class Picture(NamedTuple):
    """A picture: the name of its file, the file, what it shows."""

    name: str
    png: bytes
    caption: str


def loss(fit: Fit) -> Picture:
    """The training loss."""
    return _drawn(
        "loss.png",
        lambda: plotting.loss_curve(fit).figure,
        "Training loss of the circuit fitted to all animals. A point is one step on its own "
        "minibatch, the line a running mean.",
    )


def scores(fit: Fit, protocol: str, number: int) -> Picture:
    """The scores of a protocol."""
    return _drawn(
        f"scores_{number}.png",
        lambda: plotting.score_bars(fit, protocol).figure,
        f"Scores, {protocol}. Blue: circuit; orange: controls; grey: regressions without a "
        "circuit. A point is an animal, the dashed line the circuit's mean.",
    )


def reconstructions(fit: Fit) -> list[Picture]:
    """Hidden traces of the animal whose score is in the middle."""
    if not fit.rows:
        return []
    by_animal = np.nan_to_num(fit.scores(next(iter(fit.rows))).r_by_animal, nan=-2.0)
    middle = int(np.argsort(by_animal)[len(by_animal) // 2])
    name = fit.scores(next(iter(fit.rows))).animals[middle]
    return [
        _drawn(
            "reconstruction.png",
            lambda: plotting.reconstruction(fit, middle).figure,
            f"Hidden neurons of {name}, the animal in the middle of the ranking, over the scored "
            "frames. The six neurons are evenly spaced from the best to the worst predicted. Each "
            "was hidden together with a fifth of the others. Both lines are about their own means; "
            "neighbours are six standard deviations apart.",
        )
    ]


def weights(fit: Fit) -> list[Picture]:
    """Fitted weights against counts of synapses, where there are any."""
    if edge_weights(fit.circuit) is None:
        return []
    return [
        _drawn(
            "weights.png",
            lambda: plotting.weights_against_counts(fit),
            "Size of every fitted weight over the count of its edge, r: correlation of the size "
            "with log(1 + count), black: medians of groups of edges.",
        )
    ]


def _drawn(name: str, draw: Callable, caption: str) -> Picture:
    buffer = io.BytesIO()
    draw().savefig(buffer, format="png", dpi=130)
    return Picture(name, buffer.getvalue(), caption)
