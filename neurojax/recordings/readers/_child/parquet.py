"""The homogenised C. elegans table: one row per animal and neuron. See `read_parquet`."""

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .budget import Budget
from .refused import Refused

_TEXTS = ("source_dataset", "worm", "neuron")
_FLAG = "is_labeled_neuron"
_OTHER_FLAG = "is_unlabeled_neuron"
_SAMPLES = {
    "calcium": ("calcium_data", "time_in_seconds"),
    "original": ("original_calcium_data", "original_time_in_seconds"),
}
_METADATA = ("raw_data_file", "smooth_method", "interpolate_method")
_ROWS_AT_ONCE = 256
_MAX_ROWS = 10_000_000


@dataclasses.dataclass
class _Worm:
    """Rows of one animal, as they come."""

    source: str
    worm: str
    metadata: dict[str, str]
    labels: list[str] = dataclasses.field(default_factory=list)
    traces: list[np.ndarray] = dataclasses.field(default_factory=list)
    clocks: list[np.ndarray] = dataclasses.field(default_factory=list)
    rows: list[int] = dataclasses.field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.source}/{self.worm}"


def read(path: str, budget: Budget, which: str) -> list[dict[str, Any]]:
    """One recording per source and worm, in the order of their first rows."""
    try:
        file = pq.ParquetFile(path, memory_map=False, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise Refused(f"it is not a readable Parquet file ({error})") from error
    with file:
        columns = _checked_columns(file, which)
        _check_sizes(file, columns, budget)
        worms: dict[tuple[str, str], _Worm] = {}
        row = 0
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns, use_threads=False):
            table = {k: batch.column(k) for k in columns}
            for i in range(batch.num_rows):
                _add_row(worms, table, i, row, which, budget)
                row += 1
        if row != file.metadata.num_rows:
            raise Refused(f"it announces {file.metadata.num_rows} rows, but has {row}")
    if not worms:
        raise Refused("it has no rows")
    return [_recording(worm, budget) for worm in worms.values()]


# --- the schema -------------------------------------------------------------------------------


def _checked_columns(file: pq.ParquetFile, which: str) -> list[str]:
    """The columns to read; all of the right type."""
    schema = file.schema_arrow
    data, time = _SAMPLES[which]
    for name in (*_TEXTS, _FLAG, data, time):
        count = schema.names.count(name)
        if count != 1:
            other = next(k for k in _SAMPLES if k != which)
            hint = f"; try which={other!r}" if name in (data, time) and count == 0 else ""
            had = ", ".join(schema.names[:20])
            raise Refused(
                f"column {name} is missing{hint} (it has: {had})"
                if count == 0
                else f"column {name} occurs {count} times"
            )
    optional = [k for k in (*_METADATA, _OTHER_FLAG) if schema.names.count(k) == 1]
    columns = [*_TEXTS, _FLAG, data, time, *optional]
    for name in columns:
        kind = schema.field(name).type
        if name in (data, time):
            good, need = _is_list_of_numbers(kind), "lists of numbers"
        elif name in (_FLAG, _OTHER_FLAG):
            good, need = pa.types.is_boolean(kind), "booleans"
        else:
            good, need = _is_text(kind), "texts"
        if not good:
            raise Refused(f"column {name} must hold {need}, but its type is {str(kind)[:80]}")
    return columns


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_list_of_numbers(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_list(kind) for is_list in lists):
        return False
    return pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)


def _check_sizes(file: pq.ParquetFile, columns: list[str], budget: Budget) -> None:
    """What the file announces, before anything of it is decoded."""
    about = file.metadata
    if about.num_rows > _MAX_ROWS:
        raise Refused(f"it announces {about.num_rows:,} rows; at most {_MAX_ROWS:,} are read")
    size = 0
    for g in range(about.num_row_groups):
        group = about.row_group(g)
        for c in range(group.num_columns):
            chunk = group.column(c)
            if chunk.path_in_schema.split(".")[0] in columns:
                size += max(chunk.total_uncompressed_size, 0)
    budget.check("the table", size)


# --- rows -------------------------------------------------------------------------------------


def _add_row(
    worms: dict[tuple[str, str], _Worm],
    table: dict[str, pa.Array],
    i: int,
    row: int,
    which: str,
    budget: Budget,
) -> None:
    source, worm, neuron = (table[k][i].as_py() for k in _TEXTS)
    labelled = table[_FLAG][i].as_py()
    if source is None or worm is None or labelled is None or (labelled and not neuron):
        raise Refused(f"row {row} lacks one of {', '.join(_TEXTS)}, {_FLAG}")
    if _OTHER_FLAG in table and table[_OTHER_FLAG][i].as_py() is labelled:
        raise Refused(f"row {row} is {_FLAG} and {_OTHER_FLAG} alike")
    data, time = _SAMPLES[which]
    trace, clock = _numbers(table[data], i, row, data), _numbers(table[time], i, row, time)
    budget.spend(f"row {row}", trace.shape, 8)
    if len(trace) != len(clock):
        raise Refused(f"row {row} has {len(trace)} samples in {data} for {len(clock)} in {time}")
    # Worm ids repeat across sources, so both make the key.
    key = (source, worm)
    if key not in worms:
        texts = {k: table[k][i].as_py() for k in _METADATA if k in table}
        worms[key] = _Worm(source, worm, {k: v for k, v in texts.items() if v})
    animal = worms[key]
    # The `neuron` of an unlabelled row is a number within its animal: no name to join on.
    label = neuron.strip() if labelled else ""
    if label and not label.endswith("?") and label in animal.labels:
        raise Refused(f"row {row} is a second row of neuron {label!r} of {animal.name}")
    animal.labels.append(label)
    # Copies, since a view would keep its whole batch. Rows of an animal mostly share one clock.
    animal.traces.append(np.array(trace))
    same = animal.clocks and np.array_equal(animal.clocks[-1], clock)
    animal.clocks.append(animal.clocks[-1] if same else np.array(clock))
    animal.rows.append(row)


def _numbers(column: pa.Array, i: int, row: int, name: str) -> np.ndarray:
    scalar = column[i]
    if not scalar.is_valid:
        raise Refused(f"row {row} has nothing in column {name}")
    return scalar.values.to_numpy(zero_copy_only=False)


# --- one animal -------------------------------------------------------------------------------


def _recording(worm: _Worm, budget: Budget) -> dict[str, Any]:
    """Traces on the longest clock; a shorter row must lie on it and is missing elsewhere."""
    clock = max(worm.clocks, key=len).astype(np.float64)
    if not np.isfinite(clock).all() or (np.diff(clock) <= 0).any():
        raise Refused(f"the times of {worm.name} must be finite and strictly increasing")
    dtype = np.float32 if all(t.dtype == np.float32 for t in worm.traces) else np.float64
    budget.spend(worm.name, (len(clock), len(worm.traces)), 8)
    values = np.full((len(clock), len(worm.traces)), np.nan, dtype)
    for column, (trace, times) in enumerate(zip(worm.traces, worm.clocks, strict=True)):
        values[_frames(times, clock, worm, column), column] = trace
    return {
        "times": clock,
        "values": values,
        "labels": worm.labels,
        "name": worm.name,
        "metadata": {"source": worm.source, "worm": worm.worm, **worm.metadata},
    }


def _frames(times: np.ndarray, clock: np.ndarray, worm: _Worm, column: int) -> Any:
    """Where the times of a row lie on the clock of its animal."""
    times = times.astype(np.float64)
    if len(times) == len(clock) and np.array_equal(times, clock):
        return slice(None)
    frames = np.searchsorted(clock, times)
    frames = np.minimum(frames, max(len(clock) - 1, 0))
    if len(times) and (
        not len(clock) or (clock[frames] != times).any() or (np.diff(frames) <= 0).any()
    ):
        raise Refused(
            f"row {worm.rows[column]} of {worm.name} was sampled at other times than its other "
            "rows; resample them to a common clock first"
        )
    return frames
