"""What a search has learnt, piece by piece: points, and the inverse Jacobians there."""

from typing import final

import jax.numpy as jnp
import numpy as np

from ._field import Field
from ._search import Known, polish

_MOST = 16  # points that are kept
_NUMBERS = 2**25  # elements of all inverses together
_LARGE = 64  # variables from which on it pays; few variables have their basins close together


@final
class Bank:
    """Collects the converged points of each piece for the pieces that follow.

    Arguments:
        field: what is searched.
        distance: points closer than this are one.
    """

    def __init__(self, field: Field, distance: float):
        start = np.asarray(field.flat(field.template))
        most = max(1, min(_MOST, _NUMBERS // start.size**2))
        self.field, self.distance, self.count = field, distance, 0
        self.points = np.zeros((most, start.size), start.dtype)
        self.inverses = np.zeros((most, start.size, start.size), np.float32)
        self.known = self._known()

    def learn(self, ends: np.ndarray, speeds: np.ndarray, goals: np.ndarray) -> None:
        """Keep the points that are new, as long as there is room."""
        if len(self.points[0]) < _LARGE:
            return
        fresh = []
        for x in ends[speeds <= goals]:
            if self.count + len(fresh) == len(self.points):
                break
            others = [*self.points[: self.count], *fresh]
            if all(np.linalg.norm(x - other) > self.distance for other in others):
                fresh.append(x)
        if not fresh:
            return
        points, _, jacobians = polished(self.field, np.array(fresh))
        for x, J in zip(points, jacobians, strict=True):
            try:
                inverse = np.linalg.inv(J)
            except np.linalg.LinAlgError:  # a singular point cannot help others
                continue
            self.points[self.count], self.inverses[self.count] = x, inverse
            self.count += 1
        self.known = self._known()

    def _known(self) -> Known:
        ready = np.arange(len(self.points)) < self.count
        # copies: on a CPU JAX may otherwise look at the same memory, which is written to later
        return Known(jnp.array(self.points), jnp.array(self.inverses), jnp.asarray(ready))


def polished(field: Field, points: np.ndarray):
    """See `polish`."""
    if len(points) == 0:
        n = points.shape[1]
        return points, np.zeros(0), np.zeros((0, n, n))
    return in_pieces(lambda part, count: polish(field, part, count), points, 16)


def in_pieces(run, rows: np.ndarray, piece: int):
    """Rows in pieces of one length, the last one filled up: their number does not compile anew."""
    results = []
    for begin in range(0, len(rows), piece):
        part = rows[begin : begin + piece]
        filled = np.concatenate([part, np.repeat(part[-1:], piece - len(part), axis=0)])
        found = run(jnp.asarray(filled), jnp.asarray(len(part)))
        results.append([np.asarray(x)[: len(part)] for x in found])
    return tuple(np.concatenate(parts) for parts in zip(*results, strict=True))
