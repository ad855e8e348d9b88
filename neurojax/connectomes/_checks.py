"""What a `Connectome` demands of what it is given."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def labels(argument: str, given: Iterable[str], n: int | None = None) -> tuple[str, ...]:
    """A tuple of strings: n of them, or, where n is `None`, different non-empty ones."""
    if isinstance(given, str):
        raise ValueError(f"{argument} must be a sequence of strings, not one string {given!r}")
    kept = tuple(given)
    for entry in kept:
        if not isinstance(entry, str):
            raise ValueError(f"{argument} must be strings, but one is {entry!r}")
    kept = tuple(str(entry) for entry in kept)  # numpy's strings become Python's
    if n is None:
        if "" in kept:
            raise ValueError(f"{argument}[{kept.index('')}] is empty; every neuron needs a name")
        twice = [name for name, count in Counter(kept).items() if count > 1]
        if twice:
            raise ValueError(
                f"{argument} must be different, but {twice[0]!r} occurs more than once"
            )
    elif len(kept) != n:
        raise ValueError(f"{argument} must have one entry per name, {n}, but has {len(kept)}")
    return kept


def adjacency(
    argument: str, given: Any, n: int, symmetric_in: Sequence[str] | None = None
) -> np.ndarray:
    """A read-only float64 matrix [n, n] of finite, non-negative weights."""
    matrix = _numbers(argument, given)
    if matrix.shape != (n, n):
        raise ValueError(
            f"{argument} must have shape (neuron, neuron) = ({n}, {n}), as there are {n} names, "
            f"but the shape is {matrix.shape}"
        )
    bad = ~(np.isfinite(matrix) & (matrix >= 0))
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise ValueError(
            f"{argument} must be finite and non-negative, but {argument}[{i}, {j}] = "
            f"{matrix[i, j]}; signs go into the argument signs"
        )
    if symmetric_in is not None and not np.array_equal(matrix, matrix.T):
        i, j = np.argwhere(matrix != matrix.T)[0]
        raise ValueError(
            f"{argument} must be symmetric, but from {symmetric_in[i]!r} to {symmetric_in[j]!r} it "
            f"is {matrix[i, j]} and back it is {matrix[j, i]}"
        )
    return _read_only(matrix)


def sign_table(given: Any, edges: np.ndarray) -> np.ndarray:
    """A read-only int8 matrix of -1, 0, +1, zero off the edges."""
    if given is None:
        return _read_only(np.zeros(edges.shape, dtype=np.int8))
    signs = _numbers("signs", given)
    if signs.shape != edges.shape:
        raise ValueError(
            f"signs must have the shape of chemical, {edges.shape}, but the shape is {signs.shape}"
        )
    strange = ~np.isin(signs, (-1, 0, 1))
    if strange.any():
        i, j = np.argwhere(strange)[0]
        raise ValueError(
            f"signs must be -1, 0 (free) or +1, but signs[{i}, {j}] = {signs[i, j]:g}; set codes "
            "that mean complex or not predicted to 0"
        )
    return _read_only(np.where(edges, signs, 0).astype(np.int8))


def positions_in_space(given: Any, n: int) -> np.ndarray:
    """A read-only float64 matrix [n, 3], `NaN` where a place is not known."""
    if given is None:
        return _read_only(np.full((n, 3), np.nan))
    places = _numbers("positions", given)
    if places.shape != (n, 3):
        raise ValueError(
            f"positions must have shape (neuron, 3) = ({n}, 3), but the shape is {places.shape}"
        )
    if np.isinf(places).any():
        raise ValueError("positions must not be infinite; use NaN for a place that is not known")
    return _read_only(places)


def _numbers(argument: str, given: Any) -> np.ndarray:
    try:
        array = np.asarray(given)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"its type is {array.dtype}")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{argument} must be an array of real numbers: {error}") from error
    return array.astype(np.float64)  # a copy: later changes to what was given stay outside


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
