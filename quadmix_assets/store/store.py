"""Where data lies in the lake, and how it is written: whole or not at all.

An output is `<lake>/<asset>/<name>`. Local files are written to a temporary sibling and moved into
place; on object storage a finished upload is atomic by itself and is written directly.
"""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from upath import UPath

ROW_GROUP_ROWS = 8_192
# Rows of text that a step holds at once.
BATCH_ROWS = 2_048
ZSTD_LEVEL = 3
SUMMARY_KEY = "quadmix"


class MissingOutputError(FileNotFoundError):
    """An output that a step reads has not been written yet."""


def is_local(path: UPath) -> bool:
    """Whether `path` is on this machine's file system."""
    return path.protocol in {"", "file", "local"}


@contextmanager
def atomic_file(path: UPath) -> Iterator[BinaryIO]:
    """Open `path` for writing; it appears, replacing what was there, when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not is_local(path):
        with path.open("wb") as file:
            yield file
        return
    # A unique name, so that two runs that write the same partition at once cannot mix their bytes.
    temporary = Path(f"{path}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(str(path))
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: UPath) -> Iterator[Path]:
    """A local folder to fill; its content becomes the folder `path` when the block ends well."""
    if is_local(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(f"{path}.{uuid.uuid4().hex}.tmp")
        temporary.mkdir()
        try:
            yield temporary
            old = Path(f"{path}.{uuid.uuid4().hex}.tmp")
            if path.exists():
                Path(str(path)).rename(old)
            temporary.rename(str(path))
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)
        for file in sorted(p for p in Path(name).rglob("*") if p.is_file()):
            target = path / file.relative_to(name).as_posix()
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())


class TableWriter:
    """Writes Arrow tables of one schema as row groups of one zstd Parquet file, as they come."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(
            file, schema, compression="zstd", compression_level=ZSTD_LEVEL
        )
        self.n_rows = 0

    def write(self, table: pa.Table) -> None:
        """Append the rows of `table`."""
        if table.num_rows:
            self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            self.n_rows += table.num_rows

    def describe(self, summary: Mapping[str, Any]) -> None:
        """Store `summary` in the file's footer, so that the table and its summary are one file."""
        self._writer.add_key_value_metadata({SUMMARY_KEY: json.dumps(summary, sort_keys=True)})

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class Store:
    """The lake: one folder per asset, one file (or folder) per partition."""

    def __init__(self, root: UPath) -> None:
        self.root = root

    def path(self, asset: str, name: str) -> UPath:
        """Where the output `name` of `asset` lies."""
        return self.root / asset / name

    def table_path(self, asset: str, partition: str | None = None) -> UPath:
        """Where the table of an asset, or of one of its partitions, lies."""
        return self.path(asset, f"{partition if partition is not None else asset}.parquet")

    @contextmanager
    def table_writer(self, path: UPath, schema: pa.Schema) -> Iterator[TableWriter]:
        """Write a table in pieces; the file appears when the block ends well."""
        with atomic_file(path) as file:
            writer = TableWriter(file, schema)
            try:
                yield writer
            finally:
                writer.close()

    def write_table(
        self, path: UPath, frame: pl.DataFrame, summary: Mapping[str, Any] | None = None
    ) -> None:
        """Write a table that is in memory."""
        table = frame.to_arrow()
        with self.table_writer(path, table.schema) as writer:
            writer.write(table)
            if summary is not None:
                writer.describe(summary)

    def read_table(self, path: UPath, columns: list[str] | None = None) -> pl.DataFrame:
        """Read a table, or some of its columns.

        Raises:
            MissingOutputError: it has not been written; the message names the asset.
        """
        self.require(path)
        with path.open("rb") as file:
            table = pq.read_table(file, columns=columns)
        return cast(pl.DataFrame, pl.from_arrow(table))

    def iter_table(
        self, path: UPath, columns: list[str] | None = None, batch_rows: int = ROW_GROUP_ROWS
    ) -> Iterator[pl.DataFrame]:
        """Read a table in batches, so that memory does not grow with the shard."""
        self.require(path)
        with path.open("rb") as file, pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(batch_size=batch_rows, columns=columns):
                yield cast(pl.DataFrame, pl.from_arrow(pa.Table.from_batches([batch])))

    def n_rows(self, path: UPath) -> int:
        """Rows of a table, from its footer alone."""
        self.require(path)
        with path.open("rb") as file:
            return cast(int, pq.read_metadata(file).num_rows)

    def read_schema(self, path: UPath) -> dict[str, pl.DataType]:
        """Columns and types of a table, from its footer alone."""
        self.require(path)
        with path.open("rb") as file:
            empty = pq.read_schema(file).empty_table()
        return dict(cast(pl.DataFrame, pl.from_arrow(empty)).schema)

    def summary(self, path: UPath) -> dict[str, Any]:
        """What `TableWriter.describe` stored in a table's footer."""
        self.require(path)
        with path.open("rb") as file:
            footer = pq.read_metadata(file).metadata or {}
        return cast(dict[str, Any], json.loads(footer.get(SUMMARY_KEY.encode(), b"{}")))

    def fingerprint(self, path: UPath) -> str:
        """A hash of the bytes of a file, or of all files of a folder with their names.

        Raises:
            MissingOutputError: it has not been written.
        """
        self.require(path)
        digest = xxhash.xxh3_128()
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if file != path:
                digest.update(file.relative_to(path).as_posix().encode())
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def write_json(self, path: UPath, value: Any) -> None:
        """Write JSON with sorted keys, so that equal values give equal bytes."""
        with atomic_file(path) as file:
            file.write(json.dumps(value, indent=2, sort_keys=True).encode() + b"\n")

    def read_json(self, path: UPath) -> Any:
        """Read JSON.

        Raises:
            MissingOutputError: it has not been written.
        """
        self.require(path)
        return json.loads(path.read_bytes())

    def require(self, path: UPath) -> UPath:
        """`path`, if it is there.

        Raises:
            MissingOutputError: it is not; the message names the asset to materialise.
        """
        if not path.exists():
            asset = path.relative_to(self.root).parts[0] if path.is_relative_to(self.root) else path
            raise MissingOutputError(
                f"{path} is not there: materialise the asset {asset!r} "
                f"(partition {path.stem!r} if it has partitions) first"
            )
        return path

    def remove_folder(self, path: UPath) -> None:
        """Delete a folder of the lake with all that is in it, if it is there."""
        if path.exists():
            path.fs.rm(path.path, recursive=True)

    @contextmanager
    def local_folder(self, path: UPath) -> Iterator[Path]:
        """A folder of the lake as a local one: itself, or a copy for as long as the block runs."""
        self.require(path)
        if is_local(path):
            yield Path(str(path))
            return
        with tempfile.TemporaryDirectory() as name:
            for file in path.rglob("*"):
                if file.is_file():
                    target = Path(name, *file.relative_to(path).parts)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(file.read_bytes())
            yield Path(name)
