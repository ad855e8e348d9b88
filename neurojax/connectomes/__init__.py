"""Wiring diagrams: `Connectome`, published connectomes of *C. elegans*, random controls."""

from neurojax.connectomes.connectome import Connectome as Connectome
from neurojax.connectomes.extrasynaptic import ExtrasynapticNetwork as ExtrasynapticNetwork
from neurojax.connectomes.extrasynaptic import extrasynaptic as extrasynaptic
from neurojax.connectomes.functional_atlas import FunctionalAtlas as FunctionalAtlas
from neurojax.connectomes.functional_atlas import read_funatlas as read_funatlas
from neurojax.connectomes.homologues import homologue as homologue
from neurojax.connectomes.homologues import homologue_pairs as homologue_pairs
from neurojax.connectomes.neuron_table import NeuronTable as NeuronTable
from neurojax.connectomes.neuron_table import neurons as neurons
from neurojax.connectomes.published import cook2019 as cook2019
from neurojax.connectomes.published import varshney2011 as varshney2011
from neurojax.connectomes.published import witvliet2021 as witvliet2021
from neurojax.connectomes.signs import fenyves2020_signs as fenyves2020_signs
