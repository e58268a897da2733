"""Atomic writes of files and folders, on local disks and on object storage.

Locally, content is written to a temporary sibling, which is then renamed. An object store has no
rename, but shows an object only once its upload has ended: content is written to a local temporary
file first (in TMPDIR, which needs room for it), and uploaded when it is complete.

How a folder becomes many objects is in `remote_folders.py`.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from upath import UPath

from quadmix_assets.faults import naming
from quadmix_assets.store.listings import LISTING_FILE, listing_of
from quadmix_assets.store.objects import upload
from quadmix_assets.store.remote_folders import upload_folder
from quadmix_assets.store.temporaries import (
    is_local,
    temporary_file,
    temporary_folder,
    temporary_sibling,
)


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
                upload(Path(spool.name), path)
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
            upload_folder(Path(name), path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), temporary_folder(path) as temporary:
        yield temporary
        (temporary / LISTING_FILE).write_bytes(listing_of(temporary))
        _replace_folder(temporary, Path(str(path)))


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
