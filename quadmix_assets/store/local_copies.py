"""This machine's copies of folders on object storage: each version is fetched once per machine.

A copy is named by the hash of its content, so it never becomes old, and folders of equal content
share one. It is filled beside its place and renamed, under a lock: of several processes that want
it, one fetches it and the others wait. Whoever uses a copy holds a shared lock on it. When copies
take more than `QUADMIX_COPIES_GB` gigabytes (20 by default), those that were not used for the
longest time are deleted, except what is in use.

They are in the folder that `QUADMIX_COPIES` names, else in `quadmix` in the user's folder for
caches (`XDG_CACHE_HOME`, `~/.cache`). Where that cannot be written, or has no locks, a copy lives
as long as its use.
"""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from upath import UPath

from quadmix_assets.hashing import hash_names
from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError
from quadmix_assets.store.listings import LISTING_FILE, Listing, listing_content
from quadmix_assets.store.objects import download
from quadmix_assets.store.outputs_in import checked_listed, listed_hash
from quadmix_assets.store.temporaries import (
    is_temporary,
    sweep_temporaries,
    temporary_folder,
    temporary_sibling,
)

# Settings do not take them for overrides of their own: `settings/load.py`.
_FOLDER = "QUADMIX_COPIES"
_GIGABYTES = "QUADMIX_COPIES_GB"
_DEFAULT_GIGABYTES = "20"
# The locks of a copy: of who fetches it, and of those who use it.
_FETCH, _USE = ".fetch", ".use"

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
            fetching = held.enter_context(_locked(copy, _FETCH, fcntl.LOCK_EX))
            held.enter_context(_locked(copy, _USE, fcntl.LOCK_SH))
        except OSError as error:
            _LOGGER.warning("%s: no copies can be kept there (%s); set %s", copy, error, _FOLDER)
            held.close()
            copy = Path(held.enter_context(tempfile.TemporaryDirectory()))
            _fetch(listing, copy)
        else:
            if not _is_whole(copy, listing):
                _replace(copy, listing)
            os.utime(copy)  # the time of its last use
            fcntl.flock(fetching, fcntl.LOCK_UN)
            _make_room(copy)
        yield copy


def copies_folder() -> Path:
    """Where this machine's copies are."""
    chosen = os.environ.get(_FOLDER)
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "quadmix"


@contextmanager
def _locked(copy: Path, what: str, operation: int) -> Iterator[int]:
    """Hold a lock of a copy; its handle.

    Raises:
        OSError: its file cannot be written, there are no locks, or another has it.
    """
    handle = os.open(f"{copy}{what}", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, operation)
        yield handle
    finally:
        os.close(handle)


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


def _make_room(used: Path) -> None:
    """Delete the copies that were not used for the longest time, while all are too large."""
    copies = [
        each for each in used.parent.iterdir() if each.is_dir() and not is_temporary(each.name)
    ]
    sizes = {copy: _n_bytes(copy) for copy in sorted(copies, key=_last_use)}
    left = int(float(os.environ.get(_GIGABYTES, _DEFAULT_GIGABYTES)) * 1e9) - sum(sizes.values())
    for copy, size in sizes.items():
        if left >= 0:
            break
        if copy == used:
            continue
        with suppress(OSError), _locked(copy, _USE, fcntl.LOCK_EX | fcntl.LOCK_NB):
            # Otherwise it is in use, or another deletes it.
            shutil.rmtree(copy)
            left += size


def _n_bytes(copy: Path) -> int:
    return sum(file.stat().st_size for file in copy.rglob("*") if file.is_file())


def _last_use(copy: Path) -> float:
    try:
        return copy.stat().st_mtime
    except FileNotFoundError:
        return 0.0
