"""Centred kernel alignment (CKA): do two populations call the same samples alike?"""

from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .._activity import centred, compiled, gram_inner, pair, root, unit_norm
from .rdm import squared_distances, to_matrix


@compiled("debiased")
def linear_cka(x: Any, y: Any, *, debiased: bool = False) -> Float[Array, ""]:
    r"""Linear centred kernel alignment.

    $$\mathrm{CKA} = \frac{\|Y^\top X\|_F^2}{\|X^\top X\|_F \|Y^\top Y\|_F}$$

    for centred $X$, $Y$: from 0 to 1, the same for rotated, shifted or scaled activity, but not
    for activity under a general linear map (see `cca`). With few samples it is far from zero for
    populations that have nothing in common: for P samples of N independent units about
    N / (N + P). `debiased=True` takes the unbiased estimator of the Hilbert-Schmidt independence
    criterion; its values may be below zero.

    The smaller of [unit, unit] and [sample, sample] matrices is made, never both.

    Arguments:
        x: activity [sample, unit].
        y: activity [sample, unit] in the same samples; its number of units may differ.
        debiased: needs four samples; use it if there are not many more samples than units.

    Returns:
        NaN for activity without any variance.

    Raises:
        ValueError: the shapes, or too few samples.

    Source:
        Kornblith et al. 2019, ICML; Song et al. 2012, Journal of Machine Learning Research 13
            (unbiased criterion).

    Example:
        >>> x = jnp.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0]])
        >>> round(float(linear_cka(x, 3.0 * x[:, ::-1] + 1.0)), 5)
        1.0
    """
    x, y = pair(x, y, 4 if debiased else 2)
    # of unit norm, so that no sum of fourth powers overflows in float32
    x, y = unit_norm(centred(x)), unit_norm(centred(y))
    product = _unbiased_product if debiased else gram_inner
    return _ratio(product(x, y), product(x, x), product(y, y))


@compiled("debiased")
def rbf_cka(
    x: Any, y: Any, bandwidth: ArrayLike = 1.0, *, debiased: bool = False
) -> Float[Array, ""]:
    r"""Centred kernel alignment with Gaussian kernels.

    $k(x_i, x_j) = \exp(-\|x_i - x_j\|^2 / 2 \sigma^2)$ with $\sigma$ a multiple of the median
    distance: a small one compares who is near whom, a large one gives linear CKA.

    Arguments:
        x: activity [sample, unit].
        y: activity [sample, unit] in the same samples.
        bandwidth: $\sigma$ over the median distance between samples, of each population by itself.
        debiased: as for `linear_cka`.

    Raises:
        ValueError: the shapes, or too few samples.

    Source:
        Kornblith et al. 2019, ICML.

    Example:
        >>> x = jnp.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0]])
        >>> round(float(rbf_cka(x, 3.0 * x[:, ::-1] + 1.0)), 5)
        1.0
    """
    x, y = pair(x, y, 4 if debiased else 2)
    return kernel_cka(_gaussian(x, bandwidth), _gaussian(y, bandwidth), debiased=debiased)


@compiled("debiased")
def kernel_cka(K: Any, L: Any, *, debiased: bool = False) -> Float[Array, ""]:
    r"""Centred kernel alignment of two kernels that are given as matrices.

    $\langle H K H, H L H \rangle$ over the norms, $H = I - 1 1^\top / P$; debiased:

    $$\mathrm{tr}(\tilde K \tilde L) + \frac{1^\top \tilde K 1 \, 1^\top \tilde L 1}{(P-1)(P-2)}
    - \frac{2}{P - 2} 1^\top \tilde K \tilde L 1$$

    in place of the inner product, where the diagonals of $\tilde K$ and $\tilde L$ are zero.

    Arguments:
        K: a kernel [sample, sample], symmetric.
        L: another in the same samples.
        debiased: as for `linear_cka`.

    Raises:
        ValueError: they are not square, differ in shape, or have too few samples.

    Example:
        >>> round(float(kernel_cka(jnp.eye(3), 2.0 * jnp.eye(3) + 1.0)), 5)
        1.0
    """
    K, L = pair(K, L, 4 if debiased else 2)
    if not K.shape == L.shape == (K.shape[0], K.shape[0]):
        raise ValueError(f"K and L must be square and of one shape, got {K.shape} and {L.shape}")
    K, L = unit_norm(K), unit_norm(L)
    if not debiased:
        K, L = centred(centred(K).T), centred(centred(L).T)
        return _ratio(jnp.sum(K * L), jnp.sum(K**2), jnp.sum(L**2))
    P = K.shape[0]
    off = 1.0 - jnp.eye(P, dtype=K.dtype)

    def product(A, B):
        a, b = A.sum(axis=0), B.sum(axis=0)
        return (
            jnp.sum(A * B)
            + jnp.sum(a) * jnp.sum(b) / ((P - 1) * (P - 2))
            - 2.0 * jnp.sum(a * b) / (P - 2)
        )

    K, L = K * off, L * off
    return _ratio(product(K, L), product(K, K), product(L, L))


def _gaussian(x: Float[Array, "sample unit"], bandwidth: ArrayLike) -> Array:
    square = squared_distances(centred(x))
    scale = bandwidth * jnp.median(root(square))
    return to_matrix(jnp.exp(-square / (2.0 * scale**2))) + jnp.eye(x.shape[0], dtype=x.dtype)


def _unbiased_product(x: Array, y: Array) -> Float[Array, ""]:
    """The formula of `kernel_cka` for the kernels of x and y, which are centred."""
    P = x.shape[0]
    a, b = jnp.sum(x**2, axis=1), jnp.sum(y**2, axis=1)
    # rows of a centred kernel sum to zero, so with the diagonal taken off to minus the diagonal
    return (
        gram_inner(x, y)
        - jnp.sum(a * b)
        + jnp.sum(a) * jnp.sum(b) / ((P - 1) * (P - 2))
        - 2.0 * jnp.sum(a * b) / (P - 2)
    )


def _ratio(product: Array, left: Array, right: Array) -> Float[Array, ""]:
    # one root of the quotient, so that rescaled copies give 1 to the last bit or nearly so
    return product / jnp.sqrt(left * right)
