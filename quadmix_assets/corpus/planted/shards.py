"""Write rows as Parquet or JSON lines, whole or not at all."""

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from upath import UPath

Row = Mapping[str, object]

ROWS_PER_GROUP = 10_000


def write_parquet(path: UPath, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write `rows` as Parquet with zstd compression, one row group at a time."""
    iterator = iter(rows)
    with (
        _whole(path) as raw,
        pq.ParquetWriter(raw, schema, compression="zstd") as writer,
    ):
        while group := list(islice(iterator, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def write_jsonl(path: UPath, rows: Iterable[Row]) -> None:
    """Write `rows` as JSON lines, compressed if the name ends in .gz or .zst."""
    with _whole(path) as raw, _compressor(path.suffix)(raw) as stream:
        for row in rows:
            stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def _compressor(suffix: str) -> Callable[[IO[bytes]], IO[bytes]]:
    if suffix == ".gz":
        # Neither a file name nor a time in the header: the same rows give the same bytes.
        return lambda raw: cast(
            IO[bytes], gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0)
        )
    if suffix == ".zst":
        return lambda raw: cast(
            IO[bytes], zstandard.ZstdCompressor().stream_writer(raw, closefd=False)
        )
    return lambda raw: raw


@contextmanager
def _whole(path: UPath) -> Iterator[IO[bytes]]:
    """Open `path` for writing such that it appears under its name only once it is complete."""
    if path.protocol not in ("", "file", "local"):
        # An object store shows an object only after its upload has been closed.
        with path.open("wb") as remote:
            yield remote
        return
    final = Path(path.path)
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f".{final.name}.part")
    try:
        with part.open("wb") as local:
            yield local
        part.replace(final)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
