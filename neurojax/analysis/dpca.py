"""Demixed principal components: directions that vary with one factor of an experiment each."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ._activity import compiled, dot
from .marginalisation import checked, marginalise


class DPCA(NamedTuple):
    r"""Demixed principal components, by the name of the part of the activity.

    Arguments:
        decoders: [component, unit]: reads a component out of the whole activity.
        encoders: [component, unit]: puts it back into the part; orthonormal.
        projections: what the decoders read, [factor 1, ..., factor k, component].
        explained: fraction of the whole variance that each component explains,
            $1 - \|X - f d X\|^2 / \|X\|^2$.
        mean: of each unit.

    Example:
        >>> x = jnp.array([[[1.0, 0.0], [2.0, 1.0]], [[3.0, 0.0], [4.0, 1.0]]])
        >>> found = dpca(x, ("a", "b"), components={"a": 1})
        >>> found.projections["a"][..., 0].round(3).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]
    """

    decoders: dict[str, Float[Array, "_ unit"]]
    encoders: dict[str, Float[Array, "_ unit"]]
    projections: dict[str, Array]
    explained: dict[str, Array]
    mean: Float[Array, " unit"]


def dpca(
    x: Any,
    factors: Sequence[str],
    *,
    components: int | Mapping[str, int] = 1,
    merge: Mapping[str, Sequence[str]] | None = None,
    regularisation: ArrayLike = 1e-3,
    noise_covariance: Any = None,
) -> DPCA:
    r"""Demixed principal component analysis.

    For the part $X_\phi$ of the centred activity $X$ that belongs to a factor (or an interaction,
    see `marginalise`), the linear map of rank q that predicts it best from the whole:

    $$\min_{F, D} \|X_\phi - F D X\|_F^2 + \mu \|F D\|_F^2, \qquad
        \mu = (\lambda \|X\|_F)^2 .$$

    Reduced-rank regression: with $A = X_\phi X^\top (X X^\top + \mu I)^{-1}$, $F$ holds the q
    leading eigenvectors of $A X X_\phi^\top$, and $D = F^\top A$.

    Arguments:
        x: mean responses [factor 1, ..., factor k, unit], one axis per factor.
        factors: their names, such as `("stimulus", "time")`.
        components: q, for every part, or by the name of the part: then only those named.
        merge: parts that are taken together, see `marginalise`; usually the interactions with time
            are merged with their factor.
        regularisation: $\lambda$; choose it by cross-validation over trials. It must be positive
            where units do not all vary by themselves.
        noise_covariance: [unit, unit], of single trials around their mean; adds to $X X^\top$ as
            many times as there are conditions.

    Raises:
        ValueError: as for `marginalise`; unknown names or numbers of components; the shape of the
            covariance.

    Source:
        Kobak et al. 2016, eLife 5:e10989.

    Example:
        >>> x = jnp.array([[[1.0, 0.0], [2.0, 1.0]], [[3.0, 0.0], [4.0, 1.0]]])
        >>> found = dpca(x, ("a", "b"), components={"a": 1, "b": 1})
        >>> found.encoders["a"].round(3).tolist()
        [[1.0, 0.0]]
    """
    x, factors = checked(x, factors)
    parts = marginalise(x, factors, merge=merge)
    units = x.shape[-1]
    wanted = (
        dict(components) if isinstance(components, Mapping) else dict.fromkeys(parts, components)
    )
    for name, number in wanted.items():
        if name not in parts:
            raise ValueError(f"components names an unknown part {name!r}; there is {list(parts)}")
        if not 1 <= number <= units:
            raise ValueError(f"components must be from 1 to {units} (units), got {number}")
    flat = x.reshape(-1, units)
    mean = flat.mean(axis=0)
    flat = flat - mean[None, :]
    second = dot(flat.T, flat)
    power = jnp.trace(second)
    ridge = second + regularisation**2 * power * jnp.eye(units, dtype=x.dtype)
    if noise_covariance is not None:
        noise = jnp.asarray(noise_covariance, x.dtype)
        if noise.shape != (units, units):
            raise ValueError(
                f"noise_covariance must have shape {(units, units)}, got {noise.shape}"
            )
        ridge = ridge + flat.shape[0] * noise
    found = DPCA({}, {}, {}, {}, mean)
    for name, number in wanted.items():
        part = parts[name].reshape(-1, units)
        decoder, encoder, read, explained = _demixed(flat, part, ridge, number)
        found.decoders[name] = decoder
        found.encoders[name] = encoder
        found.projections[name] = read.reshape(*x.shape[:-1], number)
        found.explained[name] = explained
    return found


@compiled("number")
def _demixed(flat: Array, part: Array, ridge: Array, number: int) -> tuple[Array, ...]:
    joint = dot(part.T, flat)
    # the map that is best without a bound on its rank, and what it predicts
    regression = jnp.linalg.solve(ridge, joint.T).T
    _, vectors = jnp.linalg.eigh(dot(regression, joint.T))
    encoder = vectors[:, ::-1][:, :number].T
    largest = jnp.argmax(jnp.abs(encoder), axis=1)[:, None]
    encoder = encoder * jnp.sign(jnp.take_along_axis(encoder, largest, axis=1))
    decoder = dot(encoder, regression)
    read = dot(flat, decoder.T)
    # |X|^2 - |X - f d X|^2 with |f| = 1
    gained = 2.0 * jnp.sum(read * dot(flat, encoder.T), axis=0) - jnp.sum(read**2, axis=0)
    return decoder, encoder, read, gained / jnp.sum(flat**2)
