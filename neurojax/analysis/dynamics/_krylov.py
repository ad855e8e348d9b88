r"""Newton steps without a Jacobian, of many starts in one product.

$J d = -F$ is solved by generalised conjugate residuals (Eisenstat, Elman and Schultz 1983, SIAM J.
Numer. Anal. 20:345) with the inverse Jacobian of a known point as preconditioner. Where J is like
the known one few turns are enough; each costs two products of a matrix and a vector.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ._chord import norms
from ._search import RADII, dogleg

_TURNS = 12
_EXACT = 1e-2  # the part of |F| that the linear equation may leave
_NEW = 1e-5  # a direction shorter than this after orthogonalisation is rounding


@eqx.filter_jit
def newton_krylov(
    field: Any,
    inverse: Float[Array, "n n"],
    x: Float[Array, "start n"],
    active: Bool[Array, " start"],
) -> tuple[Float[Array, "start n"], Float[Array, " start"], Float[Array, " start"]]:
    """One step from each place: the best of several points on the dogleg path.

    Returns the new places, and |F| before and after.
    """
    F = jax.vmap(field)(x)
    speed = norms(F)
    # directions are in 32 bits: an error in them costs order, not accuracy
    size = jnp.maximum(speed, jnp.finfo(F.dtype).tiny)[:, None]
    unit = (F / size).astype(jnp.float32)
    low = x.astype(jnp.float32)
    narrow = jax.vmap(field.single())
    # constants of a model of the user's own may be in 64 bits
    _, push = jax.linearize(lambda x: narrow(x).astype(jnp.float32), low)
    newton = _solution(push, inverse, -unit, active)
    (gradient,) = jax.linear_transpose(push, low)(unit)
    ahead = push(gradient)
    tiny = jnp.finfo(jnp.float32).tiny
    length = jnp.sum(gradient**2, 1) / jnp.maximum(jnp.sum(ahead**2, 1), tiny)
    direct = -length[:, None] * gradient
    newton = jnp.where(jnp.all(jnp.isfinite(newton), 1, keepdims=True), newton, direct)
    newton, direct = (size * d.astype(F.dtype) for d in (newton, direct))

    def tried(x, direct, newton, reach):
        radii = reach * jnp.asarray(RADII, x.dtype)
        return jax.vmap(lambda radius: x + dogleg(direct, newton, radius))(radii)

    points = jax.vmap(tried)(x, direct, newton, norms(newton))
    speeds = norms(jax.vmap(jax.vmap(field))(points))
    speeds = jnp.where(jnp.isfinite(speeds), speeds, jnp.inf)
    best = jnp.argmin(speeds, axis=1)[:, None]
    after = jnp.take_along_axis(speeds, best, axis=1)[:, 0]
    moved = jnp.take_along_axis(points, best[:, :, None], axis=1)[:, 0]
    better = active & (after < speed)
    return jnp.where(better[:, None], moved, x), speed, jnp.where(better, after, speed)


def _solution(push, inverse, right, active):
    """Solutions of J d = `right`, nearly, by rows; `push` multiplies rows by J."""
    starts, n = right.shape
    kept = jnp.zeros((starts, _TURNS, n), right.dtype)
    along = lambda basis, v: jnp.einsum("stn,sn->st", basis, v)
    of = lambda basis, parts: jnp.einsum("stn,st->sn", basis, parts)

    def turn(carry):
        k, d, rest, ways, images, going = carry
        way = rest @ inverse.T
        image = push(way)
        whole = norms(image)
        parts = along(images, image)
        image, way = image - of(images, parts), way - of(ways, parts)
        length = norms(image)
        going = going & (length > _NEW * whole)
        scale = jnp.where(going, 1.0 / jnp.where(going, length, 1.0), 0.0)[:, None]
        image, way = scale * image, scale * way
        share = jnp.sum(image * rest, axis=1, keepdims=True)
        d, rest = d + share * way, rest - share * image
        ways, images = ways.at[:, k].set(way), images.at[:, k].set(image)
        return k + 1, d, rest, ways, images, going & (norms(rest) > _EXACT)

    begun = (jnp.zeros((), int), jnp.zeros_like(right), right, kept, kept, active)
    going = lambda c: (c[0] < _TURNS) & jnp.any(c[-1])
    return jax.lax.while_loop(going, turn, begun)[1]
