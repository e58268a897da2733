"""Reads Parquet files as batches of columns."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

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
    without_dictionary,
)
from quadmix_assets.corpus.readers.batch import Columns, ReadBatch, Rejection, excerpt
from quadmix_assets.corpus.readers.errors import (
    MissingTextColumnError,
    RowError,
    UnreadableShardError,
)
from quadmix_assets.corpus.readers.files import open_input
from quadmix_assets.corpus.readers.limits import MAX_BATCH_BYTES
from quadmix_assets.corpus.readers.parquet_layout import (
    EncryptedError,
    Layout,
    LayoutError,
    read_layout,
)
from quadmix_assets.corpus.readers.parquet_limits import rows_at_once
from quadmix_assets.corpus.readers.values import CARRIED_TYPES

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class _File:
    """An open file, with what its footer says of its row groups and pages.

    Arrow's own objects for these end the process where a column is encrypted.
    """

    path: UPath
    stream: BinaryIO
    parquet: pq.ParquetFile
    layout: Layout


def read_parquet(path: UPath, columns: Columns, *, batch_rows: int) -> Iterator[ReadBatch]:
    """Read a Parquet file; columns other than the text may be absent and are then null.

    Raises:
        UnreadableShardError: the file does not exist, is cut, damaged or encrypted, would take too
            much memory, or its text column is absent or of a type that cannot hold text.
    """
    first_row = 1
    with _open(path) as file:
        schema = _checked_schema(path, file.parquet, columns)
        present = [name for name in columns.names() if _find(schema, name) is not None]
        for batch in _batches(file, batch_rows, present):
            yield _convert(batch, columns, first_row, frozenset(present))
            first_row += batch.num_rows
        if first_row - 1 != file.layout.n_rows:
            raise UnreadableShardError(
                path,
                f"its footer says that it has {file.layout.n_rows} rows, but {first_row - 1} are "
                "there.",
                "Write or upload the file again.",
            )


def read_parquet_rows(path: UPath) -> Iterator[dict[str, Any]]:
    """Every row with all its columns, for small files.

    Raises:
        UnreadableShardError: the file does not exist, or is cut, damaged or encrypted.
    """
    with _open(path) as file:
        for batch in _batches(file, _ROWS_AT_ONCE, None):
            yield from _python_rows(path, batch)


def read_parquet_start(path: UPath, n_rows: int) -> tuple[list[dict[str, Any]], list[str], int]:
    """Read the first rows; fewer than `n_rows` if they are long.

    Returns:
        The rows with all their columns, the names of the columns, and the file's number of rows.

    Raises:
        UnreadableShardError: the file does not exist, or is cut, damaged or encrypted.
    """
    with _open(path) as file:
        first = next(_batches(file, n_rows, None), None)
        rows = [] if first is None else _python_rows(path, first.slice(0, n_rows))
        return rows, file.parquet.schema_arrow.names, file.layout.n_rows


@contextmanager
def _open(path: UPath) -> Iterator[_File]:
    try:
        stream = open_input(path)
    except (FileNotFoundError, PermissionError) as error:
        raise UnreadableShardError(
            path, f"the file cannot be opened ({error}).", "Put it back or make it readable."
        ) from error
    with stream:
        try:
            layout = read_layout(stream)
            parquet = pq.ParquetFile(stream)
            parquet.schema_arrow  # noqa: B018  (names that are not UTF-8 come up here)
        except EncryptedError as error:
            raise UnreadableShardError(
                path, f"{error}.", "Write the file again without encryption."
            ) from error
        except (pa.ArrowException, LayoutError, UnicodeDecodeError, OSError) as error:
            raise UnreadableShardError(
                path,
                f"it has no readable Parquet footer ({error}).",
                "A Parquet file ends in its footer, so a file that was cut has none: upload it "
                "again. If it is no Parquet file, give it the suffix of its format.",
            ) from error
        with parquet:
            yield _File(path, stream, parquet, layout)


def _batches(file: _File, batch_rows: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    """Batches of up to `batch_rows` rows and about MAX_BATCH_BYTES, without dictionaries."""
    waiting: list[pa.RecordBatch] = []
    n_rows = n_waiting = n_bytes = 0
    try:
        for piece in _pieces(file, batch_rows, columns):
            n_bytes += piece.nbytes
            if waiting and (n_waiting + len(piece) > batch_rows or n_bytes > MAX_BATCH_BYTES):
                yield _joined(waiting)
                n_rows += n_waiting
                waiting, n_waiting, n_bytes = [], 0, piece.nbytes
            waiting.append(piece)
            n_waiting += len(piece)
        if waiting:
            yield _joined(waiting)
    except (pa.ArrowException, LayoutError, OSError) as error:
        raise UnreadableShardError(
            file.path,
            f"the Parquet data is damaged after {n_rows + n_waiting} rows ({error}).",
            "Write or upload the file again.",
        ) from error


def _pieces(file: _File, batch_rows: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    """The row groups in pieces, which have few rows where a row may be long."""
    for number, group in enumerate(file.layout.row_groups):
        if not group.n_rows:
            continue
        n_rows = min(batch_rows, rows_at_once(file.path, file.stream, group, columns))
        for piece in file.parquet.iter_batches(n_rows, row_groups=[number], columns=columns):
            if len(piece):
                yield pa.RecordBatch.from_arrays(
                    [without_dictionary(column) for column in piece.columns], piece.schema.names
                )


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _python_rows(path: UPath, batch: pa.RecordBatch) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException) as error:
        raise UnreadableShardError(
            path,
            f"a value has no counterpart in Python ({error}).",
            "Write such columns as strings, or leave them out.",
        ) from error
    return rows


def _checked_schema(path: UPath, file: pq.ParquetFile, columns: Columns) -> pa.Schema:
    schema = file.schema_arrow
    for name in columns.names():
        if schema.names.count(name) > 1:
            raise UnreadableShardError(
                path,
                f"it has {schema.names.count(name)} columns named {name!r}.",
                "Rename or drop all but one of them.",
            )
    field = _find(schema, columns.text)
    if field is None:
        raise MissingTextColumnError.of(path, columns.text, schema.names)
    if not is_text_type(field.type):
        raise UnreadableShardError(
            path,
            f"its column {columns.text!r} is of type {field.type}, which cannot hold text.",
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
