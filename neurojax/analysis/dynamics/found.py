"""What a search for fixed points found."""

from typing import Any, final

import equinox as eqx
import jax
import numpy as np


@final
class FixedPoints(eqx.Module):
    r"""Distinct fixed and slow points of a circuit, those that most starts ended in first.

    Arguments:
        states: the points as a pytree of states with a leading axis.
        speeds: $q = |F|^2 / 2$ at each, in (units of the state per ms)^2, or per step of a map.
        converged: whether F vanishes there to the tolerance; the others are slow points.
        eigenvalues: of the Jacobian at each, (point, n), the least stable first; NaN where
            they were not asked for. For a flow per ms, for a map those of the step.
        stable: whether all real parts are negative (flow) or all moduli below one (map).
        counts: how many starts ended in each.
        lost: how many starts ended nowhere: neither converged nor slow.

    Example:
        >>> import numpy as np
        >>> found = FixedPoints({"x": np.zeros((1, 1))}, np.zeros(1), np.ones(1, bool),
        ...                     -np.ones((1, 1), complex), np.ones(1, bool), np.array([7]), 0)
        >>> len(found), found.unstable_directions
        (1, array([0]))
    """  # fmt: skip

    states: Any
    speeds: Any
    converged: Any
    eigenvalues: Any
    stable: Any
    counts: Any
    lost: int
    discrete: bool = eqx.field(static=True, default=False)

    def __len__(self) -> int:
        """The number of distinct points, slow ones included."""
        return len(self.speeds)

    def select(self, which) -> "FixedPoints":
        """The points of a mask, or of a list of numbers.

        Example:
            >>> import numpy as np
            >>> two = FixedPoints(
            ...     {"x": np.zeros((2, 1))},
            ...     np.zeros(2),
            ...     np.ones(2, bool),
            ...     np.zeros((2, 1), complex),
            ...     np.array([True, False]),
            ...     np.array([3, 1]),
            ...     0,
            ... )
            >>> len(two.select(two.stable))
            1
        """
        which = np.asarray(which)
        take = lambda x: x[which]
        return FixedPoints(
            jax.tree.map(take, self.states),
            self.speeds[which],
            self.converged[which],
            self.eigenvalues[which],
            self.stable[which],
            self.counts[which],
            self.lost,
            self.discrete,
        )

    @property
    def fixed(self) -> "FixedPoints":
        """The points where F vanishes to the tolerance."""
        return self.select(self.converged)

    @property
    def slow(self) -> "FixedPoints":
        """The points where F is small and has a minimum, but does not vanish."""
        return self.select(~self.converged)

    @property
    def unstable_directions(self) -> np.ndarray:
        """How many eigenvalues of each point are unstable: 1 for a saddle between two basins."""
        values = np.asarray(self.eigenvalues)
        return np.sum(np.abs(values) > 1 if self.discrete else values.real > 0, axis=1)
