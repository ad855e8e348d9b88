"""Networks without wires: monoamines and neuropeptides diffuse from senders to receivers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import UInt8

from neurojax.connectomes._embedded import embedded
from neurojax.connectomes._names import did_you_mean, positions_of
from neurojax.connectomes.neuron_table import neurons

_KINDS = (
    "tyramine",
    "octopamine",
    "dopamine",
    "serotonin",
    "peptide_short",
    "peptide_mid",
    "peptide_long",
)


@final
@dataclass(frozen=True, eq=False, repr=False)
class ExtrasynapticNetwork:
    """Who can signal to whom by one kind of substance.

    Attributes:
        kind: the substance, or the range of the peptides.
        names: names of the neurons.
        adjacency: [sender, receiver]: 1 for a monoamine that one releases and the other has a
            receptor for; for peptides the number of pairs of a peptide and its receptor.

    Example:
        >>> network = extrasynaptic("tyramine").subset(["RIML", "AVBL", "AVAL"])
        >>> network.names, network.adjacency[2]
        (('AVAL', 'AVBL', 'RIML'), array([0, 1, 0], dtype=uint8))
    """

    kind: str
    names: tuple[str, ...]
    adjacency: UInt8[np.ndarray, "sender receiver"]

    def subset(self, names: Iterable[str]) -> "ExtrasynapticNetwork":
        """The part among some neurons, in the order of this network; see `Connectome.subset`."""
        kept = positions_of(names, self.names)
        part = self.adjacency[np.ix_(kept, kept)]
        part.setflags(write=False)
        return ExtrasynapticNetwork(self.kind, tuple(self.names[i] for i in kept), part)

    def __repr__(self) -> str:
        edges = np.count_nonzero(self.adjacency)
        return f"ExtrasynapticNetwork({self.kind}, {len(self.names)} neurons, {edges} edges)"


def extrasynaptic(kind: str) -> ExtrasynapticNetwork:
    """The network of one monoamine, or of the neuropeptides by how far they are let act.

    A neuron may be its own receiver.

    Sources: monoamines, Bentley et al. 2016 *PLoS Comput Biol* 12:e1005283; neuropeptides,
    Ripoll-Sanchez et al. 2023 *Neuron* 111:3570.

    Arguments:
        kind: `tyramine`, `octopamine`, `dopamine`, `serotonin`; `peptide_short`, `peptide_mid`
            or `peptide_long` (signals within a neuropil, further, or through the whole body).

    Returns:
        The network among the 302 neurons.

    Raises:
        ValueError: unknown kind.

    Example:
        >>> extrasynaptic("dopamine")
        ExtrasynapticNetwork(dopamine, 302 neurons, 1176 edges)
    """
    if kind not in _KINDS:
        raise ValueError(f"kind {kind!r} is unknown" + did_you_mean(str(kind), _KINDS))
    adjacency = embedded("extrasynaptic")[kind]
    adjacency.setflags(write=False)
    return ExtrasynapticNetwork(kind, neurons().names, adjacency)
