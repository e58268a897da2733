"""Keeps a table of the lake under a second name, without a second copy where the disk allows it.

Tables are replaced and never changed in place, so a hard link keeps the content of today when its
first name gets another one.
"""

import os
import shutil
from pathlib import Path

from upath import UPath

from quadmix_assets.store.atomic import atomic_file
from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError
from quadmix_assets.store.objects import delete_object, forget
from quadmix_assets.store.tables import read_footer, verified_table_hash
from quadmix_assets.store.temporaries import is_local


def keep_table(source: UPath, kept: UPath, seal: str) -> None:
    """Have the content of a table under another name too, as a hard link or a copy.

    Of the table and of what is kept already, only the ends are read.

    Args:
        source: the table.
        kept: where it is kept; what is there already stays if it is the same content.
        seal: of the content that is to be kept.

    Raises:
        MissingOutputError: the table is gone, or has another content.
        DamagedOutputError: the table is not what was written.
    """
    if not is_local(kept):
        _keep_object(source, kept, seal)
        return
    if not _is(source, seal):
        raise _replaced(source)
    if kept.exists():
        if kept.stat().st_size == source.stat().st_size and _is_kept(kept, seal):
            return
        kept.unlink()
    if not _linked(source, kept):
        _copy(source, kept, seal)
    elif not _is_same_file(source, kept):
        kept.unlink()
        raise _replaced(source)


def bytes_freed_with(path: UPath) -> int:
    """Bytes that deleting a file frees: none while it has another name."""
    if not is_local(path):
        return int(path.stat().st_size)
    stat = Path(str(path)).stat()
    return stat.st_size if stat.st_nlink == 1 else 0


def _is(path: UPath, seal: str) -> bool:
    try:
        return read_footer(path).seal == seal
    except FileNotFoundError:
        return False


def _is_kept(kept: UPath, seal: str) -> bool:
    try:
        return _is(kept, seal)
    except DamagedOutputError:
        return False


def _keep_object(source: UPath, kept: UPath, seal: str) -> None:
    """As `keep_table`, on object storage, which copies objects by itself."""
    if not _is_kept(kept, seal):
        forget(kept)
        try:
            source.fs.cp_file(source.path, kept.path)
        except FileNotFoundError:
            raise _replaced(source) from None
        if not _is(kept, seal):
            delete_object(kept)
            raise _replaced(source)


def _is_same_file(source: UPath, kept: UPath) -> bool:
    return Path(str(source)).samefile(str(kept))


def _linked(source: UPath, kept: UPath) -> bool:
    """Make a hard link; False where there cannot be one."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(str(source), str(kept))
    except FileNotFoundError:
        raise _replaced(source) from None
    except OSError:  # A file system without links, or with few names for one file.
        return False
    return True


def _copy(source: UPath, kept: UPath, seal: str) -> None:
    with atomic_file(kept) as file:
        with source.open("rb") as content:
            shutil.copyfileobj(content, file)
        file.flush()
        copy = UPath(file.name)
        try:
            verified_table_hash(copy)
        except DamagedOutputError:
            verified_table_hash(source)  # Says which file is damaged, if it still is.
            raise _replaced(source) from None
        if not _is(copy, seal):
            raise _replaced(source)


def _replaced(path: UPath) -> MissingOutputError:
    return MissingOutputError(f"{path} was replaced or deleted while it was kept: try again")
