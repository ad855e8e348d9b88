"""The 302 neurons of the adult hermaphrodite: class, type, transmitters, place."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from neurojax.connectomes._embedded import embedded


@final
@dataclass(frozen=True, eq=False, repr=False)
class NeuronTable:
    """What is known of each neuron, one entry per neuron in all fields.

    Attributes:
        names: in alphabetical order.
        classes: neuron class, the 118 of White et al. 1986 (`AVA` for `AVAL` and `AVAR`).
        types: `sensory`, `inter`, `motor`, `pharyngeal`, or `unknown` (`CANL` and `CANR`).
        subtypes: finer groups of Cook et al. 2019 (`SN1`, `IN3`, `ventral_cord_motor`, ...).
        transmitters: what the neuron releases at its synapses, after Wang et al. 2024; several
            are joined by `|`; empty where none is known.
        transmitters_fenyves2020: the dominant one of `ACh`, `Glu`, `GABA` after Fenyves et al.
            2020, from which the predicted signs derive; empty where none.
        positions: cell body, um, axes of the OpenWorm cell models: x from right to left, y from
            head (-) to tail (+), z from ventral to dorsal.

    Example:
        >>> table = neurons()
        >>> i = table.names.index("AVAL")
        >>> table.classes[i], table.types[i], table.transmitters[i]
        ('AVA', 'inter', 'Acetylcholine')
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    types: tuple[str, ...]
    subtypes: tuple[str, ...]
    transmitters: tuple[str, ...]
    transmitters_fenyves2020: tuple[str, ...]
    positions: Float[np.ndarray, "neuron 3"]

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"NeuronTable({len(self)} neurons, {len(set(self.classes))} classes)"


def neurons() -> NeuronTable:
    """The table of the 302 hermaphrodite neurons.

    Sources: types, Cook et al. 2019 *Nature* 571:63; transmitters, Wang et al. 2024 *eLife*
    13:RP95402 and Fenyves et al. 2020 *PLoS Comput Biol* 16:e1007974;
    positions, OpenWorm cell models.

    Example:
        >>> neurons()
        NeuronTable(302 neurons, 118 classes)
    """
    table = embedded("neurons")
    positions = table.pop("positions")
    positions.setflags(write=False)
    columns = {key: tuple(column.tolist()) for key, column in table.items()}
    return NeuronTable(positions=positions, **columns)
