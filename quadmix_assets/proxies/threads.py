"""Work for several CPU threads, each of which computes alone.

Torch can spread one operation over threads, but small operations spend the gain on waiting for each
other, and on a busy machine far more than the gain. Here every thread runs jobs of its own, one
torch thread each, so that neither the number of threads nor the machine's load changes a result.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

import torch

T = TypeVar("T")
_TICK_SECONDS = 5.0


def run_in_threads(
    jobs: Sequence[Callable[[Event], T]],
    n_threads: int | None = None,
    on_tick: Callable[[], None] | None = None,
) -> list[T]:
    """Run all jobs and return what they return, in their order.

    Args:
        jobs: each is given an event and should end soon after it is set.
        n_threads: how many jobs run at once; None takes torch's number of threads.
        on_tick: called in the calling thread about every five seconds, and when all is done.

    The first error of a job, or of `on_tick`, stops the rest and is raised.
    """
    before = torch.get_num_threads()
    stop = Event()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(
            n_threads or before, initializer=torch.set_num_threads, initargs=(1,)
        ) as executor:
            futures = [executor.submit(job, stop) for job in jobs]
            try:
                pending = set(futures)
                while pending:
                    done, pending = wait(pending, _TICK_SECONDS, FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    if on_tick:
                        on_tick()
            except BaseException:
                stop.set()
                executor.shutdown(cancel_futures=True)
                raise
            return [future.result() for future in futures]
    finally:
        torch.set_num_threads(before)
