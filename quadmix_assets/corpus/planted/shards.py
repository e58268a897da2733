"""Write rows as Parquet or JSON lines, atomically."""

import gzip
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import IO, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from upath import UPath

from quadmix_assets.store import atomic_file

Row = Mapping[str, object]

ROWS_PER_GROUP = 10_000


def write_parquet(path: UPath, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write `rows` as Parquet with zstd compression, one row group at a time."""
    iterator = iter(rows)
    with (
        atomic_file(path) as raw,
        pq.ParquetWriter(raw, schema, compression="zstd") as writer,
    ):
        while group := list(islice(iterator, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def write_jsonl(path: UPath, rows: Iterable[Row]) -> None:
    """Write `rows` as JSON lines, compressed if the name ends in .gz or .zst."""
    with atomic_file(path) as raw, _compressor(path.suffix)(raw) as stream:
        for row in rows:
            stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def _compressor(suffix: str) -> Callable[[IO[bytes]], AbstractContextManager[IO[bytes]]]:
    if suffix == ".gz":
        # Neither a file name nor a time in the header: the same rows give the same bytes.
        return lambda raw: cast(
            IO[bytes], gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0)
        )
    if suffix == ".zst":
        return lambda raw: cast(
            IO[bytes], zstandard.ZstdCompressor().stream_writer(raw, closefd=False)
        )
    return nullcontext
