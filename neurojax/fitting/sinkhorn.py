"""The Sinkhorn divergence: how far two batches of points are from each other as distributions."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.precision import unrounded
from neurojax.core.tracing import known


@unrounded
def sinkhorn_divergence(
    x: Float[Array, "n dims"],
    y: Float[Array, "m _"],
    *,
    epsilon: float | Float[Array, ""] = 0.05,
    iterations: int = 50,
) -> Float[Array, ""]:
    r"""Entropic optimal transport between two clouds of points, without its bias.

    $$S_\epsilon(x, y) = \mathrm{OT}_\epsilon(x, y) - \tfrac12 \mathrm{OT}_\epsilon(x, x)
      - \tfrac12 \mathrm{OT}_\epsilon(y, y)$$

    with `transport_cost` as $\mathrm{OT}_\epsilon$. It is at least 0, and 0 where the clouds are
    the same; for small $\epsilon$ it is half the squared Wasserstein distance, for large
    $\epsilon$ half the squared distance of the means. With too few iterations it is
    too small.

    Arguments:
        x: points, all of the same weight.
        y: points, as many as there are.
        epsilon: of the entropy, in units of squared distance.
        iterations: see `transport_cost`.

    Raises:
        ValueError: for shapes that do not fit, an epsilon that is not positive, no iterations.

    Source: Genevay, Peyre and Cuturi (2018), Artificial Intelligence and Statistics,
    arXiv:1706.00292; Feydy et al. (2019), Artificial Intelligence and Statistics,
    arXiv:1810.08278.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.fitting.sinkhorn import sinkhorn_divergence
        >>> x = jnp.array([[0.0], [1.0], [5.0]])
        >>> round(float(sinkhorn_divergence(x, x + 2.0)), 4)
        2.0
    """
    _check(x, y, epsilon, iterations)
    across = transport_cost(x, y, epsilon=epsilon, iterations=iterations)
    return across - 0.5 * (_self_cost(x, epsilon, iterations) + _self_cost(y, epsilon, iterations))


@unrounded
def transport_cost(
    x: Float[Array, "n dims"],
    y: Float[Array, "m _"],
    *,
    epsilon: float | Float[Array, ""] = 0.05,
    iterations: int = 50,
) -> Float[Array, ""]:
    r"""Entropic optimal transport between two clouds of points.

    $$\mathrm{OT}_\epsilon = \min_P \sum_{ij} P_{ij} \tfrac12 |x_i - y_j|^2
      + \epsilon\, \mathrm{KL}(P \,|\, a \otimes b)$$

    over plans P with the uniform marginals a and b. Potentials are updated in the log domain by a
    scan, during the first half of the iterations with an epsilon that falls geometrically from the
    largest cost. The gradient is that of the cost under the plan (envelope theorem): nothing is
    differentiated through the iterations, and both are right to the degree to which the iterations
    have converged. The value never exceeds that of the optimum.

    Arguments:
        x: points, all of the same weight.
        y: points, as many as there are.
        epsilon: of the entropy, in units of squared distance.
        iterations: number of updates of both potentials; the smaller epsilon, the more are needed.

    Raises:
        ValueError: for shapes that do not fit, an epsilon that is not positive, no iterations.

    Source: Cuturi (2013), Advances in Neural Information Processing Systems 26:2292; annealing:
    Kosowsky and Yuille (1994), Neural Networks 7:477.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.fitting.sinkhorn import transport_cost
        >>> one = jnp.zeros((1, 1))
        >>> float(transport_cost(one, jnp.array([[1.0], [3.0]])))
        2.5
    """
    _check(x, y, epsilon, iterations)
    cost = _half_squares(x, y)
    fixed = jax.lax.stop_gradient(cost)

    def update(g, epsilon):
        f = _soft_minimum(fixed - g[None, :], epsilon)
        return _soft_minimum(fixed.T - f[None, :], epsilon), None

    schedule = _annealed(fixed, epsilon, iterations)
    g, _ = jax.lax.scan(update, jnp.zeros_like(fixed[0]), schedule)
    return _dual(cost, _soft_minimum(fixed - g[None, :], schedule[-1]), g, schedule[-1])


def _self_cost(x, epsilon, iterations: int):
    """The cost between a cloud and itself, whose two potentials are the same."""
    cost = _half_squares(x, x)
    fixed = jax.lax.stop_gradient(cost)

    def update(f, epsilon):
        # the mean of old and new converges within a few updates where old or new alone swing
        return 0.5 * (f + _soft_minimum(fixed - f[None, :], epsilon)), None

    schedule = _annealed(fixed, epsilon, iterations)
    f, _ = jax.lax.scan(update, jnp.zeros_like(fixed[0]), schedule)
    return _dual(cost, f, f, schedule[-1])


def _dual(cost, f, g, epsilon):
    """The dual value: a bound from below, and the optimum at the optimal potentials."""
    f, g = jax.lax.stop_gradient((f, g))
    ratio = jnp.exp((f[:, None] + g[None, :] - cost) / epsilon)
    return jnp.mean(f) + jnp.mean(g) - epsilon * (jnp.mean(ratio) - 1.0)


def _soft_minimum(costs, epsilon):
    """The smooth minimum over uniform weights, along the last axis."""
    count = jnp.log(jnp.asarray(costs.shape[1], costs.dtype))
    return -epsilon * (jax.nn.logsumexp(-costs / epsilon, axis=1) - count)


def _half_squares(x, y):
    # by products: the differences of all pairs would take `dims` times the memory
    squares = lambda z: jnp.sum(z**2, axis=1)
    centre = jax.lax.stop_gradient(jnp.mean(y, axis=0, keepdims=True))  # keeps rounding small
    x, y = x - centre, y - centre
    return 0.5 * (squares(x)[:, None] + squares(y)[None, :]) - x @ y.T


def _annealed(cost, epsilon, iterations: int):
    """Epsilon of each iteration: down to the wanted one by the middle, and there from then on."""
    epsilon = jnp.asarray(epsilon, cost.dtype)
    start = jnp.maximum(jnp.max(cost), epsilon)
    falling = max(iterations // 2, 1)
    share = jnp.minimum(jnp.arange(1, iterations + 1) / falling, 1.0).astype(cost.dtype)
    return jnp.where(share < 1, start * (epsilon / start) ** share, epsilon)


def _check(x, y, epsilon, iterations) -> None:
    for name, points in (("x", x), ("y", y)):
        if points.ndim != 2 or points.shape[0] == 0:
            raise ValueError(f"{name} must hold points, shape (n, dims), got {points.shape}")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"x has points of {x.shape[1]} dims, y of {y.shape[1]}")
    if known(epsilon) and not np.all(np.asarray(epsilon) > 0):
        raise ValueError(f"epsilon must be positive, got {epsilon}")
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")
