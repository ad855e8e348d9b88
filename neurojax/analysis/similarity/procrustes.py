"""Orthogonal Procrustes: how far two populations are once one is rotated onto the other."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._activity import centred, compiled, dot, pair, root, unit_norm


@compiled("normalise")
def procrustes_distance(x: Any, y: Any, *, normalise: bool = True) -> Float[Array, ""]:
    r"""The least Frobenius distance between two populations over rotations and reflections.

    $$d = \min_{Q^\top Q = I} \|X Q - Y\|_F
        = \sqrt{\|X\|_F^2 + \|Y\|_F^2 - 2 \|X^\top Y\|_*}$$

    for centred $X$, $Y$, which by default are scaled to $\|X\|_F = \|Y\|_F = 1$, so that $d$ is
    between 0 and $\sqrt 2$. A metric: symmetric, zero only for rotated copies, with the triangle
    inequality. If the numbers of units differ the smaller population gets silent ones.

    The residual itself is summed, so copies give zero to rounding and not to its root. First
    derivatives are exact where $X^\top Y$ has full rank; higher ones are not offered.

    Arguments:
        x: activity [sample, unit].
        y: activity [sample, unit] in the same samples.
        normalise: ignore the scale too.

    Raises:
        ValueError: the shapes.

    Source:
        Schönemann 1966, Psychometrika 31:1-10; Williams et al. 2021, NeurIPS (as a metric on
            populations).

    Example:
        >>> x = jnp.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0]])
        >>> rotated = x @ jnp.array([[0.0, 1.0], [-1.0, 0.0]])
        >>> float(procrustes_distance(x, 3.0 * rotated)) < 1e-6
        True
    """
    x, y = (centred(a) for a in pair(x, y))
    if normalise:
        x, y = unit_norm(x), unit_norm(y)
    return _residual(x, y)


@compiled()
def angular_distance(x: Any, y: Any) -> Float[Array, ""]:
    r"""The angle between two populations once one is rotated onto the other, rad.

    $$\theta = \arccos \frac{\|X^\top Y\|_*}{\|X\|_F \|Y\|_F}$$

    for centred $X$, $Y$, from 0 to $\pi / 2$. A metric, blind to rotation, shift and scale.

    Arguments:
        x: activity [sample, unit].
        y: activity [sample, unit] in the same samples.

    Raises:
        ValueError: the shapes.

    Source:
        Williams et al. 2021, NeurIPS.

    Example:
        >>> x, y = [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]], [[1.0], [1.0], [-2.0]]
        >>> round(float(angular_distance(x, y)), 4)  # nothing in common
        1.5708
    """
    x, y = (unit_norm(centred(a)) for a in pair(x, y))
    # arccos loses half of the digits near 1; the chord does not
    return 2.0 * jnp.arcsin(jnp.minimum(_residual(x, y) / 2.0, jnp.sqrt(0.5)))


class Alignment(NamedTuple):
    """What `procrustes` found.

    Arguments:
        rotation: [unit of x, unit of y], orthogonal (orthonormal rows or columns if the numbers of
            units differ).
        scale: factor.
        aligned: x, turned, scaled and shifted onto y, [sample, unit of y].

    Example:
        >>> one = jnp.ones((1, 1))
        >>> Alignment(one, jnp.array(2.0), 2.0 * one).scale.item()
        2.0
    """

    rotation: Float[Array, "unit other"]
    scale: Float[Array, ""]
    aligned: Float[Array, "sample other"]


@compiled("scale")
def procrustes(x: Any, y: Any, *, scale: bool = True) -> Alignment:
    r"""The rotation, and the scale, that bring one population closest to another.

    With $U S V^\top = X^\top Y$ of the centred arrays, $Q = U V^\top$ and
    $c = \mathrm{tr}\, S / \|X\|_F^2$.

    Arguments:
        x: activity [sample, unit], to be turned.
        y: activity [sample, unit] in the same samples.
        scale: fit a factor as well.

    Raises:
        ValueError: the shapes.

    Source:
        Schönemann 1966, Psychometrika 31:1-10.

    Example:
        >>> x = jnp.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0]])
        >>> found = procrustes(x, 3.0 * x[:, ::-1] + 1.0)
        >>> round(float(found.scale), 4), jnp.abs(found.rotation).round(4).tolist()
        (3.0, [[0.0, 1.0], [1.0, 0.0]])
    """
    x, y = pair(x, y)
    mean = y.mean(axis=0, keepdims=True)
    x, y = centred(x), centred(y)
    u, s, vt = jnp.linalg.svd(dot(x.T, y), full_matrices=False)
    rotation = dot(u, vt)
    factor = jnp.sum(s) / jnp.sum(x**2) if scale else jnp.ones((), x.dtype)
    return Alignment(rotation, factor, factor * dot(x, rotation) + mean)


def _residual(x: Array, y: Array) -> Float[Array, ""]:
    """|X Q - Y| at the best Q."""
    x, y = _reduced(x), _reduced(y)
    width = max(x.shape[1], y.shape[1])
    x, y = (jnp.pad(a, ((0, 0), (0, width - a.shape[1]))) for a in (x, y))
    u, _, vt = jnp.linalg.svd(jax.lax.stop_gradient(dot(x.T, y)))
    # at the optimum a change of the rotation changes nothing, so it may be held
    return root(jnp.sum((dot(x, u) - dot(y, vt.T)) ** 2))


def _reduced(x: Array) -> Array:
    """The same patterns in a basis of their own, if there are more units than samples."""
    if x.shape[1] <= x.shape[0]:
        return x
    basis, _ = jnp.linalg.qr(jax.lax.stop_gradient(x).T)
    return dot(x, basis)
