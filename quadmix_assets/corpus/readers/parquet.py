"""Reads Parquet files as batches of columns."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from quadmix_assets.corpus.readers.arrow_columns import (
    Converted,
    carried_column,
    id_column,
    is_text_type,
    text_column,
)
from quadmix_assets.corpus.readers.batch import (
    MAX_BATCH_BYTES,
    Columns,
    ReadBatch,
    Rejection,
    excerpt,
)
from quadmix_assets.corpus.readers.errors import (
    MissingTextColumnError,
    RowError,
    UnreadableShardError,
)
from quadmix_assets.corpus.readers.values import CARRIED_TYPES

_ROWS_AT_ONCE = 4096


def read_parquet(path: UPath, columns: Columns, *, batch_rows: int) -> Iterator[ReadBatch]:
    """Read a Parquet file; columns other than the text may be absent and are then null.

    Raises:
        UnreadableShardError: the file does not exist, is cut or damaged, or its text column is
            absent or of a type that cannot hold text.
    """
    first_row = 1
    with _open(path) as file:
        schema = _checked_schema(path, file, columns.text)
        present = [name for name in columns.names() if _find(schema, name) is not None]
        for batch in _batches(path, file, batch_rows, present):
            yield _convert(batch, columns, first_row, frozenset(present))
            first_row += batch.num_rows


def read_parquet_rows(path: UPath) -> Iterator[dict[str, Any]]:
    """Every row with all its columns, for small files.

    Raises:
        UnreadableShardError: the file does not exist, or is cut or damaged.
    """
    with _open(path) as file:
        for batch in _batches(path, file, _ROWS_AT_ONCE, None):
            yield from batch.to_pylist()


def read_parquet_start(path: UPath, n_rows: int) -> tuple[list[dict[str, Any]], list[str], int]:
    """Read the first rows; fewer than `n_rows` if they are long.

    Returns:
        The rows with all their columns, the names of the columns, and the file's number of rows.

    Raises:
        UnreadableShardError: the file does not exist, or is cut or damaged.
    """
    with _open(path) as file:
        batches = _batches(path, file, n_rows, None)
        first = next((batch for batch in batches if batch.num_rows), None)
        rows = [] if first is None else first.slice(0, n_rows).to_pylist()
        return rows, file.schema_arrow.names, file.metadata.num_rows


@contextmanager
def _open(path: UPath) -> Iterator[pq.ParquetFile]:
    try:
        stream = path.open("rb")
    except (FileNotFoundError, PermissionError) as error:
        raise UnreadableShardError(
            path, f"the file cannot be opened ({error}).", "Put it back or make it readable."
        ) from error
    with stream:
        try:
            file = pq.ParquetFile(stream)
        except (pa.ArrowException, OSError) as error:
            raise UnreadableShardError(
                path,
                f"it has no readable Parquet footer ({error}).",
                "A Parquet file ends in its footer, so a file that was cut has none: upload it "
                "again. If it is no Parquet file, give it the suffix of its format.",
            ) from error
        with file:
            yield file


def _batches(
    path: UPath, file: pq.ParquetFile, batch_rows: int, columns: list[str] | None
) -> Iterator[pa.RecordBatch]:
    """Batches of bounded size; a row group of long rows is read in smaller ones."""
    n_rows = 0
    try:
        for group in range(file.num_row_groups):
            rows = min(batch_rows, _rows_per_batch(file.metadata.row_group(group)))
            for batch in file.iter_batches(rows, row_groups=[group], columns=columns):
                yield batch
                n_rows += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise UnreadableShardError(
            path,
            f"the Parquet data is damaged after {n_rows} rows ({error}).",
            "Write or upload the file again.",
        ) from error


def _checked_schema(path: UPath, file: pq.ParquetFile, name: str) -> pa.Schema:
    schema = file.schema_arrow
    field = _find(schema, name)
    if field is None:
        raise MissingTextColumnError.of(path, name, schema.names)
    if not is_text_type(field.type):
        raise UnreadableShardError(
            path,
            f"its column {name!r} is of type {field.type}, which cannot hold text.",
            "Set corpus.text_column to a column of strings.",
        )
    return schema


def _find(schema: pa.Schema, name: str) -> pa.Field | None:
    """The column `name`, or field b of column a for "a.b" where no column has that name."""
    if schema.get_field_index(name) >= 0:
        return schema.field(name)
    first, *parts = name.split(".")
    if schema.get_field_index(first) < 0:
        return None
    field = schema.field(first)
    for part in parts:
        if not pa.types.is_struct(field.type) or field.type.get_field_index(part) < 0:
            return None
        field = field.type.field(part)
    return field


def _values(batch: pa.RecordBatch, name: str) -> pa.Array:
    if batch.schema.get_field_index(name) >= 0:
        return batch.column(name)
    first, *parts = name.split(".")
    return pc.struct_field(batch.column(first), parts)


def _rows_per_batch(group: pq.RowGroupMetaData) -> int:
    n_bytes = sum(group.column(i).total_uncompressed_size for i in range(group.num_columns))
    return max(1, MAX_BATCH_BYTES * max(group.num_rows, 1) // max(n_bytes, 1))


def _convert(
    batch: pa.RecordBatch, columns: Columns, first_row: int, present: frozenset[str]
) -> ReadBatch:
    given = _values(batch, columns.text)
    text, wrong_text = text_column(given)
    ids, wrong_ids = _optional(batch, columns.id, "string", id_column)
    source, wrong_source = _carried(batch, columns.source, "string")
    carried: dict[str, pa.Array] = {}
    wrong = wrong_source
    for name, kind in columns.carried.items():
        carried[name], wrong_carried = _carried(batch, name, kind)
        wrong = wrong | wrong_carried
    wrong = wrong | wrong_ids | wrong_text  # of several errors in a row, the text's is reported
    rows = pa.array(range(first_row, first_row + batch.num_rows), pa.int64())
    rejected = [
        _rejection(first_row + index, wrong[index], ids[index], given[index])
        for index in sorted(wrong)
    ]
    if rejected:
        good = pa.array([index not in wrong for index in range(batch.num_rows)], pa.bool_())
        rows, text, ids, source = (array.filter(good) for array in (rows, text, ids, source))
        carried = {name: values.filter(good) for name, values in carried.items()}
    return ReadBatch(rows, text, ids, source, carried, rejected, present)


def _carried(batch: pa.RecordBatch, name: str | None, kind: str) -> Converted:
    return _optional(batch, name, kind, lambda array: carried_column(array, kind, name or ""))


def _optional(
    batch: pa.RecordBatch, name: str | None, kind: str, convert: Callable[[pa.Array], Converted]
) -> Converted:
    if name is None or _find(batch.schema, name) is None:
        return pa.nulls(batch.num_rows, CARRIED_TYPES[kind]), {}
    return convert(_values(batch, name))


def _rejection(row: int, error: RowError, id_: pa.Scalar, text: pa.Scalar) -> Rejection:
    shown = text.cast(pa.large_binary()).as_py() if text.is_valid else ""
    return Rejection(row, id_.as_py(), error.reason, error.detail, excerpt(shown))
