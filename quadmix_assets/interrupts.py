"""Ctrl-C and SIGTERM in a process that executes runs: neither lost, nor taken for a failure."""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_STOPPING = (signal.SIGINT, signal.SIGTERM)
# So long a step may take to end before it is told again: an interrupt that arrives in a callback of
# a C library is an exception that nobody sees.
_AGAIN_SECONDS = 4.0
# After so long it is in a call into a library that hears no signal, such as the training of a
# fastText model. Nothing is ever half-written, so that the process can end at any moment.
_LAST_SECONDS = 7.5
_LAST_WORDS_SECONDS = 1.5


class Interrupts:
    """Notices SIGINT and SIGTERM for as long as the block runs, whoever handles them in it.

    Dagster puts handlers of its own in place while a run is executed, and forgets what arrives
    between two steps. Python writes every signal to a file as well, whichever handler there is.
    A process that has not ended its block some seconds after the first signal is ended from here.
    In another thread than the main one, which alone gets signals, it does nothing.
    """

    def __init__(self, last_words: Callable[[], None] = lambda: None) -> None:
        """Prepare the block.

        Args:
            last_words: called, in another thread, before the process is ended in the middle of its
                block; it has a moment.
        """
        self._last_words = last_words
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
        number = signal.Signals(self._number or signal.SIGINT)
        last = time.monotonic() + _LAST_SECONDS
        sys.stderr.write(f"{number.name}: stopping\n")
        while not self._closed.wait(_AGAIN_SECONDS):
            if time.monotonic() > last:
                sys.stderr.write(f"{number.name}: ended in a call that cannot be interrupted\n")
                threading.Timer(_LAST_WORDS_SECONDS, os._exit, [128 + number]).start()
                try:
                    self._last_words()
                finally:
                    os._exit(128 + number)
            os.kill(os.getpid(), signal.SIGINT)


def end_when_interrupted() -> None:
    """Have this process end some seconds after SIGINT or SIGTERM, if it has not ended by itself.

    For a process whose code decides what a signal does, but may be in a call that hears none.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        with writing:
            while (number := reading.recv(1)[0]) not in _STOPPING:
                pass
            time.sleep(_LAST_SECONDS)
            os._exit(128 + number)

    threading.Thread(target=watch, name="interrupts", daemon=True).start()


def _raise(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
