"""Topological RSA: RDMs that keep who is a neighbour and drop how near and how far."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.stats import rankdata
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from neurojax.core.tracing import known

from .._activity import compiled
from .rdm import as_vector, number_of_samples, to_matrix, upper


def geo_topological(
    rdm: Any, lower: ArrayLike = 0.2, upper: ArrayLike = 0.8
) -> Float[Array, " pair"]:
    r"""The representational geo-topological matrix: distances clipped between two quantiles.

    With $q \in [0, 1]$ the rank of a distance among all,

    $$f(q) = \min(1, \max(0, (q - l) / (u - l))).$$

    $l = 0$, $u = 1$ gives the ranked RDM (geometry), $l = u$ a graph of neighbours (topology):
    0 up to the quantile, 1 above it.

    Arguments:
        rdm: an RDM as a vector (see `rdm`).
        lower: $l$; smaller distances count as none (noise).
        upper: $u$; larger ones all count the same (global geometry).

    Raises:
        ValueError: the length of `rdm`, or not 0 <= `lower` <= `upper` <= 1.

    Source:
        Lin and Kriegeskorte 2024, PNAS 121:e2317881121.

    Example:
        >>> geo_topological([5.0, 1.0, 3.0], 0.25, 0.75).tolist()
        [1.0, 0.0, 0.5]
    """
    _check_bounds(lower, upper)
    return _clipped(as_vector(rdm, "rdm"), lower, upper)


@compiled()
def _clipped(vector: Array, lower: ArrayLike, upper: ArrayLike) -> Float[Array, " pair"]:
    rank = quantiles(vector)
    lower, upper = jnp.asarray(lower, rank.dtype), jnp.asarray(upper, rank.dtype)
    wide = upper > lower
    ramp = jnp.clip((rank - lower) / jnp.where(wide, upper - lower, 1.0), 0.0, 1.0)
    return jnp.where(wide, ramp, (rank > lower).astype(rank.dtype))


@compiled()
def logistic_transform(
    rdm: Any, slope: ArrayLike = 10.0, centre: ArrayLike = 0.5
) -> Float[Array, " pair"]:
    r"""The smooth variant of `geo_topological`.

    $f(q) = 1 / (1 + e^{-k (q - c)})$ of the rank $q \in [0, 1]$ of each distance.

    Arguments:
        rdm: an RDM as a vector (see `rdm`).
        slope: $k$.
        centre: $c$.

    Raises:
        ValueError: the length of `rdm`.

    Source:
        Lin and Kriegeskorte 2024, PNAS 121:e2317881121.

    Example:
        >>> logistic_transform([5.0, 1.0, 3.0]).tolist()
        [0.993..., 0.0066..., 0.5]
    """
    return jax.nn.sigmoid(slope * (quantiles(as_vector(rdm, "rdm")) - centre))


def geodesic_rdm(
    rdm: Any, quantile: ArrayLike | None = None, *, neighbours: int | None = None, rank: bool = True
) -> Float[Array, " pair"]:
    """Distances along the graph of neighbours (the representational geodesic distance matrix).

    Only short edges are kept, and every distance becomes the length of the shortest path over
    them (Floyd-Warshall). Samples without a path between them are infinitely far, and share the
    highest rank.

    Arguments:
        rdm: an RDM as a vector (see `rdm`).
        quantile: keep the edges up to this quantile of the distances; default 0.05.
        neighbours: or those to the so many nearest samples of either end.
        rank: give the ranks in [0, 1] and not the lengths.

    Raises:
        ValueError: the length of `rdm`, both rules given, or a rule out of range.

    Source:
        Lin and Kriegeskorte 2024, PNAS 121:e2317881121.

    Example:
        >>> line = [1.0, 1.8, 2.5, 1.0, 1.8, 1.0]  # four samples on an arc
        >>> geodesic_rdm(line, neighbours=1, rank=False).tolist()
        [1.0, 2.0, 3.0, 1.0, 2.0, 1.0]
    """
    vector = as_vector(rdm, "rdm")
    samples = number_of_samples(vector)
    if neighbours is not None and quantile is not None:
        raise ValueError("give quantile or neighbours, not both")
    if neighbours is not None and not 1 <= neighbours < samples:
        raise ValueError(f"neighbours must be from 1 to {samples - 1}, got {neighbours}")
    quantile = 0.05 if quantile is None else quantile
    _check_bounds(0.0, quantile, "quantile")
    paths = _paths(vector, quantile, neighbours)
    return quantiles(paths) if rank else paths


@compiled("neighbours")
def _paths(vector: Array, quantile: ArrayLike, neighbours: int | None) -> Float[Array, " pair"]:
    matrix = to_matrix(vector)
    samples = matrix.shape[0]
    itself = jnp.eye(samples, dtype=bool)
    if neighbours is None:
        kept = matrix <= jnp.quantile(vector, jnp.asarray(quantile, vector.dtype))
    else:
        radius = jnp.sort(jnp.where(itself, jnp.inf, matrix), axis=1)[:, neighbours - 1]
        kept = matrix <= jnp.maximum(radius[:, None], radius[None, :])
    length = jnp.where(itself, 0.0, jnp.where(kept, matrix, jnp.inf))

    def through(k, length):
        return jnp.minimum(length, length[:, k][:, None] + length[k][None, :])

    return upper(jax.lax.fori_loop(0, samples, through, length))


@compiled()
def quantiles(vector: Array) -> Float[Array, " pair"]:
    """The rank of each number among all, from 0 to 1; ties share their mean rank."""
    return (rankdata(vector).astype(vector.dtype) - 1.0) / max(len(vector) - 1, 1)


def _check_bounds(lower: Any, upper: Any, name: str = "lower and upper") -> None:
    if known(lower, upper) and not 0 <= lower <= upper <= 1:
        shown = (lower, upper) if name.startswith("lower") else upper
        raise ValueError(f"{name} must be quantiles, 0 <= lower <= upper <= 1, got {shown}")
