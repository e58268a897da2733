"""Makes operations of the operating system fail below a folder, as a full or broken disk does."""

import errno as numbers
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

OPERATIONS = ("open", "read", "write", "fsync", "rename", "mkdir", "listdir", "unlink")


class Faults:
    """One operation that fails below one path; `hits` are the paths that it was asked for."""

    def __init__(self, operation: str, number: int, under: Path, *, after: int = 0) -> None:
        self.operation = operation
        self.number = number
        self.hits: list[str] = []
        self._under = os.path.realpath(under)
        self._left = after

    def check(self, operation: str, path: Any, *, named: bool = True) -> None:
        """Fail if this is the operation on such a path; errors of open files carry no path."""
        if operation != self.operation or isinstance(path, int):
            return
        real = os.path.realpath(os.fsdecode(path))
        if real != self._under and not real.startswith(self._under + os.sep):
            return
        if self._left:
            self._left -= 1
            return
        self.hits.append(real)
        words = os.strerror(self.number)
        raise (
            OSError(self.number, words, os.fsdecode(path)) if named else OSError(self.number, words)
        )


class _File(io.FileIO):
    """An open file whose reading or writing may fail."""

    faults: Faults

    def readinto(self, buffer: Any) -> Any:
        self.faults.check("read", self.name, named=False)
        return super().readinto(buffer)

    def readall(self) -> Any:
        self.faults.check("read", self.name, named=False)
        return super().readall()

    def write(self, content: Any) -> Any:
        self.faults.check("write", self.name, named=False)
        return super().write(content)


@contextmanager
def injected(faults: Faults) -> Iterator[Faults]:
    """Let the operation fail for as long as the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        opened = _opening(faults, io.open)
        patch.setattr("builtins.open", opened)
        patch.setattr("io.open", opened)
        for operation, names in (
            ("rename", ("rename", "replace")),
            ("mkdir", ("mkdir",)),
            ("listdir", ("listdir", "scandir")),
            ("unlink", ("unlink", "remove", "rmdir")),
        ):
            for name in names:
                patch.setattr(os, name, _failing(faults, operation, getattr(os, name)))
        patch.setattr(os, "fsync", _syncing(faults, os.fsync))
        yield faults


def _failing(faults: Faults, operation: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        faults.check(operation, path)
        return real(path, *args, **kwargs)

    return call


def _syncing(faults: Faults, real: Callable[[int], None]) -> Callable[[int], None]:
    def call(descriptor: int) -> None:
        faults.check("fsync", Path(f"/proc/self/fd/{descriptor}").readlink(), named=False)
        real(descriptor)

    return call


def _opening(faults: Faults, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(file: Any, mode: str = "r", buffering: int = -1, *args: Any, **kwargs: Any) -> Any:
        if isinstance(file, int):
            return real(file, mode, buffering, *args, **kwargs)
        faults.check("open", file)
        if faults.operation not in ("read", "write"):
            return real(file, mode, buffering, *args, **kwargs)
        raw = _File(file, mode.replace("b", "").replace("t", "").replace("U", ""))
        raw.faults = faults
        if "+" in mode:
            buffered: Any = io.BufferedRandom(raw)
        else:
            buffered = io.BufferedReader(raw) if "r" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *args, **kwargs)

    return call


ERRNOS = {
    name: getattr(numbers, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EIO", "ENETDOWN")
}
"""What a disk or a mount may say, by name."""
