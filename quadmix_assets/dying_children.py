"""Has this process end with the one that started it, and those that it forks end with it.

On Linux only. To be imported by a process that does nothing but fork others, such as the one that
the steps of a run are forked off: the kernel sends the signal when the *thread* that started a
process has ended.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_parent = os.getpid()


def _remember_parent() -> None:
    global _parent
    _parent = os.getpid()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with_forking_parent() -> None:
    _end_with_parent()
    if os.getppid() != _parent:  # It had ended before the kernel was asked.
        os._exit(1)


if sys.platform == "linux":
    _end_with_parent()
    os.register_at_fork(before=_remember_parent, after_in_child=_end_with_forking_parent)
