"""The signal propagation atlas: which neuron responds when another is stimulated."""

from dataclasses import dataclass
from os import PathLike, fspath
from typing import final

import numpy as np
from jaxtyping import Float, Int

from neurojax.connectomes._checks import labels
from neurojax.connectomes._foreign_npz import read_npz

_TABLES = ("dFF", "q", "q_eq", "occ")
_TRIALS = ("dFF_all_value", "dFF_all_i", "dFF_all_j")


@final
@dataclass(frozen=True, eq=False, repr=False)
class FunctionalAtlas:
    """Responses of all neurons to the stimulation of single ones, pooled over animals.

    All tables are [stimulated, responding]: row i holds what stimulating neuron i did. The files
    of the atlas have it the other way round.

    Attributes:
        names: names of the neurons.
        response: mean response amplitude, Delta F / F; `NaN` where never observed.
        q: false-discovery-corrected probability of such responses without stimulation; small
            means that the pair is functionally connected. `NaN` where not determined.
        q_equivalence: the same for the opposite test; small means that it is not connected.
        observations: number of times that the pair was observed.
        trial_response: amplitude of every single response.
        trial_stimulated: index into `names` of the neuron stimulated in that trial.
        trial_responding: index of the neuron whose response it is.

    Example:
        >>> table = np.array([[np.nan, 0.5], [np.nan, np.nan]])
        >>> none, once = np.zeros(1, dtype=int), np.ones(1, dtype=int)
        >>> FunctionalAtlas(
        ...     ("AVBL", "AVAL"),
        ...     table,
        ...     table,
        ...     table,
        ...     np.array([[0, 1], [0, 0]]),
        ...     np.array([0.5]),
        ...     trial_stimulated=none,
        ...     trial_responding=once,
        ... )
        FunctionalAtlas(2 neurons, 1 observed pairs, 1 trials)
    """

    names: tuple[str, ...]
    response: Float[np.ndarray, "stimulated responding"]
    q: Float[np.ndarray, "stimulated responding"]
    q_equivalence: Float[np.ndarray, "stimulated responding"]
    observations: Int[np.ndarray, "stimulated responding"]
    trial_response: Float[np.ndarray, " trial"]
    trial_stimulated: Int[np.ndarray, " trial"]
    trial_responding: Int[np.ndarray, " trial"]

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        pairs = np.count_nonzero(self.observations)
        return (
            f"FunctionalAtlas({len(self)} neurons, {pairs} observed pairs, "
            f"{len(self.trial_response)} trials)"
        )


def read_funatlas(path: str | PathLike[str]) -> FunctionalAtlas:
    """Read the wild-type signal propagation atlas of Randi et al. 2023 from a file.

    The atlas is not part of this package. The file is an `.npz` with `names`; `dFF`, `q`, `q_eq`
    and `occ` as tables [responding, stimulated]; and every single response in `dFF_all_value`
    with `dFF_all_i` (responding) and `dFF_all_j` (stimulated). `tools/convert_funatlas.py` in the
    repository makes it from the `funatlas.h5` that comes with the Python package wormneuroatlas.
    The truncated name `AWCOF` in it becomes `AWCOFF`.

    Source: Randi, Sharma, Dvali, Leifer 2023 *Nature* 623:406.

    Arguments:
        path: the file.

    Returns:
        The atlas, turned to [stimulated, responding].

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is of another kind, damaged, or its tables are missing or do not fit
            together.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = np.array([[np.nan, 0.5], [np.nan, np.nan]])  # AVAL responds to AVBL
        ...     seen = np.array([[0, 2], [0, 0]])
        ...     np.savez(
        ...         f"{folder}/atlas.npz",
        ...         names=["AVAL", "AVBL"],
        ...         dFF=table,
        ...         q=table,
        ...         q_eq=table,
        ...         occ=seen,
        ...         dFF_all_value=[0.4, 0.6],
        ...         dFF_all_i=[0, 0],
        ...         dFF_all_j=[1, 1],
        ...     )
        ...     atlas = read_funatlas(f"{folder}/atlas.npz")
        >>> float(atlas.response[atlas.names.index("AVBL"), atlas.names.index("AVAL")])
        0.5
    """
    arrays = read_npz(path, {"names", *_TABLES, *_TRIALS})
    try:
        return _atlas(arrays)
    except ValueError as error:
        raise ValueError(f"{fspath(path)!r} is no signal propagation atlas: {error}") from error


def _atlas(arrays: dict[str, np.ndarray]) -> FunctionalAtlas:
    missing = {"names", *_TABLES, *_TRIALS} - arrays.keys()
    if missing:
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    names = _names(arrays["names"])
    n = len(names)
    tables = {key: _table(key, arrays[key], n) for key in _TABLES}
    if (tables["occ"] < 0).any():
        raise ValueError("occ, a number of observations, is negative somewhere")
    value, i, j = (arrays[key] for key in _TRIALS)
    if value.ndim != 1 or not value.shape == i.shape == j.shape or value.dtype.kind != "f":
        raise ValueError(f"{', '.join(_TRIALS)} must be lists of the same length, the first floats")
    for key, index in (("dFF_all_i", i), ("dFF_all_j", j)):
        if index.dtype.kind not in "iu" or (len(index) and not 0 <= index.min() <= index.max() < n):
            raise ValueError(f"{key} must be indices from 0 to {n - 1}")
    return FunctionalAtlas(
        names,
        response=tables["dFF"],
        q=tables["q"],
        q_equivalence=tables["q_eq"],
        observations=tables["occ"],
        trial_response=value.astype(np.float64),
        trial_stimulated=j.astype(np.int64),
        trial_responding=i.astype(np.int64),
    )


def _names(given: np.ndarray) -> tuple[str, ...]:
    if given.ndim != 1 or given.dtype.kind not in "SU":
        raise ValueError(f"names must be a list of strings, not {given.dtype} {given.shape}")
    try:
        text = given.astype(str).tolist()
    except UnicodeDecodeError as error:
        raise ValueError("names are not plain ASCII") from error
    return labels("names", ["AWCOFF" if name == "AWCOF" else name for name in text])


def _table(key: str, given: np.ndarray, n: int) -> np.ndarray:
    """One table, turned from the files' [responding, stimulated] to ours."""
    kinds, dtype = ("iu", np.int64) if key == "occ" else ("f", np.float64)
    if given.shape != (n, n) or given.dtype.kind not in kinds:
        raise ValueError(
            f"{key} must be a table ({n}, {n}) of {dtype.__name__}, one row and column per name, "
            f"not {given.dtype} {given.shape}"
        )
    table = np.ascontiguousarray(given.T.astype(dtype))
    if np.isinf(table).any():
        raise ValueError(f"{key} is infinite somewhere")
    if key in ("q", "q_eq") and ((table < 0) | (table > 1)).any():
        raise ValueError(f"{key}, a probability, lies outside [0, 1] somewhere")
    return table
