"""How far a matrix is from having orthogonal eigenvectors, and what that does."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class SchurForm(NamedTuple):
    """A = Q T Q^T; made by `schur_form`.

    Arguments:
        T: block upper triangular, shape (n, n).
        Q: orthogonal, its columns are the modes, shape (n, n).

    Example:
        >>> import numpy as np, neurojax as nj
        >>> nj.analysis.dynamics.schur_form(np.diag([1.0, 2.0])).T.shape
        (2, 2)
    """

    T: np.ndarray
    Q: np.ndarray


def schur_form(A: Any) -> SchurForm:
    r"""The real Schur form $A = Q\,T\,Q^\top$, on the host.

    T has the eigenvalues in blocks of one (real) or two (a complex pair) on its diagonal; what
    stands above them are the feed-forward connections between the orthogonal modes, the columns
    of Q.

    Arguments:
        A: a square matrix.

    Returns:
        `T` and `Q`.

    Raises:
        ValueError: if A is not square or not finite.

    Source: Goldman (2009), Neuron 61, 621; Murphy and Miller (2009), Neuron 61, 635.

    Example:
        >>> T, Q = schur_form([[0.0, 5.0], [0.0, -1.0]])
        >>> T[0, 1]
        np.float64(5.0)
    """
    from scipy.linalg import schur

    T, Q, *_ = schur(square(A, "A"), output="real")
    return SchurForm(T, Q)


def henrici(A: Any, *, normalised: bool = True) -> float:
    r"""Henrici's departure from normality.

    $$d = \sqrt{\|A\|_F^2 - \sum_i |\lambda_i|^2}$$

    zero exactly for normal matrices; divided by $\|A\|_F$ it lies between 0 and 1.

    Arguments:
        A: a square matrix.
        normalised: whether to divide by the Frobenius norm.

    Raises:
        ValueError: if A is not square or not finite.

    Source: Henrici (1962), Numerische Mathematik 4, 24; for connectomes Asllani, Lambiotte and
        Carletti (2018), Science Advances 4, eaau9403.

    Example:
        >>> henrici([[0.0, 1.0], [0.0, 0.0]]), henrici([[1.0, 0.0], [0.0, 2.0]])
        (1.0, 0.0)
    """
    from scipy.linalg import schur

    matrix = square(A, "A")
    # what is above the diagonal of the complex Schur form: no difference of large numbers
    T, *_ = schur(matrix.astype(complex), output="complex")
    departure, norm = np.linalg.norm(np.triu(T, 1)), np.linalg.norm(matrix)
    if not normalised:
        return float(departure)
    return float(departure / norm) if norm > 0 else 0.0


def numerical_abscissa(A: Any) -> Float[Array, ""]:
    r"""The fastest growth that is possible at once, $\omega = \lambda_{max}\,(A + A^\top)/2$.

    $\omega = \frac{d}{dt} \|e^{At}\|$ at t = 0. A stable flow $\dot x = A x$ with positive
    $\omega$ amplifies some states before they decay. Differentiable.

    Arguments:
        A: a square matrix.

    Raises:
        ValueError: if A is not square.

    Source: Trefethen and Embree (2005), Spectra and Pseudospectra, chapter 17.

    Example:
        >>> float(numerical_abscissa([[-1.0, 4.0], [0.0, -1.0]]))
        1.0
    """
    A = jnp.asarray(A, jnp.result_type(float))
    if A.ndim != 2 or A.shape[0] != A.shape[1]:
        raise ValueError(f"A must be a square matrix, got shape {A.shape}")
    return jnp.linalg.eigvalsh(0.5 * (A + A.T))[-1]


def square(A: Any, name: str) -> np.ndarray:
    """A finite square matrix in 64 bits."""
    A = np.asarray(A, float)
    if A.ndim != 2 or A.shape[0] != A.shape[1] or A.shape[0] == 0:
        raise ValueError(f"{name} must be a square matrix, got shape {A.shape}")
    if not np.all(np.isfinite(A)):
        raise ValueError(f"{name} must be finite; it has NaN or infinite elements")
    return A
