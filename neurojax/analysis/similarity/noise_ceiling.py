"""The best that a model can do, given how much subjects agree."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._activity import compiled
from .compare_rdms import methods
from .rdm import as_vector


class NoiseCeiling(NamedTuple):
    """Bounds on the mean similarity of the true model to the subjects.

    Arguments:
        lower: each subject against the mean of the others.
        upper: each subject against the mean of all, itself too.

    Example:
        >>> NoiseCeiling(jnp.array(0.5), jnp.array(0.75)).upper.item()
        0.75
    """

    lower: Float[Array, ""]
    upper: Float[Array, ""]


@compiled("method")
def noise_ceiling(rdms: Any, method: str = "pearson") -> NoiseCeiling:
    """The range in which the mean similarity of the true model to the subjects must lie.

    The RDMs are brought to the scale of the measure first (standardised, of unit length, or
    ranked) and averaged. For `pearson`, `cosine`, `whitened` and `spearman` no RDM whatever comes
    above `upper`; for `kendall` the mean of ranks is a good approximation of the best.

    Arguments:
        rdms: [subject, pair], RDMs as vectors of the same samples; or repeats of one subject.
        method: as in `compare_rdms`.

    Raises:
        ValueError: fewer than two subjects, the length of the RDMs, or an unknown `method`.

    Source:
        Nili et al. 2014, PLoS Computational Biology 10:e1003553.

    Example:
        >>> found = noise_ceiling([[1.0, 2.0, 3.0], [1.0, 2.0, 4.0]])
        >>> 0.9 < found.lower < found.upper < 1.0
        Array(True, dtype=bool)
    """
    rdms = jnp.asarray(rdms)
    if rdms.ndim != 2 or rdms.shape[0] < 2:
        raise ValueError(
            f"rdms must have shape [subjects, pairs] with at least two subjects, got {rdms.shape}"
        )
    as_vector(rdms[0], "each of rdms")
    prepare, compare = methods(method)
    each = jax.vmap(prepare)(rdms.astype(jnp.result_type(rdms.dtype, float)))
    total = each.sum(axis=0)

    def scores(one):
        return compare(one, total - one), compare(one, total)

    lower, upper = jax.lax.map(scores, each)
    return NoiseCeiling(lower.mean(), upper.mean())
