"""Weights and delays of synapses: numbers, arrays, distributions, functions of distance."""

import dataclasses
from typing import Any

import numpy as np

from neurojax.core.random import AbstractDistribution
from neurojax.core.tracing import is_traced
from neurojax.core.units import refuse_units

from .dale import Dale
from .edges import Edges, per_edge


def synapse_values(spec: Any, edges: Edges, rng: np.random.Generator, name: str = "weight") -> Any:
    """The weights or delays of these synapses, a scalar where all have the same.

    Arguments:
        spec: a number; an array with one entry per edge, in the order of `edges`; a matrix
            [pre, post]; a distribution such as `nj.random.Normal(0.5, 0.1)`, drawn for each
            edge; a function of an array of distances; `Dale(...)`; or None for what the graph
            was given. Weights that are numbers or arrays may be traced, as inside jax.grad.
        edges: the synapses.
        rng: numpy generator for the draws.
        name: what it is, `"weight"` or `"delay"`; names the attribute of `edges` for None.

    Raises:
        ValueError: a shape does not fit, a value is not finite, or the graph has no distances or
            no given values.
        TypeError: `spec` is none of these.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> rng = np.random.default_rng(0)
        >>> edges = nj.connectivity.grid_neighbours((3,)).build(3, 3, rng)
        >>> nj.connectivity.synapse_values(1.5, edges, rng)
        1.5
        >>> velocity = 0.5  # steps of the grid per ms
        >>> nj.connectivity.synapse_values(lambda d: d / velocity, edges, rng, "delay").tolist()
        [2.0, 2.0, 2.0, 2.0]
    """
    if spec is None:
        given = getattr(edges, name, None)
        if given is None:
            raise ValueError(
                f"{name}=None takes what the graph was given, but it has no {name}s; give a number"
            )
        return given
    if is_traced(spec):
        return _traced(spec, edges, name)
    if isinstance(spec, AbstractDistribution):
        return per_edge(name, spec.draw(rng, (len(edges),)), len(edges))
    if isinstance(spec, Dale):
        return _dale(spec, edges, rng, name)
    if callable(spec):
        if edges.distance is None:
            raise ValueError(
                f"{name} is a function of distance, but the graph has no distances; build it with "
                "distance_dependent or grid_neighbours"
            )
        return per_edge(name, spec(edges.distance), len(edges))
    return _numbers(spec, edges, name)


def _traced(spec: Any, edges: Edges, name: str) -> Any:
    """Weights that are traced by grad, jit or vmap: their shape can be looked at."""
    if name != "weight":
        raise ValueError(
            f"{name} is traced by jit, grad or vmap, but it must be known where the network is "
            "built: build it outside, and change a leaf of it (eqx.tree_at) inside"
        )
    if spec.ndim == 2 and spec.shape == (edges.n_pre, edges.n_post):
        return spec[edges.pre, edges.post]
    if spec.shape not in ((), (len(edges),)):
        raise ValueError(
            f"{name} must be a number or have shape ({len(edges)},), one per edge, got {spec.shape}"
        )
    return spec


def _numbers(spec: Any, edges: Edges, name: str) -> np.ndarray | float:
    refuse_units(name, spec)
    try:
        array = np.asarray(spec)
        if array.dtype.kind not in "iuf":
            raise TypeError(f"its type is {array.dtype}")
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be a number, an array, a distribution, a function of distance or None, "
            f"got {spec!r}: {error}"
        ) from error
    if array.ndim == 0:
        if not np.isfinite(array):
            raise ValueError(f"{name} must be finite, got {array}")
        return float(array)
    if array.ndim == 2:
        if array.shape != (edges.n_pre, edges.n_post):
            raise ValueError(
                f"{name} as a matrix must have shape (pre, post) = ({edges.n_pre}, "
                f"{edges.n_post}), got {array.shape}"
            )
        array = array[edges.pre, edges.post]
    return per_edge(name, array, len(edges))


def _dale(spec: Dale, edges: Edges, rng: np.random.Generator, name: str) -> np.ndarray:
    if len(spec.signs) != edges.n_pre:
        raise ValueError(
            f"Dale has {len(spec.signs)} signs, but there are {edges.n_pre} sending neurons"
        )
    excitatory = spec.signs[edges.pre] > 0
    values = np.empty(len(edges))
    for part, size in (("excitatory", spec.excitatory), ("inhibitory", spec.inhibitory)):
        chosen = excitatory if part == "excitatory" else ~excitatory
        sizes = synapse_values(size, _subset(edges, chosen), rng, name)
        if np.min(sizes, initial=0.0) < 0:
            raise ValueError(
                f"Dale: {part} sizes must not be negative, got {np.min(sizes):g}; the sign comes "
                "from signs, and nj.random.Clipped(distribution, low=0.0) bounds a distribution"
            )
        values[chosen] = sizes if part == "excitatory" else -np.asarray(sizes)
    return values


def _subset(edges: Edges, chosen: np.ndarray) -> Edges:
    """These edges alone; their order stays."""
    names = ("pre", "post", "distance", "weight", "delay")
    parts = {name: getattr(edges, name) for name in names}
    return dataclasses.replace(
        edges, **{name: part[chosen] for name, part in parts.items() if part is not None}
    )
