"""Distances of pairs that a graph in space has not joined, for synapses that come later."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurojax.connectivity.builder import Builder
from neurojax.connectivity.edges import Edges
from neurojax.connectivity.spatial import distances
from neurojax.core.fixed import Fixed


@dataclass(frozen=True)
class Between:
    """Distances of pairs, given by their indices on both sides."""

    pre: Fixed  # positions
    post: Fixed
    period: Fixed

    def __call__(self, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        """The distance of each pair."""
        return distances(self.pre.value, pre, self.post.value, post, self.period.value)


class Distance:
    """How long synapses are, and their delays where these follow from it.

    Arguments:
        delay: function of an array of distances, ms; `None` where delays are given otherwise.
        between: distances of any pairs; `None` where only those of edges are known.
    """

    def __init__(self, delay: Callable | None, between: Between | None):
        self.delay, self.between = delay, between

    def __eq__(self, other) -> bool:
        return isinstance(other, Distance) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.delay, self.between))


def between(graph: Any, edges: Edges) -> Between | None:
    """The distances of pairs of a graph, where its builder knows the places of neurons.

    Arguments:
        graph: what a projection was given: a recipe, or edges.
        edges: what was built from it.
    """
    if edges.distance is None or not isinstance(graph, Builder):
        return None
    given = graph.arguments
    if graph.name == "distance_dependent" and "pre_positions" in given:
        pre = given["pre_positions"]
        post = pre if given.get("post_positions") is None else given["post_positions"]
        period = given.get("period")
        period = np.full(pre.shape[1], np.inf) if period is None else period
    elif graph.name == "grid_neighbours" and "shape" in given:
        shape = given["shape"]
        places = np.unravel_index(np.arange(np.prod(shape)), shape)
        pre = post = np.stack(places, axis=1).astype(np.float64)
        period = np.where(given.get("periodic") or (False,) * len(shape), shape, np.inf)
    else:
        return None
    return Between(Fixed(pre), Fixed(post), Fixed(period))
