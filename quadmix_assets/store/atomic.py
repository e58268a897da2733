"""Atomic writes of files and folders, on local disks and on object storage.

Locally, content is written to a temporary sibling, which is then renamed. An object store has no
rename, but shows an object only once its upload has ended: content is written to a local temporary
file first (in TMPDIR, which needs room for it), and uploaded when it is complete.

A folder is many objects, which cannot appear at once. So a folder on object storage has a listing,
the object `_listing.json`: whether the folder is complete, the names of its files, and a hash of
them all. It is marked incomplete before the first upload and complete after the last, when
objects of the previous folder that are not in the new one have been deleted. Readers refuse a
folder whose listing is incomplete, and one whose files are not those of the listing (two runs wrote
it at once). An error before the uploads leaves the previous folder as it was; one during the
uploads leaves a folder that counts as not written.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from upath import UPath

from quadmix_assets.hashing import hash_files
from quadmix_assets.store.errors import MissingOutputError
from quadmix_assets.store.temporaries import (
    is_local,
    temporary_file,
    temporary_folder,
    temporary_sibling,
)

LISTING_FILE = "_listing.json"


@dataclass(frozen=True)
class Listing:
    """The files of a folder on object storage.

    Attributes:
        names: their paths relative to the folder, in the order of the hash.
        fingerprint: `hash_files` of them.
    """

    names: tuple[str, ...]
    fingerprint: str


@contextmanager
def atomic_file(path: UPath) -> Iterator[BinaryIO]:
    """Open `path` for writing; the file replaces `path` when the block ends without an error."""
    if not is_local(path):
        with tempfile.NamedTemporaryFile() as spool:
            yield cast(BinaryIO, spool)
            spool.flush()
            _upload(Path(spool.name), path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # A unique name, so that two runs that write the same partition at once cannot mix their bytes.
    with temporary_file(path) as (temporary, file):
        yield file
        file.flush()
        os.fsync(file.fileno())
        temporary.replace(str(path))


@contextmanager
def atomic_folder(path: UPath) -> Iterator[Path]:
    """A local folder to fill; it replaces folder `path` when the block ends without an error."""
    if not is_local(path):
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
            _upload_folder(Path(name), path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path) as temporary:
        yield temporary
        _replace_folder(temporary, Path(str(path)))


def read_listing(folder: UPath) -> Listing | None:
    """The listing of a folder on object storage; None if `atomic_folder` has not written there.

    Raises:
        MissingOutputError: the folder is being written, or its last writer was interrupted.
    """
    try:
        content = json.loads((folder / LISTING_FILE).read_bytes())
    except FileNotFoundError:
        return None
    if not content["complete"]:
        raise MissingOutputError(
            f"{folder} is incomplete: a run is writing it, or was interrupted; wait for that "
            f"run, or materialise the asset {folder.name!r} again"
        )
    return Listing(tuple(content["names"]), content["fingerprint"])


def file_names(folder: Path | UPath) -> list[str]:
    """All files under `folder`, as paths relative to it, sorted folder by folder."""
    root = UPath(folder)
    names = [file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()]
    return sorted(names, key=lambda name: name.split("/"))


def _replace_folder(new: Path, path: Path) -> None:
    old = temporary_sibling(path)
    if path.exists():
        path.rename(old)
    try:
        new.rename(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _upload(source: Path, target: UPath) -> None:
    target.fs.put_file(str(source), target.path)


def _upload_folder(source: Path, target: UPath) -> None:
    names = file_names(source)
    listing = target / LISTING_FILE
    with atomic_file(listing) as file:
        file.write(json.dumps({"complete": False}).encode())
    for name in names:
        _upload(source / name, target / name)
    for stale in set(file_names(target)) - {*names, LISTING_FILE}:
        (target / stale).unlink()
    content = {"complete": True, "names": names, "fingerprint": hash_files(source, names)}
    with atomic_file(listing) as file:
        file.write(json.dumps(content).encode())
