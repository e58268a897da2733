"""The footers of many tables of an asset; each is read once for as long as its file stays the same.

What looks at a whole pool again and again, as the manifest of a mix does at every wave of new
shards, would otherwise open and verify the footers of all shards because of one. What has been read
is remembered by the process, and of an asset with many tables by the lake too, in one table,
`footers/<asset>.parquet`: so a new process reads what is new, and looks at the state of the rest.
The state of a local file is its inode, size and time, that of an object all that the storage says.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from upath import UPath

from quadmix_assets.outputs import FOOTERS
from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError
from quadmix_assets.store.file_state import FRESH_NANOSECONDS
from quadmix_assets.store.store import Store
from quadmix_assets.store.tables import Footer, read_footer
from quadmix_assets.store.temporaries import is_local

# Footers of so many tables are read in the time that writing and reading the lake's table of them
# takes.
KEPT_FROM = 64

_SCHEMA = {
    "name": pl.String,
    "state": pl.String,
    "seal": pl.String,
    "n_rows": pl.Int64,
    "columns": pl.String,
    "summary": pl.String,
}
# By folder and name of a table: the state of the file, and its footer, whose summary stays JSON,
# which takes a tenth of the memory of the values.
_read_before: dict[str, dict[str, tuple[str, Footer]]] = {}


@dataclass(frozen=True)
class Described:
    """What is known of a table without reading its rows.

    Attributes:
        n_bytes: size of the file.
        footer: what its end says.
    """

    n_bytes: int
    footer: Footer

    @property
    def summary(self) -> dict[str, Any]:
        """The summary that `TableWriter.describe` stored; {} without one. The caller's own."""
        found: dict[str, Any] = json.loads(self.footer.summary)
        return found

    @property
    def seal(self) -> str:
        """Identifies the content of the table."""
        return self.footer.seal


@dataclass(frozen=True)
class ListedFile:
    """A file of a listing.

    Attributes:
        n_bytes: its size.
        state: changes when the file does.
        is_fresh: it was changed so short a time ago that another change may leave its state.
    """

    n_bytes: int
    state: str
    is_fresh: bool


def described_tables(store: Store, asset: str, partitions: Iterable[str]) -> dict[str, Described]:
    """The footers of those partitions of an asset whose tables are there.

    The folder is listed once. Every footer is verified when it is read; that is once per state of
    the file.

    Raises:
        DamagedOutputError: a footer is not what was written.
    """
    folder = store.root / asset
    files = listed_files(folder)
    before = _read_before.get(str(folder))
    if before is None:
        before = _kept(store, asset, len(files))
    known = {name: entry for name, entry in before.items() if name in files}
    found, n_read = {}, 0
    for partition in partitions:
        name = f"{partition}.parquet"
        file = files.get(name)
        if file is None:
            continue
        entry = known.get(name)
        if entry is None or entry[0] != file.state or file.is_fresh:
            try:
                entry = (file.state, read_footer(folder / name))
            except FileNotFoundError:  # Deleted since the listing.
                known.pop(name, None)
                continue
            known[name] = entry
            n_read += 1
        found[partition] = Described(file.n_bytes, entry[1])
    _read_before[str(folder)] = known
    settled = {name: entry for name, entry in known.items() if not files[name].is_fresh}
    if n_read and len(settled) >= KEPT_FROM:
        _keep(store, asset, settled)
    return found


def all_described(store: Store, asset: str, partitions: Iterable[str]) -> dict[str, Described]:
    """As `described_tables`, of partitions that must all be there; in their order.

    Raises:
        MissingOutputError: a table is not there; the message names the asset and the partition.
        DamagedOutputError: a footer is not what was written.
    """
    wanted = list(partitions)
    found = described_tables(store, asset, wanted)
    for partition in wanted:
        if partition not in found:
            store.require(store.table_path(asset, partition))
            raise MissingOutputError(
                f"{store.table_path(asset, partition)} was replaced while it was read: try again"
            )
    return found


def _kept(store: Store, asset: str, n_files: int) -> dict[str, tuple[str, Footer]]:
    """What earlier processes have read."""
    if n_files < KEPT_FROM:
        return {}
    try:
        table = store.read_table(store.table_path(FOOTERS, asset))
    except (MissingOutputError, DamagedOutputError, FileNotFoundError):
        return {}
    rows = table.rows() if dict(table.schema) == _SCHEMA else []
    # Most tables of an asset have the same columns.
    names = {columns: tuple(json.loads(columns)) for columns in {row[4] for row in rows}}
    return {
        name: (state, Footer(seal, n_rows, names[columns], summary))
        for name, state, seal, n_rows, columns, summary in rows
    }


def _keep(store: Store, asset: str, known: Mapping[str, tuple[str, Footer]]) -> None:
    rows = [
        (name, state, one.seal, one.n_rows, json.dumps(one.columns), one.summary)
        for name, (state, one) in sorted(known.items())
    ]
    # Where the lake can only be read, the next process reads the footers again.
    with suppress(OSError):
        table = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
        store.write_table(store.table_path(FOOTERS, asset), table)


def listed_files(folder: UPath) -> dict[str, ListedFile]:
    """The files of a folder by name; none if it is not there."""
    try:
        if is_local(folder):
            with os.scandir(Path(str(folder))) as entries:
                return {entry.name: _local(entry) for entry in entries if entry.is_file()}
        infos = folder.fs.ls(folder.path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = {}
    for info in infos:
        if info["type"] == "file":
            name = str(info["name"]).rsplit("/", 1)[-1]
            found[name] = ListedFile(int(info["size"]), _state(info), is_fresh=False)
    return found


def _local(entry: "os.DirEntry[str]") -> ListedFile:
    stat = entry.stat()
    return ListedFile(
        stat.st_size,
        f"{stat.st_ino}-{stat.st_size}-{stat.st_mtime_ns}",
        time.time_ns() - stat.st_mtime_ns < FRESH_NANOSECONDS,
    )


def _state(info: Mapping[str, Any]) -> str:
    """All that a storage says of an object: its size, time and checksum."""
    return repr(sorted(info.items(), key=lambda item: item[0]))
