"""Kills the process group, has the process stall, or interrupts it, at a chosen point of a run.

Python imports this module at its start where the folder is on PYTHONPATH. What is to happen is said
by UNKIND, words separated by spaces: an action (`kill`, `stall`, `interrupt`), a kind of point, its
number (the first is 1), `before` or `after`, and for some kinds a part of a path. Counted are what
this process does:

    kill rename 7 before             the 7th rename of a file or folder of the lake
    kill rename 1 after scored_shards    the first rename to a path with this part
    kill event 30 after              the 30th event that is stored
    kill report 1 before             the first report of a stack of proxies in training
    kill seconds 3.5 before          so long after the process began

UNKIND_MARK names a file that gets the number of the process at the point; where it is there
already, nothing happens any more, in whichever process.
"""

import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

_LAKE = f"{os.sep}lake{os.sep}"


class _Point:
    def __init__(self, action: str, number: float, moment: str, part: str, mark: str) -> None:
        self.action, self.number, self.moment = action, number, moment
        self.part, self.mark, self.count = part, mark, 0

    def act(self) -> None:
        """Do what is to happen, unless that has happened."""
        try:
            mark = os.open(self.mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return
        os.write(mark, str(os.getpid()).encode())
        os.close(mark)
        if self.action == "stall":
            time.sleep(3_600)
        elif self.action == "interrupt":
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            os.killpg(0, signal.SIGKILL)

    def around(self, call: Callable[..., Any], *, counts: Callable[..., bool]) -> Any:
        """A function that does the same, and has what is to happen happen at its n-th call."""

        @functools.wraps(call)
        def counted(*arguments: Any, **named: Any) -> Any:
            if not counts(*arguments):
                return call(*arguments, **named)
            self.count += 1
            if self.count == self.number and self.moment == "before":
                self.act()
            result = call(*arguments, **named)
            if self.count == self.number and self.moment == "after":
                self.act()
            return result

        return counted

    def of_lake(self, source: Any, target: Any, *_: Any) -> bool:
        """Whether a rename gives an output of the lake its place."""
        path = os.fspath(target)
        return isinstance(path, str) and _LAKE in path and self.part in path


def _arm(action: str, kind: str, number: str, moment: str, part: str = "") -> None:
    point = _Point(action, float(number), moment, part, os.environ["UNKIND_MARK"])
    if kind == "rename":
        os.rename = point.around(os.rename, counts=point.of_lake)
        os.replace = point.around(os.replace, counts=point.of_lake)
    elif kind == "seconds":
        timer = threading.Timer(point.number, point.act)
        timer.daemon = True
        timer.start()
    elif kind == "event":
        from dagster._core.storage.event_log import SqliteEventLogStorage as Events

        Events.store_event = point.around(  # type: ignore[method-assign]
            Events.store_event, counts=lambda *_: True
        )
    elif kind == "report":
        from quadmix_assets.training.progress import ProgressBoard as Board

        Board.put = point.around(Board.put, counts=lambda *_: True)  # type: ignore[method-assign]
    else:
        raise ValueError(f"UNKIND: {kind!r} is no kind of point")


# The command, the process of a run, and the one that its steps are forked off.
if any("quadmix_assets.cli" in word or "multiprocessing" in word for word in sys.orig_argv):
    _arm(*os.environ["UNKIND"].split())
