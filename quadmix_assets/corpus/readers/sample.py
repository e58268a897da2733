"""The first rows of an input file: what it holds, and about how much of it."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import zstandard
from upath import UPath

from quadmix_assets.corpus.readers.errors import RowError
from quadmix_assets.corpus.readers.jsonl import ABSENT, lookup, read_records
from quadmix_assets.corpus.readers.parquet import read_parquet_start

# Enough lines to know a file by, and few enough that a thousand files are looked at in seconds.
_MAX_BYTES = 4 << 20
_MAX_TEXT_BYTES = 64 << 20

_COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": zlib.compress,
    ".zst": lambda content: zstandard.ZstdCompressor().compress(content),
}


@dataclass(frozen=True, eq=False)
class FileSample:
    """What the first rows of an input file say of it.

    Attributes:
        path: the file.
        rows: by row number (counted from 1), the first rows that are objects.
        n_broken: how many rows among them are not: lines that hold no JSON object.
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
        """Whether a row has the column, or the field b of a where the column is named "a.b"."""
        return column in self.columns or any(True for _ in self.values(column))

    def values(self, column: str) -> Iterator[tuple[int, Any]]:
        """Row number and value (or None, for null) of every row that has the column."""
        for row, record in self.rows.items():
            value = lookup(record, column)
            if value is not ABSENT:
                yield row, value


def sample_parquet(path: UPath, n_rows: int) -> FileSample:
    """Look at the first rows of a Parquet file; its footer says how many there are.

    Raises:
        UnreadableShardError: see `read_parquet_start`.
    """
    rows, columns, total = read_parquet_start(path, n_rows)
    numbered = dict(enumerate(rows, start=1))
    return FileSample(path, numbered, 0, tuple(columns), total, False, len(rows) == total)


def sample_jsonl(path: UPath, n_rows: int) -> FileSample:
    """Look at the first lines of a file of JSON objects.

    The number of rows is estimated from the file's size and the length of the lines read; for a
    compressed file, from what these lines take when they are compressed in the same way.

    Raises:
        UnreadableShardError: see `read_lines`.
    """
    rows: dict[int, dict[str, Any]] = {}
    columns: dict[str, None] = {}
    lines: list[bytes] = []
    n_bytes = 0
    is_whole = True
    for line, record in read_records(path, max_text_bytes=_MAX_TEXT_BYTES):
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
