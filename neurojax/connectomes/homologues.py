"""Left-right partners: most neurons of the worm come in pairs, named with L and R at the end."""

from collections.abc import Iterable

from neurojax.connectomes._names import find
from neurojax.connectomes.neuron_table import neurons


def homologue_pairs(names: Iterable[str] | None = None) -> tuple[tuple[str, str], ...]:
    """The left-right pairs among some neurons.

    Two neurons are partners if their names differ only in an `L` and an `R` at the end. A name
    like `AVL` or `RIR` whose counterpart does not exist belongs to an unpaired neuron.

    Arguments:
        names: names of neurons; by default the 302 of the hermaphrodite, which have 99 pairs.

    Returns:
        Pairs (left, right), in the order of the left names.

    Example:
        >>> homologue_pairs(["AVAL", "AVAR", "AVL", "RMDDL", "RMDDR", "RMDVL"])
        (('AVAL', 'AVAR'), ('RMDDL', 'RMDDR'))
        >>> len(homologue_pairs())
        99
    """
    ordered = neurons().names if names is None else tuple(names)
    known = set(ordered)
    lefts = (n for n in ordered if n.endswith("L") and len(n) > 1)
    return tuple((n, n[:-1] + "R") for n in lefts if n[:-1] + "R" in known)


def homologue(name: str) -> str | None:
    """The left-right partner of one of the 302 neurons, or `None` if it is unpaired.

    Arguments:
        name: a neuron's name.

    Raises:
        ValueError: there is no such neuron; the message suggests near names.

    Example:
        >>> homologue("AVAL"), homologue("IL2DR"), homologue("AVL")
        ('AVAR', 'IL2DL', None)
    """
    known = neurons().names
    return partners(known).get(known[find(name, known)])


def partners(names: Iterable[str]) -> dict[str, str]:
    """Each paired neuron's partner, both ways round."""
    pairs = homologue_pairs(names)
    return dict(pairs) | {right: left for left, right in pairs}
