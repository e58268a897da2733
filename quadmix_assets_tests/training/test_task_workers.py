"""Stacks that are trained by the nodes of a cluster, one of whose workers is killed."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from upath import UPath

from quadmix_assets.ray_tasks import RayTasks
from quadmix_assets.store import atomic_folder
from quadmix_assets.training.progress import BatchProgress, ProgressBoard
from quadmix_assets.training.stacks import ProxyResult, StackJob
from quadmix_assets.training.task_workers import run_stacks_as_tasks
from quadmix_assets.training.token_source import TokenSource
from quadmix_assets.training.train_stack import train_stack
from quadmix_assets.training.workers import StackBatch
from quadmix_assets_tests.cluster.ray_nodes import ray_nodes
from quadmix_assets_tests.training.stacks import make_job, make_stacks


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with ray_nodes(2) as found:
        yield found


def job_of(folder: Path, n_tokens: int) -> StackJob:
    """A job whose token file is a folder of a lake."""
    lake = UPath(folder / "lake")
    with atomic_folder(lake / "pool") as local:
        job = make_job(Path(str(local)) / "tokens", n_tokens=n_tokens)
    # A path that no machine has: tasks must find the token file by themselves.
    return dataclasses.replace(
        job,
        token_folder=folder / "nowhere",
        token_source=TokenSource(lake, "pool", "tokens"),
        unfinished_folder=lake / "unfinished",
        checkpoint_seconds=0.2,
    )


def here(job: StackJob, n: int) -> list[ProxyResult]:
    """What one process gives, without checkpoints."""
    assert job.token_source is not None
    with job.token_source.folder() as folder:
        alone = dataclasses.replace(job, token_folder=folder, unfinished_folder=None)
        return [result for stack in make_stacks(n) for result in train_stack(alone, stack, print)]


def test_tasks_give_what_one_process_gives(cluster: Any, tmp_path: Path) -> None:
    job = job_of(tmp_path, 640)
    heard: list[BatchProgress] = []
    board = ProgressBoard(3, 3 * 640, heard.append, seconds=0.0)
    found = list(run_stacks_as_tasks([StackBatch(job, make_stacks(3), board)], RayTasks()))
    assert {batch for batch, _ in found} == {0}
    results = sorted((r for _, stack in found for r in stack), key=lambda r: r.sample_id)
    assert results == here(job, 3)
    assert heard[-1].n_tokens == 3 * 640


def test_a_killed_worker_is_replaced_and_its_stack_goes_on(cluster: Any, tmp_path: Path) -> None:
    n_tokens = 64_000
    job = job_of(tmp_path, n_tokens)
    killed: list[int] = []

    def kill_one(progress: BatchProgress) -> None:
        states = list((tmp_path / "lake" / "unfinished").glob("*.state"))
        if killed or not states:
            return
        for process in psutil.process_iter(["cmdline"]):
            if any("ray::_train" in part for part in process.info["cmdline"] or ()):
                process.kill()
                killed.append(process.pid)
                return

    board = ProgressBoard(2, 2 * n_tokens, kill_one, seconds=0.0)
    found = list(run_stacks_as_tasks([StackBatch(job, make_stacks(2), board)], RayTasks()))
    assert killed
    results = sorted((r for _, stack in found for r in stack), key=lambda r: r.sample_id)
    assert [r.losses for r in results] == [r.losses for r in here(job, 2)]
