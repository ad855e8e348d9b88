"""Names of neurons: tidy spelling, look-up, and a hint when a name is unknown."""

import difflib
import re
from collections.abc import Iterable, Sequence


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: the nearest known ones."""
    by_capitals = {k.upper(): k for k in known}
    near = difflib.get_close_matches(name.upper(), by_capitals, n=3, cutoff=0.6)
    if near:
        return "; did you mean " + " or ".join(repr(by_capitals[n]) for n in near) + "?"
    some = ", ".join(repr(k) for k in sorted(by_capitals.values())[:8])
    return f"; known are {some}" + (" and others" if len(by_capitals) > 8 else "")


def find(name: str, known: Sequence[str]) -> int:
    """The position of a neuron, also under its zero-padded name (`VA01` for `VA1`).

    Raises:
        ValueError: no neuron has this name; the message suggests near ones.
    """
    for spelling in (name, re.sub(r"(?<=[A-Z])0+(?=[1-9])", "", name)):
        if spelling in known:
            return known.index(spelling)
    raise ValueError(f"there is no neuron {name!r} here" + did_you_mean(name, known))


def positions_of(labels: Iterable[str], known: Sequence[str]) -> list[int]:
    """Sorted positions of the neurons that `labels` name, each once.

    Labels of recordings may be empty (unidentified) or end in `?` (unsure): these name no neuron
    for certain and are passed over.
    """
    if isinstance(labels, str):
        raise ValueError(f"names must be a sequence of names, not one string; write [{labels!r}]")
    asked = [str(label) for label in labels]
    kept = sorted({find(k, known) for k in asked if k and not k.endswith("?")})
    if not kept:
        raise ValueError(
            f"names holds no neuron: all of its {len(asked)} entries are empty or unsure ('?')"
            if asked
            else "names is empty; give at least one neuron"
        )
    return kept
