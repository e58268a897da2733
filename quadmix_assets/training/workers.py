"""Runs the stacks of a batch in worker processes, or in this one; only results come back."""

import functools
import multiprocessing
import multiprocessing.util
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from quadmix_assets.training.progress import ProgressBoard, StackReport, leave_report
from quadmix_assets.training.stacks import ProxyResult, Stack, StackJob
from quadmix_assets.training.train_stack import train_stack

_POLL_SECONDS = 1.0
# A worker that is still training looks for its folder of reports within this time.
_GRACE_SECONDS = 20.0


def run_stacks(
    job: StackJob, stacks: Sequence[Stack], *, n_workers: int, board: ProgressBoard
) -> Iterator[list[ProxyResult]]:
    """Train each stack as one batched model. Results come as they are ready, in no order.

    Args:
        job: what all stacks share.
        stacks: the proxies of each.
        n_workers: processes; with one, or one stack, all is done in this process.
        board: receives the progress.

    Raises:
        RuntimeError: a worker process died, for want of memory most likely.
    """
    if n_workers == 1 or len(stacks) == 1:
        for number, stack in enumerate(stacks):
            yield train_stack(job, stack, functools.partial(board.put, number))
        return
    futures: set[Future[list[ProxyResult]]] = set()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            # A process pool of which a worker died since the last batch raises here already.
            pending = {
                _pool(n_workers).submit(_train_stack, job, stack, folder, number)
                for number, stack in enumerate(stacks)
            }
            futures |= pending
            while pending:
                done, pending = wait(pending, _POLL_SECONDS, FIRST_COMPLETED)
                board.collect(folder)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            _pool.cache_clear()
            raise RuntimeError(
                "a process that trains proxies died, most likely for want of memory: lower "
                "proxies.n_workers or proxies.stack_size"
            ) from error
        finally:
            # A worker that is still training ends when it finds its folder for reports gone.
            for future in futures:
                future.cancel()


def _train_stack(job: StackJob, stack: Stack, folder: Path, number: int) -> list[ProxyResult]:
    """`train_stack` in a worker process, with reports as files in `folder`."""

    def report(now: StackReport) -> None:
        leave_report(folder, number, now)

    return train_stack(job, stack, report)


@functools.cache
def _pool(n_workers: int) -> ProcessPoolExecutor:
    # Kept between batches: a worker takes seconds to import torch. Spawned, not forked, because
    # the parent has threads of its own.
    pool = ProcessPoolExecutor(
        n_workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_leave_with_parent,
        initargs=(os.getpid(),),
    )
    # A process that multiprocessing started, as Dagster's steps are, joins its children at its end
    # before executors are shut down: idle workers would wait for work, and it for them, for ever.
    # Ahead of the queues' own finalizers (10): without them no worker can be told to end.
    multiprocessing.util.Finalize(None, _end_workers, args=(pool,), exitpriority=100)
    return pool


def _end_workers(pool: ProcessPoolExecutor) -> None:
    """Let workers end by themselves; those that do not are killed."""
    pool.shutdown(wait=False, cancel_futures=True)
    deadline = time.monotonic() + _GRACE_SECONDS
    for child in multiprocessing.active_children():
        child.join(max(0.0, deadline - time.monotonic()))
    for child in multiprocessing.active_children():
        child.kill()


def _leave_with_parent(parent: int) -> None:
    """End this worker when its parent is gone: a killed run must not leave workers behind."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
