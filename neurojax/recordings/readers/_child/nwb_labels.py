"""Who the columns of an NWB series and the rows of its units table are."""

import h5py
import numpy as np

from .budget import Budget
from .hdf5_file import (
    Unreachable,
    attribute,
    child,
    dataset_at,
    group_at,
    is_text,
    names,
    read_texts,
    read_whole,
    text_attribute,
)
from .nwb_series import Found
from .refused import Refused

# Columns of tables of regions or electrodes that name a neuron, in lower case, the most explicit
# first.
_COLUMNS = (
    "id_labels",
    "neuron_label",
    "neuron_name",
    "neuron_id",
    "neuron",
    "cell_name",
    "cell_id",
    "labels",
    "label",
    "roi_name",
    "channel_name",
    "name",
)
_UNIT_COLUMNS = ("unit_name", "label", "neuron_name", "name")


def column_labels(
    file: h5py.File, series: Found, columns: int, wanted: str | None, budget: Budget
) -> list[str]:
    """One label per column, `""` for those that nothing names.

    They come from a text column of the table that the series points into (regions of interest
    or electrodes), or from a list of labels in the same processing module, as C. elegans files
    have it.
    """
    table, rows = _table_rows(file, series, columns, budget)
    if table is not None:
        column = _label_column(table, wanted)
        if column is not None:
            texts = _column_texts(table, column, budget)
            bad = [r for r in rows if not 0 <= r < len(texts)]
            if bad:
                raise Refused(
                    f"{series.path} points to row {bad[0]} of {table.name}, whose column "
                    f"{column} has {len(texts)} rows"
                )
            return [texts[r].strip() for r in rows]
    if wanted is not None:
        raise Refused(f"{series.path} points to no table, so there is no column {wanted!r}")
    return _module_labels(file, series, columns, budget) or [""] * columns


def row_names(table: h5py.Group, rows: int, budget: Budget) -> list[str]:
    """Different names for the rows of a table: a text column, else the ids."""
    for column in _UNIT_COLUMNS:
        dataset = dataset_at(table, column)
        if dataset is not None and is_text(dataset):
            texts = read_texts(dataset, budget)
            if len(texts) == rows and len({*texts} - {""}) == rows:
                return texts
    ids = dataset_at(table, "id")
    if ids is not None:
        numbers = read_whole(ids, budget).ravel().tolist()
        if len(numbers) == rows and len({*numbers}) == rows:
            return [str(n) for n in numbers]
    return [str(i) for i in range(rows)]


def _table_rows(
    file: h5py.File, series: Found, columns: int, budget: Budget
) -> tuple[h5py.Group | None, list[int]]:
    for name in ("rois", "electrodes"):
        try:
            region = dataset_at(series.group, name)
        except Unreachable:
            continue
        if region is None:
            continue
        rows = read_whole(region, budget).ravel().tolist()
        if len(rows) != columns:
            raise Refused(f"{series.path}/{name} names {len(rows)} rows for {columns} columns")
        reference = attribute(region, "table")
        table = file[reference] if isinstance(reference, h5py.Reference) and reference else None
        return (table if isinstance(table, h5py.Group) else None), rows
    return None, []


def _label_column(table: h5py.Group, wanted: str | None) -> str | None:
    inside = names(table)
    # A column with an index beside it has several entries in a row.
    plain = [k for k in inside if f"{k}_index" not in inside]
    if wanted is not None:
        if wanted not in plain:
            raise Refused(f"{table.name} has no column {wanted!r} of labels", wanted, plain)
        return wanted
    for column in sorted((k for k in plain if k.lower() in _COLUMNS), key=_rank):
        dataset = dataset_at(table, column)
        if dataset is not None and dataset.ndim == 1 and is_text(dataset):
            return column
    return None


def _rank(column: str) -> int:
    return _COLUMNS.index(column.lower())


def _column_texts(table: h5py.Group, column: str, budget: Budget) -> list[str]:
    dataset = dataset_at(table, column)
    if dataset is not None and dataset.ndim == 1 and is_text(dataset):
        return read_texts(dataset, budget)
    if dataset is not None and dataset.ndim == 1 and dataset.dtype.kind in "iu":
        return [str(n) for n in np.asarray(read_whole(dataset, budget)).tolist()]
    raise Refused(f"column {column} of {table.name} holds neither texts nor whole numbers")


def _module_labels(
    file: h5py.File, series: Found, columns: int, budget: Budget
) -> list[str] | None:
    parts = series.path.split("/")
    module = group_at(file, "/".join(parts[:2])) if parts[0] == "processing" else None
    if module is None:
        return None
    for name in names(module):
        try:
            node = child(module, name)
            if not isinstance(node, h5py.Group):
                continue
            labels = dataset_at(node, "labels")
        except Unreachable:
            continue
        named = text_attribute(node, "neurodata_type") == "SegmentationLabels"
        if named and labels is not None and is_text(labels) and labels.shape == (columns,):
            return [t.strip() for t in read_texts(labels, budget)]
    return None
