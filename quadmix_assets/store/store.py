"""The lake's paths, and how its tables, JSON files and folders are written, verified and read."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from quadmix_assets.faults import naming
from quadmix_assets.hashing import hash_names
from quadmix_assets.store.atomic import LISTING_FILE, Listing, atomic_file, read_listing
from quadmix_assets.store.cards import carded_file, delete_carded, read_carded
from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError, without_checksum
from quadmix_assets.store.file_state import once_per_state
from quadmix_assets.store.outputs_in import listed_hash, named_hashes, output_hash
from quadmix_assets.store.remote import with_retries
from quadmix_assets.store.tables import ROW_GROUP_ROWS, SUMMARY_KEY, TableWriter, open_table
from quadmix_assets.store.temporaries import is_local


class Store:
    """The lake: an output is `<lake>/<asset>/<name>`, one file or folder per partition."""

    def __init__(self, root: UPath) -> None:
        # fsspec caches listings for the life of the process: files that another process writes or
        # deletes meanwhile would go unnoticed.
        self.root = root if is_local(root) else with_retries(UPath(root, use_listings_cache=False))

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
            except BaseException:
                writer.abandon()
                raise
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

    @contextmanager
    def open_table(self, path: UPath) -> Iterator[pq.ParquetFile]:
        """Open a table to read parts of it, which are verified as they are read.

        Raises:
            MissingOutputError: it has not been written.
            DamagedOutputError: what was read is not what was written; also later, by the reads.
        """
        with open_table(self.require(path)) as parquet:
            yield parquet

    def read_table(self, path: UPath, columns: list[str] | None = None) -> pl.DataFrame:
        """Read a table, or some of its columns.

        Raises:
            MissingOutputError: it has not been written; the message names the asset.
            DamagedOutputError: what was read is not what was written.
        """
        with self.open_table(path) as parquet:
            table = parquet.read(columns)
        return cast(
            pl.DataFrame, pl.from_arrow(table if columns is None else table.select(columns))
        )

    def iter_table(
        self, path: UPath, columns: list[str] | None = None, batch_rows: int = ROW_GROUP_ROWS
    ) -> Iterator[pl.DataFrame]:
        """Read a table in batches of rows, so that memory does not grow with the shard.

        Raises:
            MissingOutputError: it has not been written.
            DamagedOutputError: what was read is not what was written.
        """
        with self.open_table(path) as parquet:
            for batch in parquet.iter_batches(batch_size=batch_rows, columns=columns):
                yield cast(pl.DataFrame, pl.from_arrow(pa.Table.from_batches([batch])))

    def n_rows(self, path: UPath) -> int:
        """Rows of a table, from its footer alone.

        Raises:
            MissingOutputError: it has not been written.
            DamagedOutputError: the footer is not what was written.
        """
        with self.open_table(path) as parquet:
            return cast(int, parquet.metadata.num_rows)

    def read_schema(self, path: UPath) -> dict[str, pl.DataType]:
        """Columns and types of a table, from its footer alone.

        Raises:
            MissingOutputError: it has not been written.
            DamagedOutputError: the footer is not what was written.
        """
        with self.open_table(path) as parquet:
            empty = parquet.schema_arrow.empty_table()
        return dict(cast(pl.DataFrame, pl.from_arrow(empty)).schema)

    def summary(self, path: UPath) -> dict[str, Any]:
        """The summary that `TableWriter.describe` stored in a table's footer; {} without one.

        Of a local table it is read once for as long as the file stays the same.

        Raises:
            MissingOutputError: it has not been written.
            DamagedOutputError: the footer is not what was written.
        """
        self.require(path)
        return cast(dict[str, Any], json.loads(once_per_state(path, _summary_text)))

    def fingerprint(self, path: UPath) -> str:
        """A hash of the bytes of a file, or of the outputs in a folder with their names.

        Outputs are tables, files with a card, and what the listing of a folder names; other files
        in a folder change nothing.

        Raises:
            MissingOutputError: it has not been written, or is incomplete.
            DamagedOutputError: a file is not what was written.
        """
        self.require(path)
        listing = self._listing_of(path)
        if listing is None:
            if path.is_file():
                return output_hash(path)
            return hash_names(named_hashes(path))
        name = path.relative_to(listing.folder).as_posix()
        if name in listing.hashes:
            return listed_hash(listing, name)
        prefix = "" if path == listing.folder else f"{name}/"
        names = [each for each in listing.hashes if each.startswith(prefix)]
        if not names:
            raise MissingOutputError(
                f"{path} is no output of the asset {listing.folder.name!r}: materialise it again"
            )
        return hash_names({each.removeprefix(prefix): listed_hash(listing, each) for each in names})

    def matches(self, path: UPath, fingerprint: str) -> bool:
        """Whether a file or folder is there, whole, and has this fingerprint."""
        try:
            return self.fingerprint(path) == fingerprint
        except (MissingOutputError, DamagedOutputError):
            return False

    def write_json(self, path: UPath, value: Any) -> None:
        """Write JSON with sorted keys, so that equal values give equal bytes."""
        with carded_file(path) as file:
            file.write(json.dumps(value, indent=2, sort_keys=True).encode() + b"\n")

    def read_json(self, path: UPath) -> Any:
        """Read JSON.

        Raises:
            MissingOutputError: it has not been written.
            DamagedOutputError: it is not what was written.
        """
        return json.loads(self.read_bytes(path))

    def read_bytes(self, path: UPath) -> bytes:
        """The bytes of a file that is not a table.

        Raises:
            MissingOutputError: it has not been written.
            DamagedOutputError: it is not what was written.
        """
        self.require(path)
        listing = self._listing_of(path)
        if listing is None:
            return read_carded(path)
        with naming(path):
            content = path.read_bytes()
        listed_hash(listing, path.relative_to(listing.folder).as_posix(), content)
        return content

    def delete(self, path: UPath) -> None:
        """Delete a file, if it is there."""
        delete_carded(path)

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

        Its files are verified, local ones once per process for as long as they stay the same.

        Raises:
            MissingOutputError: it has not been written, or is incomplete.
            DamagedOutputError: a file is not what was written.
        """
        self.require(path)
        listing = read_listing(path)
        if listing is None:
            raise without_checksum(path / LISTING_FILE, "it is not there")
        if is_local(path):
            for name in listing.hashes:
                listed_hash(listing, name)
            yield Path(str(path))
            return
        with tempfile.TemporaryDirectory() as temporary:
            for name in (*listing.hashes, LISTING_FILE):
                copy = Path(temporary, name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                path.fs.get_file((path / name).path, str(copy))
                if name != LISTING_FILE:
                    listed_hash(listing, name, copy.read_bytes())
            yield Path(temporary)

    def _listing_of(self, path: UPath) -> Listing | None:
        """The listing of the folder that a path is in, or is."""
        parts = path.relative_to(self.root).parts if path.is_relative_to(self.root) else ()
        folders = [self.root / parts[0] if parts else path]
        if is_local(path):
            # A store may be opened at the folder of an asset.
            folders.append(self.root)
        return next((listing for each in folders if (listing := read_listing(each))), None)


def _summary_text(path: UPath) -> str:
    with open_table(path) as parquet:
        footer = parquet.metadata.metadata or {}
    return cast(bytes, footer.get(SUMMARY_KEY.encode(), b"{}")).decode()
