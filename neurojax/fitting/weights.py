"""Fitted weights beside what the connectome counts."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from neurojax.core import unwrap


@dataclasses.dataclass(frozen=True, eq=False)
class EdgeWeights:
    """Fitted weights of one kind of edge.

    Arguments:
        weights: one per edge.
        counts: synapses or sections of each edge.

    Example:
        >>> import neurojax as nj
        >>> circuit = nj.circuits.ConnectomeCircuit(nj.connectomes.varshney2011())
        >>> weights = nj.fitting.edge_weights(circuit)
        >>> sorted(weights)
        ['chemical', 'gap']
    """

    weights: Float[np.ndarray, " edge"]
    counts: Float[np.ndarray, " edge"]

    @property
    def correlation(self) -> float:
        """Pearson correlation of |weight| with log(1 + count); `NaN` if one does not vary."""
        sizes, counts = np.abs(self.weights), np.log1p(self.counts)
        if len(sizes) < 2 or np.ptp(sizes) == 0 or np.ptp(counts) == 0:
            return float("nan")
        return float(np.corrcoef(sizes, counts)[0, 1])


def edge_weights(circuit: Any) -> dict[str, EdgeWeights] | None:
    """Weights and counts of a circuit's chemical edges and gap junctions.

    Arguments:
        circuit: a `ConnectomeCircuit`, fitted or not.

    Returns:
        `"chemical"` and `"gap"`; `None` for a circuit without weights on counted edges.

    Example:
        >>> import neurojax as nj
        >>> wiring = nj.connectomes.cook2019().subset(["AVAL", "AVAR", "AVBL", "RIML"])
        >>> found = edge_weights(nj.circuits.ConnectomeCircuit(wiring))
        >>> len(found["chemical"].weights) == wiring.n_chemical
        True
    """
    model = unwrap(circuit)
    fields = ("weight", "chemical_count", "gap", "gap_count")
    if not all(hasattr(model, field) for field in fields):
        return None
    weight, counts, gap, gap_counts = (np.asarray(getattr(model, f), float) for f in fields)
    return {"chemical": EdgeWeights(weight, counts), "gap": EdgeWeights(gap, gap_counts)}
