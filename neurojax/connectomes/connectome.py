"""`Connectome`: who is wired to whom."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import jax
import numpy as np
from jaxtyping import Float, Int, Int8

from neurojax.connectomes import _shuffling
from neurojax.connectomes._checks import adjacency, labels, positions_in_space, sign_table
from neurojax.connectomes._names import find, positions_of
from neurojax.connectomes.homologues import homologue_pairs, partners

if TYPE_CHECKING:
    import networkx


@final
@dataclass(frozen=True, eq=False, init=False, repr=False)
class Connectome:
    """Names, chemical synapses and gap junctions of a nervous system, with what labels them.

    It lives on the host (numpy, read-only) and is never changed: every method gives a new one.

    Attributes:
        names: names of the neurons, all different.
        chemical: weights [pre, post] of chemical edges: numbers of synapses or of sections;
            0 where there is no edge.
        gap: weights of gap junctions, symmetric.
        signs: +1 excitatory, -1 inhibitory, 0 free (not known, or no chemical edge).
        classes: class of each neuron (`AVA` for `AVAL`).
        types: type of each neuron (`sensory`, `inter`, `motor`, ...).
        transmitters: transmitters of each neuron, several joined by `|`.
        positions: places of the cell bodies, um; `NaN` where not known.

    Example:
        >>> worm = Connectome(
        ...     ["AVAL", "AVAR", "AVBL"],
        ...     [[0, 2, 1], [0, 0, 0], [3, 0, 0]],
        ...     gap=[[0, 1, 0], [1, 0, 0], [0, 0, 0]],
        ... )
        >>> worm
        Connectome(3 neurons, 3 chemical edges, 1 gap pairs)
        >>> worm.subset(["AVBL", "AVAL"]).chemical
        array([[0., 1.],
               [3., 0.]])
    """

    names: tuple[str, ...]
    chemical: Float[np.ndarray, "pre post"]
    gap: Float[np.ndarray, "neuron neuron"]
    signs: Int8[np.ndarray, "pre post"]
    classes: tuple[str, ...]
    types: tuple[str, ...]
    transmitters: tuple[str, ...]
    positions: Float[np.ndarray, "neuron 3"]

    def __init__(
        self,
        names: Iterable[str],
        chemical: Any,
        gap: Any,
        signs: Any = None,
        classes: Iterable[str] | None = None,
        types: Iterable[str] | None = None,
        transmitters: Iterable[str] | None = None,
        positions: Any = None,
    ):
        """Checks and keeps what is given.

        Arguments:
            names: names of the neurons.
            chemical: [pre, post], non-negative weights.
            gap: [neuron, neuron], non-negative weights, symmetric.
            signs: [pre, post] of -1, 0, +1; by default all free. Entries where there is no
                chemical edge are set to 0, so that a table of a whole animal can be given.
            classes: by default every neuron is a class of its own.
            types: by default empty.
            transmitters: by default empty.
            positions: [neuron, 3], um; by default not known.

        Raises:
            ValueError: a name occurs twice, a shape does not fit the names, a weight is negative
                or not finite, `gap` is not symmetric, or a sign is not -1, 0 or +1.
        """
        names = labels("names", names)
        n = len(names)
        if n == 0:
            raise ValueError("names is empty; give at least one neuron")
        chemical = adjacency("chemical", chemical, n)
        fields = {
            "names": names,
            "chemical": chemical,
            "gap": adjacency("gap", gap, n, symmetric_in=names),
            "signs": sign_table(signs, chemical > 0),
            "classes": names if classes is None else labels("classes", classes, n),
            "types": ("",) * n if types is None else labels("types", types, n),
            "transmitters": (
                ("",) * n if transmitters is None else labels("transmitters", transmitters, n)
            ),
            "positions": positions_in_space(positions, n),
        }
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    # --- what is there ----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return (
            f"Connectome({len(self)} neurons, {self.n_chemical} chemical edges, "
            f"{self.n_gap} gap pairs)"
        )

    @property
    def n_chemical(self) -> int:
        """Number of chemical edges (ordered pairs of neurons), autapses included if kept."""
        return int(np.count_nonzero(self.chemical))

    @property
    def n_gap(self) -> int:
        """Number of pairs of different neurons that are joined by gap junctions."""
        return int(np.count_nonzero(np.triu(self.gap, k=1)))

    def chemical_edges(self) -> tuple[Int[np.ndarray, " edge"], Int[np.ndarray, " edge"]]:
        """Where the chemical edges are, ordered by pre, then post.

        Returns:
            Indices (pre, post); `c.chemical[pre, post]` are the weights.

        Example:
            >>> worm = Connectome(["a", "b"], [[0, 5], [2, 0]], gap=[[0, 0], [0, 0]])
            >>> worm.chemical_edges()
            (array([0, 1]), array([1, 0]))
        """
        pre, post = np.nonzero(self.chemical)
        return pre, post

    def gap_edges(self) -> tuple[Int[np.ndarray, " edge"], Int[np.ndarray, " edge"]]:
        """Where the gap junctions are, each pair once and never a neuron with itself.

        Returns:
            Indices (i, j) with i < j; `c.gap[i, j]` are the weights.
        """
        i, j = np.nonzero(np.triu(self.gap, k=1))
        return i, j

    def homologue(self, name: str) -> str | None:
        """The left-right partner of a neuron, or `None` if it has none in this connectome.

        Raises:
            ValueError: there is no such neuron; the message suggests near names.
        """
        return partners(self.names).get(self.names[find(name, self.names)])

    # --- parts ------------------------------------------------------------------------------

    def subset(self, names: Iterable[str]) -> "Connectome":
        """These neurons and the edges among them, in the order of this connectome.

        Arguments:
            names: names of neurons, or labels of a recording: they may repeat, be zero-padded
                (`VA01` for `VA1`), and those that are empty or end in `?` are passed over.

        Raises:
            ValueError: a name is unknown (the message suggests near ones), or none is left.

        Example:
            >>> from neurojax.connectomes import cook2019
            >>> cook2019().subset(["RIML", "AVAL", "", "AVBL?"]).names
            ('AVAL', 'RIML')
        """
        kept = positions_of(names, self.names)
        block = np.ix_(kept, kept)
        return Connectome(
            [self.names[i] for i in kept],
            self.chemical[block],
            self.gap[block],
            self.signs[block],
            [self.classes[i] for i in kept],
            [self.types[i] for i in kept],
            [self.transmitters[i] for i in kept],
            self.positions[kept],
        )

    def without_self_edges(self) -> "Connectome":
        """The same without autapses and gap junctions of a neuron with itself."""
        others = ~np.eye(len(self), dtype=bool)
        return dataclasses.replace(self, chemical=self.chemical * others, gap=self.gap * others)

    def without_homologues(self) -> "Connectome":
        """The same without the edges, chemical and gap, between left-right partners.

        Partners are active alike; a strict test of wiring drops the edges between them.

        Example:
            >>> from neurojax.connectomes import cook2019
            >>> cook2019().without_homologues()
            Connectome(302 neurons, 3605 chemical edges, 1045 gap pairs)
        """
        others = np.ones_like(self.chemical)
        for pair in homologue_pairs(self.names):
            i, j = (self.names.index(name) for name in pair)
            others[i, j] = others[j, i] = 0
        return dataclasses.replace(self, chemical=self.chemical * others, gap=self.gap * others)

    # --- controls ---------------------------------------------------------------------------

    def shuffled(self, key: jax.Array, degree_preserving: bool = True) -> "Connectome":
        """Random wiring as a control.

        With `degree_preserving`, two edges at a time exchange their ends: chemical edges
        i -> j, k -> l become i -> l, k -> j; gap pairs likewise, without direction. So every
        neuron keeps its number of inputs, of outputs and of gap partners exactly. An edge takes
        its weight and sign with it and keeps its source, so the total weight and the signs of
        what a neuron sends stay too, the total weight that it receives does not. What else the
        graph had is lost, reciprocal pairs, loops and communities among it.

        Otherwise the same numbers of edges, with their weights and signs, are put between
        random pairs.

        No self edge or double edge is made; self edges that were kept stay where they are.
        Swaps alone cannot turn round a lone directed triangle, which matters only in tiny graphs.

        Source: Maslov & Sneppen 2002 *Science* 296:910.

        Arguments:
            key: one jax key; the same key gives the same wiring.
            degree_preserving: keep the degrees of all neurons.

        Raises:
            TypeError: `key` is not a jax key.
            ValueError: `key` is an array of keys.

        Example:
            >>> from neurojax.connectomes import cook2019
            >>> real = cook2019()
            >>> control = real.shuffled(jax.random.key(0))
            >>> bool(((control.chemical > 0).sum(0) == (real.chemical > 0).sum(0)).all())
            True
        """
        rng = _shuffling.generator(key)
        n = len(self)
        pre, post = self.chemical_edges()
        pre, post = pre[pre != post], post[pre != post]
        i, j = self.gap_edges()
        if degree_preserving:
            new_pre, new_post = _shuffling.swap_directed(pre, post, n, rng)
            new_i, new_j = _shuffling.swap_undirected(i, j, n, rng)
        else:
            new_pre, new_post = _shuffling.place_directed(len(pre), n, rng)
            new_i, new_j = _shuffling.place_undirected(len(i), n, rng)
        chemical, gap, signs = (np.diag(np.diag(m)) for m in (self.chemical, self.gap, self.signs))
        chemical[new_pre, new_post] = self.chemical[pre, post]
        signs[new_pre, new_post] = self.signs[pre, post]
        gap[new_i, new_j] = gap[new_j, new_i] = self.gap[i, j]
        return dataclasses.replace(self, chemical=chemical, gap=gap, signs=signs)

    # --- out --------------------------------------------------------------------------------

    def to_networkx(self) -> "networkx.MultiDiGraph":
        """The same as a networkx graph.

        Nodes are names, with attributes `neuron_class`, `type`, `transmitter`, `position`.
        Chemical edges have the key `"chemical"` and attributes `weight` and `sign`; a gap pair is
        two opposite edges with the key `"gap"` and `weight`.

        Raises:
            ImportError: networkx is not installed.

        Example:
            >>> from neurojax.connectomes import cook2019
            >>> graph = cook2019().to_networkx()
            >>> graph["AFDL"]["AIYL"]["chemical"]["sign"]
            -1
        """
        try:
            import networkx
        except ImportError as error:
            raise ImportError(
                "to_networkx needs networkx; install it with: pip install networkx"
            ) from error
        graph = networkx.MultiDiGraph()
        for i, name in enumerate(self.names):
            graph.add_node(
                name,
                neuron_class=self.classes[i],
                type=self.types[i],
                transmitter=self.transmitters[i],
                position=tuple(self.positions[i].tolist()),
            )
        for i, j in zip(*self.chemical_edges(), strict=True):
            weight, sign = float(self.chemical[i, j]), int(self.signs[i, j])
            graph.add_edge(self.names[i], self.names[j], "chemical", weight=weight, sign=sign)
        for i, j in zip(*np.nonzero(self.gap), strict=True):
            graph.add_edge(self.names[i], self.names[j], "gap", weight=float(self.gap[i, j]))
        return graph
