"""Ridge regression: in the graph, and on the host in double precision."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Float64


@jax.custom_jvp
def ridge(
    features: Float[Array, "samples features"],
    targets: Float[Array, "samples outputs"],
    penalty: Any,
) -> Float[Array, "outputs features"]:
    r"""$W$ that minimises $\sum_t |W x_t - y_t|^2 + \lambda |W|^2$, by QR, in the graph.

    The factorised matrix is $(X; \sqrt\lambda\,I)$ itself and not $X^\top X$, whose condition
    number is the square: this is what single precision needs. Differentiable by all arguments;
    with `jit` and `vmap`.

    Arguments:
        features: x, (samples, features). There is no intercept: add a column of ones.
        targets: y, (samples, outputs).
        penalty: $\lambda > 0$, scalar.

    Example:
        >>> import jax.numpy as jnp
        >>> W = ridge(jnp.eye(2), jnp.array([[3.0], [5.0]]), 1e-6)
        >>> [round(float(w), 3) for w in W[0]]
        [3.0, 5.0]
    """
    # the targets ride along as further columns, so that Q itself is never formed
    count = features.shape[1]
    R = _triangle(jnp.concatenate([features, targets], axis=1), count, penalty)
    return solve_triangular(R[:count, :count], R[:count, count:]).T


def _triangle(columns, count: int, penalty):
    """R of the columns with the penalty as further rows, for the first `count` of them."""
    root = jnp.sqrt(jnp.asarray(penalty, columns.dtype))
    rows = root * jnp.eye(count, columns.shape[1], dtype=columns.dtype)
    return jnp.linalg.qr(jnp.concatenate([columns, rows]), mode="r")


@ridge.defjvp
def _derivative(primals, tangents):
    features, targets, penalty = primals
    d_features, d_targets, d_penalty = tangents
    W = ridge(features, targets, penalty).T
    # of the normal equations, (X'X + lambda) W = X'y, with R'R = X'X + lambda
    miss = targets - features @ W
    change = d_features.T @ miss + features.T @ (d_targets - d_features @ W) - d_penalty * W
    R = _triangle(features, features.shape[1], penalty)
    return W.T, solve_triangular(R, solve_triangular(R, change, trans=1)).T


def ridge_on_host(
    features: Float[np.ndarray, "samples features"],
    targets: Float[np.ndarray, "samples outputs"],
    penalty: float,
) -> tuple[Float64[np.ndarray, "outputs features"], str]:
    r"""As `ridge`, in double precision on the host, with the name of the method that was used.

    The normal equations by Cholesky's method, one step of refinement on the residual; where the
    matrix is not positive definite to double precision, QR of $(X; \sqrt\lambda\,I)$.

    Example:
        >>> import numpy as np
        >>> W, method = ridge_on_host(np.eye(2), np.array([[3.0], [5.0]]), 1e-6)
        >>> W.round(3).tolist(), method
        ([[3.0, 5.0]], 'Cholesky')
    """
    features, targets = np.asarray(features, float), np.asarray(targets, float)
    return solve_normal(gram(features), features.T @ targets, penalty, (features, targets))


def gram(features) -> Float64[np.ndarray, "features features"]:
    """X'X in double precision; half of the products, by BLAS's symmetric update."""
    from scipy.linalg import get_blas_funcs

    syrk: Any = get_blas_funcs("syrk", dtype=np.float64)
    # a C-ordered X is X' in Fortran's order: no copy
    upper = syrk(1.0, np.asarray(features, float).T)
    return upper + np.triu(upper, 1).T


def solve_normal(G, B, penalty: float, samples=None) -> tuple[np.ndarray, str]:
    """Weights from X'X and X'y; `samples` (X, y) are for refinement and for QR."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    damped = G + penalty * np.eye(len(G))
    try:
        factor = cho_factor(damped)
        W = cho_solve(factor, B)
    except LinAlgError:
        return _by_qr(G, B, penalty, samples)
    if samples is not None:
        X, y = samples
        W = W + cho_solve(factor, X.T @ (y - X @ W) - penalty * W)
    return W.T, "Cholesky"


def _by_qr(G, B, penalty, samples):
    from scipy.linalg import lstsq, qr, solve_triangular

    if samples is None:
        return lstsq(G + penalty * np.eye(len(G)), B)[0].T, "SVD"
    X, y = samples
    stacked = np.concatenate([X, np.sqrt(penalty) * np.eye(X.shape[1])])
    rest = np.concatenate([y, np.zeros((X.shape[1], y.shape[1]))])
    if penalty <= 0:
        return lstsq(stacked, rest)[0].T, "SVD"
    factors: Any = qr(stacked, mode="economic", overwrite_a=True)
    Q, R = factors
    return solve_triangular(R, Q.T @ rest).T, "QR"
