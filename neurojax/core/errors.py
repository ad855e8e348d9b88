"""Messages that say what was wrong and what to do."""

import difflib
from collections.abc import Iterable


class NonFiniteError(ArithmeticError):
    """A state became NaN or infinite during a run."""


class UnknownNameError(KeyError):
    """A name that is not part of the model, the recording or the connectome."""

    def __str__(self) -> str:
        # KeyError would show the message quoted
        return str(self.args[0]) if self.args else ""


class MissingInputError(ValueError):
    """An input without which a part of a model cannot be stepped."""


class ShapeError(ValueError):
    """A drift that is not shaped like the state; its message is complete."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """' Did you mean X?' with the closest names, and the list of what there is."""
    known = [str(k) for k in known]
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return f"{hint} Known: {shown or 'nothing'}."
