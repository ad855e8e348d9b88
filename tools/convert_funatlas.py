"""Turns the wild-type tables of `funatlas.h5` into the `.npz` that `read_funatlas` reads.

    python tools/convert_funatlas.py funatlas.h5 funatlas.npz

`funatlas.h5` is the signal propagation atlas of Randi et al. 2023 (*Nature* 623:406) as it comes
with the Python package wormneuroatlas, in its folder `data`. Needs h5py. Only convert a file from
a source that you trust: the HDF5 library can hang on damaged ones.
"""

import os
import sys
from pathlib import Path

import numpy as np


def convert(source: Path, target: Path) -> None:
    """Write `target`, all or nothing. Tables stay [responding, stimulated]."""
    import h5py

    with h5py.File(source, "r") as file:
        wild_type = file["wt"]
        tables = {key: wild_type[key][()] for key in ("dFF", "q", "q_eq")}
        tables["names"] = file["neuron_ids"][()].astype(str)
        tables["occ"] = wild_type["occ1"][()]
        trials = wild_type["dFF_all"][()]
    i, j = np.indices(trials.shape).reshape(2, -1)
    counts = [len(values) for values in trials.ravel()]
    tables["dFF_all_value"] = np.concatenate([np.zeros(0), *trials.ravel()])
    tables["dFF_all_i"] = np.repeat(i, counts)
    tables["dFF_all_j"] = np.repeat(j, counts)
    temporary = target.with_name(target.name + ".tmp")
    try:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **tables)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
