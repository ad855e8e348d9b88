"""Exact draws of many edges at once.

Why redrawing duplicates alone is exactly uniform over sets: which values are kept and how many
are drawn again depends on the values only through which of them are equal (or forbidden). So the
procedure commutes with every renaming of the permitted values, the law of the final set is the
same for every renaming, and any set of that size can be renamed into any other.
"""

from collections.abc import Iterator
from decimal import Decimal, localcontext

import numpy as np

from .pairs import Pairs

_CHUNK = 2**20  # numbers per chunk: bounds memory, and keeps a chunk in the cache
_SPARSE = 0.25  # below this probability jumping over what is absent is cheaper than asking each


def bernoulli_cells(n_cells: int, p: float, rng: np.random.Generator) -> np.ndarray:
    """The numbers below `n_cells` of which each is chosen by itself with probability p; rising."""
    if p <= 0 or n_cells == 0:
        return np.zeros(0, np.int64)
    if p >= 1:
        return np.arange(n_cells, dtype=np.int64)
    if p >= _SPARSE:
        chunks = range(0, n_cells, _CHUNK)
        found = [a + np.flatnonzero(rng.random(min(_CHUNK, n_cells - a)) < p) for a in chunks]
        return np.concatenate(found).astype(np.int64, copy=False)
    found, last = [], -1
    # Gaps are geometric, found by inversion. The logarithm is that of `decimal`, since the last
    # bit of a math library's differs between platforms.
    with localcontext(prec=50):
        rate = float(-(1 - Decimal(p)).ln()) if p > 1e-20 else p
    scale = 1.0 / rate
    count = min(_CHUNK, int(1.05 * p * n_cells) + 64)
    while last < n_cells - 1:
        gaps = np.minimum(rng.standard_exponential(count) * scale, n_cells).astype(np.int64)
        gaps += 1
        gaps[0] += last
        cells = np.cumsum(gaps, out=gaps)
        last = int(cells[-1])
        found.append(cells[: np.searchsorted(cells, n_cells)] if last >= n_cells else cells)
    return np.concatenate(found)


def bernoulli_chunks(
    n_rows: int, n_columns: int, p: float, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(row, column) of the chosen cells of a table, a few rows at a time."""
    rows = max(1, _CHUNK // n_columns)
    if p < _SPARSE:
        rows = max(1, int(min(_CHUNK / max(p * n_columns, 1e-9), n_rows)))
    for a in range(0, n_rows, rows):
        b = min(a + rows, n_rows)
        yield from_cells(bernoulli_cells((b - a) * n_columns, p, rng), b - a, n_columns, a)


def from_cells(
    cells: np.ndarray, n_rows: int, n_columns: int, first: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Row and column, both int32, of the rising numbers of cells of a table."""
    starts = np.arange(n_rows + 1, dtype=np.int64) * n_columns
    bounds = np.searchsorted(cells, starts)
    row = np.repeat(np.arange(first, first + n_rows, dtype=np.int32), np.diff(bounds))
    column = cells - np.repeat(starts[:-1], np.diff(bounds))
    return row, column.astype(np.int32)


def rows_of_partners(
    counts: np.ndarray,
    n: int,
    hole: np.ndarray,
    distinct: bool,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """(indptr, partners): `counts[r]` uniform partners below n for row r, never `hole[r]`.

    Rising in each row. `hole` is -1 where all are permitted.
    """
    indptr = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=indptr[1:])
    partners = np.empty(indptr[-1], np.int32)
    draw = _sets if distinct else _lists
    # Rows with as many partners out of as many are drawn together.
    kinds, kind = np.unique(2 * counts + (hole >= 0), return_inverse=True)
    for which, code in enumerate(kinds.tolist()):
        k, among = code // 2, n - code % 2
        if k == 0:
            continue
        members = np.flatnonzero(kind == which)
        step = max(1, _CHUNK // k)
        for a in range(0, len(members), step):
            rows = members[a : a + step]
            drawn = draw(len(rows), k, among, rng)
            if among < n:
                drawn += drawn >= hole[rows, None]
            if len(kinds) == 1:
                partners[a * k : (a + len(rows)) * k] = drawn.ravel()
            else:
                partners[indptr[rows, None] + np.arange(k)] = drawn
    return indptr, partners


def _lists(rows: int, k: int, n: int, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.integers(0, n, (rows, k), dtype=np.int32)
    drawn.sort(axis=1)
    return drawn


def _sets(rows: int, k: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform sets of k of the numbers below n, one a row, rising."""
    if 2 * k > n:  # the complement is the smaller set
        kept = np.ones((rows, n), bool)
        if k < n:
            np.put_along_axis(kept, _sets(rows, n - k, n, rng), False, axis=1)
        return np.nonzero(kept)[1].astype(np.int32).reshape(rows, k)
    drawn = _lists(rows, k, n, rng)
    redraw_duplicates(drawn, lambda count: rng.integers(0, n, count, dtype=np.int32))
    return drawn


def redraw_duplicates(drawn: np.ndarray, draw, name=lambda x: x) -> None:
    """Replace, in place, entries of sorted rows that equal the one before by `draw(count)`.

    `name` gives what is compared. Of equal ones the first is kept.
    """
    twice = name(drawn[:, 1:]) == name(drawn[:, :-1])
    bad = np.flatnonzero(twice.any(axis=1))
    if len(bad) == 0:
        return
    rows, again = drawn[bad], twice[bad]
    rows[:, 1:][again] = draw(int(np.count_nonzero(again)))
    rows.sort(axis=1)
    redraw_duplicates(rows, draw, name)
    drawn[bad] = rows


def distinct_cells(n: int, pairs: Pairs, self_edges: bool, rng: np.random.Generator) -> np.ndarray:
    """A uniform set of n permitted cells of the table [pre, post], rising."""
    holes = 0 if self_edges else pairs.n_self
    permitted = pairs.n_cells - holes
    if 2 * n > permitted:
        kept = np.ones((pairs.n_pre, pairs.n_post), bool)
        if holes:
            pre = np.flatnonzero(pairs.self_of_pre >= 0)
            kept[pre, pairs.self_of_pre[pre]] = False
        if n < permitted:
            kept.ravel()[distinct_cells(permitted - n, pairs, self_edges, rng)] = False
        return np.flatnonzero(kept).astype(np.int64, copy=False)
    chosen = np.zeros(0, np.int64)
    while len(chosen) < n:
        drawn = np.sort(_permitted_cells(n - len(chosen), pairs, self_edges, rng))
        fresh = np.ones(len(drawn), bool)
        fresh[1:] = drawn[1:] != drawn[:-1]
        if len(chosen):
            place = np.minimum(np.searchsorted(chosen, drawn), len(chosen) - 1)
            fresh &= chosen[place] != drawn
        # two runs that are sorted: the stable sort merges them
        chosen = np.sort(np.concatenate([chosen, drawn[fresh]]), kind="stable")
    return chosen


def cells_with_repeats(
    n: int, pairs: Pairs, self_edges: bool, rng: np.random.Generator
) -> np.ndarray:
    """Independent permitted cells of the table [pre, post], rising."""
    drawn = [np.zeros(0, np.int64)]
    missing = n
    while missing:
        drawn.append(_permitted_cells(missing, pairs, self_edges, rng))
        missing -= len(drawn[-1])
    return np.sort(np.concatenate(drawn))


def _permitted_cells(n: int, pairs: Pairs, self_edges: bool, rng: np.random.Generator):
    """Uniform cells, n less those that are a neuron with itself."""
    cells = rng.integers(0, pairs.n_cells, n, dtype=np.int64)
    if self_edges or pairs.n_self == 0:
        return cells
    pre, post = np.divmod(cells, pairs.n_post)
    return cells[pairs.differ(pre, post)]
