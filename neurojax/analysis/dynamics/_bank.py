"""What a search has learnt: points, and the inverse Jacobians there."""

from typing import final

import jax.numpy as jnp
import numpy as np

from ._field import Field
from ._search import polish

_MOST = 16  # points that are kept
_NUMBERS = 2**25  # elements of all inverses together
_LARGE = 64  # variables from which on it pays; few variables have their basins close together


@final
class Bank:
    """Collects converged points for the starts that follow.

    Arguments:
        field: what is searched.
        distance: points closer than this are one.
    """

    def __init__(self, field: Field, distance: float):
        n = field.flat(field.template).size
        self.field, self.distance = field, distance
        self.most = max(1, min(_MOST, _NUMBERS // n**2)) if n >= _LARGE else 0
        self.points, self.inverses, self.sizes = [], [], []

    def __len__(self) -> int:
        """The number of points that are known."""
        return len(self.points)

    def learn(self, points: np.ndarray) -> None:
        """Keep the points that are new, as long as there is room."""
        if len(self) == self.most or len(points) == 0:
            return
        new = np.ones(len(points), bool)
        for known in self.points:
            new &= np.linalg.norm(points - known, axis=1) > self.distance
        fresh = []
        for x in points[new]:
            if len(self) + len(fresh) == self.most:
                break
            if all(np.linalg.norm(x - other) > self.distance for other in fresh):
                fresh.append(x)
        if not fresh:
            return
        exact, _, jacobians = polished(self.field, np.array(fresh))
        for x, J in zip(exact, jacobians, strict=True):
            try:
                inverse = np.linalg.inv(J)
            except np.linalg.LinAlgError:  # a singular point cannot help others
                continue
            self.points.append(x)
            self.inverses.append(jnp.asarray(inverse, jnp.float32))
            self.sizes.append(float(np.sqrt(np.mean(np.sum(J**2, axis=1)))))

    def nearest(self, points: np.ndarray) -> np.ndarray:
        """For each point the number of the known one that is nearest."""
        far = [np.sum((points - known) ** 2, axis=1) for known in self.points]
        return np.argmin(far, axis=0)


def polished(field: Field, points: np.ndarray):
    """See `polish`."""
    if len(points) == 0:
        n = points.shape[1]
        return points, np.zeros(0), np.zeros((0, n, n))
    return in_pieces(lambda part, count: polish(field, part, count), 16, points)


def in_pieces(run, piece: int, *columns: np.ndarray):
    """Rows in pieces of one length, the last one filled up: their number does not compile anew."""
    results = []
    for begin in range(0, len(columns[0]), piece):
        parts = [rows[begin : begin + piece] for rows in columns]
        count = len(parts[0])
        filled = [np.concatenate([x, np.repeat(x[-1:], piece - count, axis=0)]) for x in parts]
        found = run(*(jnp.asarray(x) for x in filled), jnp.asarray(count))
        results.append([np.asarray(x)[:count] for x in found])
    return tuple(np.concatenate(parts) for parts in zip(*results, strict=True))
