"""Readers for input files: Parquet and JSON lines, plain, gzip or zstd, by the file's suffix.

They stream, they continue after a bad row, and they distinguish a file that cannot be read
(`UnreadableShardError`) from a row that cannot be used (`Rejection`).
"""

from collections.abc import Iterator

from upath import UPath

from quadmix_assets.corpus.readers.batch import Columns, ReadBatch, Rejection, excerpt
from quadmix_assets.corpus.readers.errors import (
    MissingIdColumnError,
    MissingTextColumnError,
    Reason,
    RowError,
    UnreadableShardError,
    no_such_column,
)
from quadmix_assets.corpus.readers.jsonl import read_jsonl
from quadmix_assets.corpus.readers.limits import MAX_TEXT_BYTES, with_few_rows
from quadmix_assets.corpus.readers.parquet import read_parquet
from quadmix_assets.corpus.readers.sample import FileSample, sample_jsonl, sample_parquet
from quadmix_assets.corpus.readers.values import CARRIED_TYPES

__all__ = [
    "CARRIED_TYPES",
    "MAX_TEXT_BYTES",
    "SUPPORTED_SUFFIXES",
    "Columns",
    "FileSample",
    "MissingIdColumnError",
    "MissingTextColumnError",
    "ReadBatch",
    "Reason",
    "Rejection",
    "RowError",
    "UnreadableShardError",
    "excerpt",
    "is_parquet",
    "no_such_column",
    "read_sample",
    "read_shard",
]

SUPPORTED_SUFFIXES = (
    ".parquet",
    *(lines + packed for lines in (".jsonl", ".ndjson", ".json") for packed in ("", ".gz", ".zst")),
)


def is_parquet(path: UPath) -> bool:
    """Whether the suffix is that of Parquet, not of JSON lines.

    Raises:
        UnreadableShardError: the suffix is none of the supported ones.
    """
    name = path.name.lower()
    if not name.endswith(SUPPORTED_SUFFIXES):
        raise UnreadableShardError(
            path,
            "its suffix names no format that can be read.",
            f"Convert or rename it; supported are: {', '.join(SUPPORTED_SUFFIXES)} "
            "(.json with one object a line).",
        )
    return name.endswith(".parquet")


def read_shard(
    path: UPath, columns: Columns, *, max_text_bytes: int, batch_rows: int
) -> Iterator[ReadBatch]:
    """Read an input file in batches of at most `batch_rows` rows.

    Raises:
        UnreadableShardError: the file as a whole cannot be used.
    """
    if is_parquet(path):
        batches = read_parquet(path, columns, batch_rows=batch_rows)
    else:
        batches = read_jsonl(path, columns, max_text_bytes=max_text_bytes, batch_rows=batch_rows)
    return with_few_rows(path, batches)


def read_sample(path: UPath, *, n_rows: int) -> FileSample:
    """Read the first rows of an input file, with all columns.

    Raises:
        UnreadableShardError: the file as a whole cannot be used.
    """
    return sample_parquet(path, n_rows) if is_parquet(path) else sample_jsonl(path, n_rows)
