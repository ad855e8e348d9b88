"""How alike the dynamics of two systems are, whatever their geometry (DSA)."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.keys import own_or_first

from .._activity import compiled, dot, real, root, unit_norm

_STEPS = 100  # of Levenberg-Marquardt, from each start


@compiled("delays", "lag")
def delay_embedding(x: Any, delays: int, *, lag: int = 1) -> Float[Array, "... time feature"]:
    r"""Each state beside those before it, a Hankel matrix of activity.

    Row t is $(x_t, x_{t-l}, \ldots, x_{t-(d-1)l})$ for $d$ delays and the lag $l$.

    Arguments:
        x: activity [..., time, unit].
        delays: states in a row; 1 gives x itself.
        lag: steps between them.

    Returns:
        [..., time - (delays - 1) lag, delays unit].

    Raises:
        ValueError: the shape, or fewer steps than a row needs.

    Example:
        >>> delay_embedding([[1.0], [2.0], [3.0]], 2).tolist()
        [[2.0, 1.0], [3.0, 2.0]]
    """
    x = jnp.asarray(x)
    if x.ndim < 2:
        raise ValueError(f"x must be activity of shape [..., time, units], got shape {x.shape}")
    if delays < 1 or lag < 1:
        raise ValueError(f"delays and lag must be at least 1, got {delays} and {lag}")
    rows = x.shape[-2] - (delays - 1) * lag
    if rows < 1:
        raise ValueError(
            f"{delays} delays with lag {lag} need more than {(delays - 1) * lag} steps of time, "
            f"got {x.shape[-2]}"
        )
    first = [(delays - 1 - k) * lag for k in range(delays)]
    return jnp.concatenate([x[..., start : start + rows, :] for start in first], axis=-1)


@compiled("delays", "rank", "lag")
def delay_operator(
    x: Any, delays: int, rank: int, *, lag: int = 1, ridge: Any = 0.0
) -> Float[Array, "rank rank"]:
    r"""The linear map that moves delay-embedded activity one step on (HAVOK, DMD with delays).

    With the singular value decomposition $H = U S V^\top$ of the `delay_embedding` and $u_t$ the
    first `rank` numbers of row t of $U$, the operator $A$ minimises
    $\sum_t |u_{t+1} - A u_t|^2 + \text{ridge}\,|A|^2$. Its eigenvalues are those of the dynamics
    where these are linear in the embedding. It has no unique basis: compare operators by
    `operator_distance`.

    Arguments:
        x: activity [time, unit], or [trial, time, unit]; no step leads from one trial to another.
            A constant mean counts as a mode with the eigenvalue 1; take it off if it should not.
        delays: states in a row of the embedding.
        rank: modes that are kept.
        lag: steps between the states in a row.
        ridge: penalty; each mode has the squared norm 1 over all rows.

    Raises:
        ValueError: the shape, or a rank above what the embedding has.

    Source:
        Brunton et al. 2017, Nature Communications 8:19 (HAVOK); Schmid 2010, Journal of Fluid
            Mechanics 656:5-28 (DMD).

    Example:
        >>> halving = 0.5 ** jnp.arange(6.0)[:, None]
        >>> delay_operator(halving, 1, 1).round(4).tolist()
        [[0.5]]
    """
    x = real(jnp.asarray(x), "x")
    if x.ndim not in (2, 3):
        raise ValueError(
            f"x must have shape [time, units] or [trials, time, units], got shape {x.shape}"
        )
    rows = delay_embedding(x if x.ndim == 3 else x[None], delays, lag=lag)
    trials, times, features = rows.shape
    most = min(trials * (times - 1), features)
    if not 1 <= rank <= most:
        raise ValueError(f"rank must be from 1 to {most} for {delays} delays, got {rank}")
    u, _, _ = jnp.linalg.svd(rows.reshape(-1, features), full_matrices=False)
    u = u[:, :rank].reshape(trials, times, rank)
    before, after = u[:, :-1].reshape(-1, rank), u[:, 1:].reshape(-1, rank)
    penalty = jnp.sqrt(jnp.asarray(ridge, u.dtype)) * jnp.eye(rank, dtype=u.dtype)
    before = jnp.concatenate([before, penalty])
    after = jnp.concatenate([after, jnp.zeros_like(penalty)])
    q, r = jnp.linalg.qr(before)
    return jax.scipy.linalg.solve_triangular(r, dot(q.T, after)).T


@compiled("angle", "starts")
def operator_distance(
    a: Any, b: Any, *, angle: bool = True, starts: int = 16, key: Any = None
) -> Float[Array, ""]:
    r"""How far two linear maps are once one is turned into the best basis for the other.

    $$d = \min_{C^\top C = I} \|A - C B C^\top\|_F , \qquad
        \theta = \min_{C^\top C = I} \arccos \frac{\langle A, C B C^\top \rangle}{\|A\|\,\|B\|}$$

    The same $C$ gives both. Both are metrics between maps up to rotation and reflection, if the
    minimum is found. The problem has local minima: Levenberg-Marquardt runs on the orthogonal
    matrices from several random starts, and the best end counts. More starts can only lower the
    value.

    For normal maps $d$ is not less than the distance of the eigenvalues in the best pairing
    (Hoffman and Wielandt 1953).

    Arguments:
        a: [n, n].
        b: [n, n].
        angle: $\theta$ (rad, 0 to $\pi$) rather than $d$.
        starts: orthogonal matrices to begin from, half of them reflections.
        key: for the starts; default one that is fixed.

    Raises:
        ValueError: matrices that are not square or not of the same size.

    Source:
        Ostrow et al. 2023, NeurIPS, arXiv:2306.10168.

    Example:
        >>> a = jnp.array([[0.9, 0.5], [0.0, 0.8]])
        >>> turn = jnp.array([[0.6, -0.8], [0.8, 0.6]])
        >>> float(operator_distance(a, turn @ a @ turn.T)) < 1e-3
        True
        >>> round(float(operator_distance(a, 2.0 * a, angle=False)), 3)  # as the norm of a
        1.304
    """
    a, b = real(jnp.asarray(a), "a"), real(jnp.asarray(b), "b")
    if a.ndim != 2 or a.shape[0] != a.shape[1] or a.shape != b.shape:
        raise ValueError(f"a and b must be square and of one size, got {a.shape} and {b.shape}")
    if starts < 1:
        raise ValueError(f"starts must be at least 1, got {starts}")
    if angle:
        a, b = unit_norm(a), unit_norm(b)
    key = own_or_first(key)
    turned = _best_basis(jax.lax.stop_gradient(a), jax.lax.stop_gradient(b), starts, key)
    # at the optimum a change of the basis changes nothing, so it may be held
    off = root(jnp.sum((a - dot(dot(turned, b), turned.T)) ** 2))
    # arccos loses half of the digits near 1; the chord does not
    return 2.0 * jnp.arcsin(jnp.minimum(off / 2.0, 1.0)) if angle else off


@compiled("delays", "rank", "lag", "angle", "starts")
def dynamical_similarity(
    x: Any,
    y: Any,
    delays: int,
    rank: int,
    *,
    lag: int = 1,
    ridge: Any = 0.0,
    angle: bool = True,
    starts: int = 16,
    key: Any = None,
) -> Float[Array, ""]:
    """The distance of the dynamics of two systems: dynamical similarity analysis (DSA).

    `operator_distance` of the `delay_operator` of each. Unlike the other measures of this package
    it asks not which states there are, but how they follow each other: the systems need not have
    seen the same samples, and may have different units. Zero for copies under rotation and scale,
    and, where `rank` is the whole rank of the embedding, under every invertible linear map. Delays
    and rank decide what is compared: use the same for all, and see whether the order of distances
    depends on them.

    Arguments:
        x: activity [time, unit] or [trial, time, unit].
        y: the same of the other system, at the same interval of time.
        delays: states in a row of the embedding.
        rank: modes that are kept.
        lag: steps between the states in a row.
        ridge: penalty of the operators.
        angle: an angle (rad), blind to the size of the operators, rather than a distance.
        starts: of the search for the best basis.
        key: for the starts; default one that is fixed.

    Raises:
        ValueError: the shapes, or a rank above what the embedding has.

    Source:
        Ostrow et al. 2023, NeurIPS, arXiv:2306.10168.

    Example:
        >>> time = jnp.arange(50.0)[:, None]
        >>> slow, fast = (
        ...     jnp.concatenate([jnp.sin(w * time), jnp.cos(w * time)], axis=1) for w in (0.2, 0.5)
        ... )
        >>> far = dynamical_similarity(slow, fast, 1, 2)  # turns by 0.2 and 0.5 rad a step
        >>> round(float(far), 2), float(dynamical_similarity(slow, slow[:, ::-1], 1, 2)) < 1e-3
        (0.3, True)
    """
    a = delay_operator(x, delays, rank, lag=lag, ridge=ridge)
    b = delay_operator(y, delays, rank, lag=lag, ridge=ridge)
    return operator_distance(a, b, angle=angle, starts=starts, key=key)


def _best_basis(a: Array, b: Array, starts: int, key) -> Float[Array, "n n"]:
    """The best C over all starts."""
    draws = jax.random.normal(key, (starts, *a.shape), a.dtype)
    begun, _ = jnp.linalg.qr(draws)
    wanted = jnp.where(jnp.arange(starts) % 2 == 0, 1.0, -1.0).astype(a.dtype)
    flip = wanted * jnp.linalg.det(begun)
    begun = begun.at[:, :, 0].multiply(flip[:, None]).at[0].set(_by_symmetric_parts(a, b))
    ends, costs = jax.vmap(lambda c: _descend(a, b, c))(begun)
    return ends[jnp.argmin(costs)]


def _by_symmetric_parts(a, b):
    """C that turns the axes of b's symmetric part into a's, with signs that fit the rest.

    For copies it is the solution, unless two eigenvalues of the symmetric part are equal.
    """
    axes_a, axes_b = (jnp.linalg.eigh(0.5 * (x + x.T))[1] for x in (a, b))
    inside_a, inside_b = (dot(dot(u.T, x), u) for u, x in ((axes_a, a), (axes_b, b)))
    agree = (inside_a - inside_a.T) * (inside_b - inside_b.T)
    signs = jnp.where(jnp.linalg.eigh(agree)[1][:, -1] < 0, -1.0, 1.0)
    return dot(axes_a * signs[None, :], axes_b.T)


def _descend(a, b, c):
    """Levenberg-Marquardt for |C^T A C - B|^2 over orthogonal C; the end and its cost."""
    eye = jnp.eye(len(a), dtype=a.dtype)
    scale = jnp.sum(a**2) + jnp.sum(b**2)
    precision = jnp.finfo(a.dtype).eps
    turn = lambda c: dot(dot(c.T, a), c)

    def slope(turned):
        return _turned_back(turned, turned - b)

    def again(state):
        c, _, damping, number = state
        steep = jnp.sqrt(jnp.sum(slope(turn(c)) ** 2)) > 10.0 * precision * scale
        return steep & (damping < 1e6) & (number < _STEPS)

    def step(state):
        c, value, damping, number = state
        turned = turn(c)

        def normal(w):  # of what a small rotation w changes
            return _turned_back(turned, dot(turned, w) - dot(w, turned)) + damping * scale * w

        w, _ = jax.scipy.sparse.linalg.cg(normal, -slope(turned), tol=1e-6, maxiter=4 * len(a))
        new = dot(c, jnp.linalg.solve(eye - 0.5 * w, eye + 0.5 * w))
        lower = jnp.sum((turn(new) - b) ** 2)
        better = lower < value
        return (
            jnp.where(better, new, c),
            jnp.where(better, lower, value),
            jnp.where(better, jnp.maximum(0.3 * damping, 1e-12), 4.0 * damping),
            number + 1,
        )

    begun = (c, jnp.sum((turn(c) - b) ** 2), jnp.asarray(1e-2, a.dtype), jnp.zeros((), int))
    c, value, _, _ = jax.lax.while_loop(again, step, begun)
    return c, value


def _turned_back(turned, r):
    """The skew-symmetric part of [turned^T, r], the transpose of w -> [turned, w]."""
    g = dot(turned.T, r) - dot(r, turned.T)
    return 0.5 * (g - g.T)
