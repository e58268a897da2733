"""Runs whose process is gone, in an instance of toys."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets.healing import executor_of, heal, held_run, hold_run
from quadmix_assets.run_locks import Holder
from quadmix_assets_tests.conftest import instance_in
from quadmix_assets_tests.processes import kill_group, started, until

POOL = "training"
HOLD = """
import sys, time
import dagster as dg
from quadmix_assets.healing import hold_run
with dg.DagsterInstance.get() as instance:
    hold_run(instance, sys.argv[1])
time.sleep(600)
"""


@dg.op
def nothing() -> None:
    pass


@dg.job
def toy() -> None:
    nothing()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with instance_in(tmp_path / "home"), dg.DagsterInstance.get() as found:
        found.event_log_storage.set_concurrency_slots(POOL, 1)
        yield found


def start_run(instance: dg.DagsterInstance, *, pool: str | None = POOL) -> str:
    """A run that says that it has started, and holds the slot of a pool."""
    run = instance.create_run_for_job(toy)
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, toy.name), run.run_id
    )
    if pool:
        assert claims(instance, run.run_id, pool)
    return run.run_id


def claims(instance: dg.DagsterInstance, run_id: str, pool: str = POOL) -> bool:
    """Whether a run gets the slot."""
    storage = instance.event_log_storage
    return bool(storage.claim_concurrency_slot(pool, run_id, "nothing").is_claimed)


def status(instance: dg.DagsterInstance, run_id: str) -> str:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status.value


@pytest.mark.parametrize("retry", [True, False])
def test_a_run_ends_with_its_process_and_its_slot_is_free(
    instance: dg.DagsterInstance, tmp_path: Path, retry: bool
) -> None:
    run_id = start_run(instance)
    waiting = start_run(instance, pool=None)
    assert not claims(instance, waiting)
    with started(["-c", HOLD, run_id], tmp_path / "log") as process:
        assert until(lambda: executor_of(instance, run_id))
        assert heal(instance, retry=retry) == []
        assert status(instance, run_id) == "STARTED"
        kill_group(process)
    told = heal(instance, retry=retry)
    assert status(instance, run_id) == "FAILURE"
    assert f"{run_id} ended without a word, with process {process.pid}" in told[0]
    assert "no longer holds a slot of training" in told[1]
    events = [entry.dagster_event for entry in instance.all_logs(run_id)]
    said = [event.message or "" for event in events if event is not None]
    assert any("ended without a word" in words for words in said)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.tags.get("dagster/max_retries") == (None if retry else "0")
    assert claims(instance, waiting), "who waited has its turn"
    assert heal(instance, retry=retry) == []
    assert executor_of(instance, run_id) is None


def test_a_run_that_was_being_cancelled_is_cancelled(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    run_id = start_run(instance)
    with started(["-c", HOLD, run_id], tmp_path / "log"):
        assert until(lambda: executor_of(instance, run_id))
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_canceling(run)
    heal(instance, retry=True)
    assert status(instance, run_id) == "CANCELED"


def test_runs_that_this_process_executes_live(instance: dg.DagsterInstance) -> None:
    run_id = start_run(instance)
    with held_run(instance, run_id):
        assert heal(instance, retry=True) == []
    assert executor_of(instance, run_id) is None
    assert heal(instance, retry=True) == [], "a run that nobody says to execute is left alone"
    assert status(instance, run_id) == "STARTED"


def test_slots_of_runs_that_ended_or_are_unknown_are_freed(instance: dg.DagsterInstance) -> None:
    run_id = start_run(instance)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_failed(run)
    other = start_run(instance, pool=None)
    assert not claims(instance, other)
    assert "has ended" in heal(instance, retry=True)[0]
    assert claims(instance, other)
    instance.event_log_storage.free_concurrency_slots_for_run(other)
    assert claims(instance, "deleted")
    assert "deleted has ended" in heal(instance, retry=True)[0]
    assert claims(instance, other)


def test_runs_on_other_machines_are_left_to_their_launcher(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    # Any launcher but the default one starts runs elsewhere.
    launcher = "run_launcher: {module: dagster._core.launcher.sync_in_memory_run_launcher, "
    (home / "dagster.yaml").write_text(f"{launcher}class: SyncInMemoryRunLauncher}}\n")
    with instance_in(home), dg.DagsterInstance.get() as instance:
        instance.event_log_storage.set_concurrency_slots(POOL, 1)
        run_id = start_run(instance)
        hold_run(instance, run_id)
        assert executor_of(instance, run_id) is None, "a lock would say nothing elsewhere"
        locks = home / "run_locks"
        locks.mkdir(exist_ok=True)
        there = Holder(1, "2026-01-01 00:00:00", "dagster", "another-machine")
        (locks / run_id).write_text(json.dumps(asdict(there)))
        assert heal(instance, retry=True) == []
        assert status(instance, run_id) == "STARTED"
        # Where it runs, a step may still be ending.
        run = instance.get_run_by_id(run_id)
        assert run is not None
        instance.report_run_failed(run)
        assert heal(instance, retry=True) == []
        assert not claims(instance, start_run(instance, pool=None))
