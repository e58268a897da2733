"""The summaries of many tables of an asset; each is read once while its file stays the same.

What looks at a whole pool again and again, as the overview does whenever something has changed,
would otherwise open and verify the footers of all shards because of one.
"""

import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from quadmix_assets.store.file_state import FRESH_NANOSECONDS
from quadmix_assets.store.store import Store
from quadmix_assets.store.temporaries import is_local

# By folder and name of a table: the state of the file, and its summary as JSON, which takes a tenth
# of the memory of the values.
_read_before: dict[str, dict[str, tuple[str, str]]] = {}


@dataclass(frozen=True)
class Described:
    """What is known of a table without reading its rows.

    Attributes:
        summary: that `TableWriter.describe` stored in its footer.
        n_bytes: size of the file.
    """

    summary: dict[str, Any]
    n_bytes: int


@dataclass(frozen=True)
class _File:
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
    """The summaries of those partitions of an asset whose tables are there.

    The folder is listed once. Every footer is verified when it is read; of one process that is once
    per state of the file.

    Raises:
        DamagedOutputError: a footer is not what was written.
    """
    folder = store.root / asset
    files = _listed(folder)
    before, read, found = _read_before.get(str(folder), {}), {}, {}
    for partition in partitions:
        name = f"{partition}.parquet"
        file = files.get(name)
        if file is None:
            continue
        state, text = before.get(name, ("", ""))
        if state != file.state or file.is_fresh:
            text = json.dumps(store.summary(folder / name))
        read[name] = (file.state, text)
        found[partition] = Described(json.loads(text), file.n_bytes)
    _read_before[str(folder)] = read
    return found


def _listed(folder: UPath) -> dict[str, _File]:
    """The files of a folder by name; none if it is not there."""
    try:
        if is_local(folder):
            with os.scandir(Path(str(folder))) as entries:
                return {entry.name: _local(entry) for entry in entries if entry.is_file()}
        infos = folder.fs.ls(folder.path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {
        str(info["name"]).rsplit("/", 1)[-1]: _File(int(info["size"]), _state(info), is_fresh=False)
        for info in infos
        if info["type"] == "file"
    }


def _local(entry: "os.DirEntry[str]") -> _File:
    stat = entry.stat()
    return _File(
        stat.st_size,
        f"{stat.st_ino}-{stat.st_size}-{stat.st_mtime_ns}",
        time.time_ns() - stat.st_mtime_ns < FRESH_NANOSECONDS,
    )


def _state(info: dict[str, Any]) -> str:
    """All that a storage says of an object: its size, time and checksum."""
    return repr(sorted(info.items(), key=lambda item: item[0]))
