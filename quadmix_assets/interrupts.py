"""Ctrl-C and SIGTERM in a process that executes runs: neither lost, nor taken for a failure."""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

_STOPPING = (signal.SIGINT, signal.SIGTERM)
# So long a step may take to end before it is told again: an interrupt that arrives in a callback of
# a C library is an exception that nobody sees.
_AGAIN_SECONDS = 4.0


class Interrupts:
    """Notices SIGINT and SIGTERM for as long as the block runs, whoever handles them in it.

    Dagster puts handlers of its own in place while a run is executed, and forgets what arrives
    between two steps. Python writes every signal to a file as well, whichever handler there is.
    In another thread than the main one, which alone gets signals, it does nothing.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._guard = threading.Lock()
        self._closed = threading.Event()
        self._ends: tuple[socket.socket, socket.socket] | None = None
        self._before: dict[int, Any] = {}
        self._fd_before = -1

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is not threading.main_thread():
            return self
        self._ends = socket.socketpair()
        for end in self._ends:
            end.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._ends[1].fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _raise) for number in _STOPPING}
        threading.Thread(target=self._watch, name="interrupts", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        if self._ends is None:
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        self.received()
        with self._guard:
            for end in self._ends:
                end.close()
            self._ends = None

    def received(self) -> int | None:
        """The first of the signals that has arrived, or None."""
        with self._guard:
            if self._ends is not None:
                with contextlib.suppress(BlockingIOError):
                    for number in self._ends[0].recv(4_096):
                        if self._number is None and number in _STOPPING:
                            self._number = number
            return self._number

    def raise_if_received(self) -> None:
        """Raise KeyboardInterrupt if one of the signals has arrived.

        Raises:
            KeyboardInterrupt: it has.
        """
        if self.received() is not None:
            raise KeyboardInterrupt

    def _watch(self) -> None:
        while self._ends is not None and self.received() is None:
            with contextlib.suppress(OSError, ValueError):
                select.select([self._ends[0]], [], [], 1.0)
            if self._closed.is_set():
                return
        name = signal.Signals(self._number or signal.SIGINT).name
        sys.stderr.write(f"{name}: stopping; a call into a library ends first\n")
        while not self._closed.wait(_AGAIN_SECONDS):
            os.kill(os.getpid(), signal.SIGINT)


def _raise(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
