"""The card of a file: its hash, in a hidden file beside it, by which every reading is verified.

Tables and the files of atomic folders need none: tables hold their hashes themselves, and folders
have a listing. A card is replaced just before its file, under a lock of the folder, and also holds
the hashes of the contents before: a process that is killed between the two leaves a file that its
card still knows. On object storage, and on file systems that cannot lock a folder, readers look
again and again for a while before they call a file damaged.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, TypeVar

from upath import UPath

from quadmix_assets.faults import naming
from quadmix_assets.hashing import hash_bytes, hash_file
from quadmix_assets.store.atomic import atomic_file
from quadmix_assets.store.errors import DamagedOutputError, damaged, without_checksum
from quadmix_assets.store.objects import delete_object, forget, hash_object, read_content
from quadmix_assets.store.sealed_json import sealed_json, unsealed_json
from quadmix_assets.store.temporaries import is_local

_SUFFIX = ".card"
_HASHES = "xxh3_128"
# The contents that a card knows: of a file that is being replaced, and of some attempts before
# that were killed between card and file.
_N_HASHES = 4
# How often a file in a folder that cannot be locked is looked at before it counts as damaged, and
# the pause between: its card is replaced a moment before it.
_N_LOOKS = 4
_PAUSE_SECONDS = 0.5

_Read = TypeVar("_Read")


def card_path(path: UPath) -> UPath:
    """Path of the card of a file."""
    return path.parent / f".{path.name}{_SUFFIX}"


def carded_name(name: str) -> str | None:
    """The name of the file whose card has this name; None if it is not a card's name."""
    is_card = name.startswith(".") and name.endswith(_SUFFIX) and len(name) > 1 + len(_SUFFIX)
    return name[1 : -len(_SUFFIX)] if is_card else None


@contextmanager
def carded_file(path: UPath) -> Iterator[BinaryIO]:
    """As `atomic_file`, for an output of the lake, which gets a card."""

    def replacing(complete: Path) -> AbstractContextManager[None]:
        return _with_card(path, hash_file(complete))

    with atomic_file(path, replacing=replacing) as file:
        yield file


def read_carded(path: UPath) -> bytes:
    """The bytes of a file that has a card.

    Raises:
        FileNotFoundError: it is not there.
        DamagedOutputError: it is not what was written, or has no card.
    """
    return _verified(path, lambda: read_content(path), hash_bytes)


def carded_hash(path: UPath) -> str:
    """xxh3-128 of a file that has a card.

    Raises:
        FileNotFoundError: it is not there.
        DamagedOutputError: it is not what was written, or has no card.
    """
    return _verified(path, lambda: file_hash(path), str)


def file_hash(path: UPath) -> str:
    """xxh3-128 of the bytes of a file as it is, unverified.

    Raises:
        FileNotFoundError: it is not there.
    """
    return hash_file(path) if is_local(path) else hash_object(path)


def check_hash(path: UPath, found: str) -> None:
    """Compare the hash of a file with its card.

    Raises:
        DamagedOutputError: the card does not know it, or there is none.
    """
    try:
        content = read_content(card_path(path))
    except FileNotFoundError:
        raise without_checksum(path, f"its card {card_path(path).name} is not there") from None
    if found not in _hashes_of(path, content):
        raise damaged(path, f"its content is not that of its card {card_path(path).name}")


def delete_carded(path: UPath) -> None:
    """Delete a file and its card, as far as they are there."""
    # The card first: a file without card counts as no output, a card without file as one that is
    # missing.
    for each in (card_path(path), path):
        if is_local(each):
            each.unlink(missing_ok=True)
        else:
            delete_object(each)


def _verified(path: UPath, read: Callable[[], _Read], hash_of: Callable[[_Read], str]) -> _Read:
    """What is read of a file, after a look at its card; more looks while it may be replaced."""
    look = 1
    while True:
        lock = nullcontext(False) if look == 1 else _folder_lock(path, fcntl.LOCK_SH)
        with naming(path), lock as is_locked:
            found = read()
            try:
                check_hash(path, hash_of(found))
            except DamagedOutputError:
                if is_locked or look == _N_LOOKS:
                    raise
            else:
                return found
        if look > 1 or not is_local(path):
            time.sleep(_PAUSE_SECONDS)
        for each in (path, card_path(path)):
            forget(each)
        look += 1


@contextmanager
def _with_card(path: UPath, content_hash: str) -> Iterator[None]:
    """Write the card of coming content; the block replaces the file."""
    with _folder_lock(path, fcntl.LOCK_EX):
        try:
            known = _hashes_of(path, read_content(card_path(path)))
        except (FileNotFoundError, DamagedOutputError):
            known = []
        hashes = list(dict.fromkeys([content_hash, *known]))[:_N_HASHES]
        with atomic_file(card_path(path)) as file:
            file.write(sealed_json({_HASHES: hashes}))
        yield


@contextmanager
def _folder_lock(path: UPath, operation: int) -> Iterator[bool]:
    """Lock the folder of a file, and say whether that was possible: it is on local disks."""
    if not is_local(path):
        yield False
        return
    handle = os.open(Path(str(path.parent)), os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, operation)
        except OSError:  # a file system without locks for folders, such as NFS
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _hashes_of(path: UPath, content: bytes) -> list[str]:
    try:
        return list(unsealed_json(content)[_HASHES])
    except ValueError as error:
        raise damaged(path, f"its card {card_path(path).name} has changed: {error}") from None
