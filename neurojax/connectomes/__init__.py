"""Wiring diagrams: `Connectome`, published connectomes of *C. elegans*, random controls."""

from neurojax.connectomes.connectome import Connectome
from neurojax.connectomes.extrasynaptic import ExtrasynapticNetwork, extrasynaptic
from neurojax.connectomes.functional_atlas import FunctionalAtlas, read_funatlas
from neurojax.connectomes.homologues import homologue, homologue_pairs
from neurojax.connectomes.neuron_table import NeuronTable, neurons
from neurojax.connectomes.published import cook2019, varshney2011, witvliet2021
from neurojax.connectomes.signs import fenyves2020_signs

__all__ = [
    "Connectome",
    "cook2019",
    "varshney2011",
    "witvliet2021",
    "fenyves2020_signs",
    "NeuronTable",
    "neurons",
    "homologue",
    "homologue_pairs",
    "ExtrasynapticNetwork",
    "extrasynaptic",
    "FunctionalAtlas",
    "read_funatlas",
]
