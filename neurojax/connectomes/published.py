"""Published connectomes of *C. elegans*, with predicted signs and the neuron table attached."""

import numpy as np

from neurojax.connectomes._embedded import embedded
from neurojax.connectomes.connectome import Connectome
from neurojax.connectomes.neuron_table import neurons
from neurojax.connectomes.signs import fenyves2020_signs


def cook2019(*, self_edges: bool = False) -> Connectome:
    """The whole adult hermaphrodite: 302 neurons, weights in electron-microscopy sections.

    Source: Cook et al. 2019 *Nature* 571:63, supplement 5 as corrected in July 2020. It has 3,709
    chemical edges (20,965 sections), of which 38 lead from a neuron to itself, and 1,091 gap
    pairs beside 14 neurons joined to themselves. Signs are those of `fenyves2020_signs`: 1,705 of
    the edges have one (12 of them autapses), the others are free.

    Arguments:
        self_edges: keep the entries of neurons with themselves. By default they are dropped:
            a gap junction with itself carries no current, and autapses are few.

    Returns:
        The connectome, chemical [pre, post].

    Example:
        >>> cook2019()
        Connectome(302 neurons, 3671 chemical edges, 1091 gap pairs)
        >>> cook2019(self_edges=True).n_chemical
        3709
    """
    data = embedded("cook2019")
    return _with_table(data["chemical"], data["gap"], data["present"], self_edges)


def varshney2011(*, self_edges: bool = False) -> Connectome:
    """The somatic nervous system: 279 neurons, weights in numbers of synapses.

    Without the 20 neurons of the pharynx and three that make no synapse there (`CANL`, `CANR`,
    `VC6`). Three neurons have a gap junction with themselves; there are no autapses.

    Source: Varshney, Chen, Paniagua, Hall, Chklovskii 2011 *PLoS Comput Biol* 7:e1001066.

    Arguments:
        self_edges: keep the entries of neurons with themselves; see `cook2019`.

    Returns:
        The connectome, chemical [pre, post].

    Example:
        >>> varshney2011()
        Connectome(279 neurons, 2194 chemical edges, 514 gap pairs)
    """
    data = embedded("varshney2011")
    return _with_table(data["chemical"], data["gap"], data["present"], self_edges)


def witvliet2021(dataset: int = 7, *, self_edges: bool = False) -> Connectome:
    """The brain (nerve ring and its neighbourhood) of one animal of a developmental series.

    Source: Witvliet et al. 2021 *Nature* 596:257. Weights are numbers of synapses. Only the
    neurons that were reconstructed in this animal are there, 161 (first larva) to 181 (adult).

    Arguments:
        dataset: 1 to 4, first larval stage, growing older; 5, second; 6, third; 7, an adult. The
            eighth animal of the paper, a second adult, is not included.
        self_edges: keep the entries of neurons with themselves; see `cook2019`.

    Returns:
        The connectome, chemical [pre, post].

    Raises:
        ValueError: there is no such dataset.

    Example:
        >>> witvliet2021(1)
        Connectome(161 neurons, 675 chemical edges, 81 gap pairs)
    """
    if isinstance(dataset, bool) or dataset not in range(1, 8):
        raise ValueError(f"dataset must be one of 1, 2, ..., 7 (7 is the adult), got {dataset!r}")
    data = embedded("witvliet2021")
    k = int(dataset)
    return _with_table(data[f"chemical_{k}"], data[f"gap_{k}"], data[f"present_{k}"], self_edges)


def _with_table(
    chemical: np.ndarray, gap: np.ndarray, present: np.ndarray, self_edges: bool
) -> Connectome:
    """The connectome of the neurons that are present, from matrices of all 302."""
    table = neurons()
    whole = Connectome(
        table.names,
        chemical,
        gap,
        signs=fenyves2020_signs(),
        classes=table.classes,
        types=table.types,
        transmitters=table.transmitters,
        positions=table.positions,
    )
    there = whole.subset(name for name, p in zip(table.names, present, strict=True) if p)
    return there if self_edges else there.without_self_edges()
