"""Lock files that tell whether a process still lives, whatever ended it.

A process holds a lock (flock) on an open file. The kernel drops it when the process ends, killed or
not, so that neither a heartbeat nor a process number that was given away again can mislead.
"""

import contextlib
import fcntl
import json
import os
import platform
import sys
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        pid: its process.
        since: when it took the lock, in UTC.
        command: its command line.
        machine: the name of its machine; empty if that is not on record.
    """

    pid: int
    since: str
    command: str
    machine: str = ""

    def is_here(self) -> bool:
        """Whether it is or was a process of this machine."""
        return self.machine in ("", platform.node())

    def __str__(self) -> str:
        """As part of a sentence."""
        return f"process {self.pid} (`{self.command}`) since {self.since} UTC"


class HeldLock:
    """A lock that this process holds; a context manager that lets go of it at its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __enter__(self) -> "HeldLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def hold_new(path: Path) -> HeldLock | None:
    """Hold the lock of a file that is not there yet; it appears when it is locked.

    Returns None, and makes no file, where the file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    file = hidden.open("w+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sign(file)
        hidden.rename(path)
    except OSError:
        file.close()
        hidden.unlink(missing_ok=True)
        return None
    return HeldLock(file)


def try_to_hold(path: Path) -> HeldLock | None:
    """Hold the lock of a file that is made if need be; None if another process holds it.

    Where the file system has no locks, nobody holds one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+b")
    if not _lock(file):
        file.close()
        return None
    _sign(file)
    return HeldLock(file)


def hold_abandoned(path: Path) -> HeldLock | None:
    """Hold the lock of a file whose process has ended; None if it lives, or the file is gone."""
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        return None
    if not _lock(file):
        file.close()
        return None
    return HeldLock(file)


def is_held(path: Path) -> bool:
    """Whether a process that lives holds the lock of this file."""
    if not path.exists():
        return False
    found = hold_abandoned(path)
    if found is None:
        return path.exists()
    with found:
        return False


def last_holder(path: Path) -> Holder | None:
    """Who holds the lock of this file, or held it last; None if that is not on record."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Holder(**json.loads(path.read_bytes()))
    return None


def _lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # No locks on this file system.
        return True
    return True


def _sign(file: BinaryIO) -> None:
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    holder = Holder(os.getpid(), now, " ".join(words), platform.node())
    file.truncate(0)
    file.write(json.dumps(asdict(holder)).encode())
    file.flush()
