"""What the running step has read of object storage: starts of objects, and listings of folders.

Beside it are its listings of local folders, which `summaries.py` fills and holds to their states.

All is remembered for some seconds, and nothing between steps, nor that something is missing: a step
sees all that was written before it began. What the process itself has written since something was
asked for is not taken for it: `moment` is asked for first, and given with what was found.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_MAX_BYTES = 128 << 20
_SECONDS = 30.0


class StepMemory:
    """Of all steps that this process runs; it is emptied when one begins or ends.

    Attributes:
        local_listings: by local folder, its state and its listing.
    """

    def __init__(self) -> None:
        self.local_listings: dict[str, tuple[Any, Any]] = {}
        self._lock = threading.Lock()
        self._n_steps = 0
        self._n_bytes = 0
        # Changes are counted; of each path the number of its last one in this step.
        self._n_changes = self._n_changes_before = 0
        self._changes: dict[str, int] = {}
        self._contents: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._listings: dict[str, tuple[float, int, Mapping[str, str]]] = {}
        self._asked: dict[str, tuple[int, int | None]] = {}

    @contextmanager
    def step(self) -> Iterator[None]:
        """A context in which there is a memory."""
        with self._lock:
            self._n_steps += 1
            self._clear()
        try:
            yield
        finally:
            with self._lock:
                self._n_steps -= 1
                self._clear()

    @property
    def is_in_step(self) -> bool:
        """Whether a step is running."""
        return self._n_steps > 0

    def moment(self) -> int:
        """Now, for what is asked for next."""
        with self._lock:
            return self._n_changes

    def content(self, path: str) -> bytes | None:
        """The start of an object; None if it is not remembered."""
        with self._lock:
            since, content = self._contents.get(path, (-_SECONDS, None))
            return content if time.monotonic() - since < _SECONDS else None

    def remember_content(self, path: str, content: bytes, moment: int) -> None:
        """Remember the start of an object; the oldest are forgotten where they are too many."""
        with self._lock:
            if not self._n_steps or self._has_changed(path, moment):
                return
            self._forget_content(path)
            self._contents[path] = (time.monotonic(), content)
            self._n_bytes += len(content)
            while self._n_bytes > _MAX_BYTES:
                self._n_bytes -= len(self._contents.popitem(last=False)[1][1])

    def has_listing(self, folder: str) -> bool:
        """Whether a listing of the folder is remembered."""
        with self._lock:
            since, _, _ = self._listings.get(folder, (-_SECONDS, 0, {}))
            return time.monotonic() - since < _SECONDS

    def etag(self, folder: str, name: str) -> str | None:
        """The ETag of an object by the listing of its folder; None if it may have another one."""
        with self._lock:
            _, moment, etags = self._listings.get(folder, (0.0, 0, {}))
            return None if self._has_changed(f"{folder}/{name}", moment) else etags.get(name)

    def remember_listing(
        self, folder: str, etags: Mapping[str, str], moment: int, since: float
    ) -> None:
        """Remember a listing that was asked for at the monotonic time `since`."""
        with self._lock:
            if self._n_steps and moment >= self._n_changes_before:
                self._listings[folder] = (since, moment, etags)

    def is_worth_listing(self, folder: str, n_requests: Callable[[], int | None]) -> bool:
        """Whether a listing takes no more requests than the step has made of the folder's objects.

        Args:
            folder: of which another object is wanted.
            n_requests: that its listing takes, asked for when its first object is wanted; None if
                there is nothing that a listing would tell of.
        """
        with self._lock:
            if folder not in self._asked:
                self._asked[folder] = (0, n_requests())
            n_reads, needed = self._asked[folder]
            self._asked[folder] = (n_reads + 1, needed)
            return needed is not None and needed <= n_reads + 1

    def drop(self, path: str) -> None:
        """An object has changed, or all in a folder."""
        with self._lock:
            self._n_changes += 1
            if self._n_steps:
                self._changes[path] = self._n_changes
            for each in [key for key in self._contents if key == path or _is_in(key, path)]:
                self._forget_content(each)

    def _has_changed(self, path: str, moment: int) -> bool:
        if moment < self._n_changes_before:
            return True
        at = path
        while at:
            if self._changes.get(at, 0) > moment:
                return True
            at = at.rpartition("/")[0]
        return False

    def _forget_content(self, path: str) -> None:
        if path in self._contents:
            self._n_bytes -= len(self._contents.pop(path)[1])

    def _clear(self) -> None:
        for each in (self._contents, self._listings, self._changes, self._asked):
            each.clear()
        # Not cleared: who fills the old ones goes on doing so.
        self.local_listings = {}
        self._n_bytes = 0
        # What is on its way belongs to the steps before.
        self._n_changes += 1
        self._n_changes_before = self._n_changes


def _is_in(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")
