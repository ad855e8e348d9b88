"""Graphs in space: the probability of an edge depends on the distance."""

import bisect
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ._cells import PAIR, Cells
from ._draws import bernoulli_chunks
from .builder import Builder
from .edges import Edges
from .kernels import Kernel
from .pairs import Pairs

_FAR_CANDIDATES = 32  # per neuron of the sending side
_FINENESS = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)  # cells within reach along an axis


def distance_dependent(
    kernel: Callable[[np.ndarray], np.ndarray],
    pre_positions: Any,
    post_positions: Any = None,
    period: Any = None,
    *,
    self_edges: bool = False,
) -> Builder:
    r"""Every pair by itself with a probability that depends on its distance, $P = p(d)$.

    $d$ is Euclidean. On an axis with a period L the boundary is periodic, and a difference x
    counts as $|x - L\,\mathrm{round}(x / L)|$; others are open. The graph keeps the distances, so
    weights and delays may be functions of them. Memory goes with the number of edges, and so does
    time for `gaussian`, `exponential` and `box`; for other functions it goes with that of all
    pairs.

    Arguments:
        kernel: `gaussian(sigma)`, `exponential(scale)`, `box(radius)` or any function of an
            array of distances whose values are between 0 and 1.
        pre_positions: [n_pre, axis], or [n_pre] on a line; any unit of length.
        post_positions: [n_post, axis]; default the same as `pre_positions`.
        period: length of the periodic axes: one number for all, or one per axis with None where
            it is open; default open boundaries.
        self_edges: whether a neuron that stands on both sides may be joined to itself.

    Raises:
        ValueError: positions are not finite or do not fit each other or, when built, the numbers
            of neurons; a period is not positive; the kernel leaves 0 to 1.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> places = np.arange(6.0)
        >>> ring = nj.connectivity.distance_dependent(nj.connectivity.box(1.0), places, period=6.0)
        >>> ids = np.arange(6)
        >>> edges = ring.build(6, 6, np.random.default_rng(0), pre_ids=ids, post_ids=ids)
        >>> edges.post[edges.pre == 0].tolist(), edges.distance.max()
        ([1, 5], np.float64(1.0))
    """
    if not callable(kernel):
        raise TypeError(f"kernel must be a function of distance such as box(1.0), got {kernel!r}")
    pre_positions = _positions("pre_positions", pre_positions)
    arguments = {"kernel": kernel, "pre_positions": pre_positions}
    if post_positions is not None:
        post_positions = _positions("post_positions", post_positions)
        if post_positions.shape[1] != pre_positions.shape[1]:
            raise ValueError(
                f"post_positions have {post_positions.shape[1]} axes, but pre_positions have "
                f"{pre_positions.shape[1]}"
            )
    arguments["post_positions"] = post_positions
    arguments["period"] = None if period is None else _period(period, pre_positions.shape[1])
    arguments["self_edges"] = self_edges
    return Builder("distance_dependent", arguments, _distance_dependent)


def _distance_dependent(
    pairs: Pairs,
    rng: np.random.Generator,
    kernel: Callable[[np.ndarray], np.ndarray],
    pre_positions: np.ndarray,
    post_positions: np.ndarray | None,
    period: np.ndarray | None,
    self_edges: bool,
) -> Edges:
    x = pre_positions
    y = x if post_positions is None else post_positions
    for name, positions, n in (("pre", x, pairs.n_pre), ("post", y, pairs.n_post)):
        if len(positions) != n:
            raise ValueError(
                f"distance_dependent has {len(positions)} {name}_positions, but there are {n} "
                f"neurons on that side"
            )
    periods = np.full(x.shape[1], np.inf) if period is None else period
    refuses = not self_edges and pairs.n_self > 0
    sides = _Sides(x, y, pairs.self_of_pre if refuses else None)
    found = []
    for near, far, largest, seen, pre, post in _candidates(kernel, sides, periods, rng):
        if seen.itself is not None:
            kept = seen.itself[pre] != post
            pre, post = pre[kept], post[kept]
        distance = distances(seen.x, pre, seen.y, post, periods)
        p = np.asarray(kernel(distance), np.float64)
        inside = (distance >= near) & (distance < far)
        _check_values(p, distance, largest, inside)
        kept = np.flatnonzero(inside & (rng.random(len(p)) * largest < p))
        found.append((*seen.numbers(pre[kept], post[kept]), distance[kept]))
    pre, post, distance = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if np.any(pre[1:] < pre[:-1]):
        pre, post, distance = _in_order(pre, post, distance, pairs)
    return Edges(pre, post, pairs.n_pre, pairs.n_post, distance=distance)


class _Sides(NamedTuple):
    """The neurons of both sides in some order.

    Arguments:
        x: positions of the sending side.
        y: of the receiving side.
        itself: where each sending neuron stands on the receiving side, or -1; `None` where it may
            be joined to itself.
        orders: their numbers; `None` where they are in order.
    """

    x: np.ndarray
    y: np.ndarray
    itself: np.ndarray | None
    orders: tuple[np.ndarray, np.ndarray] | None = None

    def sorted(self, pre: np.ndarray, post: np.ndarray) -> "_Sides":
        """In the order of these numbers: what is read together then lies together."""
        x, y = (np.asfortranarray(a[n]) for a, n in ((self.x, pre), (self.y, post)))
        itself = None
        if self.itself is not None:
            place = np.full(len(post) + 1, -1)  # the last one is that of -1
            place[post] = np.arange(len(post))
            itself = place[self.itself[pre]]
        return _Sides(x, y, itself, (pre, post))

    def numbers(self, pre: np.ndarray, post: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of some of them."""
        return (pre, post) if self.orders is None else (self.orders[0][pre], self.orders[1][post])


def _in_order(pre: np.ndarray, post: np.ndarray, distance: np.ndarray, pairs: Pairs):
    """The edges sorted by pre, then post: no pair is there twice, so a sparse matrix does it."""
    from scipy.sparse import coo_array

    table = coo_array((distance, (pre, post)), shape=(pairs.n_pre, pairs.n_post)).tocsr()
    rows = np.repeat(np.arange(pairs.n_pre, dtype=np.int32), np.diff(table.indptr))
    return rows, table.indices, table.data


def _candidates(kernel, sides: _Sides, period, rng) -> Iterator[tuple]:
    """(near, far, largest, sides, pre, post), some pairs at a time, as those sides order them.

    Among pairs with near <= distance < far, for which the kernel is at most `largest`, they are
    chosen with that probability, or all of them where `largest` is 1: accepting each with its
    value / `largest` gives the law exactly.
    """
    x, y = sides.x, sides.y
    if not isinstance(kernel, Kernel) or kernel.largest == 0:
        largest = kernel.largest if isinstance(kernel, Kernel) else 1.0
        for pre, post in bernoulli_chunks(len(x), len(y), largest, rng):
            yield 0.0, np.inf, largest or 1.0, sides, pre, post
        return
    # Near pairs are searched for, and far ones chosen by a small probability and then thinned.
    small = min(_FAR_CANDIDATES / len(y), 0.5 * kernel.largest)
    cells = _cells(kernel, small, x, y, period)
    if (
        kernel.reach is None
        or cells is None
        or cells.seconds() > PAIR * kernel.largest * len(x) * len(y)
    ):
        for pre, post in bernoulli_chunks(len(x), len(y), kernel.largest, rng):
            yield 0.0, np.inf, kernel.largest, sides, pre, post
        return
    far = np.nextafter(cells.reach, np.inf)
    by_cells = sides.sorted(cells.senders.order, cells.receivers.order)
    for q, pre, post in cells.pairs(rng):
        yield 0.0, far, q, by_cells, pre, post
    if cells.reach < kernel.reach(0.0, **kernel.arguments):
        small *= 1 + 1e-9  # for the rounding of the kernel
        for pre, post in bernoulli_chunks(len(x), len(y), small, rng):
            yield far, np.inf, small, sides, pre, post


def _cells(kernel: Kernel, small: float, x, y, period) -> Cells | None:
    """The grid that is fastest; `None` where the kernel does not say how far it reaches."""
    if kernel.reach is None:
        return None
    reach = kernel.reach(small, **kernel.arguments)
    if not 0 < reach < np.inf:
        return None
    # the bound of the values beyond a distance, in steps of a fourth root of 2
    levels = kernel.largest * 2.0 ** (-0.25 * np.arange(4 * math.log2(kernel.largest / small)))
    reaches = [kernel.reach(q, **kernel.arguments) for q in levels.tolist()]

    def bound(gap: float) -> float:
        below = bisect.bisect_left(reaches, gap)
        return kernel.largest if below == 0 else min(kernel.largest, levels[below - 1] * (1 + 1e-9))

    grids = [Cells(x, y, period, reach, fineness, bound) for fineness in _FINENESS]
    return min(grids, key=Cells.seconds)


def _check_values(p: np.ndarray, distance: np.ndarray, largest: float, where) -> None:
    if p.shape != distance.shape:
        raise ValueError(
            f"kernel must give one probability per distance, but its values for an array of "
            f"shape {distance.shape} have shape {p.shape}"
        )
    wrong = where & ~((p >= 0) & (p <= largest))
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"kernel must be between 0 and {largest:g}, but at distance {distance[i]:g} it is "
            f"{p[i]:g}"
        )


def distances(
    x: np.ndarray, pre: np.ndarray, y: np.ndarray, post: np.ndarray, period: np.ndarray
) -> np.ndarray:
    """Euclidean distances of pairs, the short way round on axes with a finite period."""
    square = np.zeros(len(pre))
    for axis, length in enumerate(period.tolist()):
        d = x[:, axis][pre] - y[:, axis][post]
        if np.isfinite(length):
            d -= length * np.round(d / length)
        d *= d
        square += d
    return np.sqrt(square, out=square)


def _positions(name: str, given: Any) -> np.ndarray:
    array = np.asarray(given)
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(
            f"{name} must be numbers [neuron, axis] or [neuron], got {array.dtype}{array.shape}"
        )
    array = np.asfortranarray(array.reshape(len(array), -1), np.float64)  # read by axis
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite, but {name}[{np.argmin(np.isfinite(array).all(axis=1))}] is not"
        )
    return array


def _period(given: Any, axes: int) -> np.ndarray:
    """One length per axis, infinite where the boundary is open."""
    listed = [given] * axes if np.ndim(given) == 0 else list(given)
    if len(listed) != axes:
        raise ValueError(f"period has {len(listed)} entries, but positions have {axes} axes")
    period = np.array([np.inf if length is None else length for length in listed], np.float64)
    if not (period > 0).all():
        raise ValueError(f"period must be positive (None for an open axis), got {given}")
    return period
