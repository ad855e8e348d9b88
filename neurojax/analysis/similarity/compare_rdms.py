"""How alike two representational dissimilarity matrices are."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.stats import rankdata
from jaxtyping import Array, Float

from neurojax.core.errors import suggestion

from .._activity import compiled, unit_norm
from .rdm import as_vector, to_matrix


@compiled("method")
def compare_rdms(a: Any, b: Any, method: str = "pearson") -> Float[Array, ""]:
    r"""The similarity of two RDMs, 1 if they agree.

    | `method` | what it ignores |
    | --- | --- |
    | `pearson` | scale and offset of the distances |
    | `cosine` | their scale; zero has a meaning (crossnobis) |
    | `whitened` | their scale; a cosine too, see below |
    | `spearman` | all but the order, ties with mean ranks |
    | `kendall` | all but the order: $\tau_a$, which does not favour models with ties |

    `whitened` takes into account that distances which share a pattern covary; for squared
    Euclidean distances it is linear CKA.

    The first three are differentiable; of the others the derivative is zero. $\tau_a$ takes time
    by the square of the number of distances, memory by their number.

    Arguments:
        a: an RDM as a vector (see `rdm`).
        b: another of the same samples.
        method: see above.

    Raises:
        ValueError: the lengths differ or are not those of an RDM, or `method` is unknown.

    Source:
        Nili et al. 2014, PLoS Computational Biology 10:e1003553 (tau-a); Diedrichsen et al. 2021,
            Neurons, Behavior, Data Analysis and Theory 5 (whitened).

    Example:
        >>> a, b = [1.0, 2.0, 3.0], [1.0, 4.0, 9.0]
        >>> [round(float(compare_rdms(a, b, m)), 3) for m in ("pearson", "cosine", "kendall")]
        [0.99, 0.972, 1.0]
    """
    a, b = as_vector(a, "a"), as_vector(b, "b")
    if a.shape != b.shape:
        raise ValueError(
            f"a and b must be RDMs of the same samples, got {a.shape[0]} and {b.shape[0]} distances"
        )
    prepare, compare = methods(method)
    return compare(prepare(a), prepare(b))


def methods(method: str) -> tuple[Callable, Callable]:
    """How an RDM is prepared before it is compared or averaged, and how two such compare."""
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}.{suggestion(method, METHODS)}")
    return METHODS[method]


def standardised(a: Float[Array, " pair"]) -> Float[Array, " pair"]:
    """Without its mean, of unit length."""
    return unit_norm(a - a.mean())


def ranks(a: Float[Array, " pair"]) -> Float[Array, " pair"]:
    """From 1 to the number of distances; ties share their mean rank."""
    return rankdata(a).astype(a.dtype)


def kernel(a: Float[Array, " pair"]) -> Float[Array, "sample sample"]:
    r"""The centred Gram matrix $-\frac12 H D H$, of unit length.

    The inner product of two such is that of the distances in the metric of their covariance.
    """
    matrix = to_matrix(a)
    matrix = matrix - matrix.mean(axis=0, keepdims=True)
    return unit_norm(matrix - matrix.mean(axis=1, keepdims=True))


def inner(a: Array, b: Array) -> Float[Array, ""]:
    """The cosine of what may not be of unit length."""
    return jnp.sum(unit_norm(a) * unit_norm(b))


def correlation(a: Float[Array, " pair"], b: Float[Array, " pair"]) -> Float[Array, ""]:
    """Pearson's."""
    return jnp.sum(standardised(a) * standardised(b))


def rank_correlation(a: Float[Array, " pair"], b: Float[Array, " pair"]) -> Float[Array, ""]:
    """Spearman's; means of ranks are ranked again."""
    return correlation(ranks(a), ranks(b))


def tau_a(a: Float[Array, " pair"], b: Float[Array, " pair"]) -> Float[Array, ""]:
    """Concordant minus discordant pairs, over all pairs."""

    def row(at):
        return jnp.sum(jnp.sign(a - at[0]) * jnp.sign(b - at[1]))

    pairs = a.shape[0] * (a.shape[0] - 1)
    return jnp.sum(jax.lax.map(row, (a, b), batch_size=64)) / pairs


METHODS: dict[str, tuple[Callable, Callable]] = {
    "pearson": (standardised, correlation),
    "cosine": (unit_norm, inner),
    "whitened": (kernel, inner),
    "spearman": (ranks, rank_correlation),
    "kendall": (ranks, tau_a),
}
