"""Read a target set (curated text that the mix should make a model good at) and split it."""

import string
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.corpus.normalise import normalise
from quadmix_assets.corpus.readers import (
    MissingTextColumnError,
    RowError,
    is_parquet,
)
from quadmix_assets.corpus.readers.jsonl import read_records
from quadmix_assets.corpus.readers.parquet import read_parquet_rows
from quadmix_assets.corpus.readers.values import id_of
from quadmix_assets.corpus.target_formats import FORMATS, TargetFormat
from quadmix_assets.hashing import hash_number

_MAX_TEXT_BYTES = 64 << 20
_SCHEMA = {"id": pl.String, "text": pl.String}


def read_target_set(
    files: UPath | Sequence[UPath],
    *,
    name: str,
    text_column: str = "text",
    id_column: str = "id",
    template: str | None = None,
    format: str | None = None,
    max_documents: int | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """The documents of a target set as (id, text), in the order of the files and their rows.

    The text is `text_column`, or `template` filled in with the columns of each row as by
    `str.format`, for example "{prompt}\\n\\n{response}", or with the fields that `format`, one of
    `target_formats.FORMATS`, makes of the row. A row without an id gets "<name>:<row>" (of the
    second and later files "<name>-<file>:<row>"). Of more than `max_documents`, a sample is taken
    that depends on the ids and `seed` alone.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file cannot be read, or any of its rows cannot be used (a target set is
            curated, so that nothing is left out in silence), or an id occurs twice, or there is
            no document.
    """
    paths = [files] if isinstance(files, UPath) else list(files)
    frames = []
    for number, path in enumerate(paths):
        if not path.exists():
            raise FileNotFoundError(
                f"targets: the target set {name!r} should be read from {path}, and no such file "
                f"is there. Put it there, or correct targets[{name}].path in the settings."
            )
        key = name if number == 0 else f"{name}-{number}"
        try:
            if template is None and format is None:
                documents = _text_documents(path, key, text_column, id_column)
            else:
                kind = None if format is None else FORMATS[format]
                documents = _filled_documents(path, name, key, template, kind, id_column)
            frames.append(pl.DataFrame(list(documents), schema=_SCHEMA, orient="row"))
        except MissingTextColumnError as error:
            raise ValueError(
                f"{error.path}: {error.reason} Set targets[{name}].text_column to the one that "
                "holds the text, or give a template or a format."
            ) from error
    frame = pl.concat(frames)
    _check(frame, paths[0])
    if max_documents is not None and frame.height > max_documents:
        keys = pl.Series([_hash(id_, seed) for id_ in frame["id"]])
        frame = frame.filter(keys.rank("ordinal") <= max_documents)
    return frame


def split_target_set(
    frame: pl.DataFrame, *, fit_share: float, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split (id, text) into (fit, held_out): each text is in `fit` with probability `fit_share`.

    The side is a function of the text and the seed alone, so it depends neither on the order nor
    on the other documents, and equal texts are on the same side: a criterion that is fitted on
    one part has never seen a text of the other.

    Raises:
        ValueError: `fit_share` is not in [0, 1], or is within it but leaves a side empty.
    """
    if not 0.0 <= fit_share <= 1.0:
        raise ValueError(f"targets: fit_share is {fit_share}, expected a share between 0 and 1.")
    # The upper 53 bits, which a float holds exactly, as a number in [0, 1).
    uniform = [(_hash(text, seed) >> 11) / 2.0**53 for text in frame["text"]]
    in_fit = pl.Series(uniform, dtype=pl.Float64) < fit_share
    fit, held_out = frame.filter(in_fit), frame.filter(~in_fit)
    if 0.0 < fit_share < 1.0 and (fit.is_empty() or held_out.is_empty()):
        raise ValueError(
            f"targets: a fit_share of {fit_share} with seed {seed} splits {frame.height} documents "
            f"({frame['text'].n_unique()} different texts) into {fit.height} to fit criteria and "
            f"{held_out.height} to evaluate; both need some. Add documents or change fit_share."
        )
    return fit, held_out


def evaluation_order(frame: pl.DataFrame) -> pl.DataFrame:
    """The documents in the order of a hash of their ids: the first ones are a fair sample."""
    keys = pl.Series([_hash(id_, 0) for id_ in frame["id"]], dtype=pl.UInt64)
    return frame[keys.arg_sort()]


def n_evaluated(n_tokens: np.ndarray, max_tokens: int | None) -> int:
    """How many documents, in evaluation order with these tokens (D,), losses are measured on.

    They are taken while they fit in `max_tokens`; the first always is.
    """
    if max_tokens is None:
        return len(n_tokens)
    return max(1, int(np.searchsorted(np.cumsum(n_tokens), max_tokens, side="right")))


def _hash(value: str, seed: int) -> int:
    return hash_number(value.encode(), seed)


def _text_documents(
    path: UPath, key: str, text_column: str, id_column: str
) -> Iterator[tuple[str, str]]:
    for batch in normalise(
        path,
        shard_key=key,
        text_column=text_column,
        id_column=id_column,
        source_column=None,
        carried_columns={},
        max_text_bytes=_MAX_TEXT_BYTES,
    ):
        for bad in batch.quarantined.slice(0, 1).to_pylist():
            raise _bad_row(path, bad["row"], f"{bad['reason']}: {bad['detail']}")
        documents = batch.documents
        yield from zip(documents["id"].to_pylist(), documents["text"].to_pylist(), strict=True)


class _Filler(string.Formatter):
    """`str.format` that refuses null, which would be filled in as the word None."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            raise ValueError("a column that the template needs is null")
        return str(super().format_field(value, format_spec))


def _filled_documents(
    path: UPath,
    name: str,
    key: str,
    template: str | None,
    format: TargetFormat | None,
    id_column: str,
) -> Iterator[tuple[str, str]]:
    filler = _Filler()
    pattern = template if template is not None else (format.template if format else "")
    _check_template(filler, name, pattern)
    for row, record in _records(path):
        try:
            pieces = [record] if format is None else format.fields(record)
            text = "\n\n".join(filler.vformat(pattern, (), fields) for fields in pieces)
            id_ = id_of(record.get(id_column))
        except RowError as error:
            raise _bad_row(path, row, error.detail) from error
        except (LookupError, AttributeError, ValueError, TypeError) as error:
            expected = "" if format is None else f" its format expects {format.columns};"
            raise _bad_row(
                path,
                row,
                f"targets[{name}].template {pattern!r} cannot be filled in "
                f"({type(error).__name__}: {error});{expected} the row has the columns "
                f"{', '.join(record)}",
            ) from error
        if not text.strip():
            raise _bad_row(path, row, "the filled-in template is empty")
        yield id_ or f"{key}:{row}", text


def _check_template(filler: _Filler, name: str, template: str) -> None:
    try:
        has_field = any(field is not None for _, field, _, _ in filler.parse(template))
    except ValueError as error:
        raise ValueError(
            f"targets[{name}].template: {template!r} is malformed ({error})."
        ) from error
    if not has_field:
        raise ValueError(
            f"targets[{name}].template: {template!r} names no column; write them in braces, as in "
            "'{prompt}\\n\\n{response}'."
        )


def _records(path: UPath) -> Iterator[tuple[int, dict[str, Any]]]:
    if is_parquet(path):
        yield from enumerate(read_parquet_rows(path), start=1)
        return
    for line, record in read_records(path, max_text_bytes=_MAX_TEXT_BYTES):
        if isinstance(record, RowError):
            raise _bad_row(path, line.row, f"{record.reason}: {record.detail}")
        yield line.row, record


def _bad_row(path: UPath, row: int, problem: str) -> ValueError:
    return ValueError(
        f"{path}, row {row}: {problem}. Correct or delete the row: every row of a target set is "
        "used."
    )


def _check(frame: pl.DataFrame, path: UPath) -> None:
    if frame.is_empty():
        raise ValueError(f"{path}: the target set has no document; expected at least one row.")
    twice = frame.filter(frame["id"].is_duplicated())["id"].unique().sort()
    if not twice.is_empty():
        raise ValueError(
            f"{path}: {len(twice)} ids occur more than once, for example {twice[0]!r}. Make the "
            "ids of a target set unique, or remove them to have them made from the row."
        )
