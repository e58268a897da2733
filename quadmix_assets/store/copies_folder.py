"""The folder of this machine's copies of what lies on object storage, and the room that they take.

It is the one that `QUADMIX_COPIES` names, else `quadmix` in the user's folder for caches
(`XDG_CACHE_HOME`, `~/.cache`). Each copy is a folder in it: of a version of a folder of the lake
(`local_copies.py`), or of the small tables of an asset (`table_copies.py`). Whoever uses one of the
first kind holds a shared lock on it. When copies take more than `QUADMIX_COPIES_GB` gigabytes (20
by default), those that were not used for the longest time are deleted, except what is in use.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quadmix_assets.store.temporaries import is_temporary

# Settings do not take them for overrides of their own: `settings/load.py`.
FOLDER = "QUADMIX_COPIES"
_GIGABYTES = "QUADMIX_COPIES_GB"
_DEFAULT_GIGABYTES = "20"
# The lock of those who use a copy.
USE = ".use"


def copies_folder() -> Path:
    """Where this machine's copies are."""
    chosen = os.environ.get(FOLDER)
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "quadmix"


@contextmanager
def locked(copy: Path, what: str, operation: int) -> Iterator[int]:
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


def make_room(used: Path | None = None) -> None:
    """Delete the copies that were not used for the longest time, while all are too large.

    Args:
        used: a copy that stays.

    Raises:
        OSError: the folder of copies cannot be read.
    """
    copies = [
        each for each in copies_folder().iterdir() if each.is_dir() and not is_temporary(each.name)
    ]
    sizes = {copy: _n_bytes(copy) for copy in sorted(copies, key=_last_use)}
    left = int(float(os.environ.get(_GIGABYTES, _DEFAULT_GIGABYTES)) * 1e9) - sum(sizes.values())
    for copy, size in sizes.items():
        if left >= 0:
            break
        if copy == used:
            continue
        with suppress(OSError), locked(copy, USE, fcntl.LOCK_EX | fcntl.LOCK_NB):
            # Otherwise it is in use, or another deletes it.
            shutil.rmtree(copy)
            left += size


def _n_bytes(copy: Path) -> int:
    """Bytes of all files of a copy; files that go meanwhile, in another process, are none."""
    total = 0
    for folder, _, names in os.walk(copy):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(folder, name)).st_size  # noqa: PTH116, PTH118
    return total


def _last_use(copy: Path) -> float:
    try:
        return copy.stat().st_mtime
    except FileNotFoundError:
        return 0.0
