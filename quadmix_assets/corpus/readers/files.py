"""Opens an input file, but nothing that only looks like one."""

from pathlib import Path
from typing import BinaryIO

from upath import UPath

from quadmix_assets.corpus.readers.errors import UnreadableShardError
from quadmix_assets.faults import kind_of_file
from quadmix_assets.store import is_local


def open_input(path: UPath) -> BinaryIO:
    """Open a file for reading.

    Raises:
        UnreadableShardError: it is a named pipe, a device or a socket.
        OSError: it is not there, or cannot be opened.
    """
    if is_local(path):
        kind = kind_of_file(Path(str(path)).stat().st_mode)
        if kind is not None:
            raise UnreadableShardError(
                path, f"it is {kind}, not a file.", "Remove it, or put a file in its place."
            )
    return path.open("rb")
