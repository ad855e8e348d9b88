"""The one exception of this package, and the wording of its "did you mean"."""

import difflib
from collections.abc import Iterable


class RecordingError(ValueError):
    """A recording, or a file that should hold one, is not what it must be.

    The message names the argument or the file, says what was found and what to do.

    Example:
        >>> from neurojax.recordings import Recording, RecordingError
        >>> try:
        ...     Recording([0.0, 0.0], [[1.0], [2.0]])
        ... except RecordingError as error:
        ...     print(error)
        times must be strictly increasing, but times[1] = 0.0 follows times[0] = 0.0; sort the frames and drop repeated ones
    """  # noqa: E501


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: near names, or all of them if few."""
    known = sorted({k for k in known if k})
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        return "; did you mean " + " or ".join(repr(n) for n in near) + "?"
    if not known:
        return "; there are none here"
    shown = ", ".join(repr(k) for k in known[:12])
    return f"; known: {shown}" + (f" and {len(known) - 12} more" if len(known) > 12 else "")
