"""Runs the stacks of batches in worker processes, or in this one."""

import functools
import multiprocessing
import multiprocessing.util
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quadmix_assets.training.progress import ProgressBoard, StackReport, leave_report
from quadmix_assets.training.stacks import ProxyResult, Stack, StackJob

_POLL_SECONDS = 1.0
# Within this time a worker that still trains notices that its reports folder is gone, and ends.
_GRACE_SECONDS = 20.0
_INTERRUPTED_SECONDS = 3.0


@dataclass(frozen=True)
class StackBatch:
    """Stacks that are trained alike.

    Attributes:
        job: the inputs that they share.
        stacks: the samples of each.
        board: receives the progress.
    """

    job: StackJob
    stacks: Sequence[Stack]
    board: ProgressBoard


def run_stacks(
    batches: Sequence[StackBatch], *, n_workers: int
) -> Iterator[tuple[int, list[ProxyResult]]]:
    """Train each stack of some batches as one batched model.

    Yields the number of the batch and the results of a stack as they are ready, in no fixed order.
    The stacks of all batches are begun one after the other, those with the longest trainings
    first, so that all processes have work until shortly before the end.

    Args:
        batches: of the same stack in two of them, each is trained.
        n_workers: processes; with one, or one stack, everything runs in this process.

    Raises:
        RuntimeError: a worker process died, most likely for lack of memory, or a single proxy does
            not fit in memory.
    """
    from quadmix_assets.training.train_stack import train_stack

    work = longest_first(batches)
    if n_workers == 1 or len(work) == 1:
        for batch, number in work:
            of_batch = batches[batch]
            report = functools.partial(of_batch.board.put, number)
            yield batch, train_stack(of_batch.job, of_batch.stacks[number], report)
        return
    futures: set[Future[list[ProxyResult]]] = set()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        # A folder for the reports of each batch.
        folder = Path(name)
        for batch in range(len(batches)):
            (folder / str(batch)).mkdir()
        try:
            # If a worker died since the last batch, `submit` raises BrokenProcessPool.
            with _deaf_children():
                batch_of = {
                    _executor(n_workers).submit(
                        _train_stack,
                        batches[batch].job,
                        batches[batch].stacks[number],
                        folder / str(batch),
                        number,
                    ): batch
                    for batch, number in work
                }
            pending = set(batch_of)
            futures |= pending
            while pending:
                done, pending = wait(pending, _POLL_SECONDS, FIRST_COMPLETED)
                for batch, of_batch in enumerate(batches):
                    of_batch.board.collect(folder / str(batch))
                for future in done:
                    yield batch_of[future], future.result()
        except BrokenProcessPool as error:
            _executor.cache_clear()
            raise RuntimeError(
                "a process that trains proxies died, most likely for lack of memory: lower "
                "proxies.n_workers or proxies.stack_size"
            ) from error
        except BaseException as error:
            if not isinstance(error, Exception | GeneratorExit):  # Ctrl-C and the like.
                shutil.rmtree(folder, ignore_errors=True)
                _end_workers(_executor(n_workers), _INTERRUPTED_SECONDS)
                _executor.cache_clear()
            raise
        finally:
            # Stops what has not started. A worker that still trains ends when it cannot write its
            # report, because the folder is gone.
            for future in futures:
                future.cancel()


def longest_first(batches: Sequence[StackBatch]) -> list[tuple[int, int]]:
    """Batch and number of every stack, in the order in which they are to be begun."""
    work = [
        (batch, number) for batch, each in enumerate(batches) for number in range(len(each.stacks))
    ]
    return sorted(work, key=lambda one: -batches[one[0]].job.recipe.n_tokens_per_proxy)


def _train_stack(job: StackJob, stack: Stack, folder: Path, number: int) -> list[ProxyResult]:
    """`train_stack` in a worker process, with reports as files in `folder`."""
    from quadmix_assets.training.train_stack import train_stack

    def report(now: StackReport) -> None:
        leave_report(folder, number, now)

    return train_stack(job, stack, report)


@functools.cache
def _executor(n_workers: int) -> ProcessPoolExecutor:
    # Kept between batches: a worker takes seconds to import torch. Spawned, not forked, because
    # the parent has threads of its own.
    executor = ProcessPoolExecutor(
        n_workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_leave_with_parent,
        initargs=(os.getpid(),),
    )
    # Dagster runs a step in a process of multiprocessing, which joins its children at exit before
    # executors are shut down: it would wait for idle workers for ever. The priority is above that
    # of the queues' finalizers (10), because workers are told to end through the queues.
    multiprocessing.util.Finalize(None, _end_workers, args=(executor,), exitpriority=100)
    return executor


@contextmanager
def _deaf_children() -> Iterator[None]:
    """The processes that are started in the block get no SIGINT: their parent ends them.

    Ctrl-C in a terminal goes to all of them, and a worker that it ends would look like one that
    died.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_workers(executor: ProcessPoolExecutor, grace_seconds: float = _GRACE_SECONDS) -> None:
    """Let workers end by themselves; kill those that do not within the grace period."""
    executor.shutdown(wait=False, cancel_futures=True)
    deadline = time.monotonic() + grace_seconds
    for child in multiprocessing.active_children():
        child.join(max(0.0, deadline - time.monotonic()))
    for child in multiprocessing.active_children():
        child.kill()


def _leave_with_parent(parent: int) -> None:
    """End this worker when its parent is gone, so that a killed run leaves no workers behind."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
