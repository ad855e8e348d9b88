"""Conceptors: soft projections on what a reservoir does under a pattern, and their logic."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.tracing import known

from ..recurrent import check_finite


@final
class Conceptor(eqx.Module):
    r"""A symmetric matrix C with eigenvalues in [0, 1], with the operations of logic.

    $$\neg C = I - C, \qquad C \wedge B = (C^{-1} + B^{-1} - I)^{-1}, \qquad
      C \vee B = \neg(\neg C \wedge \neg B)$$

    written `~C`, `C & B`, `C | B`. The conjunction is found as $B\,(B + C - C B)^{+}\,C$, which is
    the same and needs no inverse of C or B, so that both may be singular.

    Arguments:
        matrix: C, (n, n).

    Raises:
        ValueError: if the matrix is not square and symmetric, or has other eigenvalues.

    Source: Jaeger (2017), Journal of Machine Learning Research 18(13):1; Jaeger (2014),
    arXiv:1403.3369.

    Example:
        >>> import jax.numpy as jnp
        >>> C, B = Conceptor(jnp.diag(jnp.array([1.0, 0.5]))), Conceptor(0.5 * jnp.eye(2))
        >>> (C & B).matrix.round(3).tolist()
        [[0.5, 0.0], [0.0, 0.333...]]
    """

    matrix: Float[Array, "n n"]

    def __init__(self, matrix: Any):
        matrix = jnp.asarray(matrix, jnp.result_type(float))
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"matrix of a conceptor must be (n, n), got {matrix.shape}")
        check_finite("matrix of a conceptor", matrix)
        if known(matrix) and not np.allclose(matrix, matrix.T, atol=1e-4):
            raise ValueError("matrix of a conceptor must be symmetric")
        if known(matrix) and not _within_bounds(np.asarray(matrix, float)):
            raise ValueError(
                "matrix of a conceptor must have eigenvalues in [0, 1]; that of rates is "
                "nj.circuits.conceptor(rates, aperture)"
            )
        self.matrix = matrix

    def __invert__(self) -> "Conceptor":
        """What is not there: I - C."""
        return Conceptor(jnp.eye(len(self.matrix), dtype=self.matrix.dtype) - self.matrix)

    def __and__(self, other: "Conceptor") -> "Conceptor":
        """What is in both."""
        _check_conceptor(other)
        C, B = self.matrix, other.matrix
        if C.shape != B.shape:
            raise ValueError(f"conceptors must be of the same size, got {C.shape} and {B.shape}")
        both = B @ jnp.linalg.pinv(B + C - C @ B) @ C
        return Conceptor(0.5 * (both + both.T))

    def __or__(self, other: "Conceptor") -> "Conceptor":
        """What is in any of the two."""
        _check_conceptor(other)
        return ~(~self & ~other)

    def with_aperture(self, factor: Any) -> "Conceptor":
        r"""The conceptor of an aperture `factor` times as large.

        $$\varphi(C, \gamma) = C\,(C + \gamma^{-2}(I - C))^{-1}$$

        Arguments:
            factor: $\gamma > 0$; infinite for the projection on the range of C.

        Raises:
            ValueError: for a factor that is not positive.

        Example:
            >>> import jax.numpy as jnp
            >>> Conceptor(0.5 * jnp.eye(1)).with_aperture(3.0).matrix.round(3).tolist()
            [[0.9...]]
        """
        _check_aperture("factor", factor)
        s, U = jnp.linalg.eigh(self.matrix)
        s = jnp.clip(s, 0.0, 1.0)
        factor = jnp.asarray(factor, s.dtype)
        s = _share(s, (1.0 - s) / factor**2, _rounding(s, len(s)))
        return Conceptor((U * s[None]) @ U.T)

    @property
    def quota(self) -> Float[Array, ""]:
        """The share of the dimensions that it takes: mean of the eigenvalues."""
        return jnp.trace(self.matrix) / len(self.matrix)


def conceptor(rates: Any, aperture: Any = 10.0) -> Conceptor:
    r"""The conceptor of what the rates of a reservoir did.

    $$C = R\,(R + \alpha^{-2} I)^{-1}, \qquad R = \frac{1}{T} \sum_t r_t r_t^\top$$

    which minimises $\langle |r - C r|^2 \rangle + \alpha^{-2} |C|^2$. For a small aperture it tends
    to 0, for a large one to the projection on the space in which the rates lie.

    Arguments:
        rates: (time, n), after a washout.
        aperture: $\alpha > 0$; infinite for that projection itself.

    Raises:
        ValueError: for another shape, rates that are not finite, or an aperture that is not
            positive.

    Source: Jaeger (2014), arXiv:1403.3369.

    Example:
        >>> import jax.numpy as jnp
        >>> conceptor(jnp.array([[1.0, 0.0], [-1.0, 0.0]]), aperture=1.0).matrix.round(3).tolist()
        [[0.5, 0.0], [0.0, 0.0]]
    """
    rates = jnp.asarray(rates, jnp.result_type(float))
    if rates.ndim != 2 or 0 in rates.shape:
        raise ValueError(f"rates must be (time, n), got {rates.shape}")
    check_finite("rates", rates)
    _check_aperture("aperture", aperture)
    # by the singular values of the rates themselves: those of R are their squares
    _, s, Vt = jnp.linalg.svd(rates / np.sqrt(len(rates)), full_matrices=False)
    aperture = jnp.asarray(aperture, s.dtype)
    share = _share(s**2, 1.0 / aperture**2, _rounding(s, max(rates.shape)) ** 2)
    return Conceptor((Vt.T * share[None]) @ Vt)


def _share(power, rest, rounding):
    """A power over it and the rest; without a rest 1 for all powers that are more than rounding."""
    there = (rest > 0) | (power > rounding)
    return jnp.where(there, power, 0.0) / jnp.where(there, power + rest, 1.0)


def _rounding(values, size: int):
    """The largest of values, singular ones or eigenvalues, that may stand for 0."""
    return size * jnp.finfo(values.dtype).eps * jnp.max(values)


def _check_conceptor(other) -> None:
    if not isinstance(other, Conceptor):
        raise TypeError(
            f"conceptors combine with conceptors, got {type(other).__name__}: make one of a matrix "
            "by Conceptor(matrix)"
        )


def _within_bounds(matrix) -> bool:
    """Whether the eigenvalues of a symmetric matrix lie in [0, 1], up to rounding of its logic."""
    unit = np.eye(len(matrix))
    try:  # much faster than the eigenvalues themselves
        np.linalg.cholesky(matrix + 0.01 * unit)
        np.linalg.cholesky(1.01 * unit - matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def _check_aperture(name: str, value) -> None:
    if known(value) and not bool(np.all(np.asarray(value) > 0)):
        raise ValueError(f"{name} must be positive, got {value}")
