"""Reads the documents of one file of a target set, as a stream."""

import difflib
from collections.abc import Iterator
from typing import Any

from upath import UPath

from quadmix_assets.corpus.normalize import normalize
from quadmix_assets.corpus.readers import RowError, is_parquet
from quadmix_assets.corpus.readers.jsonl import read_records
from quadmix_assets.corpus.readers.limits import MAX_TEXT_BYTES
from quadmix_assets.corpus.readers.parquet import read_parquet_rows
from quadmix_assets.corpus.readers.values import id_of
from quadmix_assets.corpus.target_document import TargetDocument, choices_of, joined
from quadmix_assets.corpus.target_formats.base import TargetFormat
from quadmix_assets.corpus.target_formats.registry import target_format
from quadmix_assets.corpus.template import parse_template


def target_documents(
    path: UPath,
    *,
    setting: str,
    key: str,
    text_column: str,
    id_column: str,
    template: str | None,
    format: str | None,
) -> Iterator[TargetDocument]:
    """The documents of one file, in order.

    Args:
        path: the file.
        setting: where the settings name the set, such as `targets[openhermes]`, for messages.
        key: prefix of the ids "<key>:<row>" of rows that have none.
        text_column: column of the text, where neither template nor format is given.
        id_column: column of the id; it may be absent.
        template: filled in with the columns of the row, or with the fields of the format.
        format: name of a target format; None without one.

    Raises:
        UnreadableShardError: the file cannot be read, or has no text column.
        ValueError: a row cannot be used; the message names file, row and reason.
    """
    if template is None and format is None:
        return _text_documents(path, key, text_column, id_column)
    kind = None if format is None else target_format(format)
    return _filled_documents(path, setting, key, template, kind, id_column)


def _text_documents(
    path: UPath, key: str, text_column: str, id_column: str
) -> Iterator[TargetDocument]:
    for batch in normalize(
        path,
        shard_key=key,
        text_column=text_column,
        id_column=id_column,
        source_column=None,
        carried_columns={},
        max_text_bytes=MAX_TEXT_BYTES,
    ):
        for bad in batch.quarantined.slice(0, 1).to_pylist():
            raise _bad_row(path, bad["row"], f"{bad['reason']}: {bad['detail']}")
        documents = batch.documents
        for id_, text in zip(
            documents["id"].to_pylist(), documents["text"].to_pylist(), strict=True
        ):
            yield TargetDocument(id_, text)


def _filled_documents(
    path: UPath,
    setting: str,
    key: str,
    template: str | None,
    format: TargetFormat | None,
    id_column: str,
) -> Iterator[TargetDocument]:
    pattern = template if template is not None else (format.template if format else "")
    try:
        filled = parse_template(pattern)
    except ValueError as error:
        raise ValueError(f"{setting}.template: {error}.") from error
    for row, record in _records(path):
        try:
            pieces = [record] if format is None else format.fields(record)
            text, words = joined([filled.fill(piece) for piece in pieces])
            is_question = format is not None and format.has_choices
            choices = choices_of(filled, pieces[0]) if is_question else ()
            id_ = id_of(record.get(id_column))
        except RowError as error:
            raise _bad_row(path, row, error.detail) from error
        except (LookupError, AttributeError, ValueError, TypeError) as error:
            expected = "" if format is None else f" its format expects {format.columns};"
            key_error = error.args[0] if isinstance(error, KeyError) else None
            near = difflib.get_close_matches(str(key_error), record, n=1) if key_error else []
            raise _bad_row(
                path,
                row,
                f"{setting}.template {pattern!r} cannot be filled in "
                f"({type(error).__name__}: {error});{expected} the row has the columns "
                f"{', '.join(record)}" + (f" (did you mean {near[0]!r}?)" if near else ""),
            ) from error
        if not text.strip():
            raise _bad_row(path, row, "the filled-in template is empty")
        yield TargetDocument(id_ or f"{key}:{row}", text, words, choices)


def _records(path: UPath) -> Iterator[tuple[int, dict[str, Any]]]:
    if is_parquet(path):
        yield from enumerate(read_parquet_rows(path), start=1)
        return
    for line, record in read_records(path, max_text_bytes=MAX_TEXT_BYTES):
        if isinstance(record, RowError):
            raise _bad_row(path, line.row, f"{record.reason}: {record.detail}")
        yield line.row, record


def _bad_row(path: UPath, row: int, problem: str) -> ValueError:
    return ValueError(
        f"{path}, row {row}: {problem}. Correct or delete the row: every row of a target set is "
        "used."
    )
