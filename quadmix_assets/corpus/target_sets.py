"""Read a target set (curated text that the mix should make a model good at) and split it."""

import string
from collections.abc import Iterator
from typing import Any

import polars as pl
import xxhash
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

_MAX_TEXT_BYTES = 64 << 20
_SCHEMA = {"id": pl.String, "text": pl.String}


def read_target_set(
    path: UPath,
    *,
    name: str,
    text_column: str = "text",
    id_column: str = "id",
    template: str | None = None,
    max_documents: int | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """The documents of a target set as (id, text), in the order of the file.

    The text is `text_column`, or `template` filled in with the columns of each row as by
    `str.format`, for example "{prompt}\\n\\n{response}". A row without an id gets "<name>:<row>".
    Of more than `max_documents`, a sample is taken that depends on the ids and `seed` alone.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read, or any of its rows cannot be used (a target set is
            curated, so that nothing is left out in silence), or an id occurs twice, or there is
            no document.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"targets: the target set {name!r} should be read from {path}, and no such file is "
            f"there. Put it there, or correct targets[{name}].path in the settings."
        )
    try:
        if template is None:
            documents = _text_documents(path, name, text_column, id_column)
        else:
            documents = _filled_documents(path, name, template, id_column)
        frame = pl.DataFrame(list(documents), schema=_SCHEMA, orient="row")
    except MissingTextColumnError as error:
        raise ValueError(
            f"{error.path}: {error.reason} Set targets[{name}].text_column to the one that holds "
            "the text, or give a template."
        ) from error
    _check(frame, path)
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


def _hash(value: str, seed: int) -> int:
    return xxhash.xxh3_64_intdigest(value.encode(), seed)


def _text_documents(
    path: UPath, name: str, text_column: str, id_column: str
) -> Iterator[tuple[str, str]]:
    for batch in normalise(
        path,
        shard_key=name,
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
    path: UPath, name: str, template: str, id_column: str
) -> Iterator[tuple[str, str]]:
    filler = _Filler()
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
    for row, record in _records(path):
        try:
            text = filler.vformat(template, (), record)
            id_ = id_of(record.get(id_column))
        except RowError as error:
            raise _bad_row(path, row, error.detail) from error
        except (LookupError, AttributeError, ValueError, TypeError) as error:
            raise _bad_row(
                path,
                row,
                f"targets[{name}].template {template!r} cannot be filled in "
                f"({type(error).__name__}: {error}); the row has the columns {', '.join(record)}",
            ) from error
        if not text.strip():
            raise _bad_row(path, row, "the filled-in template is empty")
        yield id_ or f"{name}:{row}", text


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
