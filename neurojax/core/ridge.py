"""Ridge regression: in the graph, and on the host in double precision."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

from .precision import unrounded
from .triangle import triangle

_ROWS = 1024


@jax.custom_jvp
def ridge(
    features: Float[Array, "samples features"],
    targets: Float[Array, "samples outputs"],
    penalty: Any,
    weights: Float[Array, " samples"] | None = None,
) -> Float[Array, "outputs features"]:
    r"""$W$ that minimises $\sum_t w_t |W x_t - y_t|^2 + \lambda |W|^2$, by QR, in the graph.

    The factorised matrix is $(\sqrt{w} X; \sqrt\lambda\,I)$ itself and not $X^\top X$, whose
    condition number is the square: this is what single precision needs. Differentiable by all
    arguments, also at weights of 0; with `jit` and `vmap`.

    Arguments:
        features: x, (samples, features). There is no intercept: add a column of ones.
        targets: y, (samples, outputs).
        penalty: $\lambda > 0$, scalar.
        weights: w, not negative; `None`: 1.

    Example:
        >>> import jax.numpy as jnp
        >>> W = ridge(jnp.eye(2), jnp.array([[3.0], [5.0]]), 1e-6)
        >>> [round(float(w), 3) for w in W[0]]
        [3.0, 5.0]
    """
    # the targets ride along as further columns, so that Q itself is never formed
    R = _factor(jnp.concatenate([features, targets], axis=1), features.shape[1], penalty, weights)
    return solve_triangular(R[:, : len(R)], R[:, len(R) :]).T


def _factor(columns, count: int, penalty, weights):
    if weights is not None:
        columns = columns * jnp.sqrt(weights)[:, None]
    return triangle(columns, count, penalty)


@ridge.defjvp
@unrounded
def _derivative(primals, tangents):
    X, y, penalty, weights = primals
    dX, dy, d_penalty, d_weights = tangents
    W = ridge(X, y, penalty, weights).T
    # of the normal equations, (X'DX + lambda) W = X'Dy: without roots, so that a weight may be 0
    miss, change = y - X @ W, dy - dX @ W
    if weights is not None:
        w, dw = weights[:, None], d_weights[:, None]
        miss, change = w * miss, w * change + dw * miss
    change = dX.T @ miss + X.T @ change - d_penalty * W
    return W.T, _solution(X, change, penalty, weights).T


def _solution(X, B, penalty, weights):
    """S in (X'DX + lambda) S = B, with derivatives of all orders by those of the product."""
    w = 1.0 if weights is None else weights[:, None]
    fixed, by, kept = jax.lax.stop_gradient((X, penalty, weights))
    R = _factor(fixed, X.shape[1], by, kept)
    solved = lambda _, B: solve_triangular(R, solve_triangular(R, B, trans=1))
    product = lambda S: X.T @ (w * (X @ S)) + penalty * S
    return jax.lax.custom_linear_solve(product, B, solved, symmetric=True)


def ridge_on_host(features, targets, penalty: float) -> tuple[np.ndarray, str]:
    r"""As `ridge`, in double precision on the host, with the name of the method that was used.

    The normal equations by Cholesky's method, one step of refinement on the residual; where the
    matrix is not positive definite to double precision, QR of $(X; \sqrt\lambda\,I)$.

    Example:
        >>> import numpy as np
        >>> W, method = ridge_on_host(np.eye(2), np.array([[3.0], [5.0]]), 1e-6)
        >>> W.round(3).tolist(), method
        ([[3.0, 5.0]], 'Cholesky')
    """
    features, targets = np.asarray(features), np.asarray(targets)
    means = np.zeros(features.shape[1]), np.zeros(targets.shape[1])
    return _solved(features, targets, None, means, penalty)


def ridge_with_bias_on_host(
    features, targets, weights, penalty: float
) -> tuple[np.ndarray, np.ndarray, str]:
    r"""$W, c$ that minimise $\sum_t w_t |W x_t + c - y_t|^2 + \lambda |W|^2$, as `ridge_on_host`.

    The features may be in single precision: they are made double piece by piece.

    Example:
        >>> import numpy as np
        >>> x = np.array([[0.0], [1.0], [2.0]])
        >>> W, c, _ = ridge_with_bias_on_host(x, 2 * x + 1, np.ones(3), 1e-9)
        >>> round(float(W[0, 0]), 6), round(float(c[0]), 6)
        (2.0, 1.0)
    """
    features, targets = np.asarray(features), np.asarray(targets)
    weights = None if np.all(weights == 1) else np.asarray(weights, float)
    total = len(features) if weights is None else weights.sum()
    means = tuple(
        sum(_weighted(values[rows], weights, rows).sum(0) for rows in _pieces(len(values))) / total
        for values in (features, targets)
    )
    W, method = _solved(features, targets, weights, means, penalty)
    return W, means[1] - W @ means[0], method


def _weighted(values, weights, rows):
    values = np.asarray(values, float)
    return values if weights is None else values * weights[rows, None]


def _pieces(count: int):
    """Rows at a time, so that a piece in double precision lies in the cache."""
    return [slice(first, first + _ROWS) for first in range(0, count, _ROWS)]


def _solved(features, targets, weights, means, penalty: float) -> tuple[np.ndarray, str]:
    """The weights (outputs, features) for centred features and targets."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve, get_blas_funcs

    syrk: Any = get_blas_funcs("syrk", dtype=np.float64)

    def centred(rows):
        x, y = features[rows] - means[0], targets[rows] - means[1]
        if weights is not None:
            root = np.sqrt(weights[rows, None])
            x, y = x * root, y * root
        return x, y

    count = features.shape[1]
    G, B = np.zeros((count, count), order="F"), np.zeros((count, targets.shape[1]))
    for rows in _pieces(len(features)):
        x, y = centred(rows)
        # a C-ordered x is x' in Fortran's order: no copy; the upper half of x'x is enough
        G = syrk(1.0, x.T, beta=1.0, c=G, overwrite_c=True)
        B += x.T @ y
    G[np.diag_indices(count)] += penalty
    try:
        factor = cho_factor(G, overwrite_a=True)
    except LinAlgError:
        return _by_qr(*centred(slice(None)), penalty)
    W = cho_solve(factor, B)
    left = -penalty * W
    for rows in _pieces(len(features)):
        x, y = centred(rows)
        left += x.T @ (y - x @ W)
    return (W + cho_solve(factor, left)).T, "Cholesky"


def _by_qr(X, y, penalty: float):
    from scipy.linalg import lstsq, qr, solve_triangular

    stacked = np.concatenate([X, np.sqrt(penalty) * np.eye(X.shape[1])])
    rest = np.concatenate([y, np.zeros((X.shape[1], y.shape[1]))])
    if penalty <= 0:
        return lstsq(stacked, rest)[0].T, "SVD"
    factors: Any = qr(stacked, mode="economic", overwrite_a=True)
    Q, R = factors
    return solve_triangular(R, Q.T @ rest).T, "QR"
