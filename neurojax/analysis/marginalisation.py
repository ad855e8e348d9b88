"""Activity as a sum of parts, one for each factor of an experiment and each interaction."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.errors import suggestion

from ._activity import compiled, real


def marginalise(
    x: Any, factors: Sequence[str], *, merge: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Array]:
    r"""The parts of activity that depend on each factor, and on each combination of them.

    The part of a set of factors is the mean over all others less the parts of all its subsets
    (analysis of variance). The parts are uncorrelated, and sum up to $x$ less the mean of each
    unit.

    Arguments:
        x: mean responses [factor 1, ..., factor k, unit], one axis per factor.
        factors: their names, such as `("stimulus", "time")`.
        merge: parts that are summed, by the name of the sum, such as
            `{"stimulus": ["stimulus", "stimulus:time"]}`; the others stay as they are.

    Returns:
        The parts, each shaped like `x`; interactions are called `"stimulus:time"`, in the order of
            `factors`.

    Raises:
        ValueError: the axes do not fit `factors`, or an unknown part in `merge`.

    Source:
        Kobak et al. 2016, eLife 5:e10989.

    Example:
        >>> parts = marginalise(jnp.array([[[1.0], [2.0]], [[3.0], [4.0]]]), ("a", "b"))
        >>> parts["a"][..., 0].tolist(), list(parts)
        ([[-1.0, -1.0], [1.0, 1.0]], ['a', 'b', 'a:b'])
    """
    x, factors = checked(x, factors)
    subsets = _subsets(len(factors))
    names = [":".join(factors[k] for k in subset) for subset in subsets]
    parts = dict(zip(names, _parts(x), strict=True))
    return _merged(parts, merge) if merge else parts


def selectivity(
    x: Any, factors: Sequence[str], *, merge: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Float[Array, " unit"]]:
    """The fraction of the variance of each unit that each factor, or combination, accounts for.

    Arguments:
        x: mean responses [factor 1, ..., factor k, unit], one axis per factor.
        factors: their names.
        merge: as for `marginalise`.

    Returns:
        Fractions per unit; over all parts they sum to 1. NaN for units that do not vary.

    Raises:
        ValueError: as for `marginalise`.

    Source:
        Kobak et al. 2016, eLife 5:e10989.

    Example:
        >>> found = selectivity(jnp.array([[[1.0], [2.0]], [[3.0], [4.0]]]), ("a", "b"))
        >>> {name: part.round(3).tolist() for name, part in found.items()}
        {'a': [0.8...], 'b': [0.2...], 'a:b': [0.0]}
    """
    parts = marginalise(x, factors, merge=merge)
    power = {name: jnp.sum(p.reshape(-1, p.shape[-1]) ** 2, axis=0) for name, p in parts.items()}
    whole = sum(power.values())
    return {name: part / whole for name, part in power.items()}


def checked(x: Any, factors: Sequence[str]) -> tuple[Array, tuple[str, ...]]:
    """Responses with one axis per factor, and the names of the factors."""
    x, factors = jnp.asarray(x), (factors,) if isinstance(factors, str) else tuple(factors)
    if x.ndim != len(factors) + 1 or x.ndim < 2:
        raise ValueError(
            f"x must have one axis for each of the factors {factors} and one for units, got shape "
            f"{x.shape}"
        )
    if len(set(factors)) < len(factors) or any(":" in name for name in factors):
        raise ValueError(f"factors must be different names without ':', got {factors}")
    return real(x, "x"), factors


def _subsets(factors: int) -> list[tuple[int, ...]]:
    sizes = range(1, factors + 1)
    return [subset for k in sizes for subset in itertools.combinations(range(factors), k)]


@compiled()
def _parts(x: Array) -> list[Array]:
    factors = x.ndim - 1
    known: dict[tuple[int, ...], Array] = {}
    for subset in [(), *_subsets(factors)]:
        others = tuple(axis for axis in range(factors) if axis not in subset)
        part = x.mean(axis=others, keepdims=True)
        for smaller, other in known.items():
            if set(smaller) < set(subset):
                part = part - jnp.broadcast_to(other, part.shape)
        known[subset] = part
    return [jnp.broadcast_to(known[subset], x.shape) for subset in _subsets(factors)]


def _merged(parts: dict[str, Array], merge: Mapping[str, Sequence[str]]) -> dict[str, Array]:
    taken = [part for group in merge.values() for part in group]
    for part in taken:
        if part not in parts:
            raise ValueError(f"merge names an unknown part {part!r}.{suggestion(part, parts)}")
    left = {name: part for name, part in parts.items() if name not in taken}
    if len(set(taken)) < len(taken) or set(merge) & set(left):
        raise ValueError(
            f"merge must put every part into one sum, named unlike the other parts, got {merge}"
        )
    sums = {}
    for name, group in merge.items():
        total = parts[group[0]]
        for part in group[1:]:
            total = total + parts[part]
        sums[name] = total
    return sums | left
