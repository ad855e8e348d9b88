"""Writes neurojax/connectomes/data/*.npz from the reference data beside the repository.

    python tools/embed_connectomes.py [../shared/data/celegans]

Matrices are kept whole (302 x 302, small integers; compressed they take a few kB), so that each
file can be compared with its source cell by cell. The output is the same for the same input.
"""

import csv
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "neurojax" / "connectomes" / "data"

# The class column of the source strips side letters once too often or not often enough. These are
# the classes of White et al. 1986; with them there are 118.
CLASS_OF = {
    **{name: name[:3] for name in ("AFDL", "AFDR", "AVDL", "AVDR", "PVDL", "PVDR")},
    **{name: name[:3] for name in ("RIVL", "RIVR", "RMDL", "RMDR", "RMED", "RMEV", "SABD")},
    **{name: name for name in ("AQR", "AVL", "PQR", "PVR", "RIR")},
}


def main(source: Path) -> None:
    """Convert every file."""
    DATA.mkdir(parents=True, exist_ok=True)
    table = neuron_table(source / "neurons.csv")
    names = table["names"].tolist()
    write("neurons", table)

    cook = read(source / "connectome_cook2019_herm.npz", names)
    write("cook2019", matrices(cook["chem"], cook["gap"], np.ones(len(names), dtype=bool)))

    varshney = read(source / "connectome_varshney2011.npz", names)
    chem, gap = varshney["chem"], varshney["gap"]
    # The paper leaves VC6 out, which has no synapse; the source file counts it as present.
    wired = ((chem > 0) | (chem.T > 0) | (gap > 0)).any(axis=0)
    write("varshney2011", matrices(chem, gap, varshney["present"] & wired))

    witvliet = read(source / "connectome_witvliet2021_1to7.npz", names)
    series = {}
    for k in range(1, 8):
        one = matrices(witvliet[f"chem_{k}"], witvliet[f"gap_{k}"], witvliet[f"present_{k}"])
        series |= {f"{field}_{k}": array for field, array in one.items()}
    write("witvliet2021", series)

    signs = read(source / "synapse_sign_fenyves2020.npz", names)
    write("fenyves2020_signs", {"code": signs["sign"].astype(np.int8)})

    networks = read(source / "extrasynaptic.npz", names)
    networks = {key.removeprefix("monoamine_"): small(m) for key, m in networks.items()}
    write("extrasynaptic", networks)


def neuron_table(path: Path) -> dict[str, np.ndarray]:
    """The columns that are kept, under the names of `NeuronTable`."""
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    column = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    classes = [CLASS_OF.get(row["name"], row["neuron_class"]) for row in rows]
    return {
        "names": column["name"],
        "classes": np.array(classes),
        "types": column["type"],
        "subtypes": column["subtype"],
        "transmitters": column["nt_wang2024"],
        "transmitters_fenyves2020": column["nt_fenyves_dominant"],
        "positions": np.stack([column[f"{x}_um"].astype(float) for x in "xyz"], axis=1),
    }


def read(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """The arrays of a source file, whose order of neurons must be that of the table."""
    with np.load(path, allow_pickle=False) as arrays:
        content = dict(arrays)
    if content.pop("names").tolist() != names:
        raise ValueError(f"{path.name}: the neurons are not in the order of neurons.csv")
    return content


def matrices(chemical: np.ndarray, gap: np.ndarray, present: np.ndarray) -> dict[str, np.ndarray]:
    """One connectome, in the smallest integers that hold it."""
    return {"chemical": small(chemical), "gap": small(gap), "present": present}


def small(matrix: np.ndarray) -> np.ndarray:
    """The same numbers as uint8 or uint16."""
    dtype = np.uint8 if matrix.max() < 256 else np.uint16
    if not np.array_equal(matrix.astype(dtype), matrix):
        raise ValueError("expected small non-negative whole numbers")
    return matrix.astype(dtype)


def write(name: str, arrays: dict[str, np.ndarray]) -> None:
    """Replace one data file, all or nothing."""
    handle, temporary = tempfile.mkstemp(dir=DATA, suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **arrays)
        os.chmod(temporary, 0o644)
        os.replace(temporary, DATA / f"{name}.npz")
    except BaseException:
        os.unlink(temporary)
        raise
    print(f"{name}.npz: {(DATA / f'{name}.npz').stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared/data/celegans")
