"""Temporary files and folders beside the outputs they become, and the sweeping of left-over ones.

While a temporary is being written, its writer holds a lock on it (flock), which the kernel drops
when the process ends, in whatever way. So a temporary whose lock can be had has no writer.
"""

import contextlib
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from upath import UPath

_NAME = re.compile(r".\.[0-9a-f]{32}\.tmp$")


def is_local(path: UPath) -> bool:
    """Whether `path` is on this machine's file system."""
    return path.protocol in {"", "file", "local"}


def temporary_sibling(path: Path | UPath) -> Path:
    """A name beside the local `path` that no other writer uses."""
    return Path(f"{path}.{uuid.uuid4().hex}.tmp")


def is_temporary(name: str) -> bool:
    """Whether a file or folder of this name is a temporary sibling of an output."""
    return _NAME.search(name) is not None


@contextmanager
def temporary_file(path: Path | UPath) -> Iterator[tuple[Path, BinaryIO]]:
    """A temporary sibling of the local `path`, open for writing and reading; deleted at the end.

    Whoever is done with it renames it inside the block.
    """
    while True:
        temporary = temporary_sibling(path)
        file = temporary.open("w+b")
        _lock(file.fileno())
        if os.fstat(file.fileno()).st_nlink:
            break
        file.close()  # Swept between its creation and its lock.
    try:
        yield temporary, file
    finally:
        try:
            file.close()  # On a full disk it fails, on what was not yet written.
        finally:
            # Where it was renamed there is nothing to delete, and nothing that could fail.
            if temporary.exists():
                temporary.unlink(missing_ok=True)


def write_at_once(path: Path, content: bytes) -> None:
    """Write a small local file that others read meanwhile: they see all of it, or what was there.

    Unlike the outputs of a lake it may be lost with the machine.
    """
    with temporary_file(path) as (temporary, file):
        file.write(content)
        file.flush()
        temporary.replace(path)


@contextmanager
def temporary_folder(path: Path | UPath) -> Iterator[Path]:
    """A temporary sibling folder of the local `path`; deleted at the end with all that is in it.

    Whoever is done with it renames it inside the block.
    """
    while True:
        temporary = temporary_sibling(path)
        temporary.mkdir()
        try:
            handle = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # Swept between its creation and its lock, as below.
            continue
        _lock(handle)
        if temporary.exists():
            break
        os.close(handle)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(handle)


def sweep_temporaries(root: UPath) -> list[str]:
    """Delete the temporaries below `root` whose writer no longer lives; return their paths.

    Nothing else is deleted. On object storage there are none, and nothing is done.
    """
    if not is_local(root):
        return []
    swept = []
    for folder, folders, files in os.walk(str(root)):
        left = [name for name in folders if is_temporary(name)]
        # What is inside a temporary folder goes with it, or belongs to its writer.
        folders[:] = [name for name in folders if name not in left]
        for name in (*left, *(name for name in files if is_temporary(name))):
            path = Path(folder, name)
            if _delete_if_unlocked(path):
                swept.append(str(path))
    return sorted(swept)


def _delete_if_unlocked(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # It has become an output, or was deleted.
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A temporary that was renamed since is an output, and another may have its name.
        if not os.path.samestat(os.fstat(handle), path.lstat()):
            return False
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError:  # Its writer lives, or it cannot be deleted, which is no reason to stop.
        return False
    finally:
        os.close(handle)
    return True


def _lock(handle: int) -> None:
    # A file system without locks has none to take; there, nothing is ever swept.
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)
