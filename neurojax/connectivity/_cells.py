"""Pairs of points that may be near each other, found by a grid of cells."""

import itertools
import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ._draws import bernoulli_cells

_MOST_OFFSETS = 2**12
_MOST_CELLS = 2.0**60
_TABLE = 16  # a table of all cells has at most so many entries per point
_CHUNK = 2**22  # pairs that are chosen at a time, about
# seconds, about: for a pair that is chosen, the kernel included, a pair of cells, and an offset
PAIR, _CELLS, _OFFSET = 1e-7, 2e-8, 1e-4


class _Axis(NamedTuple):
    """One axis of a grid of cells."""

    low: float
    side: float  # of a cell
    count: float  # of cells
    wraps: bool

    def cells(self, places: np.ndarray) -> np.ndarray:
        """The cell of each place."""
        places = places - self.low
        if self.wraps:
            places = np.mod(places, self.side * self.count)
        return np.clip(np.floor(places / self.side), 0, self.count - 1).astype(np.int64)

    def steps(self, most: int) -> range:
        """The steps from one cell to another that are at most so long."""
        down, up = self.count - 1, self.count - 1
        if self.wraps:  # the short way round
            down, up = down // 2, self.count // 2
        return range(-int(min(most, down)), int(min(most, up)) + 1)


class Cells:
    """A grid over points: pairs within reach lie in cells that are few steps apart.

    Arguments:
        x: [point, axis].
        y: [point, axis].
        period: of each axis, infinite where it is open.
        reach: pairs farther apart are not needed.
        fineness: so many cells lie within reach along an axis.
        bound: no pair that is farther apart than its argument is joined with a probability above.
    """

    def __init__(
        self, x: np.ndarray, y: np.ndarray, period: np.ndarray, reach: float, fineness: int,
        bound: Callable[[float], float],
    ):  # fmt: skip
        self.x, self.y, self.reach, self.axes = x, y, reach, []
        low, high = np.minimum(x.min(0), y.min(0)), np.maximum(x.max(0), y.max(0))
        for a, length in enumerate(period.tolist()):
            side = reach / fineness
            if wraps := math.isfinite(length):
                count = max(1.0, length // side)
                self.axes.append(_Axis(0.0, length / count, count, wraps))
            else:
                self.axes.append(_Axis(low[a], side, (high[a] - low[a]) // side + 1.0, wraps))
        self.n_cells = math.prod(axis.count for axis in self.axes)
        steps = [axis.steps(fineness + 1) for axis in self.axes]
        self.offsets: list[tuple[tuple[int, ...], float]] = []
        self.fits = self.n_cells < _MOST_CELLS and math.prod(map(len, steps)) <= _MOST_OFFSETS
        if not self.fits:
            return
        # by rounding a point may lie a little beside its cell
        slack = 1e-9 * reach + 16 * np.finfo(float).eps * np.abs([low, high]).max()
        for offset in itertools.product(*steps):
            apart = [
                max(abs(step) - 1, 0) * axis.side
                for step, axis in zip(offset, self.axes, strict=True)
            ]
            gap = math.hypot(*apart) - slack
            if gap <= reach:
                self.offsets.append((offset, bound(gap)))

    def seconds(self) -> float:
        """About how long `pairs` takes where the points are spread evenly."""
        if not self.fits:
            return math.inf
        pairs = len(self.x) * len(self.y) / self.n_cells * sum(q for _, q in self.offsets)
        return PAIR * pairs + len(self.offsets) * (
            _CELLS * min(self.n_cells, len(self.x)) + _OFFSET
        )

    def pairs(self, rng: np.random.Generator) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
        """(q, x, y): pairs that were chosen by themselves with probability q, some at a time.

        For those within reach q is at least the probability with which they are to be joined.
        Points go by their places in the order of the cells.
        """
        senders, receivers = self.senders, self.receivers
        own = [senders.keys // stride % int(axis.count) for axis, stride in self._strides()]
        for offset, q in self.offsets:
            keys, inside = np.zeros(len(senders.keys), np.int64), np.ones((), bool)
            for (axis, stride), cell, step in zip(self._strides(), own, offset, strict=True):
                there = cell + step
                if axis.wraps:
                    there %= int(axis.count)
                elif step:
                    inside = inside & (there >= 0) & (there < axis.count)
                keys += there * stride
            which = np.where(inside, receivers.place(keys), len(receivers.keys))
            yield from _chosen(senders, receivers, which, q, rng)

    @cached_property
    def senders(self) -> "_Sorted":
        """The points x in the order of their cells."""
        return self._sorted(self.x)

    @cached_property
    def receivers(self) -> "_Sorted":
        """The points y in the order of their cells."""
        return self._sorted(self.y)

    def _strides(self) -> Iterator[tuple[_Axis, int]]:
        stride = 1
        for axis in self.axes:
            yield axis, stride
            stride *= int(axis.count)

    def _sorted(self, points: np.ndarray) -> "_Sorted":
        keys = sum(
            axis.cells(points[:, a]) * stride for a, (axis, stride) in enumerate(self._strides())
        )
        return _Sorted(np.asarray(keys), self.n_cells)


class _Sorted:
    """Points in the order of their cells."""

    def __init__(self, cell: np.ndarray, n_cells: float):
        self.order = np.argsort(cell, kind="stable").astype(np.int32)
        self.keys, self.starts, self.counts = np.unique(
            cell[self.order], return_index=True, return_counts=True
        )
        self.counts = np.append(self.counts, 0)  # of a cell that is not there
        self.starts = np.append(self.starts, 0)
        self.table = None
        if n_cells <= _TABLE * len(cell):
            self.table = np.full(int(n_cells), len(self.keys), np.int32)
            self.table[self.keys] = np.arange(len(self.keys), dtype=np.int32)

    def place(self, keys: np.ndarray) -> np.ndarray:
        """Which of the cells with points these are; their number where there are no points."""
        if self.table is not None:
            return self.table[np.clip(keys, 0, len(self.table) - 1)]
        found = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[found] == keys, found, len(self.keys))


def _chosen(senders: _Sorted, receivers: _Sorted, which: np.ndarray, q: float, rng):
    """Pairs of points of pairs of cells, each chosen with probability q."""
    width = receivers.counts[which]
    ends = np.cumsum(senders.counts[:-1] * width)
    begins, starts = ends - senders.counts[:-1] * width, receivers.starts[which]
    first, most = 0, _CHUNK / max(q, 1e-300)
    while first < len(ends):
        done = begins[first]
        last = max(int(np.searchsorted(ends, done + most)), first + 1)
        chosen = bernoulli_cells(int(ends[last - 1] - done), q, rng) + done
        cut = np.searchsorted(chosen, ends[first:last])
        cell = np.repeat(np.arange(first, last), np.diff(cut, prepend=0))
        i, j = np.divmod(chosen - begins[cell], width[cell])
        yield q, senders.starts[cell] + i, starts[cell] + j
        first = last
