"""Ridge regression: in the graph, and on the host in double precision."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64


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
    count = features.shape[1]
    root = jnp.sqrt(jnp.asarray(penalty, features.dtype))
    stacked = jnp.concatenate([features, root * jnp.eye(count, dtype=features.dtype)])
    Q, R = jnp.linalg.qr(stacked)
    from jax.scipy.linalg import solve_triangular

    return solve_triangular(R, Q[: features.shape[0]].T @ targets).T


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
