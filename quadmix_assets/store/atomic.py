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
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from upath import UPath

from quadmix_assets.hashing import hash_files

LISTING_FILE = "_listing.json"


class MissingOutputError(FileNotFoundError):
    """An output that a step reads is missing, incomplete, or made from other inputs."""


@dataclass(frozen=True)
class Listing:
    """The files of a folder on object storage.

    Attributes:
        names: their paths relative to the folder, in the order of the hash.
        fingerprint: `hash_files` of them.
    """

    names: tuple[str, ...]
    fingerprint: str


def is_local(path: UPath) -> bool:
    """Whether `path` is on this machine's file system."""
    return path.protocol in {"", "file", "local"}


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
    """A local folder to fill; it replaces folder `path` when the block ends without an error."""
    if not is_local(path):
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
            _upload_folder(Path(name), path)
        return
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
