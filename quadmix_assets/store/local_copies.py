"""This machine's copies of folders on object storage: each version is fetched once per machine.

A copy is named by the hash of its content, so it never becomes old, and folders of equal content
share one. It is filled beside its place and renamed, under a lock: of several processes that want
it, one fetches it and the others wait. Whoever uses a copy holds a shared lock on it. Where copies
lie, and how much room they may take, is in `copies_folder.py`. Where that folder cannot be written,
or has no locks, a copy lives as long as its use.
"""

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from upath import UPath

from quadmix_assets.hashing import hash_names
from quadmix_assets.store.copies_folder import FOLDER, USE, copies_folder, locked, make_room
from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError
from quadmix_assets.store.listings import LISTING_FILE, Listing, listing_content
from quadmix_assets.store.objects import download
from quadmix_assets.store.outputs_in import checked_listed, listed_hash
from quadmix_assets.store.temporaries import (
    sweep_temporaries,
    temporary_folder,
    temporary_sibling,
)

# The lock of who fetches a copy.
_FETCH = ".fetch"

_LOGGER = logging.getLogger(__name__)


@contextmanager
def local_copy(listing: Listing) -> Iterator[Path]:
    """A verified local copy of a folder on object storage, for the duration of the block.

    Raises:
        MissingOutputError: the folder was replaced meanwhile, and the version is deleted.
        DamagedOutputError: a file is not what was written.
    """
    copy = copies_folder() / hash_names(listing.hashes)
    with ExitStack() as held:
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            fetching = held.enter_context(locked(copy, _FETCH, fcntl.LOCK_EX))
            held.enter_context(locked(copy, USE, fcntl.LOCK_SH))
        except OSError as error:
            _LOGGER.warning("%s: no copies can be kept there (%s); set %s", copy, error, FOLDER)
            held.close()
            copy = Path(held.enter_context(tempfile.TemporaryDirectory()))
            _fetch(listing, copy)
        else:
            if not _is_whole(copy, listing):
                _replace(copy, listing)
            os.utime(copy)  # the time of its last use
            fcntl.flock(fetching, fcntl.LOCK_UN)
            make_room(copy)
        yield copy


def _is_whole(copy: Path, listing: Listing) -> bool:
    if not copy.is_dir():
        return False
    local = Listing(UPath(copy), listing.hashes)
    try:
        for name in listing.hashes:
            listed_hash(local, name)
    except (DamagedOutputError, MissingOutputError) as error:
        _LOGGER.warning("%s; the copy is fetched again", error)
        return False
    return True


def _replace(copy: Path, listing: Listing) -> None:
    """Fetch a copy into its place; readers of a damaged one go on with what they have opened."""
    if copy.exists():
        damaged_copy = temporary_sibling(copy)
        copy.rename(damaged_copy)
    sweep_temporaries(UPath(copy.parent))
    with temporary_folder(copy) as temporary:
        _fetch(listing, temporary)
        temporary.rename(copy)


def _fetch(listing: Listing, target: Path) -> None:
    for name in listing.hashes:
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            found = download(listing.path(name), file)
        except FileNotFoundError:
            found = None
        checked_listed(listing, name, found)
    (target / LISTING_FILE).write_bytes(listing_content(listing.hashes))
