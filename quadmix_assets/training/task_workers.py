"""Trains stacks as tasks of a Ray cluster, in place of processes of this machine."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from quadmix_assets.ray_tasks import RayTasks, connect, shared
from quadmix_assets.training.progress import StackReport
from quadmix_assets.training.stacks import ProxyResult, Stack, StackJob
from quadmix_assets.training.workers import StackBatch, longest_first

_REPORT_SECONDS = 1.0


def run_stacks_as_tasks(
    batches: Sequence[StackBatch], tasks: RayTasks
) -> Iterator[tuple[int, list[ProxyResult]]]:
    """Train each stack of some batches as a task of the cluster.

    What a task has checkpointed in the lake outlives its node: where the task is repeated, it goes
    on from there.

    Args:
        batches: whose jobs say where every machine finds the token file.
        tasks: what each task asks for.

    Yields:
        As `run_stacks`.

    Raises:
        RuntimeError: there is no cluster, tasks were lost too often, or a single proxy does not fit
            in memory.
    """
    work = longest_first(batches)
    jobs = [shared(batch.job, tasks.env_vars) for batch in batches]
    # It needs no CPU, so that it never waits behind the tasks that report to it.
    reports = connect(tasks.env_vars).remote(num_cpus=0, max_restarts=-1)(_Reports).remote()
    calls = [
        (jobs[batch], batches[batch].stacks[number], batch, number, reports)
        for batch, number in work
    ]
    news = _News(batches, reports)
    for call, (results, last) in tasks.run(_train, calls, on_wait=news.ask):
        batch, number = work[call]
        batches[batch].board.put(number, last)
        news.end(batch, number)
        yield batch, results


def _train(
    job: StackJob, stack: Stack, batch: int, number: int, reports: Any
) -> tuple[list[ProxyResult], StackReport]:
    """`train_stack` on whatever node this is; the results and the last report."""
    from quadmix_assets.training.train_stack import train_stack

    last = StackReport(0, 0, None, 0)
    next_at = 0.0

    def report(now: StackReport) -> None:
        nonlocal last, next_at
        last = now
        if time.monotonic() >= next_at:
            reports.put.remote(batch, number, now)
            next_at = time.monotonic() + _REPORT_SECONDS

    if job.token_source is None:
        raise ValueError("a job whose token file only one machine has cannot be a task")
    with job.token_source.folder() as folder:
        return train_stack(replace(job, token_folder=folder), stack, report), last


class _Reports:
    """The last report of every stack in training; an actor of the cluster."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, int], StackReport] = {}

    def put(self, batch: int, number: int, report: StackReport) -> None:
        """Store the report of a stack."""
        self._last[batch, number] = report

    def take(self) -> dict[tuple[int, int], StackReport]:
        """What has been reported since the last call."""
        taken, self._last = self._last, {}
        return taken


class _News:
    """Carries reports to the boards, without ever waiting for them."""

    def __init__(self, batches: Sequence[StackBatch], reports: Any) -> None:
        self._batches = batches
        self._reports = reports
        self._ended: set[tuple[int, int]] = set()
        self._asked: Any = None

    def ask(self) -> None:
        """Put what has come on the boards, and ask for more."""
        ray = connect()
        if self._asked is not None:
            done, _ = ray.wait([self._asked], timeout=0)
            if not done:
                return
            for (batch, number), report in self._answer(ray).items():
                if (batch, number) not in self._ended:
                    self._batches[batch].board.put(number, report)
        self._asked = self._reports.take.remote()

    def end(self, batch: int, number: int) -> None:
        """Take no more news of a stack, whose last word is known."""
        self._ended.add((batch, number))

    def _answer(self, ray: Any) -> dict[tuple[int, int], StackReport]:
        try:
            answer: dict[tuple[int, int], StackReport] = ray.get(self._asked)
        except ray.exceptions.RayActorError:  # Its node was lost; it starts again, without news.
            return {}
        return answer
