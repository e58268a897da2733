"""Normalize an input file: usable rows become documents of one schema, others are quarantined.

Every row of the input ends up in exactly one of the two.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from quadmix_assets.corpus.readers import (
    CARRIED_TYPES,
    Columns,
    ReadBatch,
    Reason,
    Rejection,
    excerpt,
    read_shard,
)

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("shard", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("id", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("excerpt", pa.string(), nullable=False),
    ]
)
"""Rows that cannot be used: `row` counts from 1 (the line number in JSON lines), `id` is null where
it is unknown, `reason` is one of `readers.Reason`, `excerpt` at most 200 characters of the row."""

_OWN_FIELDS = (
    pa.field("id", pa.string(), nullable=False),
    pa.field("text", pa.large_string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("n_bytes", pa.int64(), nullable=False),
)
# A character that is neither white space nor a control or format character (as zero-width ones).
_VISIBLE = r"[^\p{Z}\p{Cc}\p{Cf}]"


class LostRowsError(RuntimeError):
    """Rows of an input file are neither documents nor in quarantine, or are twice."""


@dataclass(frozen=True, slots=True)
class NormalizedBatch:
    """Consecutive rows of an input file.

    Attributes:
        documents: the usable rows, with the schema `documents_schema`.
        quarantined: the other rows, with the schema `QUARANTINE_SCHEMA`.
        present: the requested input columns that were found in the file so far.
    """

    documents: pa.Table
    quarantined: pa.Table
    present: frozenset[str]


def documents_schema(carried_columns: Mapping[str, str]) -> pa.Schema:
    """The schema id, text, source, n_bytes (of the text in UTF-8), then nullable carried columns.

    Raises:
        ValueError: a carried column has the name of one of the four, or an unknown type.
    """
    own = [field.name for field in _OWN_FIELDS]
    for name, kind in carried_columns.items():
        if name in own:
            raise ValueError(
                f"corpus.carried_columns: {name!r} is a column of every normalized shard. Carry "
                "the input's column under another name, or drop it from the setting (id and "
                "source have settings of their own)."
            )
        if kind not in CARRIED_TYPES:
            raise ValueError(
                f"corpus.carried_columns: {name!r} has the type {kind!r}; expected one of "
                f"{', '.join(CARRIED_TYPES)}."
            )
    carried = [pa.field(name, CARRIED_TYPES[kind]) for name, kind in carried_columns.items()]
    return pa.schema([*_OWN_FIELDS, *carried])


def normalize(
    path: UPath,
    *,
    shard_key: str,
    text_column: str,
    id_column: str | None,
    source_column: str | None,
    carried_columns: Mapping[str, str],
    max_text_bytes: int,
    batch_rows: int = 4096,
) -> Iterator[NormalizedBatch]:
    """Read an input file as a stream of batches, each within about 32 MiB of input.

    Where a row has no id, it is "<shard_key>:<row>", rows counted from 1; where it has no source,
    that is the shard key. `carried_columns` maps further input columns to their type (string,
    int, float, bool); they are null where the input has no value. A column a.b is field b of
    column a where no column has that name. Texts are kept exactly as they are. Of rows with the
    same id the first usable one becomes a document. An empty file yields no batch. The ids of the
    file are in memory.

    Raises:
        UnreadableShardError: the file as a whole cannot be used.
        LostRowsError: a row was lost, which is an error of the program.
        ValueError: see `documents_schema`.
    """
    schema = documents_schema(carried_columns)
    columns = Columns(text_column, id_column, source_column, carried_columns)
    batches = read_shard(path, columns, max_text_bytes=max_text_bytes, batch_rows=batch_rows)
    seen: set[str] = set()
    n_rows = 0
    for batch in batches:
        normalized = _normalize_batch(batch, schema, shard_key, max_text_bytes, seen)
        _require_every_row(batch, normalized, n_rows, path)
        n_rows += batch.n_rows
        yield normalized


def _require_every_row(
    batch: ReadBatch, normalized: NormalizedBatch, n_before: int, path: UPath
) -> None:
    """Check that a batch holds the rows that come next, and that each has become one row.

    Raises:
        LostRowsError: it does not.
    """
    rows = [*batch.rows.to_pylist(), *(rejection.row for rejection in batch.rejected)]
    expected = range(n_before + 1, n_before + 1 + len(rows))
    n_out = len(normalized.documents) + len(normalized.quarantined)
    if sorted(rows) != list(expected) or n_out != len(rows):
        raise LostRowsError(
            f"{path}: of rows {expected.start} to {expected.stop - 1}, {len(set(rows))} were read "
            f"and {n_out} were written, as documents or to quarantine. This is an error of the "
            "program: please report it with the file."
        )


def _normalize_batch(
    batch: ReadBatch, schema: pa.Schema, shard_key: str, max_text_bytes: int, seen: set[str]
) -> NormalizedBatch:
    """One batch; the ids of its documents are added to those that the file has `seen` so far."""
    n_bytes = pc.binary_length(batch.text).cast(pa.int64())
    too_large = pc.greater(n_bytes, max_text_bytes)
    usable = pc.and_not(pc.match_substring_regex(batch.text, _VISIBLE), too_large)
    derived = pc.binary_join_element_wise(shard_key, batch.rows.cast(pa.string()), ":")
    documents = pa.table(
        [
            pc.coalesce(batch.ids, derived),
            batch.text,
            pc.coalesce(batch.source, shard_key),
            n_bytes,
            *batch.carried.values(),
        ],
        schema=schema,
    )
    rejected = list(batch.rejected)
    for index in pc.indices_nonzero(pc.invert(usable)).to_pylist():
        text = batch.text[index].as_py()
        if too_large[index].as_py():
            reason = Reason.TOO_LARGE
            detail = f"the text has {n_bytes[index]} bytes, over the limit of {max_text_bytes}"
        else:
            reason = Reason.EMPTY_TEXT
            detail = f"the text has {len(text)} characters, none of which is visible"
        rejected.append(
            Rejection(
                batch.rows[index].as_py(), batch.ids[index].as_py(), reason, detail, excerpt(text)
            )
        )
    if len(rejected) > len(batch.rejected):
        documents = documents.filter(usable)
    repeats = _repeats(documents.column("id").to_pylist(), seen)
    if repeats:
        rows = batch.rows.filter(usable)
        for index in repeats:
            id_ = documents.column("id")[index].as_py()
            detail = f"an earlier row of this file has the id {id_!r}"
            text = documents.column("text")[index].as_py()
            row = rows[index].as_py()
            rejected.append(Rejection(row, id_, Reason.DUPLICATE_ID, detail, excerpt(text)))
        first = np.ones(documents.num_rows, dtype=bool)
        first[repeats] = False
        documents = documents.filter(pa.array(first))
    return NormalizedBatch(documents, _quarantine(rejected, shard_key), batch.present)


def _repeats(ids: list[str], seen: set[str]) -> list[int]:
    """Positions of the ids that were seen before; `seen` then holds the others too."""
    fresh = set(ids)
    if len(fresh) == len(ids) and seen.isdisjoint(fresh):
        seen |= fresh
        return []
    repeats = []
    for index, id_ in enumerate(ids):
        if id_ in seen:
            repeats.append(index)
        seen.add(id_)
    return repeats


def _quarantine(rejected: list[Rejection], shard_key: str) -> pa.Table:
    rows = sorted(rejected, key=lambda rejection: rejection.row)
    return pa.table(
        {
            "shard": [shard_key] * len(rows),
            "row": [rejection.row for rejection in rows],
            "id": [rejection.id for rejection in rows],
            "reason": [str(rejection.reason) for rejection in rows],
            "detail": [rejection.detail for rejection in rows],
            "excerpt": [rejection.excerpt for rejection in rows],
        },
        schema=QUARANTINE_SCHEMA,
    )
