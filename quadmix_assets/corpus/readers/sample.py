"""Reads the first rows of an input file, its columns, and its (estimated) number of rows."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import zstandard
from upath import UPath

from quadmix_assets.corpus.readers.errors import RowError
from quadmix_assets.corpus.readers.jsonl import ABSENT, lookup, read_records
from quadmix_assets.corpus.readers.limits import MAX_TEXT_BYTES
from quadmix_assets.corpus.readers.parquet import read_parquet_start

# Enough for some hundred rows, and little enough that a thousand files are sampled in seconds.
_MAX_BYTES = 4 << 20

_COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": zlib.compress,
    ".zst": lambda content: zstandard.ZstdCompressor().compress(content),
}


@dataclass(frozen=True, eq=False)
class FileSample:
    """The first rows of an input file, its columns and its number of rows.

    Attributes:
        path: the file.
        rows: the sampled rows that are objects, by row number from 1.
        n_broken: number of sampled rows that are not: lines that hold no JSON object.
        columns: the names of the columns, in order.
        n_rows: rows of the file; an estimate where `is_estimate`.
        is_whole: whether the sample holds all rows of the file.
    """

    path: UPath
    rows: dict[int, dict[str, Any]]
    n_broken: int
    columns: tuple[str, ...]
    n_rows: int
    is_estimate: bool
    is_whole: bool

    def has(self, column: str) -> bool:
        """Whether the file has the column, or for "a.b" a row has field b of column a."""
        return column in self.columns or any(True for _ in self.values(column))

    def values(self, column: str) -> Iterator[tuple[int, Any]]:
        """Row number and value (or None, for null) of every row that has the column."""
        for row, record in self.rows.items():
            value = lookup(record, column)
            if value is not ABSENT:
                yield row, value


def sample_parquet(path: UPath, n_rows: int) -> FileSample:
    """Read the first rows of a Parquet file, and the number of rows from its footer.

    Raises:
        UnreadableShardError: see `read_parquet_start`.
    """
    rows, columns, total = read_parquet_start(path, n_rows)
    numbered = dict(enumerate(rows, start=1))
    return FileSample(path, numbered, 0, tuple(columns), total, False, len(rows) == total)


def sample_jsonl(path: UPath, n_rows: int) -> FileSample:
    """Read the first lines of a file of JSON objects.

    The number of rows is estimated from the file's size and the length of the lines read; for a
    compressed file, from the size of these lines after compression by the same method.

    Raises:
        UnreadableShardError: see `read_lines`.
    """
    rows: dict[int, dict[str, Any]] = {}
    columns: dict[str, None] = {}
    lines: list[bytes] = []
    n_bytes = 0
    is_whole = True
    for line, record in read_records(path, max_text_bytes=MAX_TEXT_BYTES):
        if len(lines) >= n_rows or n_bytes >= _MAX_BYTES:
            is_whole = False
            break
        lines.append(line.content)
        n_bytes += line.n_bytes + 1
        if not isinstance(record, RowError):
            rows[line.row] = record
            columns |= dict.fromkeys(record)
    total = len(lines)
    if not is_whole:
        compress = _COMPRESSED.get(path.suffix.lower())
        stored = n_bytes if compress is None else len(compress(b"\n".join(lines)))
        total = max(total + 1, round(path.stat().st_size * len(lines) / stored))
    n_broken = len(lines) - len(rows)
    return FileSample(path, rows, n_broken, tuple(columns), total, not is_whole, is_whole)
