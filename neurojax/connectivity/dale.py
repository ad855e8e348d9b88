"""Dale's law: all synapses that a neuron sends have one sign."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Int8

from .edges import whole_number
from .homogeneous import probability


def dale_signs(
    n: int,
    fraction_excitatory: float | int = 0.8,
    rng: np.random.Generator | None = None,
    *,
    labels: Any = None,
) -> Int8[np.ndarray, " neuron"]:
    """Which neurons are excitatory (+1) and which inhibitory (-1).

    The numbers are exact, not drawn: of n neurons round(`fraction_excitatory` n) are excitatory;
    with labels this holds in every group, so that modules are balanced alike.

    Arguments:
        n: number of neurons.
        fraction_excitatory: between 0 and 1.
        rng: draws which ones they are; by default the first ones are excitatory.
        labels: group of each neuron, as for `block`, or `group_labels(n, groups)` for `modular`.

    Raises:
        ValueError: the fraction is not between 0 and 1, or labels are not one per neuron.

    Example:
        >>> import neurojax as nj
        >>> nj.connectivity.dale_signs(5, 0.8).tolist()
        [1, 1, 1, 1, -1]
        >>> nj.connectivity.dale_signs(6, 0.5, labels=[0, 0, 1, 1, 1, 1]).tolist()
        [1, -1, 1, 1, -1, -1]
    """
    n = whole_number("n", n, 0)
    fraction = probability("fraction_excitatory", fraction_excitatory)
    groups = np.zeros(n, np.int64) if labels is None else np.asarray(labels)
    if groups.shape != (n,):
        raise ValueError(f"labels must be {n}, one per neuron, got shape {groups.shape}")
    signs = np.full(n, -1, np.int8)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        if rng is not None:
            members = rng.permutation(members)
        signs[members[: round(fraction * len(members))]] = 1
    return signs


@final
@dataclass(frozen=True, eq=False, init=False)
class Dale:
    """Weights whose sign is that of the sending neuron, for `synapse_values` and projections.

    As a matrix [pre, post] they have rows of one sign (columns in the order [post, pre]).

    Arguments:
        signs: +1 or -1 for each neuron of the sending side, such as `dale_signs(n)`.
        excitatory: sizes of the weights of excitatory neurons, not negative: a number, a
            distribution or a function of distance, in the unit of the receptor.
        inhibitory: likewise for inhibitory ones; positive numbers too.

    Raises:
        ValueError: a sign is not -1 or +1; when used, if there is not one per sending neuron, or
            a size is negative.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> rng = np.random.default_rng(0)
        >>> edges = nj.connectivity.all_to_all().build(2, 2, rng)
        >>> weights = nj.connectivity.Dale([1, -1], excitatory=0.5, inhibitory=2.0)
        >>> nj.connectivity.synapse_values(weights, edges, rng).tolist()
        [0.5, 0.5, -2.0, -2.0]
    """

    signs: Int8[np.ndarray, " pre"]
    excitatory: Any
    inhibitory: Any

    def __init__(self, signs: Any, excitatory: Any = 1.0, inhibitory: Any = 1.0):
        signs = np.asarray(signs)
        if signs.ndim != 1 or not np.isin(signs, (-1, 1)).all():
            raise ValueError(f"signs must be a vector of +1 and -1, got {signs}")
        object.__setattr__(self, "signs", signs.astype(np.int8))
        object.__setattr__(self, "excitatory", excitatory)
        object.__setattr__(self, "inhibitory", inhibitory)
