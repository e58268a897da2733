"""The footers of many tables of an asset; each is read once for as long as its file stays the same.

What looks at a whole pool again and again, as the manifest of a mix does at every wave of new
shards, would otherwise open and verify the footers of all shards because of one. What has been read
is remembered by the process, and of an asset with many tables by the lake too, in one table,
`footers/<asset>.parquet`: so a new process reads what is new, and looks at the state of the rest.
The state of a local file is its inode, size and time, that of an object all that the storage says.
Within a step a folder is listed once for as long as no file comes, goes or is replaced in it.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
import polars as pl
from upath import UPath

from quadmix_assets.outputs import FOOTERS
from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError
from quadmix_assets.store.file_state import FRESH_NANOSECONDS
from quadmix_assets.store.objects import listings_of_step
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
# By folder and name of a table: the state of the file, and what is known of it. Summaries stay
# JSON, which takes a tenth of the memory of the values.
_read_before: dict[str, dict[str, "tuple[str, Described]"]] = {}


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
        return _loads(self.footer.summary)

    @cached_property
    def inputs(self) -> Mapping[str, Any]:
        """The entry `inputs` of the summary, what the table was made from; shared by all callers.

        It is kept, as whatever compares all tables of a pool asks for it.

        Raises:
            KeyError: there is none.
        """
        return cast(Mapping[str, Any], self.summary["inputs"])

    @cached_property
    def input_checksum(self) -> str:
        """Of a table of documents, the checksum of the input file that it was made from.

        Raises:
            KeyError: there is none.
        """
        return cast(str, self.summary["input"]["checksum"])

    @property
    def seal(self) -> str:
        """Identifies the content of the table."""
        return self.footer.seal


class ListedFile(NamedTuple):
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

    The folder is listed once, and in a step again only when it has changed. Every footer is
    verified when it is read; that is once per state of the file.

    Raises:
        DamagedOutputError: a footer is not what was written.
    """
    folder = store.root / asset
    files = listed_files(folder)
    before = _read_before.get(str(folder))
    if before is None:
        before = _kept(store, asset, files)
    known = dict(before) if before.keys() <= files.keys() else _among(before, files)
    found, n_read = {}, 0
    for partition in partitions:
        name = f"{partition}.parquet"
        file = files.get(name)
        if file is None:
            continue
        entry = known.get(name)
        if entry is None or entry[0] != file.state or file.is_fresh:
            try:
                entry = (file.state, Described(file.n_bytes, read_footer(folder / name)))
            except FileNotFoundError:  # Deleted since the listing.
                known.pop(name, None)
                continue
            known[name] = entry
            n_read += 1
        found[partition] = entry[1]
    _read_before[str(folder)] = known
    if n_read and len(known) >= KEPT_FROM:
        settled = {name: entry for name, entry in known.items() if not files[name].is_fresh}
        if len(settled) >= KEPT_FROM:
            _keep(store, asset, settled)
    return found


def _among(
    known: Mapping[str, "tuple[str, Described]"], files: Mapping[str, "ListedFile"]
) -> dict[str, "tuple[str, Described]"]:
    return {name: entry for name, entry in known.items() if name in files}


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


def _kept(
    store: Store, asset: str, files: Mapping[str, "ListedFile"]
) -> dict[str, tuple[str, Described]]:
    """What earlier processes have read of these files, as far as it is of their states."""
    if len(files) < KEPT_FROM:
        return {}
    try:
        table = store.read_table(store.table_path(FOOTERS, asset))
    except (MissingOutputError, DamagedOutputError, FileNotFoundError):
        return {}
    if dict(table.schema) != _SCHEMA:
        return {}
    # Most tables of an asset have the same columns.
    names = {text: tuple(json.loads(text)) for text in table["columns"].unique()}
    found = {}
    for name, state, seal, n_rows, columns, summary in table.iter_rows():
        file = files.get(name)
        if file is not None and file.state == state:
            footer = Footer(seal, n_rows, names[columns], summary)
            found[name] = (state, Described(file.n_bytes, footer))
    return found


def _keep(store: Store, asset: str, known: Mapping[str, tuple[str, Described]]) -> None:
    entries = sorted(known.items())
    footers = [one.footer for _, (_, one) in entries]
    names = {columns: json.dumps(columns) for columns in {footer.columns for footer in footers}}
    columns = {
        "name": [name for name, _ in entries],
        "state": [state for _, (state, _) in entries],
        "seal": [footer.seal for footer in footers],
        "n_rows": [footer.n_rows for footer in footers],
        "columns": [names[footer.columns] for footer in footers],
        "summary": [footer.summary for footer in footers],
    }
    # Where the lake can only be read, the next process reads the footers again.
    with suppress(OSError):
        store.write_table(store.table_path(FOOTERS, asset), pl.DataFrame(columns, schema=_SCHEMA))


def _loads(text: str) -> dict[str, Any]:
    """The values of a short JSON object, of which there are many; NaN is among what it may hold."""
    try:
        found: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = json.loads(text)
    return found


def listed_files(folder: UPath) -> Mapping[str, ListedFile]:
    """The files of a folder by name; none if it is not there.

    In a step (`one_step`) a local folder is listed once for as long as its own time stays: outputs
    are replaced, never changed in place, and every replacement changes it.
    """
    if not is_local(folder):
        return _listed_objects(folder)
    path = Path(str(folder))
    try:
        stat = path.stat()
        state = (stat.st_ino, stat.st_mtime_ns)
        kept = listings_of_step()
        known = None if kept is None else kept.get(str(path))
        if known is not None and known[0] == state:
            return cast(Mapping[str, ListedFile], known[1])
        now = time.time_ns()
        with os.scandir(path) as entries:
            found = {entry.name: _local(entry, now) for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    # A folder that has just changed may change again without a change of its time.
    if kept is not None and now - stat.st_mtime_ns >= FRESH_NANOSECONDS:
        kept[str(path)] = (state, found)
    return found


def _listed_objects(folder: UPath) -> dict[str, ListedFile]:
    try:
        infos = folder.fs.ls(folder.path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = {}
    for info in infos:
        if info["type"] == "file":
            name = str(info["name"]).rsplit("/", 1)[-1]
            found[name] = ListedFile(int(info["size"]), _state(info), is_fresh=False)
    return found


def _local(entry: "os.DirEntry[str]", now: int) -> ListedFile:
    stat = entry.stat()
    n_bytes, changed = stat.st_size, stat.st_mtime_ns
    return ListedFile(
        n_bytes, f"{stat.st_ino}-{n_bytes}-{changed}", now - changed < FRESH_NANOSECONDS
    )


def _state(info: Mapping[str, Any]) -> str:
    """All that a storage says of an object: its size, time and checksum."""
    return repr(sorted(info.items(), key=lambda item: item[0]))
