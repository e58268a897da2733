"""The lake's paths, and how its tables, JSON files and folders are written and read."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from quadmix_assets.hashing import hash_file, hash_files
from quadmix_assets.store.atomic import (
    LISTING_FILE,
    atomic_file,
    file_names,
    read_listing,
)
from quadmix_assets.store.errors import MissingOutputError
from quadmix_assets.store.tables import ROW_GROUP_ROWS, SUMMARY_KEY, TableWriter
from quadmix_assets.store.temporaries import is_local


class Store:
    """The lake: an output is `<lake>/<asset>/<name>`, one file or folder per partition."""

    def __init__(self, root: UPath) -> None:
        # fsspec caches listings for the life of the process: files that another process writes or
        # deletes meanwhile would go unnoticed.
        self.root = root if is_local(root) else UPath(root, use_listings_cache=False)

    def path(self, asset: str, name: str) -> UPath:
        """Path of the output `name` of `asset`."""
        return self.root / asset / name

    def table_path(self, asset: str, partition: str | None = None) -> UPath:
        """Path of the table of an asset, or of one of its partitions."""
        return self.path(asset, f"{partition if partition is not None else asset}.parquet")

    @contextmanager
    def table_writer(self, path: UPath, schema: pa.Schema) -> Iterator[TableWriter]:
        """Write a table in pieces; the file appears when the block ends without an error."""
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
        """Read a table in batches of rows, so that memory does not grow with the shard.

        Raises:
            MissingOutputError: it has not been written.
        """
        self.require(path)
        with path.open("rb") as file, pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(batch_size=batch_rows, columns=columns):
                yield cast(pl.DataFrame, pl.from_arrow(pa.Table.from_batches([batch])))

    def n_rows(self, path: UPath) -> int:
        """Rows of a table, from its footer alone.

        Raises:
            MissingOutputError: it has not been written.
        """
        self.require(path)
        with path.open("rb") as file:
            return cast(int, pq.read_metadata(file).num_rows)

    def read_schema(self, path: UPath) -> dict[str, pl.DataType]:
        """Columns and types of a table, from its footer alone.

        Raises:
            MissingOutputError: it has not been written.
        """
        self.require(path)
        with path.open("rb") as file:
            empty = pq.read_schema(file).empty_table()
        return dict(cast(pl.DataFrame, pl.from_arrow(empty)).schema)

    def summary(self, path: UPath) -> dict[str, Any]:
        """The summary that `TableWriter.describe` stored in a table's footer; {} without one.

        Raises:
            MissingOutputError: it has not been written.
        """
        self.require(path)
        with path.open("rb") as file:
            footer = pq.read_metadata(file).metadata or {}
        return cast(dict[str, Any], json.loads(footer.get(SUMMARY_KEY.encode(), b"{}")))

    def fingerprint(self, path: UPath) -> str:
        """A hash of the bytes of a file, or of all files of a folder with their names.

        Raises:
            MissingOutputError: it has not been written, or is incomplete.
        """
        self.require(path)
        if is_local(path):
            return _local_fingerprint(Path(str(path)))
        if path.is_file():
            return hash_file(path)
        listing = read_listing(path)
        if listing is None:
            return hash_files(path, file_names(path))
        return _verified(path, hash_files(path, listing.names), listing.fingerprint)

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
        """Return `path`, if it is there and the folder of its asset is complete.

        Raises:
            MissingOutputError: it is not; the message names the asset to materialise.
        """
        parts = path.relative_to(self.root).parts if path.is_relative_to(self.root) else ()
        if parts and not is_local(path):
            read_listing(self.root / parts[0])
        if not path.exists():
            asset = parts[0] if parts else path
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
        """A folder of the lake as a local one: itself, or a copy for the duration of the block.

        Raises:
            MissingOutputError: it has not been written, or is incomplete.
        """
        self.require(path)
        if is_local(path):
            yield Path(str(path))
            return
        listing = read_listing(path)
        names = file_names(path) if listing is None else listing.names
        with tempfile.TemporaryDirectory() as temporary:
            for name in names:
                copy = Path(temporary, name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                path.fs.get_file((path / name).path, str(copy))
            if listing is not None:
                _verified(path, hash_files(Path(temporary), names), listing.fingerprint)
            yield Path(temporary)


def _local_fingerprint(path: Path) -> str:
    """The hash of a local file or folder, computed once for as long as its files stay the same."""
    names = None if path.is_file() else tuple(file_names(UPath(path)))
    files = [path] if names is None else [path / name for name in names]
    stats = [file.stat() for file in files]
    state = tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats)
    return _hash_in_state(path, names, state)


@lru_cache(maxsize=4_096)
def _hash_in_state(
    path: Path, names: tuple[str, ...] | None, state: tuple[tuple[int, int, int], ...]
) -> str:
    """The hash of a file, or of the named files of a folder, that are in a certain state.

    An output is replaced and never changed in place, so that another content has another state.
    """
    return hash_file(path) if names is None else hash_files(path, names)


def _verified(folder: UPath, found: str, expected: str) -> str:
    if found != expected:
        raise MissingOutputError(
            f"{folder} does not hold the files of its {LISTING_FILE}: two runs wrote it at once; "
            f"materialise the asset {folder.name!r} again"
        )
    return found
