"""Atomic writes of files and folders, on local disks and on object storage.

Locally, content is written to a temporary sibling, which is then renamed. An object store has no
rename, but shows an object only once its upload has ended: content is written to a local temporary
file first (in TMPDIR, which needs room for it), and uploaded when it is complete.

A folder has a listing, the file `_listing.json`: the names of its files and a hash of each. On
object storage a folder is many objects, which cannot appear at once. So there, the listing also
says whether the folder is complete. It is marked incomplete before the first upload and complete
after the last, when objects of the previous folder that are not in the new one have been deleted.
Readers refuse a folder whose listing is incomplete. An error before the uploads leaves the previous
folder as it was; one during the uploads leaves a folder that counts as not written.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from upath import UPath

from quadmix_assets.faults import naming
from quadmix_assets.hashing import hash_file
from quadmix_assets.store.errors import MissingOutputError, damaged
from quadmix_assets.store.sealed_json import sealed_json, unsealed_json
from quadmix_assets.store.temporaries import (
    is_local,
    temporary_file,
    temporary_folder,
    temporary_sibling,
)

LISTING_FILE = "_listing.json"


@dataclass(frozen=True)
class Listing:
    """The files of a folder.

    Attributes:
        folder: the folder.
        hashes: xxh3-128 of each file, by its path relative to the folder.
    """

    folder: UPath
    hashes: Mapping[str, str]


@contextmanager
def atomic_file(
    path: UPath,
    *,
    replacing: Callable[[Path], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> Iterator[BinaryIO]:
    """Open `path` for writing and reading; the file replaces `path` at the end of the block.

    Args:
        path: what an error in the block leaves as it was.
        replacing: makes the context in which `path` is replaced, from the complete local file.
    """
    if not is_local(path):
        with naming(path), tempfile.NamedTemporaryFile() as spool:
            yield cast(BinaryIO, spool)
            spool.flush()
            with replacing(Path(spool.name)):
                _upload(Path(spool.name), path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # A unique name, so that two runs that write the same partition at once cannot mix their bytes.
    with naming(path), temporary_file(path) as (temporary, file):
        yield file
        file.flush()
        os.fsync(file.fileno())
        with replacing(temporary):
            temporary.replace(str(path))


@contextmanager
def atomic_folder(path: UPath) -> Iterator[Path]:
    """A local folder to fill; it replaces folder `path` when the block ends without an error."""
    if not is_local(path):
        with naming(path), tempfile.TemporaryDirectory() as name:
            yield Path(name)
            _upload_folder(Path(name), path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), temporary_folder(path) as temporary:
        yield temporary
        (temporary / LISTING_FILE).write_bytes(_listing(temporary, _outputs_in(temporary)))
        _replace_folder(temporary, Path(str(path)))


def read_listing(folder: UPath) -> Listing | None:
    """The listing of a folder; None if `atomic_folder` has not written there.

    Raises:
        MissingOutputError: the folder is being written, or its last writer was interrupted.
        DamagedOutputError: the listing has changed.
    """
    path = folder / LISTING_FILE
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        value = unsealed_json(content)
    except ValueError as error:
        raise damaged(path, str(error)) from None
    if not value["complete"]:
        raise MissingOutputError(
            f"{folder} is incomplete: a run is writing it, or was interrupted; wait for that "
            f"run, or materialise the asset {folder.name!r} again"
        )
    return Listing(folder, value["files"])


def file_names(folder: Path | UPath) -> list[str]:
    """All files under `folder`, as paths relative to it, sorted folder by folder."""
    root = UPath(folder)
    names = [file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()]
    return sorted(names, key=lambda name: name.split("/"))


def _outputs_in(folder: Path) -> list[str]:
    """The files that a step has left in its folder, without what the system puts there."""
    names = file_names(folder)
    return [name for name in names if not any(part.startswith(".") for part in name.split("/"))]


def _listing(folder: Path, names: list[str]) -> bytes:
    hashes = {name: hash_file(folder / name) for name in names}
    return sealed_json({"complete": True, "files": hashes})


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
    names = _outputs_in(source)
    listing = target / LISTING_FILE
    with atomic_file(listing) as file:
        file.write(sealed_json({"complete": False}))
    for name in names:
        _upload(source / name, target / name)
    for stale in set(file_names(target)) - {*names, LISTING_FILE}:
        (target / stale).unlink()
    with atomic_file(listing) as file:
        file.write(_listing(source, names))
