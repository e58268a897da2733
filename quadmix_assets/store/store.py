"""The lake's paths, and how its tables, JSON files and folders are written, verified and read."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from quadmix_assets.faults import naming
from quadmix_assets.hashing import hash_names
from quadmix_assets.outputs import asset_folder
from quadmix_assets.store.atomic import atomic_file
from quadmix_assets.store.cards import carded_file, delete_carded, read_carded
from quadmix_assets.store.errors import (
    DamagedOutputError,
    MissingOutputError,
    asset_in_words,
    asset_name,
    without_checksum,
)
from quadmix_assets.store.file_state import once_per_state
from quadmix_assets.store.json_text import json_text
from quadmix_assets.store.listings import LISTING_FILE, VERSIONS_FOLDER, Listing, read_listing
from quadmix_assets.store.local_copies import local_copy
from quadmix_assets.store.objects import delete_folder, object_exists, read_content
from quadmix_assets.store.outputs_in import (
    listed_hash,
    looks_like_output,
    named_hashes,
    output_hash,
)
from quadmix_assets.store.remote import with_retries
from quadmix_assets.store.tables import ROW_GROUP_ROWS, TableWriter, open_table, read_footer
from quadmix_assets.store.temporaries import is_local

_Read = TypeVar("_Read")


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
        with ExitStack() as opened:
            yield self._found(path, lambda place: opened.enter_context(open_table(place)))

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
        text = self._found(path, lambda place: once_per_state(place, _summary_text))
        return cast(dict[str, Any], json.loads(text))

    def seal(self, path: UPath) -> str:
        """What identifies the content of a table, from its end alone; see `tables.Footer.seal`.

        Unlike `fingerprint` it costs the same for a table of any size, and does not say whether the
        rows are still those that were written: reading them does, and `quadmix verify`.

        Raises:
            MissingOutputError: it has not been written.
            DamagedOutputError: the footer is not what was written.
        """
        return once_per_state(self.require(path), _seal)

    def fingerprint(self, path: UPath) -> str:
        """A hash of the bytes of a file, or of the outputs in a folder with their names.

        Outputs are tables, files with a card, and what the listing of a folder names; other files
        in a folder change nothing. Of a folder on object storage, whose files nobody changes, the
        listing is read and not the files.

        Raises:
            MissingOutputError: it has not been written, or is incomplete.
            DamagedOutputError: a file is not what was written.
        """
        if is_local(path):
            self.require(path)
        elif path.suffix:
            try:
                return output_hash(path)
            except FileNotFoundError:
                pass
            except DamagedOutputError as error:
                if error.has_checksum:
                    raise
        listing = self._listing_of(path)
        if listing is None:
            if is_local(path) and path.is_file():
                return output_hash(path)
            hashes = named_hashes(path)
            if not hashes:
                self.require(path)
            return hash_names(hashes)
        name = _name_in(listing, path)
        if name in listing.hashes:
            return _hash_in(listing, name)
        prefix = f"{name}/" if name else ""
        names = [each for each in listing.hashes if each.startswith(prefix)]
        if not names:
            raise MissingOutputError(
                f"{path} is no output of the asset {asset_name(listing.folder)!r}: materialise it "
                "again"
            )
        return hash_names({each.removeprefix(prefix): _hash_in(listing, each) for each in names})

    def matches(self, path: UPath, fingerprint: str) -> bool:
        """Whether a file or folder is there, whole, and has this fingerprint."""
        try:
            return self.fingerprint(path) == fingerprint
        except (MissingOutputError, DamagedOutputError):
            return False

    def write_json(self, path: UPath, value: Any, lines_of: str = "") -> None:
        """Write JSON with sorted keys, so that equal values give equal bytes.

        Args:
            path: of the file.
            value: to be written.
            lines_of: the long entry of `value` whose items get a line each; see `json_text`.
        """
        with carded_file(path) as file:
            file.write(json_text(value, lines_of, allow_nan=True).encode())

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
        if not is_local(path):
            # Most files have a card. Folders are asked for what is not found.
            try:
                return read_carded(path)
            except FileNotFoundError:
                pass
            except DamagedOutputError as error:
                if error.has_checksum:
                    raise
        place = self.require(path)
        listing = self._listing_of(path)
        if listing is None:
            return read_carded(path)
        with naming(place):
            content = read_content(place)
        listed_hash(listing, path.relative_to(listing.folder).as_posix(), content)
        return content

    def delete(self, path: UPath) -> None:
        """Delete a file, if it is there."""
        delete_carded(path)

    def require(self, path: UPath) -> UPath:
        """Where the output `path` lies, if it is there: a file in a folder has another place.

        Raises:
            MissingOutputError: it is not; the message names the asset to materialise.
        """
        place = self._place(path)
        if place is None and not is_local(path) and self.names_in(path) - {VERSIONS_FOLDER}:
            return path  # a folder of objects
        if place is None:
            raise self._missing(path)
        return place

    def exists(self, path: UPath) -> bool:
        """Whether a file of the lake is there, wherever it lies."""
        try:
            return self._place(path) is not None
        except MissingOutputError:  # of an incomplete folder
            return False

    def located(self, path: UPath) -> UPath:
        """Where an output lies, or would lie: in the present version of a folder, or at `path`.

        Other programs, and glob patterns, need it. A folder on object storage that is written as a
        whole has its files elsewhere after each writing.

        Raises:
            MissingOutputError: the folder is incomplete.
        """
        listing = self._listing_of(path)
        if listing is None:
            return path
        return listing.path(_name_in(listing, path))

    def names_in(self, folder: UPath) -> set[str]:
        """The names of the files and folders in a folder, wherever they lie; none if it is gone."""
        place = self.located(folder)
        try:
            names = {path.name for path in place.iterdir()}
        except (FileNotFoundError, NotADirectoryError):  # the latter is what S3 says of no objects
            return set()
        # A client may list the folder itself, which has no name in it.
        return names - {""}

    def remove_folder(self, path: UPath) -> None:
        """Delete a folder of the lake with all that is in it, if it is there."""
        if not is_local(path):
            delete_folder(path)
        elif path.exists():
            path.fs.rm(path.path, recursive=True)

    @contextmanager
    def local_folder(self, path: UPath) -> Iterator[Path]:
        """A folder of the lake as a local one: itself, or this machine's copy (`local_copies.py`).

        Its files are verified, once per process for as long as they stay the same.

        Raises:
            MissingOutputError: it has not been written, or is incomplete.
            DamagedOutputError: a file is not what was written.
        """
        listing = read_listing(path)
        if listing is None:
            self.require(path)
            raise without_checksum(path / LISTING_FILE, "it is not there")
        if not is_local(path):
            with local_copy(listing) as copy:
                yield copy
            return
        for name in listing.hashes:
            listed_hash(listing, name)
        yield Path(str(listing.path("")))

    def _place(self, path: UPath) -> UPath | None:
        """Where a file, or a folder that was written as a whole, lies; None if it is not there."""
        if path.exists() if is_local(path) else object_exists(path):
            return path
        return self._listed_place(path)

    def _listed_place(self, path: UPath) -> UPath | None:
        """Where a file or folder lies that the listing of a folder names elsewhere."""
        listing = self._listing_of(path)
        if listing is None:
            return None
        name = _name_in(listing, path)
        inside = f"{name}/" if name else ""
        is_known = any(each == name or each.startswith(inside) for each in listing.hashes)
        place = listing.path(name)
        # Where folders lie as they are looked for, the file is gone.
        return place if is_known and place != path else None

    def _found(self, path: UPath, read: Callable[[UPath], _Read]) -> _Read:
        """What `read` makes of an output where it lies."""
        if is_local(path):
            return read(self.require(path))
        # Most files lie where they are looked for: to ask first would be a request more.
        try:
            return read(path)
        except FileNotFoundError:
            place = self._listed_place(path)
            if place is None:
                raise self._missing(path) from None
            return read(place)

    def _missing(self, path: UPath) -> MissingOutputError:
        made_by = asset_in_words(self._asset_of(path) or str(path), path.stem)
        return MissingOutputError(f"{path} is not there: materialise {made_by} first")

    def _asset_of(self, path: UPath) -> str:
        """The folder of the asset that a path is in, relative to the lake; empty if it is none."""
        if not path.is_relative_to(self.root) or path == self.root:
            return ""
        return asset_folder(path.relative_to(self.root).as_posix())

    def _listing_of(self, path: UPath) -> Listing | None:
        """The listing of the folder that a path is in, or is."""
        asset = self._asset_of(path)
        folders = [self.root / asset if asset else path]
        # Folders of models are written one by one, in the folder of their asset.
        inside = path.relative_to(folders[0]).parts if asset else ()
        deepest = len(inside) - looks_like_output(path.name)
        folders += [folders[0].joinpath(*inside[:depth]) for depth in range(1, deepest + 1)]
        if is_local(path):
            # A store may be opened at the folder of an asset.
            folders.append(self.root)
        return next((listing for each in folders if (listing := read_listing(each))), None)


def _name_in(listing: Listing, path: UPath) -> str:
    """The name of a path in the folder of a listing; empty for the folder itself."""
    name = path.relative_to(listing.folder).as_posix()
    return "" if name == "." else name


def _hash_in(listing: Listing, name: str) -> str:
    """The hash of a file in a folder; of one on object storage as the listing has it."""
    return listed_hash(listing, name) if is_local(listing.folder) else listing.hashes[name]


def _summary_text(path: UPath) -> str:
    return read_footer(path).summary


def _seal(path: UPath) -> str:
    return read_footer(path).seal
