"""What a killed process leaves in the Dagster instance: runs without an end, slots without a user.

Whatever executes a run holds the lock of a file named like the run, for as long as it lives. A run
whose lock can be had has no process. Locks are of one machine: runs that a launcher starts on other
machines have none, and are left to Dagster's own run monitoring, which asks the launcher.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import MAX_RETRIES_TAG

from quadmix_assets.run_locks import (
    HeldLock,
    Holder,
    hold_abandoned,
    hold_new,
    is_held,
    last_holder,
)

_FOLDER = "run_locks"
# A lock that is being made has a hidden name, for a moment.
_HALF_MADE_SECONDS = 60.0
# So long a run on another machine may go on to end a step after it counts as ended.
_ENDING_SECONDS = 60.0
# The locks of the runs that this process executes until it ends.
_HELD: list[HeldLock] = []


def hold_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Hold the lock of a run until this process ends, if runs are executed on this machine."""
    if not _runs_here(instance):
        return
    lock = hold_new(_path(instance, run_id))
    if lock is not None:
        _HELD.append(lock)


@contextmanager
def held_run(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Hold the lock of a run while the block executes it; the run has ended when the block has."""
    path = _path(instance, run_id)
    lock = hold_new(path)
    if lock is None:
        yield
        return
    with lock:
        yield
        path.unlink(missing_ok=True)


def executor_of(instance: dg.DagsterInstance, run_id: str) -> Holder | None:
    """The process that executes a run, if that is on record."""
    return last_holder(_path(instance, run_id))


def heal(instance: dg.DagsterInstance, *, retry: bool) -> list[str]:
    """End the runs whose process is gone, and free the slots of runs that have ended.

    Args:
        instance: with the runs and the pools.
        retry: whether Dagster's daemon may launch the ended runs once more (`run_retries`).

    Returns:
        What was done, one sentence each.
    """
    done = []
    folder = _path(instance, "")
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if not path.name.startswith("."):
            done += _end_if_dead(instance, path, retry=retry)
        elif _is_left_half_made(path):
            path.unlink(missing_ok=True)
    return done + _free_slots(instance)


def cancel_own_runs() -> None:
    """Record the runs that this process executes as cancelled, because it is about to end.

    Their slots are freed by whoever heals the instance next.
    """
    with dg.DagsterInstance.get() as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES)):
            executor = executor_of(instance, run.run_id)
            if executor is not None and executor.pid == os.getpid():
                instance.report_run_canceled(
                    run, "interrupted in a call that hears no signal; what was finished stays"
                )


def _path(instance: dg.DagsterInstance, run_id: str) -> Path:
    return Path(instance.root_directory, _FOLDER, run_id)


def _runs_here(instance: dg.DagsterInstance) -> bool:
    """Whether the instance's launcher starts runs on the machine that it is on."""
    return isinstance(instance.run_launcher, DefaultRunLauncher)


def _is_left_half_made(path: Path) -> bool:
    """Whether a lock with a hidden name is older than the making of one takes."""
    try:
        return time.time() - path.stat().st_mtime > _HALF_MADE_SECONDS
    except FileNotFoundError:  # It has got its name.
        return False


def _end_if_dead(instance: dg.DagsterInstance, path: Path, *, retry: bool) -> list[str]:
    holder = last_holder(path)
    if holder is not None and not (_runs_here(instance) or holder.is_here()):
        return []  # The folder is shared, and locks may not reach beyond their machine.
    lock = hold_abandoned(path)
    if lock is None:
        return []
    done = []
    # Under the lock, so that two that heal at once report a run once.
    with lock:
        run = instance.get_run_by_id(path.name)
        if run is not None and not run.is_finished:
            reason = (
                f"the run {run.run_id} ended without a word, with {holder or 'its process'}: "
                "killed, or out of memory. What it had finished stays, and whoever takes it up "
                "goes on from there"
            )
            if run.status is dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, reason)
            else:
                if not retry:
                    instance.add_run_tags(run.run_id, {MAX_RETRIES_TAG: "0"})
                instance.report_run_failed(run, reason)
            done.append(reason)
        path.unlink(missing_ok=True)
    return done


def _free_slots(instance: dg.DagsterInstance) -> list[str]:
    """Free what runs that have ended, or are unknown, hold of the pools, or wait for in them."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return []
    pools: dict[str, list[str]] = {}
    for pool in sorted(storage.get_concurrency_keys()):
        info = storage.get_concurrency_info(pool)
        holding = {slot.run_id for slot in info.claimed_slots}
        waiting = {step.run_id for step in info.pending_steps}
        for run_id in holding | waiting:
            pools.setdefault(run_id, []).append(pool)
    done = []
    for run_id, named in pools.items():
        # A run can count as ended while its process still has a step to end.
        if _has_ended(instance, run_id) and not is_held(_path(instance, run_id)):
            storage.free_concurrency_slots_for_run(run_id)
            done.append(
                f"the run {run_id} has ended, and no longer holds a slot of {', '.join(named)}"
            )
    return done


def _has_ended(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run is unknown or has ended; where no lock can tell, some time ago."""
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        return True
    if not record.dagster_run.is_finished:
        return False
    return _runs_here(instance) or time.time() - (record.end_time or 0.0) > _ENDING_SECONDS
