"""Remembers what was computed from a local file, for as long as the file stays the same."""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from upath import UPath

from quadmix_assets.store.temporaries import is_local

# A file that was changed this short a time ago may change again without a change of its time.
FRESH_NANOSECONDS = 100_000_000


def once_per_state(path: UPath, compute: Callable[[UPath], str]) -> str:
    """What `compute` makes of a file: a hash, a summary; of a local file once while it is the same.

    Raises:
        FileNotFoundError: it is not there.
    """
    if not is_local(path):
        return compute(path)
    stat = path.stat()
    if time.time_ns() - stat.st_mtime_ns < FRESH_NANOSECONDS:
        return compute(path)
    state = (int(stat.st_ino), int(stat.st_size), int(stat.st_mtime_ns))
    return _in_state(Path(str(path)), state, compute)


# Several assets of some thousand shards.
@lru_cache(maxsize=65_536)
def _in_state(path: Path, state: tuple[int, int, int], compute: Callable[[UPath], str]) -> str:
    """The same of a file that is in a certain state.

    An output is replaced and never changed in place, so that another content has another state.
    """
    return compute(UPath(path))
