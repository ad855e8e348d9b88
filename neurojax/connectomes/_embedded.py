"""Reading the data files that come with this package (`data/README.md` says whose they are)."""

from importlib import resources

import numpy as np


def embedded(name: str) -> dict[str, np.ndarray]:
    """All arrays of `data/<name>.npz`."""
    file = resources.files("neurojax.connectomes").joinpath("data", f"{name}.npz")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return dict(arrays)
