"""The one exception that a child process reports in words: what is wrong with the file."""

from collections.abc import Sequence


class Refused(Exception):
    """The file is not what it must be. `unknown` and `known` serve a "did you mean"."""

    def __init__(self, message: str, unknown: str = "", known: Sequence[str] = ()):
        super().__init__(message)
        self.unknown = unknown
        self.known = list(known)
