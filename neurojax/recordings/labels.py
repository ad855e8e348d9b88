"""Names of identified neurons: which are certain, tidy spelling, left-right partners."""

import re
from collections import Counter
from collections.abc import Sequence

_SWAP = {"L": "R", "R": "L"}


def exact_columns(labels: Sequence[str]) -> tuple[int, ...]:
    """Columns whose neuron is known for certain.

    Arguments:
        labels: one label per column; `""` is unidentified, a `?` at the end is unsure.

    Returns:
        The positions of labels that are not empty, carry no `?` and occur once.

    Example:
        >>> from neurojax.recordings.labels import exact_columns
        >>> exact_columns(["AVAL", "", "RMF?", "SIBVL", "SIBVL"])
        (0,)
    """
    count = Counter(labels)
    return tuple(i for i, k in enumerate(labels) if k and not k.endswith("?") and count[k] == 1)


def tidy_label(label: str) -> str:
    """The usual spelling of a *C. elegans* neuron name: upper case, no zero padding.

    Some sources write `VA01` for `VA1`. A number that ends in a zero (`AS10`) stays.

    Arguments:
        label: a name as a source writes it.

    Example:
        >>> from neurojax.recordings import tidy_label
        >>> tidy_label("VA01"), tidy_label("as10"), tidy_label("IL2DL"), tidy_label("DB03?")
        ('VA1', 'AS10', 'IL2DL', 'DB3?')
    """
    return re.sub(r"(?<=[A-Z])0+(?=[1-9])", "", label.strip().upper())


def mirrored_label(label: str) -> str | None:
    """The name of the left-right partner, or `None` for a name without a side.

    Names end in `L` or `R`. `AWCON` and `AWCOFF` are the two AWC neurons, named by what they
    express instead of by side. Whether the partner exists is for the caller to look up: some
    unpaired neurons (`AVL`, `RIR`) end in these letters too.

    Arguments:
        label: a name in the usual spelling, see `tidy_label`.

    Example:
        >>> from neurojax.recordings import mirrored_label
        >>> mirrored_label("RMDDL"), mirrored_label("AWCON"), mirrored_label("DVA")
        ('RMDDR', 'AWCOFF', None)
    """
    if label in ("AWCON", "AWCOFF"):
        return "AWCOFF" if label == "AWCON" else "AWCON"
    side = _SWAP.get(label[-1:])
    return label[:-1] + side if side and len(label) > 1 else None
