"""Reading `.npz` files of unknown origin: sizes are checked before anything is loaded."""

import zipfile
import zlib
from os import PathLike, fspath
from typing import Any

import numpy as np

_LIMIT = 2**28  # bytes of one array; the largest of the published atlas has less than 10^6


def read_npz(path: str | PathLike[str], names: set[str]) -> dict[str, np.ndarray]:
    """The arrays `names` of a `.npz` file, as far as they are there.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no `.npz` file, is damaged, holds pickled objects, or an array is
            larger than 256 MB.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(names & {n.removesuffix(".npy") for n in archive.namelist()}):
                member = archive.getinfo(f"{name}.npy")
                if member.file_size > _LIMIT:
                    raise ValueError(f"array {name!r} claims {member.file_size:,} bytes")
                with archive.open(member) as stream:
                    arrays[name] = _read_npy(stream, name, member.file_size)
    except FileNotFoundError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        TypeError,
        KeyError,
        EOFError,
        OSError,
        OverflowError,
        RuntimeError,  # an encrypted member
        NotImplementedError,  # an unknown compression
        SyntaxError,  # a header that is no Python literal
        RecursionError,
        MemoryError,
    ) as error:
        raise ValueError(f"cannot read {fspath(path)!r} as an .npz file: {error}") from error
    return arrays


def _read_npy(stream: Any, name: str, size: int) -> np.ndarray:
    """One array, after a look at what its header promises."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"array {name!r} has the unknown format version {version}")
    if dtype.kind not in "biufSU" or dtype.itemsize == 0:
        raise ValueError(f"array {name!r} holds {dtype}, not numbers or strings")
    if any(k < 0 for k in shape):
        raise ValueError(f"array {name!r} has the shape {shape}")
    count = int(np.prod(shape, dtype=object))
    if count * dtype.itemsize > size:
        raise ValueError(f"array {name!r} of shape {shape} does not fit in its {size:,} bytes")
    data = stream.read(count * dtype.itemsize)
    if len(data) != count * dtype.itemsize:
        raise ValueError(f"array {name!r} is cut short")
    stream.read()  # to the end, where the check sum is compared
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
