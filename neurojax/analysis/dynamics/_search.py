"""Levenberg-Marquardt steps to the zeros of a field, one start at a time or in batches."""

import itertools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._jacobian import jacobian

RADII = (1.0, 0.5, 0.25, 0.1, 0.03, 0.01, 1e-3)  # of the whole step, tried at once
DAMPING = (1e-6, 1e-2)  # least and most, of the mean square singular value of the Jacobian
_CORRECTORS = 10  # steps that use the same Jacobian again
_WORTH = 0.8  # a corrector that leaves more of |F| is the last
PATIENCE = 5  # steps in a row that gain less than GAIN
GAIN = 0.8
_BLOCKS = 4


class Place(NamedTuple):
    """Where a search is."""

    x: Array
    F: Array
    goal: Array  # of |F|
    first: Array  # |F| at the start
    idle: Array
    steps: Array
    done: Array


@eqx.filter_jit
def search(
    field: Any,
    starts: Float[Array, "start n"],
    firsts: Float[Array, " start"],
    idle: Int[Array, " start"],
    steps: Int[Array, " start"],
    size: Float[Array, ""],
    tolerance: Float[Array, ""],
    max_steps: Int[Array, ""],
    patience: Int[Array, ""],
    near: Float[Array, ""],
    count: Int[Array, ""],
    batch_size: int | None,
) -> tuple[Array, ...]:
    """From each start downhill in |F|: the end, |F| there, and the |F| that counts as zero.

    A search ends after `patience` steps in a row of little gain, and where |F| is the part `near`
    of the first. Also given are the new `firsts`, `idle` and `steps`.

    Starts may have been moved before: `firsts` is |F| where they began (0 if they begin here),
    `idle` and `steps` are counts of then. Only the first `count` starts are moved; the rest fill
    the array up.
    """
    narrow = field.single()

    def one(argument):
        x, first, idle, steps, k = argument
        F = field(x)
        first = jnp.where(first > 0, first, _norm(F))
        place = Place(x, F, jnp.zeros_like(first), first, idle, steps, k >= count)
        going = lambda p: (
            ~p.done & (p.steps < max_steps) & (p.idle < patience) & (_norm(p.F) > near * first)
        )
        end = jax.lax.while_loop(
            going, lambda p: _advance(field, narrow, p, size, tolerance), place
        )
        return end.x, _norm(end.F), end.goal, first, end.idle, end.steps

    arguments = (starts, firsts, idle, steps, jnp.arange(len(starts)))
    return jax.lax.map(one, arguments, batch_size=batch_size)


def _advance(field, narrow, place: Place, size, tolerance) -> Place:
    """One new Jacobian: the best of several points on the dogleg path, then correctors."""
    x, F = place.x, place.F
    speed = _norm(F)
    # the matrix work is done in 32 bits: an error of the Jacobian costs order, not accuracy
    low = x.astype(jnp.float32)
    J = jacobian(narrow, low).astype(jnp.float32)
    A = _lower_gram(J)
    scale = jnp.sum(J * J) / low.size
    least, most = DAMPING
    damping = scale * jnp.clip(most * (speed / place.first) ** 2, least, most).astype(low.dtype)
    A = A + damping * jnp.eye(low.size, dtype=low.dtype)
    L = jax.lax.linalg.cholesky(A, symmetrize_input=False)
    solve = lambda v, **which: jax.lax.linalg.triangular_solve(
        L, v, left_side=True, lower=True, **which
    )

    def whole(F):
        """-J^T (J J^T + damping)^-1 F."""
        norm = jnp.maximum(_norm(F), jnp.finfo(F.dtype).tiny)
        unit = (F / norm).astype(low.dtype)
        # a vector times a matrix: XLA is slow with a transposed matrix times a vector
        return -norm * (solve(solve(unit[:, None]), transpose_a=True)[:, 0] @ J).astype(F.dtype)

    direct = _steepest(J, F)
    newton = whole(F)
    newton = jnp.where(jnp.all(jnp.isfinite(newton)), newton, direct)
    radii = _norm(newton) * jnp.asarray(RADII, x.dtype)
    tried = jax.vmap(lambda r: x + dogleg(direct, newton, r))(radii)
    slopes = jax.vmap(field)(tried)
    speeds = jax.vmap(_norm)(slopes)
    speeds = jnp.where(jnp.isfinite(speeds), speeds, jnp.inf)
    best = jnp.argmin(speeds)
    goal = tolerance * jnp.sqrt(scale).astype(x.dtype) * size

    def correct(carry):
        x, F, _, n = carry
        y = x + whole(F)
        G = field(y)
        gain = _norm(G) / _norm(F)
        gain = jnp.where(jnp.isfinite(gain), gain, jnp.inf)
        better = gain < 1
        return jnp.where(better, y, x), jnp.where(better, G, F), gain, n + 1

    # the Jacobian is used again while that shortens F
    useful = lambda c: (c[2] < _WORTH) & (c[3] < _CORRECTORS) & (_norm(c[1]) > goal)
    begun = (tried[best], slopes[best], speeds[best] / speed, jnp.zeros((), int))
    end, G, _, _ = jax.lax.while_loop(useful, correct, begun)
    gain = _norm(G) / speed
    better = gain < 1
    idle = jnp.where(gain < GAIN, 0, place.idle + 1)
    here = speed <= goal
    stop = here | ~better | (_norm(G) <= goal)
    take = better & ~here
    return Place(
        jnp.where(take, end, x),
        jnp.where(take, G, F),
        goal,
        place.first,
        idle,
        place.steps + 1,
        stop,
    )


@eqx.filter_jit
def polish(
    field: Any, points: Float[Array, "point n"], count: Int[Array, ""]
) -> tuple[Float[Array, "point n"], Float[Array, " point"], Float[Array, "point n n"]]:
    """A few Newton steps in full precision: the points, |F| and the Jacobians there.

    Only the first `count` points are moved; the rest fill the array up.
    """

    def one(argument):
        x, k = argument
        x, F = _newton(field, x, k < count, 6)
        return x, _norm(F), jacobian(field, x)

    return jax.lax.map(one, (points, jnp.arange(len(points))))


def _lower_gram(J):
    """J J^T on and below the diagonal, in blocks; what is above is not computed."""
    n = len(J)
    if n < 128:
        return J @ J.T
    cuts = [n * k // _BLOCKS for k in range(_BLOCKS + 1)]
    rows = [jnp.pad(J[a:b] @ J[:b].T, ((0, 0), (0, n - b))) for a, b in itertools.pairwise(cuts)]
    return jnp.concatenate(rows)


def _steepest(J, F):
    """The step down the gradient of |F|^2 that is best if F is linear."""
    norm = jnp.maximum(_norm(F), jnp.finfo(F.dtype).tiny)
    g = (F / norm).astype(J.dtype) @ J
    ahead = J @ g
    length = (g @ g) / jnp.maximum(ahead @ ahead, jnp.finfo(J.dtype).tiny)
    return -norm * (length * g).astype(F.dtype)


def dogleg(direct, newton, radius):
    """The point at this distance on the path along `direct` and on to `newton`."""
    reach, short = _norm(newton), _norm(direct)
    tiny = jnp.finfo(direct.dtype).tiny
    way = newton - direct
    a, b, c = way @ way, direct @ way, direct @ direct - radius**2
    root = jnp.sqrt(jnp.maximum(b * b - a * c, 0.0))
    part = jnp.clip((root - b) / jnp.maximum(a, tiny), 0.0, 1.0)
    return jnp.where(
        radius >= reach,
        newton,
        jnp.where(
            radius <= short, direct * (radius / jnp.maximum(short, tiny)), direct + part * way
        ),
    )


def _norm(v) -> Float[Array, ""]:
    return jnp.sqrt(jnp.sum(v * v))


@eqx.filter_jit
def newton_path(
    field: Any, x: Float[Array, " n"], inputs: Any
) -> tuple[Float[Array, "step n"], Float[Array, " step"], Float[Array, "step n n"]]:
    """Newton's method at each of the inputs in turn, from the tangent at the one before."""

    def follow(carry, u):
        x, before = carry
        here = field.with_inputs(u)
        change = here(x) - field.with_inputs(before)(x)
        guess = x - jnp.linalg.solve(jacobian(field.with_inputs(before), x), change)
        # at a singular Jacobian the tangent is no help
        guess = jnp.where(_norm(here(guess)) < _norm(here(x)), guess, x)
        x, F = _newton(here, guess, jnp.ones((), bool), 20)
        return (x, u), (x, _norm(F), jacobian(here, x))

    first = jax.tree.map(lambda leaf: leaf[0], inputs)
    return jax.lax.scan(follow, (x, first), inputs)[1]


def _newton(field, x, active, most: int):
    """Newton's method while |F| falls, at most so many steps: the end and F there."""

    def step(carry):
        x, F, _, n = carry
        y = x - jnp.linalg.solve(jacobian(field, x), F)
        G = field(y)
        better = _norm(G) < _norm(F)  # also false for NaN
        return jnp.where(better, y, x), jnp.where(better, G, F), better, n + 1

    begun = (x, field(x), active, jnp.zeros((), int))
    x, F, _, _ = jax.lax.while_loop(lambda c: c[2] & (c[3] < most), step, begun)
    return x, F
