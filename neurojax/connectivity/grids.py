"""Neighbours on grids."""

import itertools
from typing import Any

import numpy as np

from neurojax.core.errors import suggestion

from .builder import Builder
from .edges import Edges, whole_number
from .pairs import Pairs

_NEIGHBOURHOODS = ("moore", "von_neumann", "euclidean")


def grid_neighbours(
    shape: Any,
    radius: float | int = 1,
    neighbourhood: str = "moore",
    *,
    periodic: Any = False,
    self_edges: bool = False,
) -> Builder:
    r"""Each neuron of a grid to those near it.

    Neurons are numbered along the last axis first (numpy's order), so that a quantity per neuron
    is `x.reshape(shape)`. Near are those at a step $\Delta$ along the axes with

    - `"moore"`: $\max_a |\Delta_a| \le$ radius (8 neighbours in the plane for radius 1),
    - `"von_neumann"`: $\sum_a |\Delta_a| \le$ radius (4 neighbours),
    - `"euclidean"`: $\sum_a \Delta_a^2 \le$ radius².

    Edges have a distance, Euclidean and in steps of the grid. There are no multi-edges, also
    where a neighbourhood reaches round a short periodic axis; the distance is the short one.

    Arguments:
        shape: numbers of neurons along the axes, such as `(20, 30)`; one number is a line.
        radius: in steps of the grid.
        neighbourhood: `"moore"`, `"von_neumann"` or `"euclidean"`.
        periodic: whether the ends of an axis meet, for all axes or for each.
        self_edges: whether each neuron is its own neighbour too.

    Raises:
        ValueError: an unknown neighbourhood, an axis without neurons, a negative radius; when
            built, if the sides are not one population of as many neurons as the grid has.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> graph = nj.connectivity.grid_neighbours((3, 3), neighbourhood="von_neumann")
        >>> edges = graph.build(9, 9, np.random.default_rng(0))
        >>> edges.post[edges.pre == 4].tolist(), edges.post[edges.pre == 0].tolist()
        ([1, 3, 5, 7], [1, 3])
    """
    listed = [shape] if np.ndim(shape) == 0 else list(shape)
    sizes = tuple(whole_number(f"shape[{a}]", n, 1) for a, n in enumerate(listed))
    if neighbourhood not in _NEIGHBOURHOODS:
        raise ValueError(
            f"unknown neighbourhood {neighbourhood!r}.{suggestion(neighbourhood, _NEIGHBOURHOODS)}"
        )
    if not 0 <= radius < np.inf:
        raise ValueError(f"radius must not be negative, got {radius}")
    ends = [periodic] * len(sizes) if np.ndim(periodic) == 0 else list(periodic)
    if len(ends) != len(sizes):
        raise ValueError(f"periodic has {len(ends)} entries, but the grid has {len(sizes)} axes")
    arguments = {
        "shape": sizes, "radius": float(radius), "neighbourhood": neighbourhood,
        "periodic": tuple(map(bool, ends)) if any(ends) else False, "self_edges": self_edges,
    }  # fmt: skip
    return Builder("grid_neighbours", arguments, _grid_neighbours)


def _grid_neighbours(
    pairs: Pairs,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    radius: float,
    neighbourhood: str,
    periodic: Any,
    self_edges: bool,
) -> Edges:
    n = pairs.one_population("grid_neighbours")
    if n != np.prod(shape, dtype=np.int64):
        raise ValueError(f"a grid of shape {shape} has {np.prod(shape)} neurons, but there are {n}")
    wraps = periodic or (False,) * len(shape)
    places = np.stack(np.unravel_index(np.arange(n), shape), axis=1).astype(np.int64)
    sizes = np.array(shape, np.int64)
    found = []
    for step in _steps(shape, radius, neighbourhood, wraps):
        if not any(step) and not self_edges:
            continue
        target = places + np.array(step, np.int64)
        target = np.where(wraps, target % sizes, target)
        inside = np.flatnonzero(((target >= 0) & (target < sizes)).all(axis=1))
        post = np.ravel_multi_index(tuple(target[inside].T), shape)
        found.append((inside, post, np.full(len(inside), np.sqrt(sum(s * s for s in step)))))
    if not found:
        return Edges(np.zeros(0, np.int32), np.zeros(0, np.int32), n, n, distance=np.zeros(0))
    pre, post, distance = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Edges(pre.astype(np.int32), post.astype(np.int32), n, n, distance=distance)


def _steps(shape, radius, neighbourhood, wraps):
    """The steps to neighbours, each neighbour by one: round a periodic axis the short way."""
    ranges = []
    for n, wrap in zip(shape, wraps, strict=True):
        low = high = min(int(radius), n - 1)
        if wrap:  # of the two ways to the opposite side of an even axis, one
            low, high = min(low, (n - 1) // 2), min(high, n // 2)
        ranges.append(range(-low, high + 1))
    for step in itertools.product(*ranges):
        size = {
            "moore": max(map(abs, step), default=0),
            "von_neumann": sum(map(abs, step)),
            "euclidean": sum(s * s for s in step),
        }[neighbourhood]
        if size <= (radius * radius if neighbourhood == "euclidean" else radius):
            yield step
