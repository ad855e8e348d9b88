"""The Victor-Purpura distance of two spike trains."""

from typing import Any

import numpy as np

from ._events import Number, one_train, plain_number


def victor_purpura(first: Any, second: Any, q: Number) -> float:
    r"""The least cost at which one spike train is turned into the other.

    Inserting or deleting a spike costs 1, moving it by $\Delta t$ costs $q\,|\Delta t|$. With
    $G_{i,j}$ the distance of the first i spikes of one train from the first j of the other,

    $$G_{i,j} = \min\left(G_{i-1,j} + 1,\; G_{i,j-1} + 1,\;
    G_{i-1,j-1} + q\,|t_i - u_j|\right)$$

    At $q = 0$ it is the difference of the spike counts; for $q \to \infty$ every spike without a
    coincident one counts. The recursion is exact; each row is one pass of numpy.

    Arguments:
        first: a train, times in ms.
        second: another.
        q: cost per ms, at least 0; `inf` is allowed. Spikes more than $2/q$ apart are not
            matched.

    Raises:
        ValueError: `q` is negative, or a train is not a list of finite times.

    Source: Victor and Purpura (1996), J. Neurophysiol. 76, 1310.

    Example:
        >>> victor_purpura([10.0], [13.0], q=0.1) - 0.3 < 1e-12, victor_purpura([1.0], [9.0], q=1.0)
        (True, 2.0)
    """
    if not plain_number("q", q) >= 0:
        raise ValueError(f"q must not be negative (cost per ms), got {q!r}")
    rows, columns = one_train("first", first), one_train("second", second)
    if len(rows) > len(columns):
        rows, columns = columns, rows  # few long rows are quicker than many short ones
    steps = np.arange(len(columns) + 1.0)
    cost = steps.copy()
    for spike in rows:
        apart = np.abs(columns - spike)
        # where nothing moves an infinite price is not paid
        shift = np.multiply(apart, q, out=np.zeros_like(apart), where=apart > 0)
        best = cost + 1.0
        best[1:] = np.minimum(best[1:], cost[:-1] + shift)
        # insertions along the row: G_j = min over k <= j of best_k + (j - k)
        cost = np.minimum.accumulate(best - steps) + steps
    return float(cost[-1])
