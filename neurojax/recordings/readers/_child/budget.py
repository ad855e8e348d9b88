"""How much may be read: counted before an array is allocated, not after."""

import math
from collections.abc import Sequence

from .refused import Refused

# deflate, the strongest filter of HDF5, packs at most 1032 bytes into one.
_BEST_COMPRESSION = 1100
_SMALL = 2**26


class Budget:
    """Bytes of arrays that may still be read from one file."""

    def __init__(self, max_bytes: int, file_size: int):
        self._max_bytes = max_bytes
        self._left = max_bytes
        self._file_size = file_size

    def check(self, what: str, size: int) -> None:
        """Raises `Refused` where so many bytes are too many, or more than the file can hold."""
        if size > _SMALL and size > _BEST_COMPRESSION * self._file_size:
            raise Refused(
                f"{what} claims {size:,} bytes, which a file of {self._file_size:,} bytes cannot "
                "hold"
            )
        if size > self._left:
            raise Refused(
                f"{what} needs {size:,} bytes, which takes what is read above "
                f"max_bytes={self._max_bytes:,}; pass a larger max_bytes if you trust the file"
            )

    def spend(self, what: str, shape: Sequence[int], itemsize: int) -> None:
        """Count an array; raises like `check`."""
        size = math.prod(int(n) for n in shape) * int(itemsize)
        self.check(f"{what} of shape {tuple(shape)}", size)
        self._left -= size
