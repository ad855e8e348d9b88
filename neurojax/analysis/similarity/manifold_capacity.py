"""How many object manifolds a linear read-out can tell apart, by their size and dimension."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._activity import centred, compiled, dot, real

_ITERATIONS = 60  # of the interior-point method; it takes some 10 to 20


class ManifoldCapacity(NamedTuple):
    """What `manifold_capacity` found.

    Arguments:
        overall: the capacity for all manifolds together, the harmonic mean of `capacity`.
        capacity: of each manifold: as many manifolds like this one per unit can be divided at
            random into two classes by a hyperplane; 2 for points.
        radius: of each manifold as the read-out sees it, relative to the norm of its centre.
        dimension: of each manifold as the read-out sees it.

    Example:
        >>> one = jnp.ones(1)
        >>> ManifoldCapacity(jnp.array(2.0), 2.0 * one, 0.0 * one, 0.0 * one).overall.item()
        2.0
    """

    overall: Float[Array, ""]
    capacity: Float[Array, " manifold"]
    radius: Float[Array, " manifold"]
    dimension: Float[Array, " manifold"]


@compiled("samples", "centre")
def manifold_capacity(
    manifolds: Any, *, key: Any, samples: int = 300, margin: Any = 0.0, centre: bool = True
) -> ManifoldCapacity:
    r"""Capacity, radius and dimension of manifolds, by mean-field theory.

    A manifold is the set of responses to one object in all its views. It is moved into its own
    coordinates $(s, 1)$: $s$ is the way from the centre $c$ in an orthonormal basis, over $|c|$.
    For Gaussian vectors $(t, t_0)$,

    $$F = \min_v |v - (t, t_0)|^2 \quad\text{with}\quad v \cdot (s, 1) \ge \kappa
        \;\text{for every point}, \qquad \alpha = 1 / \mathrm E F .$$

    The solution is $v = (t, t_0) + \sum_i \lambda_i (s_i, 1)$ with $\lambda_i \ge 0$, and
    $\tilde s = \sum_i \lambda_i s_i / \sum_i \lambda_i$ is the point of the convex hull that
    matters for this read-out (where no constraint acts: the point with the least $t \cdot s$).
    With $\delta = \tilde s - \mathrm E \tilde s$ they give

    $$R_M^2 = \mathrm E |\delta|^2, \qquad D_M = \mathrm E (t \cdot \delta / |\delta|)^2 .$$

    For a ball $D_M$ is its dimension, and $R_M$ at most its radius.

    The theory takes centres and axes of different manifolds as independent of each other. Beyond
    the mean of all centres (`centre`) no correlation between them is removed; where centres are
    correlated the number is that of manifolds of the same shapes at independent places. Each
    quadratic programme is solved by an interior-point method, all $t$ at once. Sampled is only what
    a manifold adds to the $F$ of its centre, which is known, so that few samples suffice for small
    manifolds.

    Arguments:
        manifolds: [manifold, sample, unit], the responses to the views of each object.
        key: for the Gaussian vectors.
        samples: Gaussian vectors per manifold.
        margin: $\kappa$, relative to the norm of the centre.
        centre: take the mean of all centres off first.

    Raises:
        ValueError: the shape, or fewer than one sample.

    Source:
        Chung, Lee and Sompolinsky 2018, Physical Review X 8:031003.

    Example:
        >>> import jax
        >>> keys = jax.random.split(jax.random.key(0), 3)
        >>> centres = jax.random.normal(keys[0], (4, 1, 50))
        >>> views = 0.2 * jax.random.normal(keys[1], (4, 20, 50))
        >>> points = manifold_capacity(centres + 0.0 * views, key=keys[2])
        >>> clouds = manifold_capacity(centres + views, key=keys[2])
        >>> round(points.overall.item(), 2), 0.5 < clouds.overall.item() < 1.5
        (2.0, True)
    """
    x = jnp.asarray(manifolds)
    if x.ndim != 3 or 0 in x.shape or (centre and x.shape[0] < 2):
        raise ValueError(
            "manifolds must have shape [manifolds, samples, units] with at least two manifolds "
            f"(one if centre=False), got shape {x.shape}"
        )
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    x = real(x, "manifolds")
    if centre:
        x = x - x.mean(axis=(0, 1), keepdims=True)

    def one(operand):
        points, key = operand
        s = _own_coordinates(points)
        t = jax.random.normal(key, (samples, s.shape[1]), s.dtype)
        distance, anchor = jax.vmap(lambda t: _anchor(s, t, margin))(t)
        more = distance - jnp.maximum(margin - t[:, -1], 0.0) ** 2  # than the centre alone
        anchor = centred(anchor)
        square = jnp.sum(anchor**2, axis=1)
        # a single point has no direction
        along = jnp.sum(t[:, :-1] * anchor, axis=1) ** 2 / jnp.where(square > 0, square, 1.0)
        return 1.0 / (_point(margin) + more.mean()), jnp.sqrt(square.mean()), along.mean()

    capacity, radius, dimension = jax.lax.map(one, (x, jax.random.split(key, x.shape[0])))
    return ManifoldCapacity(1.0 / jnp.mean(1.0 / capacity), capacity, radius, dimension)


def _own_coordinates(points: Float[Array, "sample unit"]) -> Float[Array, "sample own"]:
    """The points from their centre, in an orthonormal basis, over the norm of the centre; and 1."""
    centre = points.mean(axis=0, keepdims=True)
    s = (points - centre) / jnp.linalg.norm(centre)
    r = jnp.linalg.qr(s.T, mode="r")
    # with these signs the coordinates are those of every rotated copy, too
    s = (r * jnp.where(jnp.diagonal(r) < 0, -1.0, 1.0)[:, None]).T
    return jnp.concatenate([s, jnp.ones((s.shape[0], 1), s.dtype)], axis=1)


def _point(margin) -> Float[Array, ""]:
    """E F of a point, which needs no sampling (Gardner 1988)."""
    margin = jnp.asarray(margin, float)
    normal = jax.scipy.stats.norm
    return (1.0 + margin**2) * normal.cdf(margin) + margin * normal.pdf(margin)


def _anchor(s, t, margin):
    """The least |v - t|^2 with s v >= margin, and the mean of the points that hold v there."""
    fields = dot(s, t)
    v, pull = _project(s, t, margin)
    free = jnp.min(fields) >= margin
    weights = jnp.where(free, jnp.arange(len(s)) == jnp.argmin(fields), pull)
    anchor = dot(weights / jnp.sum(weights), s[:, :-1])
    return jnp.where(free, 0.0, jnp.sum((v - t) ** 2)), anchor


def _project(s, t, margin):
    """The v with least |v - t|^2 and s v >= margin, and the multipliers (Mehrotra 1992)."""
    count, size = s.shape
    tolerance = 10.0 * jnp.finfo(s.dtype).eps

    def gap(state):
        v, pull, slack, _ = state
        off = jnp.max(jnp.abs(v - t - dot(s.T, pull)))
        return jnp.maximum(dot(pull, slack) / count, off), 1.0 + jnp.sum(t**2)

    def again(state):
        worst, scale = gap(state)
        return (worst > tolerance * scale) & (state[3] < _ITERATIONS)

    def step(state):
        v, pull, slack, number = state
        stationary = v - t - dot(s.T, pull)
        primal = dot(s, v) - margin - slack
        system = jnp.eye(size, dtype=s.dtype) + dot(s.T * (pull / slack)[None, :], s)
        factor = jax.scipy.linalg.cho_factor(system)

        def direction(complementary):
            right = -stationary - dot(s.T, (complementary + pull * primal) / slack)
            dv = jax.scipy.linalg.cho_solve(factor, right)
            dslack = dot(s, dv) + primal
            return dv, -(complementary + pull * dslack) / slack, dslack

        def longest(value, change):
            return jnp.min(jnp.where(change < 0, -value / jnp.where(change < 0, change, -1.0), 1e9))

        mean = dot(pull, slack) / count
        dv, dpull, dslack = direction(pull * slack)
        reach = jnp.minimum(1.0, jnp.minimum(longest(pull, dpull), longest(slack, dslack)))
        after = dot(pull + reach * dpull, slack + reach * dslack) / count
        centring = (after / mean) ** 3
        dv, dpull, dslack = direction(pull * slack + dpull * dslack - centring * mean)
        limit = jnp.minimum(longest(pull, dpull), longest(slack, dslack))
        reach = jnp.minimum(1.0, 0.995 * limit)
        new = (v + reach * dv, pull + reach * dpull, slack + reach * dslack)
        # at the limit of precision the system may be singular: stop with what there is
        sound = jnp.all(jnp.array([jnp.all(jnp.isfinite(x)) for x in new]))
        kept = jax.tree.map(lambda a, b: jnp.where(sound, a, b), new, state[:3])
        return *kept, jnp.where(sound, number + 1, _ITERATIONS)

    ones = jnp.ones(count, s.dtype)
    v, pull, _, _ = jax.lax.while_loop(again, step, (t, ones, ones, jnp.zeros((), int)))
    return v, pull
