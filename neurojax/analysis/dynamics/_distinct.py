"""Which of many points are the same."""

import numpy as np


def distinct(points: np.ndarray, speeds: np.ndarray, distance: float) -> np.ndarray:
    """For each point the number of the slowest point within `distance` that stands for it.

    The slowest point of all stands for its neighbours, then the slowest of the rest.
    """
    leader = np.full(len(points), -1)
    for k in np.argsort(speeds, kind="stable"):
        if leader[k] >= 0:
            continue
        free = np.flatnonzero(leader < 0)
        near = np.linalg.norm(points[free] - points[k], axis=1) <= distance
        leader[free[near]] = k
        leader[k] = k
    return leader
